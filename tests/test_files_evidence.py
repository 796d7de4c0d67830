# ruff: noqa: E501, ISC004 - reports are as wide as they are
"""What a file says itself is used and shown, and what only its reader knows is asked."""

import io
import zipfile
from typing import Any, Unpack

import pytest
import xlsxwriter

from models.words import State
from tests.support.file_readings import Said
from worker.files.lines import FileError
from worker.files.options import DateOrder, HiddenRows, Options
from worker.files.questions import QuestionsError
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow
from worker.files.times import iso

ATTEND: dict[str, Any] = {"state": State.ATTEND, "object_id": "7", "time_zone": "UTC"}
REGISTER: dict[str, Any] = {"state": State.REGISTER, "object_id": "7", "time_zone": "UTC"}
JOINS = "Email,Join Time,Leave Time\n"


def read(content: str | bytes, **said: Unpack[Said]) -> tuple[Reading, list[str], list[str]]:
    text = content.encode() if isinstance(content, str) else content
    reading = Reading(io.BytesIO(text), Options.read(**said))
    items = list(reading.items())
    records = [told(item) for item in items if isinstance(item, FileRecord)]
    return reading, records, [str(item.reasons[0]) for item in items if isinstance(item, RejectedRow)]


def told(record: FileRecord) -> str:
    properties = record.candidate.input["properties"]
    assert isinstance(properties, dict)
    stay = (str(properties[name])[5:16] for name in ("joinedAt", "leftAt") if name in properties)
    return " ".join([record.candidate.contact, *stay])


def proposed(content: str | bytes, **said: Unpack[Said]) -> str:
    with pytest.raises(QuestionsError) as stopped:
        read(content, **said)
    return stopped.value.answered()


LATE = (
    "Meeting title,Date,Start time\nLate,2026-05-11,23:00\n\nName,Email,Time joined,Time exited\n"
    "Ana,ana@example.com,11:05 PM,12:35 AM\nBob,bob@example.com,12:15 AM,12:35 AM\n"
)
POLLS = (
    "Attendee Details\nAttended,First Name,Last Name,Email,Join Time,Leave Time\n"
    "Yes,Ana,Abe,ana@example.com,2026-03-22T19:00:00Z,2026-03-22T20:00:00Z\n"
    "Poll Details\n#,User Name,User Email,Submitted,Answer\n1,Zed,zed@example.com,2026-03-22,No\n"
)
READ = {
    "times of day past midnight": (LATE, ["ana@example.com 05-11T23:05 05-12T00:35", "bob@example.com 05-12T00:15 05-12T00:35"]),
    "a table of polls below": (POLLS, ["ana@example.com 03-22T19:00 03-22T20:00"]),
    "a link, a name and a mark around an address": (
        f"{JOINS}mailto:ana@example.com,2026-03-22T19:00:00Z,2026-03-22T20:00:00Z\n"
        "Bob Bly <Bob@Example.com>,2026-03-22T19:00:00Z,2026-03-22T20:00:00Z\n"
        "dee+x@example.com\u200f,2026-03-22T19:00:00Z,2026-03-22T20:00:00Z\n",
        [f"{who}@example.com 03-22T19:00 03-22T20:00" for who in ("bob", "ana", "dee+x")],
    ),
    "a year of two digits that stays": (
        f"{JOINS}ana@example.com,20/03/26 19:00,20/03/26 20:00\nbob@example.com,21/03/26 19:00,21/03/26 20:00\n"
        "cee@example.com,22/03/26 19:00,22/03/26 20:00\n",
        [f"{who}@example.com 03-{day}T19:00 03-{day}T20:00" for who, day in (("ana", 20), ("bob", 21), ("cee", 22))],
    ),
    "how long somebody stayed, in many forms": (
        "Email,Join Time,Time in Session\n" + "".join(
            f"{who}@example.com,2026-03-22T19:00:00Z,{stay}\n"
            for who, stay in (("a", "1 hr"), ("b", "01:00:00"), ("c", "PT1H"), ("d", "60 Min."), ("e", "1時間"), ("f", "1h00"))
        ),
        [f"{who}@example.com 03-22T19:00 03-22T20:00" for who in "abcdef"],
    ),
    "until the event ended": ("Email,Time joined\nana@example.com,2026-03-22 19:00\n", ["ana@example.com 03-22T19:00 03-22T20:00"]),
}  # fmt: skip


