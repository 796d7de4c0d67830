"""Rows that name no contact because they are nobody's: footers, totals, telephones, people without an address.

They are left out and counted by their reason; each of them refused would bury what can be corrected.
"""

import re
from dataclasses import dataclass
from typing import Final

from worker.files.columns.header import Columns, columns_before
from worker.files.columns.known_titles import Field, compact
from worker.files.columns.who_counts import NO_VALUE
from worker.files.csv_rows import CsvRow
from worker.files.people import name_places

_PHONE: Final = re.compile(
    r"(?:phone|telefon|tel\.?|call[- ]in user|dial[- ]in)?[\s#:_-]*\+?[\d\s().*xX-]{4,}", re.IGNORECASE
)
_BY: Final = re.compile(
    r"(?:(?:this\s+)?(?:report|list|file|data|export|bericht|liste|datei|rapport|informe|reporte|relat[oó]rio|lista)\s+)?"
    r"(?:was\s+|wurde\s+)?(?:exported|generated|created|prepared|downloaded|printed|produced|compiled|exportiert|"
    r"erstellt|generiert|heruntergeladen|export[ée]e?|g[ée]n[ée]r[ée]e?|cr[ée]{2}e?|exportado|generado|creado|gerado|"
    r"criado|esportato|generato|creato|ge[ëe]xporteerd|gegenereerd|gemaakt)\s+"
    r"(?:by|on|at|from|with|von|am|mit|durch|par|le|avec|por|el|em|da|il|door|op)\b",
    re.IGNORECASE,
)
"""How a line begins that tells who made the report, or when."""
_TIMES: Final = (Field.JOINED, Field.LEFT, Field.REGISTERED, Field.TIME)
_TOTALS: Final = frozenset(
    {"total", "totals", "sum", "count", "average", "grandtotal", "subtotal", "summe", "gesamt", "anzahl",
     "durchschnitt",
     "totaux", "somme", "moyenne", "suma", "promedio", "media", "soma", "totale", "totali", "totaal", "gemiddelde"}
)  # fmt: skip
MOST_OF_A_LABEL: Final = 2
"""Cells of a label with its value; a table of two columns has people of one cell."""
FOOTER: Final = "a line of text (a title, a total, a note or a footer), not a person"
PHONE: Final = "joined by telephone, without an e-mail address"
NOBODY: Final = "names nobody: no name, and no e-mail address"
NO_ADDRESS: Final = "has no e-mail address, as guests often have none"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is not handed in, such as that of somebody who did not come: why, and the option that takes it in."""

    line: int
    why: str
    option: str = ""
    person: bytes = b""
    """Of a row that may undo another of the same person, such as “Cancelled” after “Registered”: whose it is."""
    time: int | None = None
    """And when that was, in milliseconds."""


def not_a_person(columns: Columns, row: CsvRow) -> LeftOut | None:
    """Say why a row that names nobody is left out; nothing where what stands there may be meant for a contact."""
    start = columns_before(columns.titles)
    if start:
        return None  # a row of a corrected file: it is somebody's
    if _tells_of_report(columns, row):
        return LeftOut(row.line, FOOTER)
    if _names_contact(columns, row) or any(True for _ in columns.not_taken(row.cells)):
        return None
    filled = [text for cell in row.cells[start:] if (text := cell.strip()) not in NO_VALUE]
    if _is_footer(columns, row, filled):
        return LeftOut(row.line, FOOTER)
    names = [row.cells[place].strip() for place in name_places(columns.titles) if place < len(row.cells)]
    if any(name and _PHONE.fullmatch(name) for name in names):
        return LeftOut(row.line, PHONE)
    return LeftOut(row.line, NO_ADDRESS if any(names) or not names else NOBODY)


def _names_contact(columns: Columns, row: CsvRow) -> bool:
    """Say whether a row has an address, or what may be a misspelt one: a total or a sentence is none."""
    for place in columns.fields.get(Field.EMAIL, ()):
        if place < len(row.cells) and "@" in row.cells[place]:
            return True
    if _texts(columns, row, Field.VID):
        return True
    addresses = _texts(columns, row, Field.EMAIL)
    filled = [text for cell in row.cells if (text := cell.strip()) not in NO_VALUE]
    return bool(addresses) and not _is_total(filled[0]) and not (len(filled) == 1 and " " in filled[0])


def _tells_of_report(columns: Columns, row: CsvRow) -> bool:
    """Say whether a row tells who made the report: under the title of a name, address or time, or without a time."""
    for place in name_places(columns.titles):
        if place < len(row.cells) and _BY.match(row.cells[place].strip()):
            return True
    text = next(filter(None, map(str.strip, row.cells)), "")
    is_label = text.endswith(":") and sum(1 for cell in row.cells if cell.strip()) <= MOST_OF_A_LABEL
    if not (is_label or _BY.match(text)):
        return False
    first = next((place for place, cell in enumerate(row.cells) if cell.strip()), 0)
    parts = (place for name in ("firstname", "lastname") for place in columns.properties.get(name, ()))
    read = (place for what in (Field.EMAIL, *_TIMES) for place in columns.fields.get(what, ()))
    return first in {*name_places(columns.titles), *parts, *read} or not any(
        True for what in _TIMES for _ in _texts(columns, row, what)
    )


def _texts(columns: Columns, row: CsvRow, what: Field) -> list[str]:
    cells = (row.cells[place].strip() for place in columns.fields.get(what, ()) if place < len(row.cells))
    return [text for text in cells if text not in NO_VALUE]


def _is_total(text: str) -> bool:
    return compact(text.split(":", maxsplit=1)[0]) in _TOTALS or compact(text.split(" ", maxsplit=1)[0]) in _TOTALS


def _is_footer(columns: Columns, row: CsvRow, filled: list[str]) -> bool:
    """Say whether a row has too little in it for a person, or begins with a word such as “Total”."""
    if not filled or _is_total(filled[0]):
        return True
    if any(True for what in _TIMES for _ in _texts(columns, row, what)):
        return False
    return len(filled) == 1 and (len(columns.titles) > MOST_OF_A_LABEL or " " in filled[0])
