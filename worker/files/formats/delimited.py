"""Text whose cells are separated by commas, semicolons, tabs or bars; and text of JSON, an object on each line."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Final

from worker.files.columns.header import REFUSED, begins_with
from worker.files.csv_rows import CsvRow, split_rows
from worker.files.lines import Line, Lines
from worker.files.sheet import unguarded

DELIMITERS: Final = (",", ";", "\t", "|")
Tick = Callable[[int], None]


@dataclass(slots=True, weakref_slot=True)
class Delimited:
    """A text, read from where it begins as often as is asked."""

    source: BinaryIO
    start: int
    encoding: str
    sample: bytes
    tick: Tick

    @classmethod
    def open(cls, source: BinaryIO, encoding: str | None, tick: Tick) -> "Delimited":
        """Look at the beginning of a text.

        Raises:
            FileError: where it is empty, or no text.

        """
        start = source.tell()
        head = Lines(source, encoding)
        return cls(source, start, head.encoding, head.sample, tick)

    @property
    def head(self) -> str:
        """Give the beginning of the text."""
        return self.sample.decode(self.encoding, "replace").lstrip("\ufeff")

    def lines(self) -> Iterator[Line]:
        """Give every line."""
        self.source.seek(self.start)
        return iter(Lines(self.source, self.encoding, self.tick))

    def first_rows(self, number: int) -> Iterator[tuple[str, Iterator[CsvRow]]]:
        """Give the first rows as they are with each delimiter."""
        self.source.seek(self.start)
        split = Lines(self.source, self.encoding).split
        lines = [Line(place, text.removesuffix("\r")) for place, text in enumerate(split(self.head), 1)]
        for delimiter in DELIMITERS:
            yield delimiter, islice(_rows(iter(lines), delimiter), number)

    def rows(self, delimiter: str) -> Iterator[CsvRow]:
        """Give every row."""
        return _rows(self.lines(), delimiter)


def _rows(lines: Iterator[Line], delimiter: str) -> Iterator[CsvRow]:
    """Split lines into rows; from the header of a sheet of ours on, cells are as they were before it was written."""
    is_ours = False
    for row in split_rows(lines, delimiter):
        is_ours = is_ours or begins_with(row.cells, REFUSED)
        yield row._replace(cells=[unguarded(cell) for cell in row.cells]) if is_ours else row