@pytest.mark.parametrize(("content", "records"), READ.values(), ids=READ)
def test_what_the_file_says_is_used(content: str, records: list[str]) -> None:
    _, read_, refused = read(content, **ATTEND, occurrence="all", end="2026-03-22T20:00")
    assert (sorted(read_), refused) == (sorted(records), [])


ASKED = {
    "an order that no row settles": (
        "Email,Registration Date\na@example.com,05/04/2026 09:00\n",
        REGISTER,
        "--date-order dmy",
    ),
    "the month first, where AM or PM is written": (
        "Email,Registration Date\na@example.com,05/04/2026 09:00 AM\n",
        REGISTER,
        "--date-order mdy",
    ),
    "a year of two digits that may be a day": (
        "Email,Registration Date\na@example.com,26/03/24 09:00\n",
        REGISTER,
        "--date-order dmy",
    ),
    "a day that nothing says": (f"{JOINS}a@example.com,9:00,10:00\n", ATTEND, "--day DAY"),
    "half a day between joins": (
        f"{JOINS}a@example.com,23:10,23:50\nb@example.com,0:10,0:40\n",
        ATTEND | {"day": "2026-03-22"},
        "--start BEGAN",
    ),
    "an abbreviation of a zone": (
        f'{JOINS}a@example.com,"Sep 24, 2026 09:58 AM PDT","Sep 24, 2026 11:02 AM PDT"\n',
        {"state": State.ATTEND, "object_id": "7"},
        "--time-zone=America/Los_Angeles",
    ),
    "a zone that nothing says": (
        f"{JOINS}a@example.com,2026-03-22 09:00,2026-03-22 10:00\n",
        {"state": State.ATTEND, "object_id": "7"},
        "--time-zone CITY",
    ),
    "a start that stands above": (
        "Topic,Meeting ID,Start Time\nRail,812 0,05/20/2026 06:00:00 PM\n\nName,User Email,Total Duration (Minutes)\n"
        "Ana,a@example.com,55\n",
        ATTEND,
        "--start 2026-05-20T18:00",
    ),
    "an event's end that stands above": (
        "Topic,Meeting ID,Start Time,End Time\nRail,812 0,2026-05-20 18:00,2026-05-20 19:00\n\nName,User Email,Join Time\n"
        "Ana,a@example.com,2026-05-20 18:05\n",
        ATTEND,
        "--end 2026-05-20T19:00",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said", "answer"), ASKED.values(), ids=ASKED)
def test_what_only_its_reader_knows_is_asked_with_a_proposal(content: str, said: dict[str, Any], answer: str) -> None:
    assert proposed(content, **said) == answer


def test_the_zone_of_who_asks_is_proposed_and_never_used_unasked() -> None:
    content = f"{JOINS}a@example.com,2026-03-22 09:00,2026-03-22 10:00\n".encode()
    options = Options(state=State.ATTEND, object_id="7", home="Europe/Berlin")
    with pytest.raises(QuestionsError) as stopped:
        Reading(io.BytesIO(content), options)
    assert stopped.value.answered() == "--time-zone Europe/Berlin"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"object_id": "EVENT"}, "--object-id: EVENT stands for what you know; expected the number"),
        ({"event": "7", "external_account": "ACCOUNT"}, "--external-account: ACCOUNT stands for what you know"),
        ({"day": "DAY"}, "--day: DAY is not a day"),
        ({"start": "BEGAN"}, "--start: BEGAN is not a time"),
        ({"end": "19"}, "--end: 19 is not a time"),
        ({"time_zone": "CITY"}, "--time-zone: CITY is not a time zone"),
    ],
)
def test_what_a_command_leaves_to_be_filled_in_is_not_taken_as_it_stands(said: dict[str, Any], message: str) -> None:
    with pytest.raises(FileError) as error:
        Options.read(**said)
    assert message in str(error.value)


