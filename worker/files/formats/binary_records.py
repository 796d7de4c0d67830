"""The records of Excel's binary formats, as far as they say what a sheet spans and which rows it does not show.

Sources: Microsoft's [MS-XLSB] (2.1.4 records, 2.4.740 BrtRowHdr) and [MS-XLS] (2.1.4 records, 2.4.221 Row).
"""

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from worker.files.formats.workbook_bounds import MOST_CELLS, Measure, Measured

if TYPE_CHECKING:
    from mmap import mmap

_ROW_12: Final = struct.Struct("<I6xBB")
_COLUMN_12: Final = struct.Struct("<I")
_FLAGS: Final = struct.Struct("<I")
_CELLS_12: Final = frozenset([*range(2, 12), 62])
"""BrtCellRk to BrtFmlaError, and BrtCellRString."""
_ROW_HEADER, _WORKBOOK_PROPERTIES, _SHEET_12 = 0, 153, 156
_HIDDEN_12: Final = 0x10
"""fDyZero of BrtRowHdr, in the second byte of its flags."""

_HEAD: Final = struct.Struct("<HH")
_PLACE: Final = struct.Struct("<HH")
_ROW: Final = struct.Struct("<H10xH")
_OFFSET: Final = struct.Struct("<I")
_CELLS: Final = frozenset({0x0006, 0x00D6, 0x00FD, 0x0203, 0x0204, 0x0205, 0x027E})
"""Formula, RString, LabelSst, Number, Label, BoolErr, RK."""
_MANY: Final = 0x00BD
"""MulRk: numbers side by side; its last two bytes are their last column."""
_DIMENSIONS: Final = 0x0200
_SPANS: Final = {10: struct.Struct("<HHHH"), 14: struct.Struct("<IIHH")}
"""By the size of the record: the first row and the one after the last, the same of columns."""
_BEGIN, _END, _SHEET, _ROW_OF, _DATE_MODE, _ENCRYPTED = 0x0809, 0x000A, 0x0085, 0x0208, 0x0022, 0x002F
_HIDDEN: Final = 0x20
"""fDyZero of Row."""


def records_12(data: "bytes | mmap") -> Iterator[tuple[int, int, int]]:
    """Give each record of an xlsb part: its type, where its content begins, and where it ends.

    A type has one or two bytes of seven bits, a length up to four.
    """
    at, whole = 0, len(data)
    while at < whole:
        kind = data[at]
        at += 1
        if kind & 0x80:
            kind = kind & 0x7F | (data[at] & 0x7F) << 7
            at += 1
        size = shift = 0
        while True:
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift == 28:  # noqa: PLR2004 - bits
                break
        yield kind, at, at + size
        at += size


def measure_xlsb(data: "bytes | mmap", sheet: Measure, check: Callable[[], None]) -> None:
    """Measure a sheet of an xlsb; `check` is called after each row."""
    row = 0
    for kind, at, _ in records_12(data):
        if kind == _ROW_HEADER:
            check()
            row, _, flags = _ROW_12.unpack_from(data, at)
            row += 1
            if flags & _HIDDEN_12:
                sheet.hidden.append(row)
        elif kind in _CELLS_12:
            sheet.add(row, _COLUMN_12.unpack_from(data, at)[0] + 1)
    check()


def sheets_of_xlsb(data: bytes) -> tuple[bool, list[str]]:
    """Give whether a workbook counts its days from 1904, and the relation's id of each of its sheets."""
    is_1904, sheets = False, []
    for kind, at, end in records_12(data):
        if kind == _WORKBOOK_PROPERTIES:
            is_1904 = bool(_FLAGS.unpack_from(data, at)[0] & 1)
        elif kind == _SHEET_12:
            (letters,) = _COLUMN_12.unpack_from(data, at + 8)
            sheets.append(data[at + 12 : min(end, at + 12 + 2 * letters)].decode("utf-16-le", "replace"))
    return is_1904, sheets


def measure_xls(data: bytes, measured: Measured) -> None:
    """Measure the stream of an xls: its first part names the sheets by where they begin, each follows within it.

    Raises:
        ValueError: where a sheet begins in the middle of something.

    """
    at = content = 0
    begins: list[int] = []
    found: dict[int, Measure] = {}
    within: list[Measure] = []
    while (content := at + _HEAD.size) <= len(data):
        kind, size = _HEAD.unpack_from(data, at)
        start, at = at, content + size
        if kind == _BEGIN:
            within.append(found.setdefault(start, Measure()))
        elif kind == _END:
            del within[-1:]
        elif kind == _SHEET:
            begins.append(_OFFSET.unpack_from(data, content)[0])
        elif kind == _DATE_MODE:
            measured.is_1904 = data[content] == 1
        elif kind == _ENCRYPTED:
            return  # calamine says so
        elif within and at <= len(data):
            _measure_xls(kind, data[content : min(at, content + 16)], data[at - 2 : at], within[-1])
    for begin in begins:
        if begin not in found:
            raise ValueError("a sheet does not begin where its name says")
        measured.sheet(found[begin])


def _measure_xls(kind: int, begins: bytes, ends: bytes, sheet: Measure) -> None:
    if kind == _DIMENSIONS and len(begins) in _SPANS:
        first, after, _, columns = _SPANS[len(begins)].unpack_from(begins)
        if first > after or (after - first) * columns > MOST_CELLS:  # calamine makes room for them
            raise ValueError("a sheet says that it spans more than it may")
    if kind == _ROW_OF:
        row, flags = _ROW.unpack_from(begins)
        if flags & _HIDDEN:
            sheet.hidden.append(row + 1)
    elif kind in _CELLS or kind == _MANY:
        row, column = _PLACE.unpack_from(begins)
        last = int.from_bytes(ends, "little") if kind == _MANY else column
        sheet.add(row + 1, column + 1, wide=last - column + 1)
