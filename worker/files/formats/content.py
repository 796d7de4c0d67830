"""A file opened: its kind, its encoding, its rows or lines, and what must be asked to read it at all."""

import re
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import BinaryIO, Final, Literal, Protocol
from zipfile import ZipFile

import orjson

from worker.files.csv_rows import CsvRow
from worker.files.formats import archive, encodings, json_document, packed_workbook
from worker.files.formats.delimited import Delimited, Tick
from worker.files.formats.kept_rows import KeptRows, kept_on_disk
from worker.files.lines import SAMPLE, FileError, Line, decoded
from worker.files.options import Options
from worker.files.questions import Question

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKUP: Final = re.compile(
    rb"[\s\xef\xbb\xbf]*<(?:!doctype html|html|head|meta|style|body|table|\?xml|div|!--|"
    rb"(?:h[1-6]|p|title|script|link|center|font|span|main|section|article|br|hr|template)[\s/>])",
    re.IGNORECASE,
)
"""How a web page begins, or Excel's XML."""
_UTF8: Final = frozenset({"utf-8", "utf_8"})


class Rows(Protocol):
    """Rows that are read as often as is asked."""

    def first_rows(self, number: int) -> Iterator[tuple[str, Iterator[CsvRow]]]:
        """Give the first rows as they are with each delimiter that the text may have."""

    def rows(self, delimiter: str) -> Iterator[CsvRow]:
        """Give every row."""


@dataclass(slots=True, weakref_slot=True)
class Grid:
    """Rows that are told apart already."""

    kept: KeptRows
    header: CsvRow | None = None
    tick: Tick = lambda _: None

    def first_rows(self, number: int) -> Iterator[tuple[str, Iterator[CsvRow]]]:
        """Give the first rows."""
        yield "", islice(self.rows(""), number)

    def rows(self, _delimiter: str) -> Iterator[CsvRow]:
        """Give every row."""
        return chain([self.header] if self.header else [], self.kept)


@dataclass(slots=True)
class Content:
    """A file as it is read."""

    kind: str
    written_as: Literal["text", "sheet", "json"]
    """In what its refused rows are written."""
    rows: Rows
    delimiter: str = ""
    """What separates the cells of a text, once its header is found."""
    encoding: str = ""
    lines: Callable[[], Iterator[Line]] | None = None
    """Where it holds messages or inputs as HubSpot takes them: JSON, one object in each."""
    aside: list[CsvRow] = field(default_factory=list)
    """Rows of other sheets, that tell of the event."""
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    excel_dates: Literal["", "1900", "1904"] = ""
    title: str = ""
    """The name of the sheet."""


def open_content(source: BinaryIO, options: Options, tick: Tick = lambda _: None) -> Content:
    """Tell what a file is and open it.

    Raises:
        FileError: where it is nothing that can be read.

    """
    if not source.seekable():
        kept = kept_on_disk(source)
        return _owning(kept, lambda: open_content(kept, options, tick))
    start = source.tell()
    sample = source.read(SAMPLE)
    source.seek(start)
    if sample.startswith(_ZIP):
        packed = archive.opened(source)
        names = set(packed.namelist())
        if not names.isdisjoint(packed_workbook.PARTS):
            source.seek(start)
            return _of_workbook(source, options, packed)
        if any(name.endswith(".iwa") for name in names):
            right = "the table exported from Numbers, by File > Export To > CSV"
            raise FileError("the file", "is a document of Apple Numbers", right)
        name, inner = archive.unpack(packed)
        if inner.read(4) == _ZIP and not _is_workbook(inner):
            inner.close()
            raise FileError("the file", "is a zip within a zip", "the inner one unpacked")
        inner.seek(0)
        content = _owning(inner, lambda: open_content(inner, options, tick))
        return replace(content, kind=f"{content.kind} in a zip ({name})")
    if sample.startswith(_OLE):
        return _of_workbook(source, options)
    if _MARKUP.match(sample):
        from worker.files.formats import html_table  # lxml alone takes as long to import as most files to read

        kind, encoding, sheet = html_table.read_markup(source, options)
        found = Content(kind, "sheet", Grid(sheet.rows), encoding=encoding, aside=sheet.aside, notes=sheet.notes)
        return replace(found, questions=sheet.questions, title=sheet.name)
    return _of_text(source, options, sample, tick)


