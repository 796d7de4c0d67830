"""Tables of a web page, and Excel's XML of 2003, as rows: what many tools offer as “.xls”.

lxml reads both as they come in, a block at a time, so that memory does not grow with the file.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from lxml import etree

from models.input_check import shown
from worker.files.columns.hosts_and_attendees import hints_at, section_of
from worker.files.formats import encodings
from worker.files.formats.kept_rows import KeptRows
from worker.files.formats.workbook import WorkbookSheet, most_people, rows_aside, settle_hidden, which_sheet
from worker.files.lines import SAMPLE, FileError, decoded
from worker.files.options import Options

SPREADSHEET: Final = b"urn:schemas-microsoft-com:office:spreadsheet"
_CHARSET: Final = re.compile(rb"<meta[^>]*charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]+)", re.IGNORECASE)
_XML_ENCODING: Final = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9_-]+)")
MOST_CELLS: Final = 1000
"""Cells of a row, and rows that one cell may go down over."""
_CELLS: Final = ("td", "th")
_HEADINGS: Final = ("caption", "h1", "h2", "h3", "h4", "h5", "h6", "legend", "summary")
_LINES: Final = ("p", "b", "strong")
"""What is a heading only where it names people who may not count."""
_STRUCK: Final = ("s", "del", "strike")
_STRUCK_BY_STYLE: Final = re.compile(r"text-decoration[^;]*line-through", re.IGNORECASE)
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)", re.IGNORECASE)


def read_markup(source: BinaryIO, options: Options) -> tuple[str, str, WorkbookSheet]:
    """Read every row of every table, or of one worksheet; give the kind, the encoding, and the rows.

    What stands above a table as its heading is a row of one cell.

    Raises:
        FileError: where it is a page without a table of people.

    """
    start = source.tell()
    sample = source.read(SAMPLE)
    source.seek(start)
    named = _CHARSET.search(sample) or _XML_ENCODING.search(sample)
    encoding = encodings.find(sample, options.encoding or (_as_browsers(named[1].decode()) if named else None))
    name, texts = decoded(source, encoding.name or None)
    is_xml = SPREADSHEET in sample
    sheets: dict[str, KeptRows] = {}
    try:
        for number, row in enumerate(_spreadsheet_rows(texts) if is_xml else _page_rows(texts), 1):
            sheets.setdefault(row.sheet, KeptRows()).add(number, row.cells, hidden=row.is_hidden)
    except etree.XMLSyntaxError as error:
        what = f"is XML that cannot be read ({shown(str(error))})"
        raise FileError("the file", what, "the report exported again, as CSV or .xlsx") from None
    if not any(kept.count for kept in sheets.values()):
        right = "the report itself (was the login still valid when it was fetched?)"
        raise FileError("the file", "is a web page without a table in it", right)
    sheet = _chosen(sheets, options)
    sheet.questions += [encoding.question] if encoding.question else []
    return ("Excel XML" if is_xml else "web page (HTML table)"), name, sheet


def _as_browsers(encoding: str) -> str:
    """Give the encoding that is meant by a name: browsers read ISO 8859-1 and ASCII as Windows' own."""
    latin = {"iso-8859-1", "iso8859-1", "latin1", "latin-1", "us-ascii", "ascii"}
    return "windows-1252" if encoding.lower() in latin else encoding


def _chosen(sheets: dict[str, KeptRows], options: Options) -> WorkbookSheet:
    people = [name for name, kept in sheets.items() if kept.addresses or kept.hidden_addresses]
    said = next((name for name in sheets if options.sheet and name.casefold() == options.sheet.casefold()), None)
    if options.sheet is not None and said is None:
        there = ", ".join(shown(name) for name in sheets if name) or "none: it has no sheets"
        raise FileError("--sheet", f"the file has no sheet “{shown(options.sheet)}”", f"one of {there}")
    name = said if said is not None else most_people(people or list(sheets), sheets)
    aside = [row for other, kept in sheets.items() if other != name for row in rows_aside(kept)]
    sheet = WorkbookSheet(name, sheets[name], aside)
    if len(people) > 1 and said is None:
        sheet.questions.append(which_sheet(people, name, sheets))
    settle_hidden(sheet, options)
    return sheet


class _Row(NamedTuple):
    cells: list[str]
    is_hidden: bool = False
    sheet: str = ""


def _page_rows(texts: Iterator[str]) -> Iterator[_Row]:
    parser = etree.HTMLPullParser(
        events=("end",), tag=("tr", "table", *_HEADINGS, *_LINES), no_network=True, remove_comments=True
    )
    below: dict[int, tuple[int, str]] = {}
    headings: list[str] = []
    for text in texts:
        parser.feed(text.replace("\0", "\ufffd"))
        yield from _ended(parser, below, headings)
    try:
        parser.close()
    except etree.XMLSyntaxError:
        return  # an empty page
    yield from _ended(parser, below, headings)


def _ended(parser: "etree.HTMLPullParser", below: dict[int, tuple[int, str]], headings: list[str]) -> Iterator[_Row]:
    for _, element in parser.read_events():
        if element.tag in {*_HEADINGS, *_LINES}:
            text = _text(element) if next(element.iterancestors("td", "th"), None) is None else ""
            if text and (element.tag in _HEADINGS or section_of(text.rstrip(": ")) or hints_at(text)):
                headings.append(text)
            continue
        if element.tag == "table":
            below.clear()
        else:
            if headings:
                yield _Row([next((one for one in headings if section_of(one) is not None), headings[-1])])
                headings.clear()
            is_hidden = _is_hidden(element) or _is_struck(element)
            yield _Row(_cells(element, below), is_hidden)
        element.clear(keep_tail=True)


def _is_hidden(row: "etree._Element") -> bool:
    """Say whether a row, or what it stands in, is not shown."""
    return any(
        one.tag == "template" or one.get("hidden") is not None or _HIDDEN.search(one.get("style") or "") is not None
        for one in (row, *row.iterancestors())
    )


def _is_struck(row: "etree._Element") -> bool:
    """Say whether something in a row, or all that it stands in, is struck out."""
    within = any("".join(map(str, one.itertext())).strip() for one in row.iter(*_STRUCK))
    styled = (one.get("style") for one in (*row.iter(), *row.iterancestors()))
    around = next(row.iterancestors(*_STRUCK), None) is not None
    return within or around or any(_STRUCK_BY_STYLE.search(style) for style in styled if style)


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


def _spreadsheet_rows(texts: Iterator[str]) -> Iterator[_Row]:
    space = SPREADSHEET.decode()
    row, cell, index, sheet, name, hidden = (
        f"{{{space}}}{one}" for one in ("Row", "Cell", "Index", "Worksheet", "Name", "Hidden")
    )
    parser = etree.XMLPullParser(
        events=("start", "end"),
        tag=(row, sheet),
        no_network=True,
        resolve_entities=False,
        load_dtd=False,
        huge_tree=False,
    )
    first, named = True, ""
    for text in texts:
        parser.feed((re.sub(r"^\s*<\?xml[^>]*\?>", "", text) if first else text).encode())
        first = False
        for event, element in parser.read_events():
            if event == "start":
                named = str(element.get(name) or "") if element.tag == sheet else named
                continue
            if element.tag == sheet:
                continue
            cells: list[str] = []
            for one in element.iterfind(cell):
                place = min(_number(one.get(index)), MOST_CELLS) if one.get(index) else len(cells) + 1
                cells += [""] * (place - 1 - len(cells))
                cells.append("".join(str(part) for part in one.itertext()).strip())
            yield _Row(cells, element.get(hidden) == "1", named)
            element.clear(keep_tail=True)
