# ruff: noqa: E501 - reports are as wide as they are
"""Times of day, ranges and dates of a spreadsheet: a right record, a question, or a row that says what is wrong."""

import io
from datetime import datetime
from typing import Any, Unpack

import pytest

from models.words import State
from tests.support import report_files
from tests.support.file_readings import Said, options
from worker.files.clocks import TimeFault
from worker.files.options import DateOrder, Options, SwappedDates
from worker.files.questions import QuestionsError
from worker.files.ranges import Range, read_range
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow

JOINS = "Email,Join Time,Leave Time\n"
DATED = "Email,Date,Join Time,Leave Time\n"


def read(content: str | bytes, **said: Unpack[Said]) -> tuple[Reading, list[str], list[str]]:
    usual = options(said, state=State.ATTEND, object_id="7", time_zone="UTC")
    reading = Reading(io.BytesIO(content.encode() if isinstance(content, str) else content), usual)
    items = list(reading.items())
    records = [told(item) for item in items if isinstance(item, FileRecord)]
    return reading, records, ["; ".join(map(str, item.reasons)) for item in items if isinstance(item, RejectedRow)]


def told(record: FileRecord) -> str:
    properties = record.candidate.input["properties"]
    assert isinstance(properties, dict)
    return " ".join([record.candidate.contact[:3], *(str(properties[name])[5:16] for name in ("joinedAt", "leftAt"))])


def asked(content: str | bytes, **said: Unpack[Said]) -> list[str]:
    with pytest.raises(QuestionsError) as stopped:
        read(content, **said)
    return [f"{one.option}: {one.where} {one.what}" for one in stopped.value.questions]


ANA = ["ana 03-01T10:30 03-01T11:30"]
READ: dict[str, tuple[str, dict[str, Any]]] = {
    "clocks with dots beside a day": (f"{DATED}ana@example.com,2026-03-01,10.30,11.30\n", {}),
    "clocks with dots beside a day with dots": (f"{DATED}ana@example.com,01.03.2026,10.30,11.30\n", {}),
    "three numbers with dots beside a day": (f"{DATED}ana@example.com,2026-03-01,10.30.00,11.30.00\n", {}),
    "three numbers that may be a day, beside one": (
        f"{DATED}ana@example.com,01/03/2026,10.30.00,11.30.00\n", {"date_order": DateOrder.DMY},
    ),
    "clocks with dots and --day": (f"{JOINS}ana@example.com,10.30,11.30\n", {"day": "2026-03-01"}),
    "a clock with dots behind its day": (f"{JOINS}ana@example.com,2026-03-01 10.30,2026-03-01 11.30\n", {}),
    "clocks with a word": (f"{DATED}ana@example.com,2026-03-01,10.30 Uhr,11.30 Uhr\n", {}),
    "a dash before the clock": (f"{JOINS}ana@example.com,01.03.2026 - 10:30,01.03.2026 - 11:30\n", {}),
    "a range in one cell": ("Email,Join Time\nana@example.com,2026-03-01 10:30 - 11:30\n", {}),
    "a range whose end has its day": ("Email,Join Time\nana@example.com,2026-03-01 10:30 - 2026-03-01 11:30\n", {}),
    "a range of times of day": ("Email,Date,Join Time\nana@example.com,2026-03-01,10:30-11:30\n", {}),
    "a range with a half of the day": ("Email,Date,Join Time\nana@example.com,2026-03-01,10:30 – 11:30 AM\n", {}),
    "a range in words": ("Email,Join Time\nana@example.com,01.03.2026 von 10:30 bis 11:30 Uhr\n", {}),
    "a range with its zone": ("Email,Join Time\nana@example.com,2026-03-01 10:30 to 11:30 UTC\n", {"time_zone": "Tokyo"}),
    "a range with an empty column of leaves": (f"{JOINS}ana@example.com,2026-03-01 10:30 - 11:30,-\n", {}),
    "a range of dotted clocks": ("Email,Date,Join Time\nana@example.com,2026-03-01,10.30 - 11.30\n", {}),
    "an offset and no range": (f"{JOINS}ana@example.com,2026-03-01 05:30:00-05:00,2026-03-01 06:30:00-05:00\n", {}),
}  # fmt: skip
NO_LEAVE: dict[str, tuple[str, dict[str, Any]]] = {
    f"“{nothing}” as a leave": (
        f"Email,Join Time,Leave Time,Duration\nana@example.com,2026-03-01 10:30,{nothing},1 h\n",
        {},
    )
    for nothing in ("-", "--", "—", "n/a", "N/A", "null", "None", "#N/A", "")
}
LENGTHS: dict[str, tuple[str, dict[str, Any]]] = {
    f"“{stay}” as a length": (f'Email,Join Time,Duration\nana@example.com,2026-03-01 10:30,"{stay}"\n', {})
    for stay in (
        "1.0 hours", "1,0 h", "0.5 h 30 min", "60 mins", "60.0 minutes", "1:00 h", "60:00 min", "0 days 01:00:00",
        "1 hour and 0 minutes", "PT1.0H", "PT60M", "P0DT1H", "3600 s", "1 heure et 0 minute",
    )
}  # fmt: skip
READ |= NO_LEAVE | LENGTHS


