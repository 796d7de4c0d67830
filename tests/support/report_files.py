"""Attendance reports as files of every format that is read, written from rows of cells."""

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time
from html import escape
from typing import Final

import orjson
import xlsxwriter
import xlwt

Value = str | datetime | date | time | float
Table = Sequence[Sequence[Value]]


def text(value: Value) -> str:
    return value if isinstance(value, str) else str(value)


def csv(rows: Table, delimiter: str = ",", encoding: str = "utf-8", end: str = "\r\n") -> bytes:
    lines = [
        delimiter.join(f'"{cell}"' if delimiter in cell or "\n" in cell else cell for cell in map(text, row))
        for row in rows
    ]
    return (end.join(lines) + end).encode(encoding)


def xlsx(rows: Table, *more: tuple[str, Table], name: str = "Attendees", hidden: Sequence[int] = ()) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        for title, table in ((name, rows), *more):
            sheet = book.add_worksheet(title)
            for number, row in enumerate(table):
                for place, value in enumerate(row):
                    if isinstance(value, str):
                        sheet.write_string(number, place, value)
                    else:
                        sheet.write(number, place, value)
                if title == name and number in hidden:
                    sheet.set_row(number, None, None, {"hidden": True})
    return file.getvalue()


def xls(rows: Table) -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Attendees")
    style = xlwt.easyxf(num_format_str="YYYY-MM-DD HH:MM:SS")
    for number, row in enumerate(rows):
        for place, value in enumerate(row):
            if isinstance(value, datetime):
                sheet.write(number, place, value, style)
            else:
                sheet.write(number, place, value)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


_ODS: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><office:document-content '
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"><office:body>'
    '<office:spreadsheet><table:table table:name="Attendees">{}</table:table></office:spreadsheet></office:body>'
    "</office:document-content>"
)


_MANIFEST: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><manifest:manifest '
    'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.2"><manifest:file-entry '
    'manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
)


def ods(rows: Table) -> bytes:
    written = "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("META-INF/manifest.xml", _MANIFEST)
        packed.writestr("content.xml", _ODS.format(written))
    return file.getvalue()


def _ods_cell(value: Value) -> str:
    if isinstance(value, datetime):
        said = f'office:value-type="date" office:date-value="{value.isoformat()}"'
    elif isinstance(value, float):
        said = f'office:value-type="float" office:value="{value}"'
    else:
        said = 'office:value-type="string"'
    return f"<table:table-cell {said}><text:p>{escape(text(value))}</text:p></table:table-cell>"


def html(rows: Table) -> bytes:
    body = "".join(f"<tr>{''.join(f'<td>{escape(text(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f'<html><head><meta charset="utf-8"></head><body><table>{body}</table></body></html>'.encode()


def json(titles: Sequence[str], rows: Table) -> bytes:
    people = [dict(zip(titles, map(text, row), strict=True)) for row in rows]
    return orjson.dumps({"page_count": 1, "participants": people})


def jsonl(titles: Sequence[str], rows: Table) -> bytes:
    return b"\n".join(orjson.dumps(dict(zip(titles, map(text, row), strict=True))) for row in rows)


def zipped(content: bytes, name: str = "report.csv") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("__MACOSX/._report.csv", b"\0")
        packed.writestr(name, content)
    return file.getvalue()
