"""Workbooks of every format: rows that they do not show, days from 1904, many sheets, and their bounds."""

import io
import struct
import zipfile
from collections.abc import Callable
from typing import Unpack

import pytest
import xlsxwriter

from models.words import State
from tests.support import report_files
from tests.support.file_readings import Said, options
from worker.files.formats import ole_stream, workbook_bounds
from worker.files.lines import FileError
from worker.files.options import HiddenRows
from worker.files.questions import QuestionsError
from worker.files.reader import Reading
from worker.files.rows import FileRecord

TITLES = ["Email", "Join Time", "Leave Time"]
ANA = ["ana@example.com", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"]
BOB = ["bob@example.com", "2026-03-01T10:05:00Z", "2026-03-01T11:00:00Z"]
TABLE = [TITLES, ANA, BOB]


def reading(content: bytes, **said: Unpack[Said]) -> Reading:
    return Reading(io.BytesIO(content), options(said, state=State.ATTEND, object_id="7"))


def contacts(content: bytes, **said: Unpack[Said]) -> list[str]:
    items = list(reading(content, **said).items())
    return sorted(item.candidate.contact for item in items if isinstance(item, FileRecord))


def asked(content: bytes, **said: Unpack[Said]) -> list[str]:
    with pytest.raises(QuestionsError) as stopped:
        reading(content, **said)
    return [choice.option for question in stopped.value.questions for choice in question.choices]


HIDING = {
    "xlsx": lambda rows: report_files.xlsx(TABLE, hidden=rows),
    "xls": lambda rows: report_files.xls(TABLE, hidden=rows),
    "xlsb": lambda rows: report_files.xlsb(TABLE, hidden=rows),
    "ods, filtered": lambda rows: report_files.ods(TABLE, dict.fromkeys(rows, "filter")),
    "ods, by hand": lambda rows: report_files.ods(TABLE, dict.fromkeys(rows, "collapse")),
    "Excel's XML": lambda rows: report_files.excel_xml(TABLE, hidden=rows),
    "a web page": lambda rows: report_files.html(TABLE, hidden=rows),
}


@pytest.mark.parametrize("written", HIDING.values(), ids=HIDING)
def test_rows_that_a_sheet_does_not_show_are_asked_about(written: Callable[[list[int]], bytes]) -> None:
    assert asked(written([2])) == ["--hidden-rows leave-out", "--hidden-rows keep"]
    kept, left = reading(written([2]), hidden_rows=HiddenRows.KEEP), HiddenRows.LEAVE_OUT
    assert "1 hidden or struck-out row of the sheet was read" in kept.facts.notes
    assert contacts(written([2]), hidden_rows=left) == ["ana@example.com"]
    assert contacts(written([2]), hidden_rows=HiddenRows.KEEP) == ["ana@example.com", "bob@example.com"]
    assert contacts(written([])) == ["ana@example.com", "bob@example.com"]


@pytest.mark.parametrize("written", HIDING.values(), ids=HIDING)
def test_where_no_row_with_an_address_is_shown_it_is_proposed_to_read_them(
    written: Callable[[list[int]], bytes],
) -> None:
    assert asked(written([1, 2])) == ["--hidden-rows keep", "--hidden-rows leave-out"]


def test_a_hidden_row_without_anything_in_it_is_not_asked_about() -> None:
    assert contacts(report_files.xlsx([*TABLE, [""]], hidden=[3])) == ["ana@example.com", "bob@example.com"]


def test_an_xls_of_several_sheets_is_asked_about_the_rows_of_its_own_sheet() -> None:
    content = report_files.xls(TABLE, hidden=[1], more=("Notes", [["x"], ["y"], ["z"]]))
    assert asked(content) == ["--hidden-rows leave-out", "--hidden-rows keep"]
    assert contacts(content, hidden_rows=HiddenRows.LEAVE_OUT) == ["bob@example.com"]


DAYS: list[list[report_files.Value]] = [
    ["Email", "Registration Time"],
    ["ana@example.com", 44620.5],
]
FROM_1904: dict[str, Callable[..., bytes]] = {
    "xlsx": report_files.xlsx,
    "xls": report_files.xls,
    "xlsb": report_files.xlsb,
}


@pytest.mark.parametrize("written", FROM_1904.values(), ids=FROM_1904)
def test_days_that_are_numbers_count_from_the_year_of_the_workbook(written: Callable[..., bytes]) -> None:
    for from_1904, day in ((True, 1772366400000), (False, 1772366400000 - 1462 * 86_400_000)):
        read = reading(written(DAYS, from_1904=from_1904), state=State.REGISTER, time_zone="UTC")
        (record,) = read.items()
        assert isinstance(record, FileRecord)
        assert record.candidate.interaction_date_time == day


def many_sheets(number: int, people_in: int) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        for sheet in range(number):
            added = book.add_worksheet(f"Week {sheet + 1}")
            for place, row in enumerate(TABLE if sheet == people_in else [["nothing"]]):
                added.write_row(place, 0, row)
    return file.getvalue()


def test_more_sheets_than_are_looked_through_need_the_name_of_one() -> None:
    content = many_sheets(130, 120)
    said = r"a workbook of 130 sheets; at most 100 are looked .*expected --sheet NAME.* one of Week 1, Week 2, .* …$"
    with pytest.raises(FileError, match=said):
        reading(content)
    assert contacts(content, sheet="week 121") == ["ana@example.com", "bob@example.com"]
    assert contacts(many_sheets(100, 99)) == ["ana@example.com", "bob@example.com"]


def test_the_cells_of_all_sheets_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_bounds, "MOST_CELLS", 40)
    row: list[report_files.Value] = ["a@example.com", *[""] * 28, "x"]
    wide = [row]
    assert asked(report_files.xlsx(TABLE, ("Wide", wide)))
    assert asked(report_files.xls(TABLE, more=("Wide", wide)))
    monkeypatch.setattr(workbook_bounds, "MOST_CELLS", 38)
    for content in (report_files.xlsx(TABLE, ("Wide", wide)), report_files.xls(TABLE, more=("Wide", wide))):
        with pytest.raises(FileError, match="is a workbook of more than 38 cells"):
            reading(content)


