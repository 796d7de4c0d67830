"""Lines to rows of cells: a row may hold quoted newlines, and a quote that never closes costs its own line alone."""

import csv
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from models.input_check import Reason
from worker.files.lines import Line

MOST_CONTINUED: Final = 100
"""Lines that one quoted cell may run over. An address or a comment has a few; a quote left open has all the rest."""
LONGEST_ROW: Final = 128 * 1024
_OPEN: Final = "unexpected end of data"
"""What csv says, in strict mode, of a quote that is still open."""


class CsvRow(NamedTuple):
    """A row's cells and the number of its first line; `fault` says why its cells cannot be trusted."""

    line: int
    cells: list[str]
    fault: Reason | None = None

    @property
    def has_at(self) -> bool:
        """Say whether an @ stands in any cell, as in an address."""
        return "@" in "".join(self.cells)


def split_rows(lines: Iterator[Line], delimiter: str) -> Iterator[CsvRow]:
    """Split lines into rows; lines without anything in them are passed over."""
    waiting: deque[Line] = deque()
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        if line.fault:
            yield CsvRow(line.number, [line.text], line.fault)
        elif '"' in line.text:
            yield _quoted(line, lines, waiting, delimiter)
        elif line.text.strip():
            yield CsvRow(line.number, line.text.split(delimiter))


def _quoted(first: Line, lines: Iterator[Line], waiting: deque[Line], delimiter: str) -> CsvRow:
    """Read a row with quotes, taking in as many lines as its cells run over; what was taken in vain goes back."""
    taken = [first]
    cells = _parse(first.text, delimiter)
    while cells is None and _take(lines, waiting, taken):
        cells = _parse("\n".join(line.text for line in taken), delimiter)
    if cells is None or (not cells and len(taken) > 1):
        waiting.extendleft(reversed(taken[1:]))
        what, right = "opens a quote that does not close", 'every " inside a quoted cell doubled, and one at its end'
        return CsvRow(first.number, [first.text], Reason(f"line {first.number}", what, right))
    fault = next((line.fault for line in taken if line.fault), None)  # in a line that a quoted cell runs over
    return CsvRow(first.number, cells or _parse_leniently(first.text, delimiter), fault)


def _take(lines: Iterator[Line], waiting: deque[Line], taken: list[Line]) -> bool:
    """Take lines up to the next one with a quote; say whether there was one within the bounds."""
    length = sum(len(line.text) for line in taken)
    while len(taken) < MOST_CONTINUED and length < LONGEST_ROW:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return False
        taken.append(line)
        length += len(line.text)
        if '"' in line.text:
            return True
    return False


def _parse(text: str, delimiter: str) -> list[str] | None:
    """Give the cells; None where a quote is still open; no cells at all where a quote stands where none may."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        return None if str(error) == _OPEN else []


def _parse_leniently(text: str, delimiter: str) -> list[str]:
    """Read odd but clear cells, such as "Bob" Smith."""
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return text.split(delimiter)
