# ruff: noqa: DTZ001 - the cells of a workbook have no zone
"""What a file is: every format, its bounds, and what is asked of it."""

import io
import zipfile
from datetime import date, datetime, time
from typing import Unpack

import pytest

from models.words import State
from tests.support import report_files
from tests.support.file_readings import Said, options
from worker.files.formats import archive, workbook, workbook_bounds
from worker.files.lines import FileError
from worker.files.options import Options
from worker.files.questions import QuestionsError
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow

TITLES = ["Email", "Join Time", "Leave Time"]
ANA = ["ana@example.com", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"]
BOB = ["bob@example.com", "2026-03-01T10:05:00Z", "2026-03-01T11:00:00Z"]
TABLE = [TITLES, ANA, BOB]
TOLD = ["ana@example.com 10:00:00 11:00:00", "bob@example.com 10:05:00 11:00:00"]


def read(content: bytes, **said: Unpack[Said]) -> tuple[Reading, list[str], list[RejectedRow]]:
    reading = Reading(io.BytesIO(content), options(said, state=State.ATTEND, object_id="7"))
    items = list(reading.items())
    records = [told(item) for item in items if isinstance(item, FileRecord)]
    return reading, sorted(records), [item for item in items if isinstance(item, RejectedRow)]


def told(record: FileRecord) -> str:
    properties = record.candidate.input["properties"]
    assert isinstance(properties, dict)
    return " ".join([record.candidate.contact, *(str(properties[name])[11:19] for name in ("joinedAt", "leftAt"))])


def asked(content: bytes, **said: Unpack[Said]) -> list[str]:
    with pytest.raises(QuestionsError) as stopped:
        read(content, **said)
    return [choice.option for question in stopped.value.questions for choice in question.choices]


HUBSPOTS = b"""[
  {"email": "ana@example.com", "interactionDateTime": 1772359200000,
   "properties": {"joinedAt": "2026-03-01T10:00:00Z", "leftAt": "2026-03-01T11:00:00Z"}},
  {"email": "bob@example.com", "interactionDateTime": 1772359500000,
   "properties": {"joinedAt": "2026-03-01T10:05:00Z", "leftAt": "2026-03-01T11:00:00Z"}}
]"""
GOTOWEBINAR = b"""[{"registrantKey": 1, "email": "ana@example.com", "attendanceTimeInSeconds": 3600, "attendance": [
  {"joinTime": "2026-03-01T10:00:00Z", "leaveTime": "2026-03-01T10:30:00Z"},
  {"joinTime": "2026-03-01T10:40:00Z", "leaveTime": "2026-03-01T11:00:00Z"}], "questions": [{"question": "Why?"}]},
 {"registrantKey": 2, "email": "bob@example.com", "attendanceTimeInSeconds": 3300, "attendance": [
  {"joinTime": "2026-03-01T10:05:00Z", "leaveTime": "2026-03-01T11:00:00Z"}]}]"""
GRAPH = b"""{"@odata.context": "https://example.com", "value": [
 {"emailAddress": "ana@example.com", "totalAttendanceInSeconds": 3600, "role": "Attendee",
  "identity": {"displayName": "Ana"}, "attendanceIntervals": [
  {"joinDateTime": "2026-03-01T10:00:00Z", "leaveDateTime": "2026-03-01T11:00:00Z", "durationInSeconds": 3600}]},
 {"emailAddress": "bob@example.com", "totalAttendanceInSeconds": 3300, "role": "Attendee",
  "identity": {"displayName": "Bob"}, "attendanceIntervals": [
  {"joinDateTime": "2026-03-01T10:05:00Z", "leaveDateTime": "2026-03-01T11:00:00Z", "durationInSeconds": 3300}]},
 {"emailAddress": "hana@example.com", "totalAttendanceInSeconds": 9, "role": "Organizer", "attendanceIntervals": [
  {"joinDateTime": "2026-03-01T10:00:00Z", "leaveDateTime": "2026-03-01T11:00:00Z", "durationInSeconds": 3600}]}]}"""
WEBEX = b"""{"items": [
 {"email": "ana@example.com", "displayName": "Ana", "host": false, "hostEmail": "hana@example.com",
  "joinedTime": "2026-03-01T10:00:00Z", "leftTime": "2026-03-01T11:00:00Z"},
 {"email": "bob@example.com", "displayName": "Bob", "host": false, "hostEmail": "hana@example.com",
  "joinedTime": "2026-03-01T10:05:00Z", "leftTime": "2026-03-01T11:00:00Z"},
 {"email": "hana@example.com", "displayName": "Hana", "host": true, "hostEmail": "hana@example.com",
  "joinedTime": "2026-03-01T10:00:00Z", "leftTime": "2026-03-01T11:00:00Z"}]}"""

FORMATS = {
    "CSV": report_files.csv(TABLE),
    "semicolons": report_files.csv(TABLE, ";", "utf-8-sig"),
    "tabs in UTF-16": report_files.csv(TABLE, "\t", "utf-16"),
    "xlsx": report_files.xlsx(TABLE),
    "xls": report_files.xls(TABLE),
    "ods": report_files.ods(TABLE),
    "a web page": report_files.html(TABLE),
    "xlsb": report_files.xlsb(TABLE),
    "Excel's XML": report_files.excel_xml(TABLE),
    "zip of CSV": report_files.zipped(report_files.csv(TABLE)),
    "zip of xlsx": report_files.zipped(report_files.xlsx(TABLE), "report.xlsx"),
    "JSON": report_files.json(TITLES, [ANA, BOB]),
    "JSON Lines of a tool": report_files.jsonl(TITLES, [ANA, BOB]),
    "a list of HubSpot's inputs": HUBSPOTS,
    "a list in UTF-16": HUBSPOTS.decode().encode("utf-16"),
    "GoToWebinar's API": GOTOWEBINAR,
    "Microsoft Graph": GRAPH,
    "Webex's API": WEBEX,
}


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS)
def test_a_report_is_read_whatever_its_format(content: bytes) -> None:
    _, records, refused = read(content, time_zone="UTC")
    assert (records, refused) == (TOLD, [])