def test_several_addresses_in_a_cell_are_nobodys() -> None:
    content = f"{JOINS}a@example.com; b@example.com,2026-03-22T19:00:00Z,2026-03-22T20:00:00Z\n"
    _, records, (reason,) = read(content, **ATTEND)
    assert records == []
    assert reason.startswith("line 2, Email: a@example.com; b@example.com are several addresses")


def test_a_persons_row_is_never_taken_for_a_header() -> None:
    content = "ana@example.com,2026-03-22T19:00:00Z\nbob@example.com,2026-03-22T19:00:00Z\n"
    with pytest.raises(FileError):
        read(content, **REGISTER, mapping=["#1=email", "#2=registered"])


def test_days_of_two_digits_with_dots_are_days_where_the_whole_column_can_be() -> None:
    content = "Email;Anmeldedatum\nana@example.com;12.03.26\nbob@example.com;28.03.26\n"
    reading = Reading(io.BytesIO(content.encode()), Options.read(**REGISTER))
    times = [item.candidate.interaction_date_time for item in reading.items() if isinstance(item, FileRecord)]
    assert [iso(ms) for ms in times] == ["2026-03-12T00:00:00Z", "2026-03-28T00:00:00Z"]


@pytest.mark.parametrize(
    "above",
    [
        "Meeting title,Late\nStart time,2026-03-30T00:30:00Z\n\nEmail,Join Time,Leave Time\nana@example.com,20:31,21:30\n",
        "Meeting title,Late\nStart time,2026-03-30 00:30 UTC\n\nEmail,Join Time,Leave Time\nana@example.com,20:31,21:30\n",
        "Email,Date,Join Time,Leave Time\nana@example.com,2026-03-30T00:30:00Z,20:31,21:30\n",
    ],
)
def test_the_day_of_an_instant_is_that_of_the_files_zone(above: str) -> None:
    said: Said = {"state": State.ATTEND, "object_id": "7"}
    assert read(above, **said | {"time_zone": "America/New_York"})[1] == ["ana@example.com 03-30T00:31 03-30T01:30"]
    assert "2026-03-30" not in proposed(above, **said)


@pytest.mark.parametrize(
    "titles",
    [
        "Registration Date,Registration Time",
        "Registration Time,Registration Date",
        "Date,Time",
        "Date,Registration Time",
    ],
)
def test_a_day_and_a_time_of_day_in_two_columns_are_one_time(titles: str) -> None:
    day = titles.split(",", maxsplit=1)[0].endswith("Date")
    row = "2026-03-25,10:05" if day else "10:05,2026-03-25"
    reading = Reading(io.BytesIO(f"Email,{titles}\nana@example.com,{row}\n".encode()), Options.read(**REGISTER))
    times = [item.candidate.interaction_date_time for item in reading.items() if isinstance(item, FileRecord)]
    assert [iso(ms) for ms in times] == ["2026-03-25T10:05:00Z"]


def test_the_day_of_a_join_stands_in_a_column_of_its_own() -> None:
    content = "Email,Join Date,Join Time,Leave Time\nana@example.com,03/30/2026,22:00,00:10\n"
    assert read(content, **ATTEND)[1] == ["ana@example.com 03-30T22:00 03-31T00:10"]


@pytest.mark.parametrize("said", [REGISTER, {**REGISTER, "state": State.CANCEL}])
def test_the_events_day_is_not_that_of_a_registration_or_a_cancellation(said: dict[str, Any]) -> None:
    above = "Meeting title,Demo\nStart time,2026-03-29 19:00\n\n"
    title = "Registration Time" if said is REGISTER else "Cancellation Time"
    assert "--day" in proposed(f"{above}Email,{title}\nana@example.com,08:01\nbob@example.com,09:02\n", **said)


