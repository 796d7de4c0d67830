import io
import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Unpack
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from models.words import State
from tests.support.file_readings import Said, options
from worker.files.lines import FileError
from worker.files.options import DateOrder, Options, SharedAddress
from worker.files.questions import QuestionsError
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow
from worker.submission.summary import FileResult, table

FILES = Path(__file__).parent / "files"
NEW_YORK: dict[str, Any] = {"time_zone": "America/New_York", "date_order": DateOrder.MDY}
BERLIN: dict[str, Any] = {"time_zone": "Europe/Berlin"}
HEADER = "Email,Join Time,Leave Time\n"


def read(content: str | bytes, **said: Unpack[Said]) -> tuple[Reading, list[FileRecord], list[RejectedRow]]:
    usual = options(said, state=State.ATTEND, object_id="7")
    reading = Reading(io.BytesIO(content.encode() if isinstance(content, str) else content), usual)
    items = list(reading.items())
    return reading, *([item for item in items if isinstance(item, kind)] for kind in (FileRecord, RejectedRow))  # type: ignore[return-value]


def stays(records: list[FileRecord]) -> list[tuple[str, str, float]]:
    """Give each record's contact, join and seconds."""
    found = []
    for record in records:
        properties: Any = record.candidate.input["properties"]
        joined, left = (datetime.fromisoformat(properties[name]) for name in ("joinedAt", "leftAt"))
        found.append((record.candidate.contact, properties["joinedAt"], (left - joined).total_seconds()))
    return sorted(found)


def options_of(error: FileError) -> list[str]:
    assert isinstance(error, QuestionsError)
    return [choice.option for question in error.questions for choice in question.choices]


def asked(content: str | bytes, **said: Unpack[Said]) -> QuestionsError:
    with pytest.raises(QuestionsError) as error:
        read(content, **said)
    return error.value


# The report of a weekly webinar


WEEKLY = (FILES / "zoom-two-occurrences.csv").read_bytes()


def test_a_report_of_two_weeks_asks_which_belongs_to_the_event_and_lists_them() -> None:
    text = str(asked(WEEKLY, **NEW_YORK))
    assert text.splitlines() == [
        "the file has 2 occurrences, and event 7 in HubSpot is one of them: which one?",
        "  --occurrence 2026-03-22  22 March 2026, first join 19:02, last leave 20:00 (America/New_York): 1 person",
        "  --occurrence 2026-03-29  29 March 2026, first join 19:01, last leave 20:00 (America/New_York): 2 people",
        "  --occurrence all         all of them belong to this event: one record for each person and occurrence",
        "Run the same command again with the option that is right.",
    ]


def test_all_occurrences_are_one_record_for_each_person_and_occurrence() -> None:
    reading, records, refused = read(WEEKLY, **NEW_YORK, occurrence="all")
    assert refused == []
    assert stays(records) == [
        ("ana@example.com", "2026-03-22T23:02:01Z", 3518),
        ("ana@example.com", "2026-03-29T23:01:00Z", 2340),
        ("bob@example.com", "2026-03-29T23:05:00Z", 3300),
    ]
    assert len({record.candidate.interaction_date_time for record in records}) == 3
    assert (reading.facts.gathered, reading.facts.people) == (3, 3)


def test_the_occurrence_that_was_said_is_taken_and_the_others_are_left_out_and_counted() -> None:
    reading, records, _ = read(WEEKLY, **NEW_YORK, occurrence="2026-03-29")
    assert [(contact, seconds) for contact, _, seconds in stays(records)] == [
        ("ana@example.com", 2340),
        ("bob@example.com", 3300),
    ]
    assert dict(reading.facts.left_out) == {"belongs to another occurrence than the one on 2026-03-29": 1}
    assert reading.facts.rows == reading.facts.gathered + 1


def test_a_day_that_is_none_of_the_occurrences_is_asked_about_again() -> None:
    error = asked(WEEKLY, **NEW_YORK, occurrence="2026-03-30")
    assert "has no occurrence that begins on 2026-03-30 (event 7)" in str(error)
    assert options_of(error) == ["--occurrence 2026-03-22", "--occurrence 2026-03-29", "--occurrence all"]


def test_a_day_that_is_not_that_of_the_only_occurrence_is_asked_about_too() -> None:
    one = f"{HEADER}a@example.com,2026-03-02 10:00,2026-03-02 11:00\n"
    assert options_of(asked(one, **BERLIN, occurrence="2026-03-01")) == ["--occurrence 2026-03-02"]