def test_a_message_of_hubspots_in_one_document_says_its_event_itself() -> None:
    content = b'{"external_event_id": "e", "external_account_id": "a", "subscriber_state": "register",\n "inputs": [\n'
    content += b'{"email": "ana@example.com", "interactionDateTime": 1772359200000}]}'
    (record,) = Reading(io.BytesIO(content), Options()).items()
    assert isinstance(record, FileRecord)
    assert (record.state, record.address.external_event_id) == (State.REGISTER, "e")


def test_registrants_of_zooms_api_count_by_their_status() -> None:
    content = (
        b'{"registrants": [{"email": "ana@example.com", "create_time": "2026-03-01T10:00:00Z", "status": "approved"},'
        b'{"email": "dan@example.com", "create_time": "2026-03-01T10:00:00Z", "status": "denied"}]}'
    )
    reading = Reading(io.BytesIO(content), Options(state=State.REGISTER, object_id="7"))
    (record,) = reading.items()
    assert isinstance(record, FileRecord)
    assert record.candidate.contact == "ana@example.com"
    assert reading.facts.left_out == {"status “denied” (not approved)": 1}


def test_attendees_of_eventbrites_api_are_read_by_their_profile() -> None:
    content = (
        b'{"pagination": {"page_count": 1}, "attendees": [{"created": "2026-03-01T10:00:00Z", "status": "Attending",'
        b'"cancelled": false, "refunded": false, "profile": {"email": "ana@example.com", "first_name": "Ana"}}]}'
    )
    (record,) = Reading(io.BytesIO(content), Options(state=State.REGISTER, object_id="7")).items()
    assert isinstance(record, FileRecord)
    assert record.candidate.input["contactProperties"] == {"firstname": "Ana"}