def _owning(file: BinaryIO, opened: Callable[[], Content]) -> Content:
    """Open what a file of ours holds; the file is closed when nothing reads it any more."""
    try:
        content = opened()
    except FileError:
        file.close()
        raise
    weakref.finalize(content.rows, file.close)
    return content


def _is_workbook(source: BinaryIO) -> bool:
    source.seek(0)
    names = archive.opened(source).namelist()
    return not packed_workbook.PARTS.isdisjoint(names)


def _of_workbook(source: BinaryIO, options: Options, packed: ZipFile | None = None) -> Content:
    from worker.files.formats import workbook

    sheet = workbook.read_workbook(source, options, packed)
    dates: Literal["1900", "1904"] = "1904" if sheet.is_1904 else "1900"
    kind = f"workbook, sheet “{sheet.name}”"
    return Content(
        kind,
        "sheet",
        Grid(sheet.rows),
        aside=sheet.aside,
        notes=sheet.notes,
        questions=sheet.questions,
        excel_dates=dates,
        title=sheet.name,
    )


def _of_text(source: BinaryIO, options: Options, sample: bytes, tick: Tick) -> Content:
    found = encodings.find(sample, options.encoding)
    text = Delimited.open(source, found.name or None, tick)
    asked = [found.question] if found.question else []
    head = text.head.lstrip()
    if head[:1] == "[" or (head[:1] == "{" and not _is_lines(head)):
        return _of_document(source, text, asked)
    if head[:1] != "{":
        return Content("CSV", "text", text, encoding=text.encoding, questions=asked)
    if _is_hubspots(head):
        return Content("JSON Lines", "json", text, encoding=text.encoding, lines=text.lines, questions=asked)
    return _of_objects("JSON Lines", _parsed(text), text.encoding, asked)


def _is_lines(head: str) -> bool:
    """Say whether each line is an object of its own, as its first one is; else it is a document."""
    first, newline, _ = head.partition("\n")
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError as error:
        return newline != "" and first.rstrip() != "{" and error.pos < len(first.rstrip()) - 1
    return newline != "" or _takes_as_it_is(orjson.loads(first))


def _is_hubspots(head: str) -> bool:
    """Say whether lines hold what HubSpot takes: by the first of them; what cannot be read is judged line by line."""
    try:
        first = orjson.loads(head.partition("\n")[0])
    except orjson.JSONDecodeError:
        return True
    return _takes_as_it_is(first)


def _takes_as_it_is(first: object) -> bool:
    """Say whether an object is a message or an input of HubSpot's; what lacks everything is told so as one."""
    return json_document.is_hubspots(first) or not json_document.is_of_a_tool(first)


def _parsed(text: Delimited) -> Iterator[json_document.Object]:
    for line in text.lines():
        if line.text.strip():
            try:
                one = orjson.loads(line.text.lstrip("\ufeff"))
            except orjson.JSONDecodeError:
                one = {"": line.text}
            yield one if isinstance(one, dict) else {"": line.text}


def _of_document(source: BinaryIO, text: Delimited, asked: list[Question]) -> Content:
    source.seek(text.start)
    if text.encoding not in _UTF8:
        _, texts = decoded(source, text.encoding)
        source, start = json_document.kept(texts), 0
        weakref.finalize(text, source.close)
    else:
        start = json_document.after_mark(source, text.start)
    source.seek(start)
    people, is_part = json_document.find_people(source)
    notes = (
        ["the answer says that it is one page of several: the people on the others are not in it"] if is_part else []
    )
    source.seek(start)
    first = next(json_document.objects(source, people), None)
    source.seek(start)
    if first is None:
        raise FileError("the file", "is JSON without an object in it", "a list of objects, one for each person")
    if not _takes_as_it_is(first):
        found = _of_objects("JSON", json_document.objects(source, people), text.encoding, asked)
        return replace(found, notes=notes)

    def lines() -> Iterator[Line]:
        source.seek(start)
        for number, one in enumerate(json_document.objects(source, people), 1):
            yield Line(number, orjson.dumps(one, default=str).decode())

    return Content("JSON", "json", text, encoding=text.encoding, lines=lines, questions=asked, notes=notes)


def _of_objects(kind: str, found: Iterator[json_document.Object], encoding: str, asked: list[Question]) -> Content:
    titles, kept = json_document.as_rows(found)
    return Content(kind, "json", Grid(kept, CsvRow(0, titles)), encoding=encoding, questions=asked)