@pytest.mark.parametrize("written", [report_files.xls, report_files.xlsb], ids=["xls", "xlsb"])
def test_the_cells_of_a_binary_workbook_have_a_bound(
    written: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook_bounds, "MOST_CELLS", 899)
    with pytest.raises(FileError, match="is a workbook of more than 899 cells"):
        reading(written([[1.5] * 30] * 30))


def test_a_workbook_that_unpacks_to_more_than_its_directory_says_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_bounds, "MOST_UNPACKED", 1024 * 1024)
    whole = io.BytesIO(report_files.xlsx(TABLE))
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/media/image1.bin", bytes(3 * 1024 * 1024))
    content = whole.getvalue().replace(struct.pack("<I", 3 * 1024 * 1024), struct.pack("<I", 100))
    assert zipfile.ZipFile(io.BytesIO(content)).getinfo("xl/media/image1.bin").file_size == 100
    with pytest.raises(FileError, match="is a workbook of more than 1 MiB when it is unpacked"):
        reading(content)


def test_a_sheet_that_ends_too_early_cannot_be_opened() -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(report_files.xlsb(TABLE))) as good, zipfile.ZipFile(whole, "w") as bad:
        for part in good.infolist():
            data = good.read(part)
            bad.writestr(part.filename, data[:40] if "sheet1" in part.filename else data)
    with pytest.raises(FileError, match="is a workbook that cannot be opened"):
        reading(whole.getvalue())