@pytest.mark.parametrize(
    ("start", "row", "stay"),
    [
        ("23:58", "00:01,01:30", "03-30T00:01 03-30T01:30"),
        ("00:30", "23:50,01:30", "03-28T23:50 03-29T01:30"),
        ("08:00", "07:45,20:30", "03-29T07:45 03-29T20:30"),
    ],
)
def test_a_time_of_day_is_of_the_day_that_is_nearest_to_the_start(start: str, row: str, stay: str) -> None:
    content = f"Meeting title,Demo\nStart time,2026-03-29 {start}\n\n{JOINS}ana@example.com,{row}\n"
    assert read(content, **ATTEND)[1] == [f"ana@example.com {stay}"]
    late = content.replace(row, "20:30,21:00\nbob@example.com,08:05,09:00")
    assert start != "08:00" or "more than half a day after" in read(late, **ATTEND)[2][0]


@pytest.mark.parametrize("start", ["03/29/2026 02:00:00 PM", "2026-03-29 14:00"])
def test_joins_half_a_day_from_the_start_may_lack_am_and_pm(start: str) -> None:
    content = (
        f"Topic,Demo\nStart Time,{start}\n\n{JOINS}a@example.com,02:03:10,03:01:02\nb@example.com,01:58:00,03:01:00\n"
    )
    assert "--start 01:58" in proposed(content, **ATTEND)
    assert read(content, **ATTEND, start="01:58")[1][1] == "b@example.com 03-29T01:58 03-29T03:01"


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("Topic,Start Time\nX,03/13/2026 1:00 PM", {}),
        ("", {"start": "2026-03-13T13:00"}),
        ("", {"start": "13:00"}),
        ("Topic,Start Time\nX,07/13/2026 1:00 AM", {}),
        ("Date: 2026-03-06", {}),
    ],
)
def test_full_times_far_from_the_event_are_asked_about(above: str, said: dict[str, Any]) -> None:
    content = f"{above}\n\n{JOINS}ana@example.com,2026-03-13 1:05,2026-03-13 2:10\n"
    assert proposed(content, **ATTEND, **said) == "--start 2026-03-13T01:05"
    assert read(content, **ATTEND, start="2026-03-13T01:05")[1] == ["ana@example.com 03-13T01:05 03-13T02:10"]


@pytest.mark.parametrize("row", ["12:55,1:40,45", "12:55,1:40,", "2:10,1:05,"])
def test_a_leave_before_the_join_is_of_the_next_day_only_in_the_evening(row: str) -> None:
    said = {**ATTEND, "day": "2026-03-29"}
    content = f"Email,Join Time,Leave Time,Duration (Minutes)\nana@example.com,{row}\n"
    assert "is before they joined" in read(content, **said)[2][0]
    evening = content.replace(row, "22:50,0:20,90")
    assert read(evening, **said)[1] == ["ana@example.com 03-29T22:50 03-30T00:20"]


@pytest.mark.parametrize("title", ["Total Duration (Minutes)", "Duration (Minutes)"])
def test_the_sum_of_all_stays_lengthens_no_single_one(title: str) -> None:
    rows = (
        "ana@example.com,2026-03-22 19:00,2026-03-22 19:40,40\nana@example.com,2026-03-22 19:50,2026-03-22 19:50,40\n"
    )
    assert read(f"Email,Join Time,Leave Time,{title}\n{rows}", **ATTEND)[1] == [
        "ana@example.com 03-22T19:00 03-22T19:50"
    ]


@pytest.mark.parametrize(
    ("titles", "rows", "known"),
    [
        ("Join Time,Total Duration (Minutes)", ["19:00,50", "19:30,50"], 0),
        ("Join Time,Total Duration (Minutes)", ["19:00,50"], 1),
        ("Join Time,Duration (Minutes)", ["19:00,20", "19:30,20"], 1),
        ("Join Time,Leave Time,Time in Session (Minutes)", ["19:00,2026-03-22 19:20,50", "19:30,,50"], 0),
        ("Join Time,Leave Time,Time in Session (Minutes)", ["19:00,2026-03-22 19:20,20", "19:30,,20"], 1),
    ],
)
def test_a_leave_is_not_reckoned_from_the_sum_of_all_stays(titles: str, rows: list[str], known: int) -> None:
    content = f"Email,{titles}\n" + "".join(f"ana@example.com,2026-03-22 {row}\n" for row in rows)
    _, records, refused = read(content, **ATTEND)
    assert (len(records), len(refused)) == (known, 1 - known)
    assert known or "is the sum of several joins (2 rows)" in refused[0]


