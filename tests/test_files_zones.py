"""A time zone that the file names beside its times, against the one that was said."""

import io
from typing import Any, Unpack

import pytest

from models.words import State
from tests.support.file_readings import Said, options
from worker.files.lines import FileError
from worker.files.questions import QuestionsError
from worker.files.reader import Reading
from worker.files.rows import FileRecord

ROWS = "Email,Join Time,Leave Time\na@example.com,2026-07-01 10:00,2026-07-01 11:00\n"
COLUMN = "Email,Join Time,Leave Time,{}\na@example.com,2026-07-01 10:00,2026-07-01 11:00,{}\n"
SAID, FILES_OWN = "2026-07-01T14:00:00Z", "2026-07-01T17:00:00Z"


def joined(text: str, **said: Unpack[Said]) -> list[str]:
    usual = options(said, state=State.ATTEND, object_id="7", time_zone="America/New_York")
    items = list(Reading(io.BytesIO(text.encode()), usual).items())
    assert all(isinstance(item, FileRecord) for item in items), items
    properties: list[Any] = [item.candidate.input["properties"] for item in items if isinstance(item, FileRecord)]
    return [one["joinedAt"] for one in properties]


OTHERS = {
    "a column": (COLUMN.format("Time Zone", "America/Los_Angeles"), "Time Zone"),
    "a column with an offset": (COLUMN.format("Timezone", "(GMT-07:00) Pacific Time (US and Canada)"), "Timezone"),
    "a column in German": (COLUMN.format("Zeitzone", "UTC-07:00"), "Zeitzone"),
    "a column with more in its title": (COLUMN.format("IANA Time Zone", "US/Pacific"), "IANA Time Zone"),
    "a column of a country or a zone": (COLUMN.format("Country/Timezone", "US/Pacific"), "Country/Timezone"),
    "a column as programs name it": (COLUMN.format("event_timezone", "US/Pacific"), "event_timezone"),
    "above, without a colon": (f"Timezone (GMT-07:00) Pacific Time\n{ROWS}", "Timezone"),
    "above, with more before it": (f"Report time zone: US/Pacific\n{ROWS}", "Report time zone"),
    "above, behind its title": (f"Time zone: (GMT-07:00) Pacific Time\n\n{ROWS}", "Time zone"),
    "above, beside its title": (f"Topic,Spring\nTime Zone,America/Los_Angeles\n\n{ROWS}", "Time Zone"),
    "above, under its title": (f"Topic,Time Zone,Guests\nSpring,America/Los_Angeles,3\n\n{ROWS}", "Time Zone"),
    "above, in a sentence": (f"All times are in America/Los_Angeles\n{ROWS}", "All times are in"),
    "above, of a city": (f"Times are local to San Francisco (PDT)\n{ROWS}", "Times are local to"),
    "behind the event's start": (
        f'Topic,Start Time\nX,"Jul 1, 2026 10:00 AM Pacific Time (US and Canada)"\n\n{ROWS}',
        "zone of Start Time",
    ),
    "an offset behind the event's start": (f"Start Time,2026-07-01T10:00:00-07:00\n\n{ROWS}", "zone of Start Time"),
    "below, in a sentence": (f"{ROWS}\n* All times are in US Pacific Time\n", "All times are in"),
    "below, behind its title": (f"{ROWS}Time zone: US/Pacific,,\n", "Time zone"),
    "a row of units": (ROWS.replace("Leave Time\n", "Leave Time\n,(-07:00),(-07:00)\n"), "zone of Join Time"),
}


@pytest.mark.parametrize(("text", "title"), OTHERS.values(), ids=OTHERS)
def test_another_zone_than_the_one_that_was_said_is_asked_about(text: str, title: str) -> None:
    with pytest.raises(QuestionsError) as error:
        joined(text)
    (question,) = error.value.questions
    assert "names another time zone than --time-zone America/New_York: “" in str(question)
    assert f"“2026-07-01 10:00” would be {FILES_OWN}, not {SAID}." in question.what
    assert [choice.option for choice in question.choices] == [f'--map "{title}=zone"', f'--map "{title}=ignore"']
    assert joined(text, mapping=[f"{title}=zone"]) == [FILES_OWN]
    assert joined(text, mapping=[f"{title}=ignore"]) == [SAID]


@pytest.mark.parametrize(("text", "title"), OTHERS.values(), ids=OTHERS)
def test_where_no_zone_was_said_the_files_own_is_offered(text: str, title: str) -> None:
    with pytest.raises(QuestionsError, match="names a time zone: “") as error:
        joined(text, time_zone=None)
    options = [choice.option for choice in error.value.questions[0].choices]
    assert options == [f'--map "{title}=zone"', "--time-zone CITY"]
    assert joined(text, time_zone=None, mapping=[f"{title}=zone"]) == [FILES_OWN]


