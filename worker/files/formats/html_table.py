"""Tables of a web page, and Excel's XML of 2003, as rows: what many tools offer as “.xls”.

lxml reads both as they come in, a block at a time, so that memory does not grow with the file.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from lxml import etree

from models.input_check import shown
from worker.files.formats import encodings
from worker.files.formats.kept_rows import KeptRows
from worker.files.lines import SAMPLE, FileError, decoded
from worker.files.questions import Question

SPREADSHEET: Final = b"urn:schemas-microsoft-com:office:spreadsheet"
_BEGINS: Final = re.compile(
    rb"[\s\xef\xbb\xbf]*<(?:!doctype html|html|head|meta|style|body|table|\?xml|div|!--)", re.IGNORECASE
)
_CHARSET: Final = re.compile(rb"<meta[^>]*charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]+)", re.IGNORECASE)
_XML_ENCODING: Final = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9_-]+)")
MOST_CELLS: Final = 1000
"""Cells of a row, and rows that one cell may go down over."""
_CELLS: Final = ("td", "th")


def is_markup(sample: bytes) -> bool:
    """Say whether a file is a web page or Excel's XML, by its beginning."""
    return _BEGINS.match(sample) is not None


def read_markup(source: BinaryIO, said: str | None) -> tuple[str, str, KeptRows, Question | None]:
    """Read every row of every table; give the kind, the encoding, the rows and what must be asked.

    Raises:
        FileError: where it is a page without a table of people.

    """
    start = source.tell()
    sample = source.read(SAMPLE)
    source.seek(start)
    named = _CHARSET.search(sample) or _XML_ENCODING.search(sample)
    encoding = encodings.find(sample, said or (named[1].decode() if named else None))
    name, texts = decoded(source, encoding.name or None)
    kept = KeptRows()
    is_xml = SPREADSHEET in sample
    rows = _spreadsheet_rows(texts) if is_xml else _page_rows(texts)
    try:
        for number, cells in enumerate(rows, 1):
            kept.add(number, cells)
    except etree.XMLSyntaxError as error:
        what = f"is XML that cannot be read ({shown(str(error))})"
        raise FileError("the file", what, "the report exported again, as CSV or .xlsx") from None
    if not kept.count:
        right = "the report itself (was the login still valid when it was fetched?)"
        raise FileError("the file", "is a web page without a table in it", right)
    return ("Excel XML" if is_xml else "web page (HTML table)"), name, kept, encoding.question


def _page_rows(texts: Iterator[str]) -> Iterator[list[str]]:
    parser = etree.HTMLPullParser(events=("end",), tag=("tr", "table"), no_network=True, remove_comments=True)
    below: dict[int, tuple[int, str]] = {}
    for text in texts:
        parser.feed(text.replace("\0", "\ufffd"))
        yield from _ended(parser, below)
    try:
        parser.close()
    except etree.XMLSyntaxError:
        return  # an empty page
    yield from _ended(parser, below)


def _ended(parser: "etree.HTMLPullParser", below: dict[int, tuple[int, str]]) -> Iterator[list[str]]:
    for _, element in parser.read_events():
        if element.tag == "table":
            below.clear()
        else:
            yield _cells(element, below)
        element.clear(keep_tail=True)


def _cells(row: "etree._Element", below: dict[int, tuple[int, str]]) -> list[str]:
    """Give a row's cells; one that goes down over several rows stands in each, one that is wide only in its first."""
    cells: list[str] = []
    for cell in row:
        if cell.tag not in _CELLS or len(cells) > MOST_CELLS:
            continue
        _fill(cells, below)
        text = _text(cell)
        wide, high = (min(_number(cell.get(name)), MOST_CELLS) for name in ("colspan", "rowspan"))
        if high > 1:
            below[len(cells)] = (high - 1, text)
        cells += [text, *[""] * (wide - 1)]
    _fill(cells, below)
    return cells


def _fill(cells: list[str], below: dict[int, tuple[int, str]]) -> None:
    while len(cells) in below:
        left, text = below.pop(len(cells))
        if left > 1:
            below[len(cells)] = (left - 1, text)
        cells.append(text)


def _text(cell: "etree._Element") -> str:
    for line in cell.iter("br"):
        line.tail = "\n" + (line.tail or "")
    parts = "".join(str(part) for part in cell.itertext())
    return "\n".join(" ".join(line.split()) for line in parts.splitlines()).strip()


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and 0 < len(text) < 7 else 1  # noqa: PLR2004


def _spreadsheet_rows(texts: Iterator[str]) -> Iterator[list[str]]:
    space = SPREADSHEET.decode()
    row, cell, index = (f"{{{space}}}{name}" for name in ("Row", "Cell", "Index"))
    parser = etree.XMLPullParser(
        events=("end",), tag=row, no_network=True, resolve_entities=False, load_dtd=False, huge_tree=False
    )
    first = True
    for text in texts:
        parser.feed((re.sub(r"^\s*<\?xml[^>]*\?>", "", text) if first else text).encode())
        first = False
        for _, element in parser.read_events():
            cells: list[str] = []
            for one in element.iterfind(cell):
                place = min(_number(one.get(index)), MOST_CELLS) if one.get(index) else len(cells) + 1
                cells += [""] * (place - 1 - len(cells))
                cells.append("".join(str(part) for part in one.itertext()).strip())
            yield cells
            element.clear(keep_tail=True)