def test_where_a_day_has_several_they_are_told_apart_by_their_times() -> None:
    content, _ = SEVERAL["morning and late evening"]
    expected = ["--occurrence 2026-03-01T08:00", "--occurrence 2026-03-01T21:30", "--occurrence all"]
    assert options_of(asked(content, **BERLIN)) == expected
    error = asked(content, **BERLIN, occurrence="2026-03-01")
    assert "has 2 occurrences that begin on 2026-03-01 (event 7)" in str(error)
    assert options_of(error) == expected
    reading, records, _ = read(content, **BERLIN, occurrence="2026-03-01T21:30")
    assert [seconds for _, _, seconds in stays(records)] == [5400]
    assert dict(reading.facts.left_out) == {"belongs to another occurrence than the one on 2026-03-01T21:30": 1}
    assert Options.read(occurrence="2026-03-01T21:30").arguments() == ["--occurrence", "2026-03-01T21:30"]


@pytest.mark.parametrize("text", ["first", "2026-13-01", "29.03.2026", "2", "2026-03-29T25:00", "2026-03-29T10:00Z"])
def test_an_occurrence_that_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(FileError, match="is not a day; expected the day on which it begins, such as 2026-03-29"):
        Options.read(occurrence=text)


def test_the_answers_are_written_into_the_command_that_hands_in_the_refused_rows() -> None:
    said = Options.read(occurrence="2026-03-29", time_zone="-05:00").arguments()
    assert said == ["--time-zone", "-05:00", "--occurrence", "2026-03-29"]
    assert Options.read(occurrence="ALL").arguments() == ["--occurrence", "all"]


def test_a_program_can_read_the_question() -> None:
    (question,) = asked(WEEKLY, **NEW_YORK).questions
    fields: Any = question.fields()
    assert fields["option"] == "--occurrence"
    assert fields["choices"][0] == {
        "option": "--occurrence 2026-03-22",
        "means": "22 March 2026, first join 19:02, last leave 20:00 (America/New_York): 1 person",
        "day": "2026-03-22",
        "first_join": "2026-03-22T19:02:01-04:00",
        "last_leave": "2026-03-22T20:00:39-04:00",
        "people": 1,
    }


def test_questions_about_values_and_about_occurrences_come_in_one_stop_and_the_first_answers_settle_them() -> None:
    head, *rows = days("2026-03-01 19:00 to 2026-03-01 20:00", "2026-03-08 19:00 to 2026-03-08 20:00").splitlines()
    content = "\n".join([f"{head},Member Status", *(f"{row},Walk-in" for row in rows)])
    error = asked(content, **BERLIN)
    assert [question.option for question in error.questions] == ["--map", "--occurrence"]
    assert error.answered() == '--map "Member Status=status(Walk-in=keep)" --occurrence 2026-03-01'
    _, records, _ = read(content, **BERLIN, mapping=["Member Status=status(Walk-in=keep)"], occurrence="2026-03-01")
    assert len(records) == 1


def test_whose_address_it_is_comes_before_what_the_rows_ask() -> None:
    rows = days("2026-03-01 19:00 to 2026-03-01 20:00", "2026-03-08 19:00 to 2026-03-08 20:00").splitlines()
    content = "\n".join([f"{rows[0]},Email", *(f"{row},x{number}@example.com" for number, row in enumerate(rows[1:]))])
    assert [question.option for question in asked(content, **BERLIN).questions] == ["--map"]


def test_a_second_answer_about_a_column_is_added_to_the_first() -> None:
    content = "Email,Member Status,Date\na@example.com,Walk-in,2026-03-01\nb@example.com,Comped,2026-03-01\n"
    said = ["Member Status=status(Walk-in=keep)", "Member Status=status(Comped=leave out, Walk-in=leave out)"]
    _, records, _ = read(content, **BERLIN, state=State.REGISTER, mapping=said)
    assert [record.candidate.contact for record in records] == ["a@example.com"]


# What is one occurrence, and what is more than one


def days(*stays: str) -> str:
    """Write rows: each of a@example.com, a join and a leave."""
    return HEADER + "".join(f"a@example.com,{stay.replace(' to ', ',')}\n" for stay in stays)