SAME = {
    "the same place": COLUMN.format("Time Zone", "America/New_York"),
    "its offset on the day": COLUMN.format("Time Zone", "(GMT-04:00) Eastern Time"),
    "its name": COLUMN.format("Time Zone", "Eastern Time (US & Canada)"),
    "another name of it": COLUMN.format("Time Zone", "US/Eastern"),
    "nothing": COLUMN.format("Time Zone", ""),
    "the same above": f"Time Zone: America/New_York\n{ROWS}",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_the_zone_that_was_said_is_not_asked_about(text: str) -> None:
    assert joined(text) == [SAID]


@pytest.mark.parametrize(
    "text",
    [
        COLUMN.format("Time Zone", "America/Los_Angeles").replace(":00,", ":00-04:00,"),
        "Time Zone: America/Los_Angeles\n" + ROWS.replace(" Time", " Time (EDT)"),
    ],
)
def test_times_with_a_zone_of_their_own_are_not_asked_about(text: str) -> None:
    assert joined(text) == [SAID]


def test_a_zone_that_is_not_known_is_asked_about_and_not_offered() -> None:
    with pytest.raises(QuestionsError) as error:
        joined(COLUMN.format("Time Zone", "Atlantis"))
    assert [choice.option for choice in error.value.questions[0].choices] == ['--map "Time Zone=ignore"']


def test_each_row_may_have_its_own_zone() -> None:
    text = COLUMN.format("Time Zone", "America/Los_Angeles") + "b@example.com,2026-07-01 10:00,2026-07-01 11:00,\n"
    assert joined(text, mapping=["Time Zone=zone"]) == [FILES_OWN, SAID]


def test_a_title_above_the_header_that_is_not_there_is_refused() -> None:
    with pytest.raises(FileError, match="the file has no column “Zone=zone”"):
        joined(ROWS, mapping=["Zone=zone"])


def test_registrations_are_asked_about_as_well() -> None:
    text = "Email,Registration Time,Time Zone\na@example.com,2026-07-01 10:00,Europe/Berlin\n"
    with pytest.raises(QuestionsError, match="Europe/Berlin"):
        joined(text, state=State.REGISTER)


def test_an_abbreviation_behind_the_events_start_is_asked_about_with_its_places() -> None:
    above = f'Topic,Start Time\nX,"Jul 1, 2026 10:00 AM PDT"\n\n{ROWS}'
    for said in ("Europe/Berlin", None):
        with pytest.raises(QuestionsError, match=r"zone of Start Time.*“PDT”") as error:
            joined(above, time_zone=said)
        assert error.value.questions[0].choices[0].option == "--time-zone=America/Los_Angeles"
    assert joined(above, time_zone="America/Los_Angeles") == [FILES_OWN]


@pytest.mark.parametrize("zone", ["[Pacific]", "(Los Angeles)"])
def test_a_zone_in_brackets_of_a_title_may_be_said_as_people_do(zone: str) -> None:
    assert joined(ROWS.replace("Time,", f"Time {zone},").replace("Time\n", f"Time {zone}\n")) == [FILES_OWN]


WEBEX = """Session detail for 'Spring':
Participant,Audio Type,Name,Email,Date,Invited,Registered,Start time,End time,Duration
1,VoIP,Ana,a@example.com,"July 1, 2026",No,Yes,10:01 am {0},11:02 am {0},61.0 mins
2,VoIP,Bob,b@example.com,"July 1, 2026",No,Yes,10:05 am {0},10:50 am {0},45.0 mins
"""


@pytest.mark.parametrize("zone", ["Los Angeles Time", "Pacific Time", "PT", "Los Angeles"])
def test_a_zone_behind_a_time_may_be_said_as_people_do(zone: str) -> None:
    assert joined(WEBEX.format(zone), time_zone=None) == ["2026-07-01T17:01:00Z", "2026-07-01T17:05:00Z"]


def test_the_report_of_webex_is_readable_in_one_stop() -> None:
    with pytest.raises(QuestionsError) as error:
        joined(WEBEX.format("New York Time"), state=None, time_zone=None)
    assert [question.choices[0].option for question in error.value.questions] == ["--state attend"]
    assert "--map" not in str(error.value)
    assert joined(WEBEX.format("New York Time"), time_zone=None) == ["2026-07-01T14:01:00Z", "2026-07-01T14:05:00Z"]