def test_dates_and_numbers_of_a_workbook_are_read_as_what_they_are() -> None:
    rows: list[list[report_files.Value]] = [
        ["Email", "Date", "Join Time", "Leave Time"],
        ["ana@example.com", date(2026, 3, 1), datetime(2026, 3, 1, 10), datetime(2026, 3, 1, 11)],
        ["bob@example.com", date(2026, 3, 1), 46082.0 + 10 / 24, 46082.0 + 11 / 24],
        ["cee@example.com", "2026-03-01", "10:00 AM", "11:00\u202fAM"],
        ["dee@example.com", "2026-03-01", time(10), time(11)],
    ]
    content = report_files.xlsx(rows)
    _, records, refused = read(content, time_zone="UTC")
    assert refused == []
    assert records == [f"{who}@example.com 10:00:00 11:00:00" for who in ("ana", "bob", "cee", "dee")]


def test_of_several_sheets_with_people_it_is_asked_which_one() -> None:
    content = report_files.xlsx(TABLE, ("Staff", [TITLES, ["pat@example.com", *ANA[1:]]]))
    assert asked(content) == ["--sheet Attendees", "--sheet Staff"]
    assert read(content, sheet="staff")[1] == ["pat@example.com 10:00:00 11:00:00"]
    with pytest.raises(FileError, match="has no sheet “Nobody”; expected one of Attendees, Staff"):
        read(content, sheet="Nobody")


def test_another_sheet_may_say_the_day() -> None:
    people = [TITLES, ["ana@example.com", "10:00", "11:00"]]
    content = report_files.xlsx(people, ("Summary", [["Meeting title", "Date"], ["Rail", "2026-03-01"]]))
    reading, records, _ = read(content, time_zone="UTC")
    assert records == ["ana@example.com 10:00:00 11:00:00"]
    assert reading.facts.notes == ["times of day are of 1 March 2026, as line 2, “Date” says"]


def test_an_address_that_several_rows_share_stands_in_each() -> None:
    page = (
        "<table><tr><th>Email</th><th>Join Time</th><th>Leave Time</th></tr>"
        "<tr><td rowspan=2>ana@example.com</td><td>2026-03-01T10:00:00Z</td><td>2026-03-01T10:10:00Z</td></tr>"
        "<tr><td>2026-03-01T10:30:00Z</td><td>2026-03-01T11:00:00Z</td></tr></table>"
    )
    assert read(page.encode())[1] == TOLD[:1]


@pytest.mark.parametrize(
    ("encoding", "first"),
    [("cp1252", "--encoding windows-1252"), ("cp932", "--encoding shift_jis"), ("cp1251", "--encoding windows-1251")],
)
def test_an_encoding_that_nothing_marks_is_guessed_and_asked(encoding: str, first: str) -> None:
    names = {
        "cp1252": ["Zoë Müller-Lüdenscheidt", "José Núñez", "François Lefèvre", "Jürgen Größe"],
        "cp932": ["山田太郎", "鈴木花子", "参加者の名前", "佐藤さくら"],
        "cp1251": ["Анна Петрова", "Борис Иванов", "Сергей Кузнецов", "Мария Смирнова"],
    }[encoding]
    rows = [["Name", *TITLES], *([name, f"p{n}@example.com", *ANA[1:]] for n, name in enumerate(names))]
    content = report_files.csv(rows, encoding=encoding)
    with pytest.raises(QuestionsError) as stopped:
        read(content)
    choice = stopped.value.questions[0].choices[0]
    assert choice.option == first
    assert names[0] in choice.means
    assert len(read(content, encoding=first.split()[1])[1]) == len(names)


