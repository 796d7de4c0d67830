"""Real dates of a spreadsheet, and the same with day and month exchanged."""

import re
from typing import Final

_REAL: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})((?: \d{2}:[\d:.]+)?)")
"""As a workbook's cell is read: what is corrected by hand in the form that is proposed, with a T and a zone, is not."""
_MONTHS: Final = 12


def is_real_date(text: str) -> bool:
    """Say whether a text is written as a spreadsheet's dates are read: year, month and day."""
    return _REAL.fullmatch(text) is not None


def exchanged(text: str) -> str | None:
    """Give a real date with its day and month exchanged; None where that is no date."""
    found = _REAL.fullmatch(text)
    if found is None or int(found[3]) > _MONTHS:
        return None
    return f"{found[1]}-{found[3]}-{found[2]}{found[4]}"