@pytest.mark.parametrize(
    ("title", "time", "day"),
    [
        ("Join Time", "Fri 03/04/2026", "04-03"),
        ("Join Time", "Wed 03/04/2026", "03-04"),
        ("Join Time (mm/dd/yyyy)", "03/04/2026", "03-04"),
        ("Join Time (TT.MM.JJJJ)", "03/04/2026", "04-03"),
    ],
)
def test_the_day_of_the_week_and_the_title_settle_the_order_of_dates(title: str, time: str, day: str) -> None:
    content = f"Email,{title},Leave Time\na@example.com,{time} 10:00,{time} 11:00\n"
    assert read(content, **ATTEND)[1] == [f"a@example.com {day}T10:00 {day}T11:00"]


def test_a_title_that_shows_another_order_than_was_said_is_noted() -> None:
    content = "Email,Join Time (mm/dd/yyyy),Leave Time\na@example.com,03/04/2026 10:00,03/04/2026 11:00\n"
    reading, _, _ = read(content, **ATTEND, date_order=DateOrder.DMY)
    assert "the title “Join Time (mm/dd/yyyy)” shows another order" in reading.facts.notes[0]


@pytest.mark.parametrize("own", ["", "bob@example.com"])
def test_an_address_is_not_taken_from_a_second_column_unasked(own: str) -> None:
    content = f"Name,Email,Email,Registration Time\nAna,{own},boss@example.com,2026-03-01 10:00\n"
    assert "Email#1=email" in proposed(content, **REGISTER)


_PAGE = (
    "<table>{}<tr><th>Name</th><th>Email</th><th>Registration Time</th></tr>"
    "<tr{}><td>N</td><td>{}@example.com</td><td>2026-03-29 10:00</td></tr></table>"
)
_WORKSHEET = (
    '<Worksheet ss:Name="{}"><Table><Row><Cell><Data>Email</Data></Cell><Cell><Data>Registration Time</Data></Cell></Row>'
    "<Row><Cell><Data>{}@example.com</Data></Cell><Cell><Data>2026-03-29 10:00</Data></Cell></Row></Table></Worksheet>"
)
_SPACE = "urn:schemas-microsoft-com:office:spreadsheet"
_SHEETS = f'<?xml version="1.0"?><Workbook xmlns="{_SPACE}" xmlns:ss="{_SPACE}">{{}}</Workbook>'.format(
    _WORKSHEET.format("Registered", "ana") + _WORKSHEET.format("Cancelled", "bob")
)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (f"<html>{_PAGE.format('', '', 'ana')}<h2>Cancelled</h2>{_PAGE.format('', '', 'bob')}</html>", {}),
        (f"<html>{_PAGE.format('', '', 'ana')}{_PAGE.format('<caption>Cancelled</caption>', '', 'bob')}</html>", {}),
        (_SHEETS, {"sheet": "registered"}),
        (f"<h2>Registered</h2>{_PAGE.format('', '', 'ana')}<p>Cancelled:</p>{_PAGE.format('', '', 'bob')}", {}),
    ],
)
def test_what_names_a_table_of_a_page_or_of_excels_xml_counts(page: str, said: dict[str, Any]) -> None:
    reading = Reading(io.BytesIO(page.encode()), Options.read(**REGISTER, **said))
    records = [item.candidate.contact for item in reading.items() if isinstance(item, FileRecord)]
    assert records == ["ana@example.com"]


