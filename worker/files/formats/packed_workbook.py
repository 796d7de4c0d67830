"""A workbook that is a zip (xlsx, xlsb, ods), measured part by part; nothing that its directory claims is believed."""

import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from posixpath import normpath
from typing import Final
from xml.parsers.expat import ExpatError, ParserCreate

from models.input_check import shown
from worker.files.formats.binary_records import measure_xlsb, sheets_of_xlsb
from worker.files.formats.workbook_bounds import MOST_UNPACKED, Measure, Measured, too_large
from worker.files.lines import FileError

PARTS: Final = frozenset({"xl/workbook.xml", "xl/workbook.bin", "[Content_Types].xml", "content.xml"})
"""By one of these a zip is told to be a workbook."""
_BLOCK: Final = 1024 * 1024
_TEXTS: Final = "xl/sharedstrings.xml"
MOST_CLAIMED: Final = 1_000_000
"""Texts by which a careless program may be wrong."""
_LONGEST_LIST: Final = 16 * 1024 * 1024
"""Bytes of the part that names the sheets."""
_LOCAL_HEADER: Final = struct.Struct("<26xHH")
_CELL: Final = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_TRUE: Final = frozenset({"1", "true"})
_NOT_SHOWN: Final = frozenset({"filter", "collapse"})
_ODS_CELLS: Final = frozenset({"table:table-cell", "table:covered-table-cell"})

_DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,  # an encoding that is not known, or a record that ends too early
    ExpatError,
)

XmlAttributes = dict[str, str]


def measure(archive: zipfile.ZipFile) -> Measured:
    """Measure a packed workbook.

    Raises:
        FileError: where it is damaged, or larger than it may be.

    """
    try:
        return _Packed(archive).measured
    except _DAMAGED as error:
        what = f"is a workbook that cannot be opened ({shown(str(error))})"
        raise FileError("the file", what, "the workbook saved again") from None


class _Packed:
    """A packed workbook as it is measured."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.measured = Measured()
        self._struck: frozenset[str] = frozenset()
        parts = archive.infolist()
        if sum(one.file_size for one in parts) > MOST_UNPACKED:  # as they claim: told at once
            raise too_large(f"{MOST_UNPACKED >> 20:,} MiB when it is unpacked")
        self._named = {_plain(one.filename): one for one in parts}
        listed = [*self._sheets(), *(name for name in self._named if name.startswith("xl/worksheets/sheet"))]
        sheets = [name for name in dict.fromkeys(listed) if name in self._named]
        self._struck = _struck_out(self._whole("xl/styles.xml"))
        for name in sheets:
            self._measure_sheet(name)
        if _TEXTS in self._named:
            self._check_texts(self._named[_TEXTS])
        if "content.xml" in self._named:
            _measure_ods(self._unpacked(self._named["content.xml"]), self.measured)
        read = (*sheets, _TEXTS, "content.xml")
        seen = {self._named[name].header_offset for name in read if name in self._named}
        for part in parts:
            for _ in () if part.header_offset in seen else self._unpacked(part):
                pass

    def _sheets(self) -> Iterator[str]:
        """Give the part of each sheet, in the order of the workbook."""
        binary = "xl/workbook.bin" in self._named
        named = "xl/workbook.bin" if binary else "xl/workbook.xml"
        targets: dict[str, str] = {}
        ids: list[str] = []

        def relation(name: str, said: XmlAttributes) -> None:
            if name == "Relationship":
                targets[said.get("Id", "")] = _plain(said.get("Target", ""))

        def sheet(name: str, said: XmlAttributes) -> None:
            if name == "sheet":
                ids.append(next((text for title, text in said.items() if title.endswith(":id")), ""))
            elif name == "workbookPr":
                self.measured.is_1904 = said.get("date1904") in _TRUE

        _read_xml(self._whole(f"xl/_rels/{named.removeprefix('xl/')}.rels"), relation)
        head = b"".join(self._whole(named))
        if binary:
            self.measured.is_1904, ids = sheets_of_xlsb(head)
        else:
            _read_xml([head], sheet)
        for one in ids:
            target = targets.get(one, "")
            yield target if target in self._named else f"xl/{target}"

    def _check_texts(self, part: zipfile.ZipInfo) -> None:
        """See whether the list of texts claims more of them than it has: calamine makes room for what it claims."""
        said = found = 0

        def start(name: str, attributes: XmlAttributes) -> None:
            nonlocal said, found
            found += name == "si"
            if name == "sst":
                said = int(attributes.get("uniqueCount", "0"))

        _read_xml(self._unpacked(part), start)
        if said > 2 * found + MOST_CLAIMED:
            raise ValueError("it claims more texts than it holds")

    def _measure_sheet(self, name: str) -> None:
        blocks, sheet = self._unpacked(self._named[name]), self.measured.sheet()
        if not name.endswith(".bin"):
            _measure_xlsx(blocks, sheet, self.measured, self._struck)
            return
        with tempfile.TemporaryFile() as kept:
            kept.writelines(blocks)
            kept.flush()
            if kept.tell():
                with mmap(kept.fileno(), 0, access=ACCESS_READ) as data:
                    measure_xlsb(data, sheet, self.measured.check)

    def _whole(self, name: str) -> Iterator[bytes]:
        """Give a part that is small; nothing where it is not there."""
        size = 0
        for block in self._unpacked(self._named[name]) if name in self._named else ():
            size += len(block)
            if size > _LONGEST_LIST:
                raise zipfile.BadZipFile(f"{name} is larger than in any workbook")
            yield block

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


def _read_xml(blocks: Iterable[bytes], start: Callable[[str, XmlAttributes], None]) -> None:
    """Tell of each element as it begins, by its name without a prefix but for OpenDocument's `table:`.

    Raises:
        ExpatError: where it is not well-formed: what reads it later may see something else in it then.
        ValueError: where it declares entities, as no workbook does.

    """
    parser = ParserCreate()
    names: dict[str, str] = {}

    def begin(name: str, said: XmlAttributes) -> None:
        plain = names.get(name)
        if plain is None:
            plain = names[name] = name if name.startswith("table:") else name.rpartition(":")[2]
        start(plain, said)

    def refuse(*_: object) -> None:
        raise ValueError("it declares entities")

    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = refuse
    empty = True
    for block in blocks:
        parser.Parse(block, False)  # noqa: FBT003 - expat's own parameter
        empty = empty and not block
    if not empty:
        parser.Parse(b"", True)  # noqa: FBT003


def _struck_out(blocks: Iterable[bytes]) -> frozenset[str]:
    """Give the numbers of the cells' formats whose font is struck out."""
    fonts: list[bool] = []
    formats: list[bool] = []
    part = ""

    def start(name: str, said: XmlAttributes) -> None:
        nonlocal part
        if name in {"fonts", "fills", "cellStyleXfs", "cellXfs", "cellStyles", "dxfs"}:
            part = name
        elif part == "fonts" and name == "font":
            fonts.append(False)
        elif part == "fonts" and name == "strike" and fonts:
            fonts[-1] = said.get("val", "1") in _TRUE
        elif part == "cellXfs" and name == "xf":
            font = int(said.get("fontId", "0"))
            formats.append(font < len(fonts) and fonts[font])

    _read_xml(blocks, start)
    return frozenset(str(number) for number, is_struck in enumerate(formats) if is_struck)


