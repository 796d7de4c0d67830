import io
from contextlib import suppress
from typing import Any, Unpack

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from models.words import State
from tests.support.file_readings import Said
from worker.files.lines import FileError
from worker.files.not_people import NO_ADDRESS
from worker.files.options import DateOrder, Options, SharedAddress
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow

ATTEND: dict[str, Any] = {"state": State.ATTEND, "object_id": "7", "time_zone": "America/New_York"}
REGISTER: dict[str, Any] = {"state": State.REGISTER, "object_id": "7", "time_zone": "UTC"}

ZOOM = """Attendee Report
Report Generated:,"Apr 15, 2026 09:12 AM"
Topic,Webinar ID,Actual Start Time,# Registered
Summit,812 0042 7781,"04/14/2026 10:00:00 AM",3

Panelist Details
Attended,User Name (Original Name),Email,Join Time,Leave Time
Yes,Ines,ines@example.com,"04/14/2026 09:41:12 AM","04/14/2026 11:36:40 AM"
Attendee Details
Attended,First Name,Email,Join Time,Leave Time,Is Guest
Yes,Ada,Ada@example.com,"04/14/2026 10:20:00 AM","04/14/2026 10:30:00 AM",No
No,Ben,ben@example.com,--,--,No
Yes,"Ada
Maria",ada@example.com,"04/14/2026 10:01:00 AM","04/14/2026 10:15:00 AM",No
Yes,Cut,cut@example.com,"04/14/2026 10:01:00 AM","04/14/2026 09:15:00 AM",No
Yes,Lone

Other Attended
User Name,Join Time,Leave Time,Time in Session (minutes)
1555,"04/14/2026 10:03:00 AM","04/14/2026 10:55:00 AM",52
"""


def read(text: str | bytes, **said: Unpack[Said]) -> tuple[Reading, list[FileRecord], list[RejectedRow]]:
    content = text.encode() if isinstance(text, str) else text
    reading = Reading(io.BytesIO(content), Options.read(**said))
    items = list(reading.items())
    return (
        reading,
        [item for item in items if isinstance(item, FileRecord)],
        [item for item in items if isinstance(item, RejectedRow)],
    )


def only(text: str, **said: Unpack[Said]) -> dict[str, Any]:
    _, (record,), refused = read(text, **said)
    assert refused == []
    return record.candidate.input


def reasons(refused: list[RejectedRow]) -> list[str]:
    return ["; ".join(map(str, one.reasons)) for one in refused]


def test_a_report_of_several_tables_is_read_whole_and_every_row_is_accounted_for() -> None:
    reading, records, refused = read(ZOOM, **ATTEND, date_order=DateOrder.MDY)
    by_contact = {record.candidate.contact: record.candidate.input for record in records}
    assert by_contact == {
        "ada@example.com": {
            "email": "Ada@example.com",
            "interactionDateTime": 1776175260000,
            "properties": {"joinedAt": "2026-04-14T14:01:00Z", "leftAt": "2026-04-14T14:30:00Z"},
            "contactProperties": {"firstname": "Ada"},
        },
    }
    assert [one.line for one in refused] == [15]
    assert reasons(refused)[0] == (
        "line 15, Leave Time: 04/14/2026 09:15:00 AM is before they joined; "
        "expected a later time (the next day, past midnight?)"
    )
    facts = reading.facts
    assert dict(facts.left_out) == {
        "section “Panelist Details” (host, organizer, panelist or presenter)": 1,
        "did not attend": 1,
        "the table “Other Attended” has no column with an e-mail address": 1,
        NO_ADDRESS: 1,
    }
    assert facts.rows == 7 == facts.gathered + sum(facts.left_out.values())
    assert facts.unread == ["User Name (Original Name)", "Is Guest"]


def test_a_teams_report_in_utf_16_with_tabs_is_read_and_its_two_tables_tell_one_story() -> None:
    text = (
        "1. Summary\r\nMeeting title\tSummit\r\nStart time\t4/14/26, 7:00:11 PM\r\n\r\n2. Participants\r\n"
        "Name\tFirst join\tLast leave\tIn-meeting duration\tEmail\tParticipant ID (UPN)\tRole\r\n"
        "Ada\t4/14/26, 7:00:00 PM\t4/14/26, 8:00:00 PM\t40m\tada@example.com\tada@example.com\tAttendee\r\n\r\n"
        "3. In-Meeting Activities\r\nName\tJoin time\tLeave time\tDuration\tEmail\tRole\r\n"
        "Ada\t4/14/26, 7:00:00 PM\t4/14/26, 7:20:00 PM\t20m\tada@example.com\tAttendee\r\n"
        "Ada\t4/14/26, 7:40:00 PM\t4/14/26, 8:00:00 PM\t20m\tada@example.com\tAttendee\r\n"
    )
    _, records, refused = read(
        ("\ufeff" + text).encode("utf-16-le"),
        state=State.ATTEND,
        object_id="7",
        time_zone="Europe/Berlin",
        date_order=DateOrder.MDY,
    )
    assert refused == []
    assert [record.candidate.input["properties"] for record in records] == [
        {"joinedAt": "2026-04-14T17:00:00Z", "leftAt": "2026-04-14T18:00:00Z"}
    ]