def with_part(content: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """Give a packed workbook with one part changed."""
    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(whole, "w") as after:
        for part in before.namelist():
            after.writestr(part, change(before.read(part)) if part == name else before.read(part))
    return whole.getvalue()


FAR = b'<row r="1048576"><c x=">" r="XFD1048576"><v>1</v></c></row></sheetData>'
LAUGHS = b'<!DOCTYPE w [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><worksheet'
HOSTILE: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "a cell far away": ("xl/worksheets/sheet1.xml", lambda one: one.replace(b"</sheetData>", FAR), "20,000,000 cells"),
    "a cell beyond every column": (
        "xl/worksheets/sheet1.xml",
        lambda one: one.replace(b'r="C3"', b'r="XFE3"'),
        "16,384 columns",
    ),
    "entities": (
        "xl/worksheets/sheet1.xml",
        lambda one: one.replace(b"<worksheet", LAUGHS, 1),
        r"cannot be opened \(it declares entities\)",
    ),
    "an encoding that there is not": (
        "xl/worksheets/sheet1.xml",
        lambda one: one.replace(b"UTF-8", b"UTF-1", 1),
        "cannot be opened",
    ),
    "XML that is not well-formed": (
        "xl/worksheets/sheet1.xml",
        lambda one: one.replace(b"<row", b"<row <", 1),
        "cannot be opened",
    ),
    "more texts than there are": (
        "xl/sharedStrings.xml",
        lambda one: one.replace(b'uniqueCount="', b'uniqueCount="99999999', 1),
        "claims more texts than it holds",
    ),
    "a list of sheets without an end": (
        "xl/workbook.xml",
        lambda one: one.replace(b"<sheets>", b" " * (17 * 1024 * 1024) + b"<sheets>"),
        "larger than in any workbook",
    ),
}


@pytest.mark.parametrize(("part", "change", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_workbook_made_to_harm_is_told_before_it_is_opened(
    part: str, change: Callable[[bytes], bytes], said: str
) -> None:
    with pytest.raises(FileError, match=said):
        reading(with_part(report_files.xlsx(TABLE), part, change))


def test_an_xls_that_was_not_downloaded_whole_cannot_be_opened() -> None:
    whole = report_files.xls(TABLE)
    for end in (100, 520, 1000, 3663, len(whole) - 3000):
        with pytest.raises(FileError, match="cannot be opened"):
            reading(whole[:end])


def test_an_xls_whose_tables_lead_in_a_circle_ends() -> None:
    whole = bytearray(report_files.xls(TABLE))
    (table,) = struct.unpack_from("<I", whole, 76)
    struct.pack_into("<I", whole, 512 * (table + 1) + 4, 1)  # the second sector follows itself
    with pytest.raises(FileError, match="cannot be opened"):
        reading(bytes(whole))


def test_an_xls_that_says_to_span_everything_is_not_made_room_for() -> None:
    whole = report_files.xls(TABLE)
    record = struct.pack("<HH", 0x0200, 14)
    at = whole.index(record) + len(record)
    with pytest.raises(FileError, match="spans more than it may"):
        reading(whole[:at] + struct.pack("<IIHH", 0, 2**32 - 1, 0, 2**16 - 1) + whole[at + 12 :])


def test_an_ole_file_of_a_stream_is_read_as_it_was() -> None:
    for size in (0, 5_000, 4_200_000):
        data = bytes(range(250)) * (size // 250)
        written = ole_stream.OleFile(io.BytesIO(ole_stream.made_anew(data, "Workbook")))
        assert written.stream("workbook") == data.ljust(4096, b"\0")
        assert written.stream("other") == b""


def test_merged_cells_of_many_rows_are_given_to_each_in_bounded_time() -> None:
    merges = b"<mergeCells>" + b'<mergeCell ref="A2:A9000"/>' * 20_000 + b"</mergeCells>"
    rows = [TITLES, ANA, ["", *BOB[1:]]]
    content = with_part(
        report_files.xlsx(rows),
        "xl/worksheets/sheet1.xml",
        lambda one: one.replace(b"</sheetData>", b"</sheetData>" + merges),
    )
    assert contacts(content) == ["ana@example.com"]