ONE = {
    "past midnight": days("2026-03-01 23:10 to 2026-03-01 23:50", "2026-03-02 00:05 to 2026-03-02 01:30"),
    "morning and afternoon": days("2026-03-01 09:00 to 2026-03-01 12:00", "2026-03-01 15:00 to 2026-03-01 17:00"),
    "a long day that somebody stays": days(
        "2026-03-01 08:00 to 2026-03-01 18:00", "2026-03-01 17:00 to 2026-03-01 19:00"
    ),
    "a long day of several": HEADER
    + "".join(f"p{n}@example.com,2026-03-01 09:0{n},2026-03-01 17:00\n" for n in range(4))
    + "late@example.com,2026-03-01 16:30,2026-03-01 17:30\n",
    "a straggler a few hours later": days(
        "2026-03-01 10:00 to 2026-03-01 11:00", "2026-03-01 15:30 to 2026-03-01 15:31"
    ),
    "clocks go back": days("2026-10-25 00:10 to 2026-10-25 01:30", "2026-10-25 03:30 to 2026-10-25 05:00"),
    "joined all through the night": HEADER
    + "".join(
        f"p{hour}@example.com,{at:%Y-%m-%d %H:%M},{at + timedelta(hours=4):%Y-%m-%d %H:%M}\n"
        for hour in range(12)
        for at in [datetime(2026, 3, 1, 18) + timedelta(hours=hour)]  # noqa: DTZ001 - in the file's zone
    )
    + days("2026-03-01 18:00 to 2026-03-01 18:30", "2026-03-02 05:00 to 2026-03-02 06:00").removeprefix(HEADER),
}
SEVERAL = {
    "morning and late evening": (
        days("2026-03-01 08:00 to 2026-03-01 09:00", "2026-03-01 21:30 to 2026-03-01 23:00"),
        2,
    ),
    "one calendar day, twenty hours apart": (
        days("2026-03-01 00:30 to 2026-03-01 01:30", "2026-03-01 21:00 to 2026-03-01 22:00")
        + "b@example.com,2026-03-01 00:31,2026-03-01 01:30\nb@example.com,2026-03-01 21:05,2026-03-01 22:00\n",
        2,
    ),
    "one day, and a device left connected": (
        HEADER
        + "".join(
            f"{who}@example.com,2026-03-01 {join},2026-03-01 {leave}\n"
            for who, join, leave in (
                *(("a", "08:00", "09:00"), ("b", "08:01", "09:00"), ("device", "08:02", "21:00")),
                *(("c", "20:00", "21:00"),),
            )
        ),
        2,
    ),
    "three of one day": (
        days(*(f"2026-03-01 {hour} to 2026-03-01 {hour[:2]}:50" for hour in ("01:00", "09:00", "17:00"))),
        3,
    ),
    "weekly": (days("2026-03-01 19:00 to 2026-03-01 20:00", "2026-03-08 19:00 to 2026-03-08 20:00"), 2),
    "daily": (days("2026-03-01 10:02 to 2026-03-01 11:00", "2026-03-02 10:01 to 2026-03-02 11:00"), 2),
    "daily, earlier the next day": (
        days("2026-03-01 10:02 to 2026-03-01 11:00", "2026-03-02 09:00 to 2026-03-02 11:00"),
        2,
    ),
    "an evening and the next morning": (
        days("2026-03-01 20:00 to 2026-03-01 23:00", "2026-03-02 08:30 to 2026-03-02 10:00"),
        2,
    ),
    "past midnight and the next morning": (
        days(
            "2026-03-01 22:00 to 2026-03-01 23:00",
            "2026-03-02 00:30 to 2026-03-02 01:30",
            "2026-03-02 09:00 to 2026-03-02 10:00",
        ),
        2,
    ),
    "a device left connected overnight": (
        days("2026-03-01 18:00 to 2026-03-02 10:30", "2026-03-02 10:00 to 2026-03-02 11:00"),
        2,
    ),
    "three days of a conference": (
        days(
            *(f"2026-03-0{day} {hour}:00 to 2026-03-0{day} {hour}:50" for day in (1, 2, 3) for hour in ("09", 13, 17))
        ),
        3,
    ),
    "joined at every hour of thirty": (
        days(
            *(
                f"{at:%Y-%m-%d %H:%M} to {at + timedelta(minutes=50):%Y-%m-%d %H:%M}"
                for hour in range(30)
                for at in [datetime(2026, 3, 1, 18) + timedelta(hours=hour)]  # noqa: DTZ001 - in the file's zone
            )
        ),
        2,
    ),
    "when the clocks go forward": (
        days("2026-03-28 19:00 to 2026-03-28 20:00", "2026-03-29 19:00 to 2026-03-29 20:00"),
        2,
    ),
}