def test_how_long_somebody_stayed_stands_for_when_they_left() -> None:
    stay = only("Email,Join Time,Duration (Minutes)\na@example.com,2026-03-01T10:00:00Z,35\n", **ATTEND)
    assert stay["properties"] == {"joinedAt": "2026-03-01T10:00:00Z", "leftAt": "2026-03-01T10:35:00Z"}


def test_a_zone_in_the_title_wins_over_the_option() -> None:
    stay = only(
        "Email,Join (UTC),Left (UTC)\na@example.com,2026-03-01 10:00,2026-03-01 11:00\n",
        **ATTEND,
        mapping=["Join (UTC)=joined"],
    )
    assert stay["properties"] == {"joinedAt": "2026-03-01T10:00:00Z", "leftAt": "2026-03-01T11:00:00Z"}


def test_a_row_with_its_own_interaction_time_is_a_record_of_its_own() -> None:
    text = (
        "email,interactionDateTime,joinedAt,leftAt\n"
        "a@example.com,1772359200000,2026-03-01T10:00:00Z,2026-03-01T11:00:00Z\n"
        "a@example.com,1772362800000,2026-03-01T11:00:00Z,2026-03-01T12:00:00Z\n"
    )
    _, records, _ = read(text, **ATTEND)
    assert [record.candidate.interaction_date_time for record in records] == [1772359200000, 1772362800000]


def test_columns_name_event_state_and_account_and_the_options_fill_what_is_missing() -> None:
    text = (
        "email;subscriber_state;external_event_id;external_account_id;account;date\n"
        "a@example.com;REGISTERED;e1;x1;emea;2026-03-01T10:00:00Z\n"
        "b@example.com;;;;;2026-03-01T10:00:00Z\n"
        "c@example.com;cancelled;e1;;;2026-03-01T10:00:00Z\n"
        "d@example.com;no-show;e1;;;2026-03-01T10:00:00Z\n"
        "f@example.com;maybe;e1;;;2026-03-01T10:00:00Z\n"
    )
    reading, records, refused = read(text, state=State.REGISTER, event="e0", external_account="x0", account="default")
    assert [(one.account, str(one.address), one.state.value) for one in records] == [
        ("emea", "x1/e1", "register"),
        ("default", "x0/e0", "register"),
        ("default", "x0/e1", "cancel"),
    ]
    assert reasons(refused) == ["line 6, subscriber_state: maybe is unknown; expected 'register', 'attend' or 'cancel'"]
    assert dict(reading.facts.left_out) == {"did not attend": 1}


def test_a_contact_is_named_by_email_first_and_by_id_without_contact_properties() -> None:
    text = "Email,Record ID,First Name,Date\na@example.com,1,Ada,2026-03-01\n,9007199254740993,Ben,2026-03-01\n"
    reading, (first, second), _ = read(text, **REGISTER)
    assert first.candidate.input["email"] == "a@example.com"
    assert second.candidate.input == {"vid": 9007199254740993, "interactionDateTime": 1772323200000, "properties": {}}
    assert reading.facts.days_only == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("nobody,2026-03-01", "line 2, Email: nobody is no e-mail address"),
        ("a@example.com,", "line 2, Date: has no time"),
        ("a@example.com,1772323200", "line 2, Date: 1772323200 looks like seconds; expected milliseconds"),
        ("a@example.com,soon", "line 2, Date: soon is no date and time that is known here"),
        (
            "nobody,soon",
            "soon is no date and time that is known here; expected a time such as 2026-03-01T10:00:00Z; line 2, Email",
        ),
        ("a@example.com,2026-03-01,x", "line 2: has 3 cells where the header has 2"),
        ('a@example.com,"2026-03-01', "line 2: opens a quote that does not close"),
        ("a@example.com,2026-03-01\x00", "line 2, Date: 2026-03-01\\x00 has no time of day"),
    ],
)
def test_a_broken_row_says_where_and_what_and_costs_no_neighbour(row: str, said: str) -> None:
    _, records, refused = read(f"Email,Date\n{row}\nb@example.com,2026-03-01\n", **REGISTER)
    assert [record.candidate.contact for record in records] == ["b@example.com"]
    assert said in reasons(refused)[0]
    assert refused[0].rows[0][0] == 2


def test_what_is_refused_keeps_a_message_with_that_one_input_for_the_books() -> None:
    _, _, refused = read("Email,First Name,Date\na@example.com,Ada,soon\nb@example.com,,2026-03-01\n", **REGISTER)
    assert refused[0].raw == (
        b'{"object_id":"7","subscriber_state":"register","producer":"turnout enqueue","inputs":[{"email":'
        b'"a@example.com","contactProperties":{"firstname":"Ada"},"interactionDateTime":"soon","properties":{}}]}'
    )


