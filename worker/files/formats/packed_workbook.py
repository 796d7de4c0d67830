"""A workbook that is a zip (xlsx, xlsb, ods), measured part by part; nothing that its directory claims is believed."""

import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from posixpath import normpath
from typing import Final

from models.input_check import shown
from worker.files.formats.binary_records import measure_xlsb, sheets_of_xlsb
from worker.files.formats.workbook_bounds import Measure, Measured
from worker.files.lines import FileError

PARTS: Final = frozenset({"xl/workbook.xml", "xl/workbook.bin", "[Content_Types].xml", "content.xml"})
"""By one of these a zip is told to be a workbook."""
_BLOCK: Final = 1024 * 1024
_LONGEST_TAG: Final = 4096
_LONGEST_LIST: Final = 16 * 1024 * 1024
"""Bytes of the part that names the sheets."""
_LOCAL_HEADER: Final = struct.Struct("<26xHH")
_ROW_OR_CELL: Final = re.compile(
    rb"<(?:\w+:)?(?:row\b([^>]*)>|c(?=[\s/>])(?:[^>]*?\sr\s*=\s*[\"']([A-Za-z]{1,3})([0-9]{1,7})[\"'])?)"
)
_HIDDEN: Final = re.compile(rb"\bhidden\s*=\s*[\"'](?:1|true)[\"']")
_NUMBER: Final = re.compile(rb"\br\s*=\s*[\"']([0-9]{1,7})[\"']")
_DATE_1904: Final = re.compile(rb"\bdate1904\s*=\s*[\"'](?:1|true)[\"']")
_SHEET: Final = re.compile(rb"<(?:\w+:)?sheet\s([^>]*)/?>")
_RELATION: Final = re.compile(rb"<(?:\w+:)?Relationship\s([^>]*)/?>")
_ATTRIBUTE: Final = re.compile(rb"([\w:]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_ODS_TAG: Final = re.compile(
    rb"<table:table-row\b([^>]*)>|<(table:table(?=[\s>])|table:table-cell|table:covered-table-cell)\b([^>]*)>"
)
_REPEATED: Final = re.compile(rb"number-(?:rows|columns)-repeated\s*=\s*[\"']([0-9]{1,9})[\"']")
_NOT_SHOWN: Final = re.compile(rb"\btable:visibility\s*=\s*[\"'](?:filter|collapse)[\"']")


def measure(archive: zipfile.ZipFile) -> Measured:
    """Measure a packed workbook.

    Raises:
        FileError: where it is damaged, or larger than it may be.

    """
    try:
        return _Packed(archive).measured
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, IndexError) as error:
        what = f"is a workbook that cannot be opened ({shown(str(error))})"
        raise FileError("the file", what, "the workbook saved again") from None


