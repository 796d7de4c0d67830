"""Sheets that Turnout writes for spreadsheets: the one writer of CSV, and its cells as they are read back.

A spreadsheet runs a cell that begins like a formula, and its user chooses what separates the cells: read with `;`, the
text `x;=1+2` is two cells, of which the second runs. So wherever a cell might begin, an apostrophe is put before what
looks like a formula, which spreadsheets then show as text. Numbers with a sign and telephone numbers are no exception:
`+49 30 …` would be computed, and `-2+…` is a formula. Reading takes exactly these apostrophes away.
"""

import csv
import re
from collections.abc import Iterable
from typing import IO, Final

SIGNS: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
"""What a formula begins with, also in the full-width and small forms that East Asian spreadsheets take."""
BREAKS: Final = "\t\r\n"
SEPARATORS: Final = f";,|{BREAKS}\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
"""What may stand between two cells, whoever reads the file."""
PASSED_OVER: Final = (
    " \"'\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180e"
    "\u2000-\u200f\u202a-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0"
)
"""Quotes, spaces, controls and letters that show nothing: a spreadsheet may look past them."""
_BEGINS: Final = rf"[{PASSED_OVER}]*[{SIGNS}]"
_BEGINS_ALL: Final = rf"[{PASSED_OVER}]*[{SIGNS}{BREAKS}]"
_RUNS: Final = re.compile(rf"\A(?={_BEGINS_ALL})|(?<=[{SEPARATORS}])(?={_BEGINS})")
"""Places in a cell from which on a spreadsheet may run it; an apostrophe before a sign counts, so that ours are told
from others'."""
_GUARDS: Final = re.compile(rf"\A'(?={_BEGINS_ALL})|(?<=[{SEPARATORS}])'(?={_BEGINS})")


class Sheet:
    """A CSV file as it is written, a row at a time."""

    def __init__(self, file: IO[str], delimiter: str = ",") -> None:
        self._writer = csv.writer(file, delimiter=delimiter)

    def add(self, cells: Iterable[object]) -> None:
        """Write a row, of which no spreadsheet runs a cell."""
        self._writer.writerow([guarded(str(cell)) for cell in cells])


def guarded(cell: str) -> str:
    """Give a cell's text so that nothing in it is run, whatever separates the cells."""
    return _RUNS.sub("'", cell)


def unguarded(cell: str) -> str:
    """Give the text that `guarded` was given."""
    return _GUARDS.sub("", cell)