@pytest.mark.parametrize(
    ("text", "said", "message"),
    [
        ("just prose\nand more of it", {}, "the file: has no row of column names"),
        (
            "Email,Name\na@example.com,Ada",
            REGISTER,
            "line 1: looks like the header (Email, Name) and has no column that says when they registered",
        ),
        (
            "Email,Date\na@example.com,2026-03-01 10:00",
            {"state": State.REGISTER, "object_id": "7"},
            "says “2026-03-01 10:00”, and not in which time zone. Whose clock is it?",
        ),
        (
            "Email,Date\na@example.com,03/04/2026 10:00",
            REGISTER,
            "--date-order dmy  day first: “03/04/2026 10:00” is 3 April 2026",
        ),
        (
            "Email,Date\na@example.com,2026-03-01",
            {"state": State.REGISTER},
            "the event is not said: which event in HubSpot is it?",
        ),
        (
            "Email,Date\na@example.com,2026-03-01",
            {"state": State.REGISTER, "event": "e"},
            "--external-account ACCOUNT  the account id the event was created with in HubSpot",
        ),
        ("Email,Date\na@example.com,2026-03-01", {"object_id": "7"}, "--state register  they registered"),
        ('{"email": "a@example.com"}', {"object_id": "7"}, "line 1, the state: is not said"),
    ],
)
def test_a_file_that_lacks_something_as_a_whole_stops_before_its_first_record(
    text: str, said: dict[str, Any], message: str
) -> None:
    with pytest.raises(FileError) as error:
        read(text, **said)
    assert message in str(error.value)


def test_one_row_that_lacks_a_zone_among_many_that_do_not_is_refused_alone() -> None:
    text = "Email,Date\nb@example.com,2026-03-01 10:00\n" + "a@example.com,2026-03-01T10:00:00Z\n" * 10
    _, records, (refused,) = read(text, state=State.REGISTER, object_id="7", shared_address=SharedAddress.ONE_PERSON)
    assert len(records) == 10
    assert "--time-zone" in str(refused.reasons[0])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"time_zone": "Bielefeld"},
            "--time-zone: Bielefeld is not a time zone that is known here; expected the name of a place",
        ),
        ({"time_zone": "../etc/passwd"}, "is not a time zone"),
        ({"time_zone": "Email=Europe/Berlin"}, "--time-zone: Email is not an abbreviation of a zone"),
        ({"time_zone": "EST=EST"}, "EST is an abbreviation: it may mean"),
        ({"object_id": "1", "event": "2"}, "--object-id: stands beside --event"),
        ({"event": " "}, "--event: ' ' is no id"),
        ({"account": "x" * 300}, "--account"),
        ({"mapping": ["Email"]}, "--map: 'Email' maps nothing"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(said: dict[str, Any], message: str) -> None:
    with pytest.raises(FileError) as error:
        Options.read(**said)
    assert message in str(error.value)


def test_files_put_one_behind_the_other_are_read_as_one() -> None:
    one = "Email,Date\na@example.com,2026-03-01\n"
    reading, records, refused = read(one + one.replace("a@", "b@"), **REGISTER)
    assert [record.candidate.contact for record in records] == ["a@example.com", "b@example.com"]
    assert (refused, reading.facts.rows) == ([], 2)


CELLS = st.sampled_from(
    [
        *(
            "a@example.com",
            "B@example.com",
            "nobody",
            "9",
            "",
            "--",
            '"',
            '"a\nb"',
            "\x00",
            chr(0xDCFF),
            "é",
            "{",
            "inf",
            "-1",
        ),
        *("03/04/2026 10:00", "2026-03-01T10:00:00Z", "2026-03-29 02:30", "01.03.2026", "1772359200", "1h 2m", "47:03"),
        *(
            "Email",
            "Join Time",
            "Leave Time",
            "json",
            "attend",
            "no-show",
            "No",
            "7",
            "9" * 30,
            '{"email": 1}',
            '{"inputs": [1]}',
        ),
    ]
)
HEADERS = st.sampled_from(
    [
        "Email,Join Time,Leave Time,Duration",
        "email,state,date,object_id",
        "reason,line,json",
        "vid,Attended,date,minutes",
    ]
)


@settings(deadline=None)
@given(
    HEADERS, st.lists(st.lists(CELLS, max_size=5), max_size=12), st.none() | st.sampled_from(list(State)), st.booleans()
)
def test_no_file_makes_it_fall_over_and_every_item_is_a_record_or_refused_with_reasons(
    header: str,
    rows: list[list[str]],
    state: State | None,
    ordered: bool,  # noqa: FBT001
) -> None:
    text = "\n".join([header, *(",".join(row) for row in rows)])
    said: Said = {"date_order": DateOrder.DMY, "time_zone": "Europe/Berlin"} if ordered else {}
    said |= {"state": state, "object_id": "7"}
    with suppress(FileError):
        reading, records, refused = read(text.encode("utf-8", "surrogateescape"), **said)
        out = sum(reading.facts.left_out.values())
        assert len(records) + len(refused) + out <= reading.facts.rows
        if not reading.gathers:
            assert len(records) + len(refused) + out == reading.facts.rows
        for one in refused:
            assert all(reason.right for reason in one.reasons)
            assert one.reasons
            assert one.raw
            assert orjson.dumps(one.reasons)