@pytest.mark.parametrize("content", ONE.values(), ids=ONE)
def test_a_session_may_pass_midnight_and_a_day_that_somebody_stays_is_one_occurrence(content: str) -> None:
    _, records, refused = read(content, **BERLIN)
    assert refused == []
    assert len({record.candidate.contact for record in records}) == len(records)


@pytest.mark.parametrize(("content", "number"), SEVERAL.values(), ids=SEVERAL)
def test_joins_of_different_days_with_a_night_between_are_several_occurrences(content: str, number: int) -> None:
    options = options_of(asked(content, **BERLIN))
    assert len(options) == number + 1
    _, records, _ = read(content, **BERLIN, occurrence="all")
    assert len(records) >= number
    for option in options[:-1]:  # each can be chosen as it is listed, and is one occurrence
        _, chosen, _ = read(content, **BERLIN, occurrence=option.removeprefix("--occurrence "))
        assert 0 < len(chosen) == len({record.candidate.contact for record in chosen})
    head, *rows = content.splitlines()
    random.Random(7).shuffle(rows)
    assert options_of(asked("\n".join([head, *rows]), **BERLIN)) == options


def test_an_occurrence_is_of_the_whole_file_and_not_of_a_person() -> None:
    content = HEADER + (
        "a@example.com,2026-03-01 18:00,2026-03-01 18:10\n"
        "a@example.com,2026-03-02 00:20,2026-03-02 00:30\n"  # six hours later, while others kept coming
        "b@example.com,2026-03-01 21:00,2026-03-02 00:30\n"
    )
    _, records, _ = read(content, **BERLIN)
    assert [(contact, seconds) for contact, _, seconds in stays(records)] == [
        ("a@example.com", 6.5 * 3600),
        ("b@example.com", 3.5 * 3600),
    ]


def test_times_with_their_own_offset_are_told_apart_by_the_day_of_the_zone_that_was_said() -> None:
    content = days("2026-03-01T14:00:00Z to 2026-03-01T15:00:00Z", "2026-03-02T02:00:00Z to 2026-03-02T03:00:00Z")
    content += "b@example.com,2026-03-01T14:00:00Z,2026-03-02T02:30:00Z\n"  # who was there in between
    assert len(read(content, time_zone="America/New_York")[1]) == 2
    assert len(options_of(asked(content))) == 3


def test_rows_that_name_their_events_are_judged_event_by_event() -> None:
    content = (
        "Email,Join Time,Leave Time,object_id\n"
        "a@example.com,2026-03-01 19:00,2026-03-01 20:00,7\n"
        "a@example.com,2026-03-08 19:00,2026-03-08 20:00,8\n"
    )
    _, records, _ = read(content, **BERLIN, object_id=None)
    assert [str(record.address) for record in records] == ["7", "8"]
    more = f"{content}a@example.com,2026-03-15 19:00,2026-03-15 20:00,8\n"
    error = asked(more, **BERLIN, object_id=None)
    assert "2 occurrences, and event 8 in HubSpot" in str(error)
    _, records, _ = read(more, **BERLIN, object_id=None, occurrence="2026-03-15")
    assert sorted((str(record.address), stay[1]) for record in records for stay in stays([record])) == [
        ("7", "2026-03-01T18:00:00Z"),
        ("8", "2026-03-15T18:00:00Z"),
    ]


@pytest.mark.parametrize("state", [State.REGISTER, State.CANCEL])
def test_registrations_and_cancellations_have_no_occurrences(state: State) -> None:
    content = "Email,Date\na@example.com,2026-03-01 10:00\nb@example.com,2026-03-20 10:00\n"
    assert len(read(content, **BERLIN, state=state)[1]) == 2


def test_rows_with_their_own_interaction_time_are_records_of_their_own_and_asked_about_too() -> None:
    content = (
        "email,interactionDateTime,joinedAt,leftAt\n"
        "a@example.com,1772359200000,2026-03-01T10:00:00Z,2026-03-01T11:00:00Z\n"
        "a@example.com,1772964000000,2026-03-08T10:00:00Z,2026-03-08T11:00:00Z\n"
    )
    assert options_of(asked(content)) == ["--occurrence 2026-03-01", "--occurrence 2026-03-08", "--occurrence all"]
    assert len(read(content, occurrence="all")[1]) == 2


