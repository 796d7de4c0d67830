"""Attendance reports as files of every format that is read, written from rows of cells."""

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
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


def xlsx(
    rows: Table,
    *more: tuple[str, Table],
    name: str = "Attendees",
    hidden: Sequence[int] = (),
    from_1904: bool = False,
) -> bytes:
    file = io.BytesIO()
    options = {"default_date_format": "yyyy-mm-dd hh:mm:ss", "date_1904": from_1904}
    with xlsxwriter.Workbook(file, options) as book:
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


def xls(
    rows: Table, *, more: tuple[str, Table] | None = None, hidden: Sequence[int] = (), from_1904: bool = False
) -> bytes:
    book = xlwt.Workbook()
    book.dates_1904 = from_1904
    style = xlwt.easyxf(num_format_str="YYYY-MM-DD HH:MM:SS")
    for title, table in [*([more] if more else []), ("Attendees", rows)]:
        sheet = book.add_sheet(title)
        for number, row in enumerate(table):
            for place, value in enumerate(row):
                if isinstance(value, datetime):
                    sheet.write(number, place, value, style)
                elif value != "":
                    sheet.write(number, place, value)
            sheet.row(number).hidden = title == "Attendees" and number in hidden
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


def ods(rows: Table, hidden: Mapping[int, str] | None = None) -> bytes:
    """Write an OpenDocument sheet; `hidden` says how a row is (`filter`, `collapse`)."""
    seen = {number: f' table:visibility="{how}"' for number, how in (hidden or {}).items()}
    written = "".join(
        f"<table:table-row{seen.get(number, '')}>{''.join(map(_ods_cell, row))}</table:table-row>"
        for number, row in enumerate(rows)
    )
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


_RELATIONS: Final = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.bin"/></Relationships>'
)
_TYPES: Final = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="bin" '
    'ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/></Types>'
)


def xlsb(rows: Table, *, hidden: Sequence[int] = (), from_1904: bool = False) -> bytes:
    """Write a workbook of binary records ([MS-XLSB]): texts and numbers, each in a cell of its own."""
    spans = struct.pack("<4I", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)
    sheet = [_record(129), _record(148, spans), _record(145)]
    for number, row in enumerate(rows):
        sheet.append(_record(0, struct.pack("<IIHBBBI", number, 0, 300, 0, 0x10 if number in hidden else 0, 0, 0)))
        for place, value in enumerate(row):
            at = struct.pack("<II", place, 0)
            if isinstance(value, float):
                sheet.append(_record(5, at + struct.pack("<d", value)))
            else:
                sheet.append(_record(6, at + _wide(text(value))))
    properties, named = struct.pack("<III", from_1904, 0, 0), struct.pack("<II", 0, 1)
    book = [_record(131), _record(153, properties), _record(143), _record(156, named + _wide("rId1") + _wide("People"))]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", _TYPES)
        packed.writestr("xl/_rels/workbook.bin.rels", _RELATIONS)
        packed.writestr("xl/workbook.bin", b"".join([*book, _record(144), _record(132)]))
        packed.writestr("xl/worksheets/sheet1.bin", b"".join([*sheet, _record(146), _record(130)]))
    return file.getvalue()


def _record(kind: int, data: bytes = b"") -> bytes:
    head = [kind] if kind < 128 else [kind & 0x7F | 0x80, kind >> 7]
    left = len(data)
    while left > 0x7F:
        head.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*head, left]) + data


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def html(rows: Table, *, hidden: Sequence[int] = ()) -> bytes:
    body = "".join(
        f"<tr{' hidden' * (number in hidden)}>{''.join(f'<td>{escape(text(cell))}</td>' for cell in row)}</tr>"
        for number, row in enumerate(rows)
    )
    return f'<html><head><meta charset="utf-8"></head><body><table>{body}</table></body></html>'.encode()


def excel_xml(rows: Table, *, hidden: Sequence[int] = ()) -> bytes:
    """Write Excel's XML of 2003, which many tools call `.xls`."""
    not_shown = ' ss:Hidden="1"'
    body = "".join(
        f"<Row{not_shown * (number in hidden)}>"
        + "".join(f'<Cell><Data ss:Type="String">{escape(text(cell))}</Data></Cell>' for cell in row)
        + "</Row>"
        for number, row in enumerate(rows)
    )
    return (
        '<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>'
        '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
        'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet ss:Name="Attendees"><Table>'
        f"{body}</Table></Worksheet></Workbook>"
    ).encode()


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
