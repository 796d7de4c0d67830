"""A workbook's cell as text, in a form that `times` reads without doubt."""

from datetime import date, datetime, time, timedelta
from typing import Final

CellValue = int | float | str | bool | time | date | datetime | timedelta
_NEARLY: Final = 5_000
"""Microseconds by which a time of day, kept as a fraction of a day, may miss its second."""


def cell_text(value: CellValue) -> str:  # noqa: PLR0911 - a kind each
    """Write a cell: a date as ISO 8601, a whole number without its “.0”, a length of time with its units."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return _rounded(value).isoformat(" ", "seconds" if not _rounded(value).microsecond else "milliseconds")
        case date():
            return value.isoformat()
        case time():
            return _rounded(datetime.combine(date(2000, 1, 1), value)).time().isoformat("seconds")
        case timedelta():
            seconds = round(value.total_seconds())
            return f"{seconds // 3600}h {seconds // 60 % 60}m {seconds % 60}s"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _rounded(value: datetime) -> datetime:
    """Give the second that is meant where the fraction of a day missed it by less than a screen shows."""
    past = value.microsecond
    if past <= _NEARLY:
        return value.replace(microsecond=0)
    if past >= 1_000_000 - _NEARLY:
        return value.replace(microsecond=0) + timedelta(seconds=1)
    return value