def test_a_column_of_states_asks_about_its_attendees_all_the_same_and_keeps_the_files_order() -> None:
    rows = [
        "a@example.com,register,2026-02-01 10:00,,",
        "a@example.com,attend,,2026-03-01 10:00,2026-03-01 11:00",
        "a@example.com,cancel,2026-03-02 10:00,,",
        "a@example.com,attend,,2026-03-08 10:00,2026-03-08 11:00",
    ]
    content = "\n".join(["Email,subscriber_state,Date,Join Time,Leave Time", *rows])
    assert len(options_of(asked(content, **BERLIN, state=None))) == 3
    reading, records, _ = read(content, **BERLIN, state=None, occurrence="2026-03-01")
    assert [record.state.value for record in records] == ["register", "attend", "cancel"]
    assert dict(reading.facts.left_out) == {"belongs to another occurrence than the one on 2026-03-01": 1}


def test_a_row_without_a_join_holds_back_its_person_where_it_may_be_of_each_occurrence() -> None:
    content = (
        HEADER + "a@example.com,2026-03-01 19:00,2026-03-01 20:00\na@example.com,soon,2026-03-08 20:00\n"
        "b@example.com,2026-03-01 19:00,2026-03-01 20:00\nb@example.com,2026-03-08 19:00,2026-03-08 20:00\n"
    )
    _, records, refused = read(content, **BERLIN, occurrence="all")
    assert {record.candidate.contact for record in records} == {"b@example.com"}
    assert {line for one in refused for line, _ in one.rows} == {2, 3}
    assert all("it is not known which occurrence" in "; ".join(map(str, one.reasons)) for one in refused)


@pytest.mark.parametrize(
    "row",
    [
        "a@example.com,2026-03-01 19:00,2026-03-08 20:00",
        "a@example.com,2026-02-20 11:27,2026-03-01 20:00",  # the registration's time, read as the join
        "a@example.com,2026-03-01 19:00,2026-03-02 19:00",
    ],
)
def test_a_stay_of_a_day_or_more_is_refused_with_the_reason(row: str) -> None:
    _, records, refused = read(f"{HEADER}{row}\nb@example.com,2026-03-01 19:00,2026-03-02 18:59\n", **BERLIN)
    assert [record.candidate.contact for record in records] == ["b@example.com"]
    assert "they stayed" in str(refused[0].reasons[0])
    assert "expected less than a day" in str(refused[0].reasons[0])


def test_what_is_refused_is_given_only_once_every_question_is_answered() -> None:
    content = WEEKLY + b"\nYes,x,x,x,nobody,,,03/29/2026 07:05:00 PM,03/29/2026 08:00:00 PM,1,,\n"
    options = Options.read(state=State.ATTEND, object_id="7", **NEW_YORK)
    items = Reading(io.BytesIO(content), options).items()
    with pytest.raises(QuestionsError):
        next(items)


@pytest.mark.parametrize(
    ("name", "zone", "contacts"),
    [
        ("zoom-zero-minutes.csv", "America/New_York", {"ana@example.com": 1800, "bob@example.com": 900}),
        ("zoom-meeting-preamble.csv", "America/New_York", {"bob@example.com": 2400, "cee@example.com": 2040}),
        ("teams-2023-en-us.csv", "America/New_York", {"ana@example.com": 2340, "bob@example.com": 3420}),
        ("teams-2023-en-us.csv", "-05:00", {"ana@example.com": 2340, "bob@example.com": 3420}),
    ],
)
def test_reports_of_one_session_are_read_without_a_question(name: str, zone: str, contacts: dict[str, int]) -> None:
    _, records, _ = read((FILES / name).read_bytes(), time_zone=zone, date_order=DateOrder.MDY)
    found = {contact: seconds for contact, _, seconds in stays(records)}
    assert contacts.items() <= found.items()


def test_teams_july_times_are_new_yorks_or_those_of_the_offset_and_est_is_asked_about() -> None:
    content = (FILES / "teams-2023-en-us.csv").read_bytes()
    joined = {
        zone: next(
            when for contact, when, _ in stays(read(content, **NEW_YORK | {"time_zone": zone})[1]) if "ana" in contact
        )
        for zone in ("America/New_York", "-05:00")
    }
    assert joined == {"America/New_York": "2026-07-05T20:01:00Z", "-05:00": "2026-07-05T21:01:00Z"}
    with pytest.raises(
        FileError, match="--time-zone: EST is an abbreviation: it may mean -05:00 all year or the clock"
    ):
        read(content, **NEW_YORK | {"time_zone": "EST"})