@pytest.mark.parametrize(
    "struck",
    [
        "<tr><td><s>Bob</s></td><td>bob@example.com</td><td>2026-03-29 10:00</td></tr>",
        "<tr><td>Bob</td><td><del>bob@example.com</del></td><td>2026-03-29 10:00</td></tr>",
        '<tr style="text-decoration: line-through"><td>B</td><td>bob@example.com</td><td>2026-03-29 10:00</td></tr>',
        "<template><tr><td>Bob</td><td>bob@example.com</td><td>2026-03-29 10:00</td></tr></template>",
    ],
)
def test_rows_of_a_page_that_are_struck_out_are_asked_about(struck: str) -> None:
    page = _PAGE.format("", "", "ana").replace("</table>", f"{struck}</table>")
    assert proposed(f"<html>{page}</html>", **REGISTER) == "--hidden-rows leave-out"
    assert read(f"<html>{page}</html>", **REGISTER, hidden_rows=HiddenRows.LEAVE_OUT)[0].facts.records == 1


@pytest.mark.parametrize("places", [(0,), (0, 1, 2)])
def test_rows_of_a_workbook_that_are_struck_out_are_asked_about(places: tuple[int, ...]) -> None:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        sheet, struck = book.add_worksheet(), book.add_format({"font_strikeout": True})
        for line, cells in enumerate([["Name", "Email", "Registration Time"], *_TWO]):
            for place, text in enumerate(cells):
                sheet.write_string(line, place, text, struck if line == 1 and place in places else None)
    assert proposed(written.getvalue(), **REGISTER) == "--hidden-rows leave-out"
    reading = read(written.getvalue(), **REGISTER, hidden_rows=HiddenRows.LEAVE_OUT)[0]
    assert (reading.facts.records, reading.facts.first[0].candidate.contact) == (1, "bob@example.com")


def test_sheets_and_hidden_rows_of_a_page_are_asked_about() -> None:
    hidden = f"<html>{_PAGE.format('', '', 'ana')}{_PAGE.format('', ' style=display:none', 'bob')}</html>"
    assert proposed(_SHEETS, **REGISTER) == "--sheet Registered"
    assert proposed(hidden, **REGISTER) == "--hidden-rows leave-out"


_TWO = [[name, f"{name}@example.com", "2026-03-29 10:00"] for name in ("ana", "bob")]
_PERSON = '[{"email":"ana@example.com","join_time":"2026-03-29T10:00:00Z","leave_time":"2026-03-29T11:00:00Z"}]'


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (f'{{"no_shows":{_PERSON},"attendees":{_PERSON}}}', "several lists of people (“no_shows”, “attendees”)"),
        (f'{{"meeting":{{"hosts":{_PERSON}}},"participants":{_PERSON}}}', "(“meeting.hosts”, “participants”)"),
        (f'[{{"late":{_PERSON},"attendees":{_PERSON}}}]', "several lists of people (“late”, “attendees”)"),
        ('[{"email":"ana@example.com","email":"bob@example.com"}]', "two fields “email”"),
        ("[" * 200_000, "more than 100 levels"),
        ('{"a":' * 200_000, "more than 100 levels"),
    ],
)
def test_json_whose_people_cannot_be_told_apart_is_refused(document: str, why: str) -> None:
    with pytest.raises(FileError) as stopped:
        read(document, **ATTEND)
    assert why in str(stopped.value)
    assert read(f'{{"links":[{{"rel":"self"}}],"participants":{_PERSON}}}', **ATTEND)[1]


@pytest.mark.parametrize("more", ['"page_count":3', '"next_page_token":"x"', '"pagination":{"has_more_items":true}'])
def test_one_page_of_several_is_noted(more: str) -> None:
    def notes(more: str) -> list[str]:
        return read(f'{{{more},"participants":{_PERSON}}}', **ATTEND)[0].facts.notes

    assert "one page of several" in notes(more)[0]
    assert not notes('"page_count":1,"next_page_token":""')


