"""What a workbook may hold: measured before it is opened, since a small one may unpack to any size.

calamine keeps a sheet as one block of cells, from the first that holds something to the last. So the size that the
cells span is counted here, a block of bytes at a time; rows that a sheet does not show are noted on the way.
"""

from array import array
from dataclasses import dataclass, field
from typing import Final

from worker.files.lines import FileError

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a workbook as a file."""
MOST_UNPACKED: Final = 1024 * 1024 * 1024
"""Bytes of all that is packed in it."""
MOST_CELLS: Final = 20_000_000
"""Cells that the sheets of a workbook span together: a million rows of twenty columns."""
MOST_COLUMNS: Final = 16_384
"""Columns of a sheet of Excel's."""
SMALLER: Final = "the sheet saved as “CSV UTF-8”, which may have any size"


@dataclass(slots=True)
class Measure:
    """What one sheet spans, and which of its rows it does not show; rows and columns count from 1."""

    hidden: "array[int]" = field(default_factory=lambda: array("I"))
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def add(self, row: int, column: int, high: int = 1, wide: int = 1) -> None:
        """Add a cell that holds something, and as many below and beside it as repeat it."""
        if not self.bottom:
            self.top, self.left = row, column
        elif row < self.top or column < self.left:
            self.top, self.left = min(self.top, row), min(self.left, column)
        if row + high > self.bottom:
            self.bottom = row + high - 1
        if column + wide > self.right:
            self.right = column + wide - 1

    @property
    def cells(self) -> int:
        """Count the cells from the first that holds something to the last."""
        return (self.bottom - self.top + 1) * (self.right - self.left + 1) if self.bottom else 0


@dataclass(slots=True)
class Measured:
    """What was seen of a workbook before it was opened."""

    is_1904: bool = False
    """Whether its days count from 1904, as on older Macs."""
    sheets: list[Measure] = field(default_factory=list)
    """In the order of the workbook."""
    _unpacked: int = 0
    _before: int = 0

    def sheet(self, measure: Measure | None = None) -> Measure:
        """Begin the next sheet, or add one that is measured."""
        self._before += self.sheets[-1].cells if self.sheets else 0
        self.sheets.append(measure or Measure())
        self.check()
        return self.sheets[-1]

    def check(self) -> None:
        """See whether the sheets span too much by now.

        Raises:
            FileError: where they span more than `MOST_CELLS`.

        """
        if self.sheets and self._before + self.sheets[-1].cells > MOST_CELLS:
            raise too_large(f"{MOST_CELLS:,} cells")
        if self.sheets and self.sheets[-1].right > MOST_COLUMNS:
            raise too_large(f"{MOST_COLUMNS:,} columns")

    def unpacked(self, size: int) -> None:
        """Count bytes that were unpacked.

        Raises:
            FileError: where they are more than `MOST_UNPACKED`.

        """
        self._unpacked += size
        if self._unpacked > MOST_UNPACKED:
            raise too_large(f"{MOST_UNPACKED >> 20:,} MiB when it is unpacked")

    def hidden(self, place: int) -> frozenset[int]:
        """Give the numbers of the rows that the sheet at this place does not show."""
        return frozenset(self.sheets[place].hidden) if place < len(self.sheets) else frozenset()


def too_large(what: str) -> FileError:
    """Say that a workbook is larger than it may be."""
    return FileError("the file", f"is a workbook of more than {what}", SMALLER)