class _Packed:
    """A packed workbook as it is measured."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.measured = Measured()
        parts = archive.infolist()
        self._named = {_plain(one.filename): one for one in parts}
        listed = [*self._sheets(), *(name for name in self._named if name.startswith("xl/worksheets/sheet"))]
        sheets = [name for name in dict.fromkeys(listed) if name in self._named]
        for name in sheets:
            self._measure_sheet(name)
        if "content.xml" in self._named:
            _measure_ods(self._unpacked(self._named["content.xml"]), self.measured)
        seen = {self._named[name].header_offset for name in (*sheets, "content.xml") if name in self._named}
        for part in parts:
            for _ in () if part.header_offset in seen else self._unpacked(part):
                pass

    def _sheets(self) -> Iterator[str]:
        """Give the part of each sheet, in the order of the workbook."""
        binary = "xl/workbook.bin" in self._named
        named = "xl/workbook.bin" if binary else "xl/workbook.xml"
        relations = map(_attributes, _RELATION.findall(self._whole(f"xl/_rels/{named.removeprefix('xl/')}.rels")))
        targets = {said.get("Id", ""): _plain(said.get("Target", "")) for said in relations}
        head = self._whole(named)
        if binary:
            self.measured.is_1904, ids = sheets_of_xlsb(head)
        else:
            self.measured.is_1904 = _DATE_1904.search(head) is not None
            found = map(_attributes, _SHEET.findall(head))
            ids = [next((text for name, text in said.items() if name.endswith(":id")), "") for said in found]
        for one in ids:
            target = targets.get(one, "")
            yield target if target in self._named else f"xl/{target}"

    def _measure_sheet(self, name: str) -> None:
        blocks, sheet = self._unpacked(self._named[name]), self.measured.sheet()
        if not name.endswith(".bin"):
            _measure_xlsx(blocks, sheet, self.measured)
            return
        with tempfile.TemporaryFile() as kept:
            kept.writelines(blocks)
            kept.flush()
            if kept.tell():
                with mmap(kept.fileno(), 0, access=ACCESS_READ) as data:
                    measure_xlsb(data, sheet, self.measured.check)

    def _whole(self, name: str) -> bytes:
        """Give a part that is small; nothing where it is not there."""
        whole = b""
        for block in self._unpacked(self._named[name]) if name in self._named else ():
            whole += block
            if len(whole) > _LONGEST_LIST:
                raise zipfile.BadZipFile(f"{name} is larger than in any workbook")
        return whole

    def _unpacked(self, part: zipfile.ZipInfo) -> Iterator[bytes]:
        """Unpack a part, a block at a time, to its real end: what reads it later does not stop where its size says."""
        source = self._archive.fp
        if source is None or part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise zipfile.BadZipFile("it is packed as no program packs a workbook")
        source.seek(part.header_offset)
        at = part.header_offset + _LOCAL_HEADER.size + sum(_LOCAL_HEADER.unpack(source.read(_LOCAL_HEADER.size)))
        end = at + part.compress_size
        inflate = zlib.decompressobj(-zlib.MAX_WBITS) if part.compress_type == zipfile.ZIP_DEFLATED else None
        while at < end and not (inflate and inflate.eof):
            source.seek(at)
            packed = source.read(min(_BLOCK, end - at))
            if not packed:
                raise EOFError("it ends in the middle of a part")
            at += len(packed)
            while packed:
                block = inflate.decompress(packed, _BLOCK) if inflate else packed
                packed = inflate.unconsumed_tail if inflate else b""
                self.measured.unpacked(len(block))
                yield block


def _plain(name: str) -> str:
    """Give a part's name as calamine looks for it: in any case, with either slash, from the root or not."""
    return normpath(name.replace("\\", "/").lower()).lstrip("/")


def _attributes(text: bytes) -> dict[str, str]:
    return {
        name.decode(): (double or single).decode("utf-8", "replace")
        for name, double, single in _ATTRIBUTE.findall(text)
    }


def _tags(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Give text a block at a time; a tag that a block ends in begins the next one."""
    rest = b""
    for block in blocks:
        text = rest + block
        cut = text.rfind(b"<")
        rest = text[cut:] if cut >= 0 and b">" not in text[cut:] and len(text) - cut < _LONGEST_TAG else b""
        yield text[: len(text) - len(rest)]
    if rest:
        yield rest


def _measure_xlsx(blocks: Iterator[bytes], sheet: Measure, measured: Measured) -> None:
    row = column = 0
    for text in _tags(blocks):
        for found in _ROW_OR_CELL.finditer(text):
            said, letters, digits = found.groups()
            if said is None:
                row, column = (int(digits), _column(letters)) if digits else (row or 1, column + 1)
                sheet.add(row, column)
                continue
            number = _NUMBER.search(said)
            row, column = int(number[1]) if number else row + 1, 0
            if _HIDDEN.search(said):
                sheet.hidden.append(row)
        measured.check()


@lru_cache(maxsize=20_000)
def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _measure_ods(blocks: Iterator[bytes], measured: Measured) -> None:
    """Measure each OpenDocument sheet; what is repeated is written once."""
    at = high = column = 0
    hidden = False
    sheet = Measure()
    for text in _tags(blocks):
        for found in _ODS_TAG.finditer(text):
            if found[2] == b"table:table":
                at = high = column = 0
                sheet = measured.sheet()
            elif found[2] is None:
                at, high, column = at + high, _times(found[1]), 0
                hidden = _NOT_SHOWN.search(found[1]) is not None
            else:
                wide = _times(found[3])
                if b"value-type" in found[3]:
                    sheet.add(at + 1, column + 1, high, wide)
                    measured.check()
                    if hidden:
                        sheet.hidden.extend(range(at + 1, at + 1 + high))
                        hidden = False
                column += wide


def _times(attributes: bytes) -> int:
    found = _REPEATED.search(attributes)
    return int(found[1]) if found else 1
