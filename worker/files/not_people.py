"""Rows that name no contact because they are nobody's: footers, totals, telephones, people without an address.

They are left out and counted by their reason; each of them refused would bury what can be corrected.
"""

import re
from dataclasses import dataclass
from typing import Final

from worker.files.columns.header import Columns, columns_before
from worker.files.columns.known_titles import Field, compact
from worker.files.columns.who_counts import NOTHING
from worker.files.csv_rows import CsvRow
from worker.files.people import name_places

_PHONE: Final = re.compile(
    r"(?:phone|telefon|tel\.?|call[- ]in user|dial[- ]in)?[\s#:_-]*\+?[\d\s().*xX-]{4,}", re.IGNORECASE
)
_TIMES: Final = (Field.JOINED, Field.LEFT, Field.REGISTERED, Field.TIME)
_TOTALS: Final = frozenset(
    {"total", "totals", "sum", "count", "average", "grandtotal", "subtotal", "summe", "gesamt", "anzahl",
     "durchschnitt",
     "totaux", "somme", "moyenne", "suma", "promedio", "media", "soma", "totale", "totali", "totaal", "gemiddelde"}
)  # fmt: skip
FOOTER: Final = "a line below the table (a total, a note or a footer), not a person"
PHONE: Final = "joined by telephone, without an e-mail address"
NO_ADDRESS: Final = "has no e-mail address, as guests often have none"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is not handed in, such as that of somebody who did not come: why, and the option that takes it in."""

    line: int
    why: str
    option: str = ""


def not_a_person(columns: Columns, row: CsvRow) -> LeftOut | None:
    """Say why a row that names no contact is left out; nothing where what stands there may be meant for one."""
    if any(True for _ in columns.not_taken(row.cells)):
        return None
    start = columns_before(columns.titles)
    if start:
        return None  # a row of a corrected file: it is somebody's
    filled = [text for cell in row.cells[start:] if (text := cell.strip()) not in NOTHING]
    if _is_footer(columns, row, filled):
        return LeftOut(row.line, FOOTER)
    names = [row.cells[place].strip() for place in name_places(columns.titles) if place < len(row.cells)]
    if any(name and _PHONE.fullmatch(name) for name in names):
        return LeftOut(row.line, PHONE)
    return LeftOut(row.line, NO_ADDRESS)


def _is_footer(columns: Columns, row: CsvRow, filled: list[str]) -> bool:
    """Say whether a row has too little in it for a person, or begins with a word such as “Total”."""
    if not filled or compact(filled[0].split(":")[0]) in _TOTALS or compact(filled[0].split(" ")[0]) in _TOTALS:
        return True
    times = [
        place
        for what in (Field.JOINED, Field.LEFT, Field.REGISTERED, Field.TIME)
        for place in columns.fields.get(what, ())
    ]
    if any(place < len(row.cells) and row.cells[place].strip() not in NOTHING for place in times):
        return False
    return len(filled) == 1 and len(columns.titles) > 2  # noqa: PLR2004 - a table of two columns has rows of one cell