def test_the_closing_table_says_how_many_rows_became_how_many_records_and_the_most_of_one_address() -> None:
    reading, _, _ = read((FILES / "zoom-zero-minutes.csv").read_bytes(), **NEW_YORK)
    lines = [text for _, text in table(reading.facts, FileResult(), (), reading.settled)]
    assert any(line.startswith("4 rows became 3 records, one for each person and occurrence") for line in lines)
    assert "most rows of one address: 2 (bob@example.com)" in lines


# Any file of known stays


PEOPLE = ("ana@example.com", "bob@example.com", "cee@example.com")
sessions = st.lists(
    st.tuples(
        st.integers(1, 9),  # days after the one before
        st.integers(8, 22),  # the hour at which it begins
        st.lists(  # who, when they join, how long they stay, in minutes
            st.tuples(st.sampled_from(PEOPLE), st.integers(0, 170), st.integers(1, 90)), min_size=1, max_size=8
        ),
    ),
    min_size=1,
    max_size=4,
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "+05:30"])


@settings(max_examples=150, deadline=None)
@given(sessions, zones, st.randoms(use_true_random=False), st.booleans())
def test_known_stays_are_read_back_as_one_record_for_each_person_and_occurrence_or_asked_about(
    told: list[tuple[int, int, list[tuple[str, int, int]]]],
    zone: str,
    order: random.Random,
    has_offsets: bool,  # noqa: FBT001
) -> None:
    known: dict[tuple[str, date], tuple[datetime, datetime]] = {}
    rows, day = [], date(2026, 5, 1)
    for later, hour, visits in told:
        day += timedelta(days=later)
        somebody, _, stayed = visits[0]  # joins when it begins: who joined after midnight alone came on the next day
        for email, minute, minutes in [(somebody, 0, stayed), *visits]:
            joined = datetime(day.year, day.month, day.day, hour) + timedelta(minutes=minute)  # noqa: DTZ001 - local
            left = joined + timedelta(minutes=minutes)
            first, last = known.get((email, day), (joined, left))
            known[email, day] = (min(first, joined), max(last, left))
            suffix = f"{joined.replace(tzinfo=ZoneInfo('Asia/Kolkata')):%z}" if has_offsets else ""
            rows.append(f"{email},{joined}{suffix},{left}{suffix}")
    order.shuffle(rows)
    content = "\n".join([HEADER.strip(), *rows])
    said: Said = {"time_zone": "Asia/Kolkata" if has_offsets else zone, "shared_address": SharedAddress.ONE_PERSON}
    if len(told) > 1:
        assert len(options_of(asked(content, **said))) == len(told) + 1
    _, records, refused = read(content, **said | {"occurrence": "all"})
    assert refused == []
    expected = sorted((email, (last - first).total_seconds()) for (email, _), (first, last) in known.items())
    assert sorted((contact, seconds) for contact, _, seconds in stays(records)) == expected


visits = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.integers(0, 3 * 24 * 60), st.integers(1, 600)), min_size=1, max_size=12
)
HOURS = timedelta(hours=6)


@settings(max_examples=100, deadline=None)
@given(visits, zones)
def test_no_stay_spans_hours_in_which_nobody_was_there(told: list[tuple[str, int, int]], zone: str) -> None:
    began = datetime(2026, 5, 1, tzinfo=ZoneInfo("UTC"))
    there = [(began + timedelta(minutes=at), began + timedelta(minutes=at + stayed)) for _, at, stayed in told]
    rows = [
        f"{email},{joined.isoformat()},{left.isoformat()}"
        for (email, *_), (joined, left) in zip(told, there, strict=True)
    ]
    content = "\n".join([HEADER.strip(), *rows])
    _, records, _ = read(content, time_zone=zone, occurrence="all", shared_address=SharedAddress.ONE_PERSON)
    assert records
    for record in records:
        properties: Any = record.candidate.input["properties"]
        first, last = (datetime.fromisoformat(properties[name]) for name in ("joinedAt", "leftAt"))
        until = first
        for joined, left in sorted(there):
            if first <= joined <= last:
                assert joined - until < HOURS
            until = max(until, min(left, last))