BROKEN = {
    "a zip of nothing": (report_files.zipped(b"", "folder/"), "is a zip without a file in it"),
    "no zip": (b"PK\x03\x04" + b"\0" * 60, "begins like a zip or a workbook and cannot be opened"),
    "a zip in a zip": (report_files.zipped(report_files.zipped(b"x"), "inner.zip"), "is a zip within a zip"),
    "no workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "is a workbook that cannot be opened"),
    "a login page": (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page without a table in it"),
    "Numbers": (report_files.zipped(b"x", "Index/Document.iwa"), "is a document of Apple Numbers"),
    "half of a document": (b'[\n{"email": "a@example.com", "join_time": ', "is JSON that cannot be read"),
    "an empty list": (b"[]", "is JSON without an object in it"),
    "broken XML": (report_files.excel_xml(TABLE).replace(b"</Row>", b"</Rrow>", 1), "is XML that cannot be read"),
}


@pytest.mark.parametrize(("content", "said"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_opened_says_what_it_is(content: bytes, said: str) -> None:
    with pytest.raises(FileError, match=said):
        read(content)


def test_a_zip_of_several_files_names_them() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("one.csv", b"a")
        packed.writestr("two.csv", b"b")
    with pytest.raises(FileError, match=r"is a zip of 2 files \(one.csv, two.csv\)"):
        read(file.getvalue())


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["stored", "bz2", "lzma"]
)
def test_a_zip_is_unpacked_however_it_was_packed(method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packed:
        packed.writestr("report.csv", report_files.csv(TABLE))
    assert read(file.getvalue())[1] == TOLD
    damaged = file.getvalue().replace(report_files.csv(TABLE)[:4], b"Mail") if not method else file.getvalue()
    middle = bytearray(damaged)
    middle[60:64] = b"\xff" * 4
    with pytest.raises(FileError, match="is a zip that cannot be unpacked"):
        read(bytes(middle))


def marked(content: bytes, *, flag: int = 0, method: int | None = None) -> bytes:
    """Give a zip whose parts say that they are packed in another way."""
    written = bytearray(content)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = written.find(signature)
        while place >= 0:
            written[place + at] |= flag
            if method is not None:
                written[place + at + 2] = method
            place = written.find(signature, place + 1)
    return bytes(written)


def test_a_zip_that_cannot_be_unpacked_says_what_to_do() -> None:
    content = report_files.zipped(report_files.csv(TABLE))
    with pytest.raises(FileError, match="is a zip that is protected by a password; expected the zip unpacked"):
        read(marked(content, flag=1))
    with pytest.raises(FileError, match=r"cannot be unpacked \(.*compression.*\); expected the zip unpacked"):
        read(marked(content, method=9))  # Deflate64, as Windows writes zips of more than 2 GiB
    with pytest.raises(FileError, match="is a workbook that cannot be opened"):
        read(marked(report_files.xlsx(TABLE), method=9))


def test_what_is_unpacked_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_UNPACKED", 1000)
    with pytest.raises(FileError, match="is a zip whose file is larger than"):
        read(report_files.zipped(b"0" * 1001))


def test_a_workbook_has_a_bound_of_its_size_unpacked_and_of_the_cells_that_it_spans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far_apart = [TITLES, ANA, *[[""]] * 40, [""] * 40 + ["x"]]
    monkeypatch.setattr(workbook_bounds, "MOST_CELLS", 500)
    for content in (report_files.xlsx(far_apart), report_files.ods([[1.0] * 30] * 30)):
        with pytest.raises(FileError, match="is a workbook of more than 500 cells"):
            read(content)
    monkeypatch.setattr(workbook_bounds, "MOST_UNPACKED", 1000)
    with pytest.raises(FileError, match="MiB when it is unpacked"):
        read(report_files.xlsx(TABLE))
    monkeypatch.setattr(workbook, "MOST_BYTES", 1000)
    with pytest.raises(FileError, match="is a workbook of more than 0 MiB"):
        read(report_files.xls(TABLE))


def test_the_same_bytes_come_through_a_pipe() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    reading = Reading(Pipe(report_files.xlsx(TABLE)), Options(state=State.ATTEND, object_id="7"))
    assert sorted(told(item) for item in reading.items() if isinstance(item, FileRecord)) == TOLD