def test_a_byte_that_is_no_text_refuses_its_row_and_becomes_no_other_character() -> None:
    page = ("<meta charset=utf-8>" + _PAGE.format("", "", "jos\xe9")).encode("latin-1")
    assert "holds a character that could not be read" in read(page, **REGISTER)[2][0]
    named = (
        page.replace(b"utf-8", b"iso-8859-1").replace(b"<td>N", b"<td>\x8cuvre").replace(b"<th>Name", b"<th>First Name")
    )
    reading = Reading(io.BytesIO(named.replace(b"\xe9", b"e")), Options.read(**REGISTER))
    names = [item.candidate.input["contactProperties"] for item in reading.items() if isinstance(item, FileRecord)]
    assert names == [{"firstname": "\u0152uvre"}]


@pytest.mark.parametrize("encoding", ["undefined", "idna", "punycode", "no-such"])
def test_a_codec_that_is_of_no_file_is_refused(encoding: str) -> None:
    with pytest.raises(FileError, match="is unknown"):
        read(f"{JOINS}ana@example.com,2026-03-22 19:00,2026-03-22 20:00\n", **ATTEND, encoding=encoding)


def test_a_zone_that_cannot_be_read_is_asked_without_a_place_that_nobody_named() -> None:
    content = "Email,Join Time,Leave Time,Time Zone\na@example.com,2026-03-29 10:00,2026-03-29 11:00,Office\n"
    assert "Europe/Berlin" not in proposed(content, state=State.ATTEND, object_id="7")


def test_a_line_of_json_that_is_cut_off_is_refused() -> None:
    person = _PERSON.strip("[]")
    lines = f"{person}\n{person[:40]}\n{person.replace('ana', 'bob')}\n"
    _, records, refused = read(lines, **ATTEND)
    assert (len(records), refused) == (2, ["line 2: is not a JSON object; expected a JSON object"])


def test_an_opendocument_sheet_is_measured_by_the_block_that_it_spans() -> None:
    value = '<table:table-cell office:value-type="string"/>'
    gap = '<table:table-row table:number-rows-repeated="20000"><table:table-cell/></table:table-row>'
    far = f'<table:table-row><table:table-cell table:number-columns-repeated="16000"/>{value}</table:table-row>'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "content.xml", f"<table:table><table:table-row>{value}</table:table-row>{gap}{far}</table:table>"
        )
    with pytest.raises(FileError, match="more than 20,000,000 cells"):
        read(packed.getvalue(), **ATTEND)


@pytest.mark.parametrize(("lengths", "unit"), [(("3660", "61"), "seconds"), (("60", "61"), "minutes")])
def test_the_unit_of_lengths_is_asked_for_with_a_proposal(lengths: tuple[str, str], unit: str) -> None:
    rows = "".join(f"{n}@example.com,2026-03-13 10:00,{length}\n" for n, length in zip("ab", lengths, strict=True))
    assert proposed(f"Email,Join Time,Duration\n{rows}", **ATTEND) == f'--map "Duration={unit}"'
    assert len(read(f"Email,Join Time,Duration\n{rows}", **ATTEND, mapping=[f"Duration={unit}"])[1]) == 2


def test_a_date_with_dots_settles_the_order_of_the_others() -> None:
    content = "Email,Registration Time\na@example.com,13/3/26 11:05\nb@example.com,13.3.2026 11:10\n"
    reading, records, _ = read(content, **REGISTER)
    assert (records, reading.facts.notes) == (
        ["a@example.com", "b@example.com"],
        ["dates are read day first, as “13.3.2026 11:10” shows"],
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            "Email,Registration Time,Cancelled on\na@example.com,2026-03-13 10:00,Yes\n",
            "Cancelled on “Yes” (cancelled)",
        ),
        (
            "Name,Email,Registration Time\n,,(UTC)\nA,a@example.com,2026-03-13 10:00\n",
            "names nobody: no name, and no e-mail address",
        ),
    ],
)
def test_what_is_left_out_is_called_what_it_is(content: str, why: str) -> None:
    assert list(read(content, **REGISTER)[0].facts.left_out) == [why]
