"""What a workbook may hold, measured before it is opened: a small one may unpack to any size.

calamine keeps a sheet as one block of cells, from the first that holds something to the last. So the size that the
cells span is counted here, in the packed XML, a block at a time; rows that a filter hides are noted on the way.
"""

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from models.input_check import shown
from worker.files.lines import FileError

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a workbook as a file."""
MOST_UNPACKED: Final = 1024 * 1024 * 1024
"""Bytes of all that is packed in it."""
MOST_CELLS: Final = 20_000_000
"""Cells that a sheet spans: a million rows of twenty columns."""
SMALLER: Final = "the sheet saved as “CSV UTF-8”, which may have any size"
MOST_HIDDEN: Final = 100_000
_BLOCK: Final = 1024 * 1024
_LONGEST_TAG: Final = 4096
_ROW: Final = re.compile(rb"<(?:\w+:)?row\b([^>]*)>")
_CELL: Final = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')
_HIDDEN: Final = re.compile(rb'\bhidden="(?:1|true)"')
_NUMBER: Final = re.compile(rb'\br="([0-9]{1,7})"')
_DATE_1904: Final = re.compile(rb'\bdate1904="(?:1|true)"')
_SHEET: Final = re.compile(rb"<(?:\w+:)?sheet\s([^>]*)/?>")
_RELATION: Final = re.compile(rb"<(?:\w+:)?Relationship\s([^>]*)/?>")
_ATTRIBUTE: Final = re.compile(rb'([\w:]+)="([^"]*)"')
_ODS_ROW: Final = re.compile(
    rb"<table:table-row\b([^>]*)>|<(table:table(?=[\s>])|table:table-cell|table:covered-table-cell)\b([^>]*)>"
)
_REPEATED: Final = re.compile(rb'number-(?:rows|columns)-repeated="([0-9]{1,9})"')


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen of a workbook in its packed XML."""

    is_1904: bool = False
    """Whether its days count from 1904, as on older Macs."""
    hidden: dict[str, frozenset[int]] = field(default_factory=dict)
    """By the sheet's name: the numbers of rows that are hidden."""


def measure(archive: zipfile.ZipFile) -> Measured:
    """Measure a packed workbook.

    Raises:
        FileError: where it is damaged, or larger than it may be.

    """
    if sum(one.file_size for one in archive.infolist()) > MOST_UNPACKED:
        raise _too_large(f"{MOST_UNPACKED >> 20:,} MiB when it is unpacked")
    try:
        names = set(archive.namelist())
        if "content.xml" in names:
            _measure_ods(archive)
            return Measured()
        hidden = {}
        for title, part in _sheets(archive, names):
            hidden[title] = frozenset(_measure_sheet(archive, part))
        head = archive.read("xl/workbook.xml") if "xl/workbook.xml" in names else b""
        return Measured(_DATE_1904.search(head) is not None, hidden)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, KeyError, RuntimeError) as error:
        what = f"is a workbook that cannot be opened ({shown(str(error))})"
        raise FileError("the file", what, "the workbook saved again") from None


def _too_large(what: str) -> FileError:
    return FileError("the file", f"is a workbook of more than {what}", SMALLER)


def _blocks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Give a part a block at a time; a tag that a block ends in begins the next one."""
    rest, size = b"", 0
    with archive.open(part) as packed:
        while block := packed.read(_BLOCK):
            size += len(block)
            if size > MOST_UNPACKED:
                raise _too_large(f"{MOST_UNPACKED >> 20:,} MiB when it is unpacked")
            text = rest + block
            cut = text.rfind(b"<")
            rest = text[cut:] if cut >= 0 and b">" not in text[cut:] and len(text) - cut < _LONGEST_TAG else b""
            yield text[: len(text) - len(rest)]
    if rest:
        yield rest


def _measure_sheet(archive: zipfile.ZipFile, part: str) -> Iterator[int]:
    """Give the numbers of a sheet's hidden rows."""
    first = last = left = right = 0
    rows = hidden = 0
    for text in _blocks(archive, part):
        for found in _ROW.finditer(text):
            number = _NUMBER.search(found[1])
            rows = int(number[1]) if number else rows + 1
            if _HIDDEN.search(found[1]) and hidden < MOST_HIDDEN:
                hidden += 1
                yield rows
        for letters, digits in _CELL.findall(text):
            row, column = int(digits), _column(letters)
            first, left = min(first or row, row), min(left or column, column)
            last, right = max(last, row), max(right, column)
        if (last - first + 1) * (right - left + 1) > MOST_CELLS:
            raise _too_large(f"{MOST_CELLS:,} cells")


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _measure_ods(archive: zipfile.ZipFile) -> None:
    """Measure the block of cells that each OpenDocument sheet spans; what is repeated is written once."""
    at = high = column = first = last = left = right = 0
    for text in _blocks(archive, "content.xml"):
        for found in _ODS_ROW.finditer(text):
            if found[2] == b"table:table":
                at = high = column = first = last = left = right = 0
            elif found[2] is None:
                at, high, column = at + high, _times(found[1]), 0
            else:
                wide = _times(found[3])
                if b"value-type" in found[3]:
                    first, left = min(first or at + 1, at + 1), min(left or column + 1, column + 1)
                    last, right = max(last, at + high), max(right, column + wide)
                column += wide
            if last and (last - first + 1) * (right - left + 1) > MOST_CELLS:
                raise _too_large(f"{MOST_CELLS:,} cells")


def _times(attributes: bytes) -> int:
    found = _REPEATED.search(attributes)
    return int(found[1]) if found else 1


def _sheets(archive: zipfile.ZipFile, names: set[str]) -> Iterator[tuple[str, str]]:
    """Give each sheet's name and the part that holds it."""
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
        return
    parts = {}
    for found in _RELATION.findall(archive.read("xl/_rels/workbook.xml.rels")):
        said = dict(_ATTRIBUTE.findall(found))
        parts[said.get(b"Id", b"")] = said.get(b"Target", b"").decode("utf-8", "replace")
    for found in _SHEET.findall(archive.read("xl/workbook.xml")):
        said = dict(_ATTRIBUTE.findall(found))
        target = parts.get(said.get(b"r:id", b""), "")
        part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        if part in names:
            yield _unescaped(said.get(b"name", b"").decode("utf-8", "replace")), part


def _unescaped(text: str) -> str:
    for written, meant in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(written, meant)
    return text
