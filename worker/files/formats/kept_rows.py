"""Rows of cells on disk: what a workbook or a web page holds can be read again without keeping it in memory."""

import shutil
import tempfile
import weakref
from array import array
from collections.abc import Iterator
from typing import IO, BinaryIO, Final, cast

import orjson

from models.input_check import Reason
from worker.files.csv_rows import CsvRow
from worker.files.lines import readable

LONGEST_CELL: Final = 128 * 1024
"""Characters of a cell that are kept: more is no value of a person."""


class KeptRows:
    """Rows in a file without a name, which goes when the process does."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as its rows are read
        weakref.finalize(self, self._file.close)
        self._end = 0
        self.count = 0
        self.addresses = 0
        """Rows that hold an @, of those that are shown."""
        self.hidden = array("I")
        """Lines of the rows that the sheet does not show."""
        self.hidden_addresses = 0
        self.gives_hidden = False
        """Whether they are given as the others are."""

    def add(self, line: int, cells: list[str], fault: str = "", *, hidden: bool = False) -> None:
        """Keep a row; one without any text is passed over."""
        while cells and not cells[-1].strip():
            cells.pop()
        if not cells:
            return
        kept = [readable(cell[:LONGEST_CELL]) for cell in cells]
        self._end += self._file.write(orjson.dumps([line, kept, fault, hidden]) + b"\n")
        self.count += 1
        has_address = any("@" in cell for cell in cells)
        if hidden:
            self.hidden.append(line)
            self.hidden_addresses += has_address
        else:
            self.addresses += has_address

    def __iter__(self) -> Iterator[CsvRow]:
        """Give every row, from the first one on; several may read at once."""
        at = 0
        while at < self._end:
            self._file.seek(at)
            written = self._file.readline()
            at += len(written)
            line, cells, fault, hidden = orjson.loads(written)
            if hidden and not self.gives_hidden:
                continue
            yield CsvRow(line, cells, Reason(f"line {line}", fault, "a JSON object") if fault else None)


def kept_on_disk(source: BinaryIO) -> BinaryIO:
    """Copy what comes through a pipe to a file without a name, so that it can be read twice."""
    kept = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - its reader closes it
    shutil.copyfileobj(source, kept)
    kept.seek(0)
    return kept