@pytest.mark.parametrize(("content", "said"), READ.values(), ids=READ)
def test_is_read(content: str, said: dict[str, Any]) -> None:
    _, records, refused = read(content, **said)
    assert (records, refused) == (ANA, [])


def test_midnight_at_the_end_of_a_day_is_the_next_day() -> None:
    cases: list[tuple[str, Said]] = [
        (f"{JOINS}ana@example.com,2026-03-01 23:00,2026-03-01 24:00\n", {}),
        (f"{JOINS}ana@example.com,23:00,24:00\n", {"day": "2026-03-01"}),
        (f"{DATED}ana@example.com,01.03.2026,23.00,24:00\n", {}),
        ("Email,Join Time\nana@example.com,2026-03-01 23:00 – 24:00\n", {}),
    ]
    for content, said in cases:
        assert read(content, **said)[1:] == (["ana 03-01T23:00 03-02T00:00"], [])


def test_a_range_past_midnight_ends_on_the_next_day() -> None:
    assert read("Email,Join Time\nana@example.com,2026-03-01 22:00 – 01:00\n")[1:] == (
        ["ana 03-01T22:00 03-02T01:00"],
        [],
    )


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a range or an offset": ("Email,Join Time,Leave Time\nana@example.com,2026-03-01 10:00-11:00,\n", {}, "offset from UTC"),
    "a range as a time of registering": (
        "Email,Registration Time\nana@example.com,2026-03-01 10:00 - 11:00\n", {"state": State.REGISTER}, "one time until",
    ),
    "a range in a column for whatever it is, of who registered": (
        "Email,Date\nana@example.com,2026-03-01 10:00 - 11:00\n", {"state": State.REGISTER}, "one time until",
    ),
    "hours before the start": (
        f"{JOINS}ana@example.com,12:30,13:30\n", {"day": "2026-03-01", "start": "20:00"}, "hours before the event began",
    ),
    "parts of an hour beside clocks": (f"{DATED}ana@example.com,2026-03-01,10.25,11.75\nbob@example.com,2026-03-01,10.75,11.00\n", {}, "no date and time"),
    "hours or minutes": ("Email,Join Time,Duration\nana@example.com,2026-03-01 10:00,24:00\n", {}, "hours and minutes, or minutes"),
    "thousands": ('Email,Join Time,Duration\nana@example.com,2026-03-01 10:00,"3,600 s"\n', {}, "thousands"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said", "why"), REFUSED.values(), ids=REFUSED)
def test_is_refused_with_its_reason(content: str, said: dict[str, Any], why: str) -> None:
    _, records, refused = read(content, **said)
    assert records == []
    assert refused
    assert all(why in one for one in refused[:1])


def test_a_part_of_a_day_in_a_workbook_is_no_time_of_day() -> None:
    rows: report_files.Table = [["Email", "Date", "Join Time"], ["ana@example.com", "2026-03-01", 0.25]]
    _, records, refused = read(report_files.xlsx(rows), end="2026-03-01T20:00")
    assert (records, len(refused)) == ([], 1)


def test_hours_before_the_start_above_the_table_is_refused_where_others_came_in_time() -> None:
    _, records, refused = read(
        f"Topic,Start Time\nRail,2026-03-01 20:00\n\n{JOINS}ana@example.com,15:00,15:30\nbob@example.com,20:05,21:00\n"
    )
    assert records == ["bob 03-01T20:05 03-01T21:00"]
    assert "15:00 is hours before the event began at 20:00" in refused[0]


def test_everybody_hours_before_the_start_is_asked() -> None:
    (one,) = asked(
        f"Topic,Start Time\nRail,2026-03-01 20:00\n\n{JOINS}ana@example.com,14:00,15:00\nbob@example.com,14:05,15:00\n"
    )
    assert "began at 20:00" in one


HEADER = ["Email", "Join Time", "Leave Time"]


def mixed(*texts: str) -> bytes:
    real: list[report_files.Value] = ["ana@example.com", datetime(2026, 5, 3, 10), datetime(2026, 5, 3, 11)]  # noqa: DTZ001 - a cell has no zone
    rows: list[list[report_files.Value]] = [list(HEADER), real]
    rows += [["bob@example.com", f"{text} 10:00", f"{text} 11:00"] for text in texts]
    return report_files.xlsx(rows)


@pytest.mark.parametrize("text", ["13/03/2026", "03/13/2026"])
def test_dates_that_a_spreadsheet_may_have_exchanged_are_asked(text: str) -> None:
    assert "real dates, such as 2026-05-03" in asked(mixed(text))[0]
    bob = "bob 03-13T10:00 03-13T11:00"
    assert sorted(read(mixed(text), swapped_dates=SwappedDates.EXCHANGE, occurrence="all")[1]) == [
        "ana 03-05T10:00 03-05T11:00",
        bob,
    ]
    assert sorted(read(mixed(text), swapped_dates=SwappedDates.KEEP, occurrence="all")[1]) == [
        "ana 05-03T10:00 05-03T11:00",
        bob,
    ]


def test_a_date_that_was_corrected_in_the_proposed_form_is_not_exchanged() -> None:
    content = f"reason,line,refused,{JOINS}x,2,,ana@example.com,2026-03-05T10:00:00Z,2026-03-05T11:00:00Z\n"
    content += "x,3,,bob@example.com,2026-05-03 10:00:00,2026-05-03 11:00:00\n"
    _, records, refused = read(content, swapped_dates=SwappedDates.EXCHANGE)
    assert (sorted(records), refused) == (["ana 03-05T10:00 03-05T11:00", "bob 03-05T10:00 03-05T11:00"], [])


def test_real_dates_beside_text_that_the_spreadsheet_could_have_read_are_right() -> None:
    _, records, refused = read(mixed("13/03/2026", "05/03/2026"), occurrence="all")
    assert (min(records), refused) == ("ana 05-03T10:00 05-03T11:00", [])


ORDERED = "Email,Registration Time\n" + "".join(f"p{n}@example.com,0{n % 9 + 1}/04/2026 10:00\n" for n in range(30))


def test_one_date_that_settles_many_is_shown_with_its_line() -> None:
    reading, _, _ = _registered(f"{ORDERED}ana@example.com,13/04/2026 10:00\n")
    assert "only 1 date leaves no choice, first in line 32; 30 could be read in another order" in reading.facts.notes[0]


def test_dates_that_contradict_each_other_are_asked_with_their_lines() -> None:
    with pytest.raises(QuestionsError) as stopped:
        _registered(f"{ORDERED}ana@example.com,13/04/2026 10:00\nbob@example.com,04/14/2026 10:00\n")
    assert "line 32 “13/04/2026 10:00” (day first), line 33 “04/14/2026 10:00” (month first)" in str(stopped.value)


def _registered(content: str) -> tuple[Reading, int, int]:
    options = Options.read(state=State.REGISTER, object_id="7", time_zone="UTC")
    reading = Reading(io.BytesIO(content.encode()), options)
    items = list(reading.items())
    return reading, len(items), sum(isinstance(one, RejectedRow) for one in items)


def test_days_without_a_year_are_no_times_of_day() -> None:
    options = Options.read(state=State.REGISTER, object_id="7", time_zone="UTC", day="2026-03-05")
    content = "Email,Registration Date\nana@example.com,01.03\nbob@example.com,02.04\n"
    assert all(isinstance(one, RejectedRow) for one in Reading(io.BytesIO(content.encode()), options).items())


@pytest.mark.parametrize(
    ("leave", "why"),
    [("10:00 - 11:00", "one time until another"), ("09:00", "09:00 is before they joined")],
)
def test_a_leave_that_is_two_times_or_too_early_is_refused(leave: str, why: str) -> None:
    _, records, refused = read(f"{JOINS}ana@example.com,2026-03-01 09:30,{leave}\n")
    assert (records, len(refused)) == ([], 1)
    assert why in refused[0]


@pytest.mark.parametrize("text", ["10:30 - 11:30 01.03.2026", "10:30 AM - 11:30 AM, Mar 1, 2026"])
def test_the_day_of_a_range_may_stand_behind_it(text: str) -> None:
    assert read(f'Email,Join Time\nana@example.com,"{text}"\n')[1:] == (ANA, [])


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("9:30 AM - 10", "9:30 am", "10 am"),
        ("11:30 AM - 1", "11:30 am", "1 pm"),
        ("11 - 12:30 PM", "11 am", "12:30 pm"),
        ("8:00 PM - 9:30", "8:00 pm", "9:30 pm"),
        ("2026-03-01 10:00 - 11", "2026-03-01 10:00", "11:00"),
        ("10:00 - 11:00 CET", "10:00 cet", "11:00 cet"),
    ],
)
def test_two_times_are_parted(text: str, start: str, end: str) -> None:
    assert read_range(text) == Range(start, end)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01 10:00-05:00", "2026-03-01 10:00 -5", "2026-03-01 10:00 UTC - 5", "03/01/2026 10:00 AM -05:00",
        "2026-03-01T10:00-11:00", "2026-03-01 10:00:00-11:00", "01.03.26 - 10:00", "01.03.2026 - 03.03.2026", "2026-03-01",
    ],
)  # fmt: skip
def test_an_offset_and_a_date_are_no_range(text: str) -> None:
    assert read_range(text) is None


@pytest.mark.parametrize("text", ["2026-03-01 10:00-11", "2026-03-01 10:00 -11:00", "10:00 - 5", "22:00 - 01:00"])
def test_what_may_be_a_range_or_an_offset_is_a_fault(text: str) -> None:
    assert isinstance(read_range(text), TimeFault)


def test_two_days_are_no_day_with_its_time_of_day() -> None:
    _, records, refused = read("Email,Join Time,Duration\nana@example.com,01.03.2026 - 03.03.26,1 h\n")
    assert (records, len(refused)) == ([], 1)