def _measure_xlsx(blocks: Iterator[bytes], sheet: Measure, measured: Measured, struck: frozenset[str]) -> None:
    """Measure a sheet; `struck` are the formats of cells that are struck out, whose rows are noted as hidden ones."""
    row = column = 0
    is_struck = False

    def start(name: str, said: XmlAttributes) -> None:
        nonlocal row, column, is_struck
        if is_struck and name in {"v", "is"}:
            if row not in sheet.hidden[-1:]:
                sheet.hidden.append(row)
            is_struck = False
        if name == "c":
            is_struck = said.get("s") in struck
            found = _CELL.fullmatch(said.get("r", ""))
            row, column = (int(found[2]), _column(found[1])) if found else (row or 1, column + 1)
            sheet.add(row, column)
        elif name == "row":
            measured.check()
            number = said.get("r", "")
            row, column = int(number) if number else row + 1, 0
            if said.get("hidden") in _TRUE:
                sheet.hidden.append(row)

    _read_xml(blocks, start)
    measured.check()


@lru_cache(maxsize=20_000)
def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _measure_ods(blocks: Iterator[bytes], measured: Measured) -> None:
    """Measure each OpenDocument sheet; what is repeated is written once."""
    at = high = column = 0
    hidden = False
    sheet = Measure()

    def start(name: str, said: XmlAttributes) -> None:
        nonlocal at, high, column, hidden, sheet
        if name in _ODS_CELLS:
            wide = int(said.get("table:number-columns-repeated", "1"))
            if "office:value-type" in said or "table:formula" in said:
                sheet.add(at + 1, column + 1, high, wide)
                measured.check()
                if hidden:
                    sheet.hidden.extend(range(at + 1, at + 1 + high))
                    hidden = False
            column += wide
        elif name == "table:table-row":
            at, high, column = at + high, int(said.get("table:number-rows-repeated", "1")), 0
            hidden = said.get("table:visibility") in _NOT_SHOWN
        elif name == "table:table" and said.get("table:is-sub-table") != "true":
            at = high = column = 0
            sheet = measured.sheet()

    _read_xml(blocks, start)
