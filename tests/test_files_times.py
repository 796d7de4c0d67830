from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from models.input_check import Reason
from models.zones import ABBREVIATIONS, read_zone
from worker.files.clocks import Moment, TimeFault
from worker.files.durations import read_duration
from worker.files.options import DateOrder, Options
from worker.files.times import iso, read_time

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:00:00.250+02:00", "2026-03-01T08:00:00.250Z"),
        ("2026-03-01 10:00", "2026-03-01T09:00:00Z"),
        ("2026-03-01 10:00:00 UTC", "2026-03-01T10:00:00Z"),
        ("2026-03-01 10:00:00 GMT+1", "2026-03-01T09:00:00Z"),
        ("2026-03-01 10:00:00 (UTC-05:00) Eastern", "2026-03-01T15:00:00Z"),
        ("2026-03-01 10:00 CET", "2026-03-01T09:00:00Z"),
        ("2026-03-01 10:00 America/New_York", "2026-03-01T15:00:00Z"),
        ("2026/03/01 10:00", "2026-03-01T09:00:00Z"),
        ('="2026-03-01 10:00:00"', "2026-03-01T09:00:00Z"),
        ("01.04.2026 10:00", "2026-04-01T08:00:00Z"),
        ("12.03.26 19:00", "2026-03-12T18:00:00Z"),
        ("29.03.26, 19:00 Uhr", "2026-03-29T17:00:00Z"),
        ("22/07/2026, 19:32:11", "2026-07-22T17:32:11Z"),
        ("7/22/26, 7:32:11\u202fPM", "2026-07-22T17:32:11Z"),
        ("04/04/2026 12:00 AM", "2026-04-03T22:00:00Z"),
        ("Mar 22, 2025 19:48:38", "2025-03-22T18:48:38Z"),
        ("Sunday, March 1, 2026 at 7:13 p.m.", "2026-03-01T18:13:00Z"),
        ("1st March 2026 10:00", "2026-03-01T09:00:00Z"),
        ("12-Mar-2026 10:00", "2026-03-12T09:00:00Z"),
        ("1. März 2026 um 10:00 Uhr", "2026-03-01T09:00:00Z"),
        ("1 février 2026 à 10h05", "2026-02-01T09:05:00Z"),
        ("1 de agosto de 2026 10:00", "2026-08-01T08:00:00Z"),
        ("1767225600000", "2026-01-01T00:00:00Z"),
        ("202603011030", "2026-03-01T09:30:00Z"),
        ("20260301103000", "2026-03-01T09:30:00Z"),
        ("25.10.2026 02:30 CEST", "2026-10-25T00:30:00Z"),
        ("25.10.2026 02:30 CET", "2026-10-25T01:30:00Z"),
    ],
)
def test_times_are_read_as_the_usual_tools_write_them(text: str, instant: str) -> None:
    moment = read_time(text, BERLIN)
    assert isinstance(moment, Moment), moment
    assert iso(moment.ms) == instant


@pytest.mark.parametrize(
    ("text", "order", "instant"),
    [
        ("03/04/2026 10:00", DateOrder.DMY, "2026-04-03T08:00:00Z"),
        ("03/04/2026 10:00", DateOrder.MDY, "2026-03-04T09:00:00Z"),
        ("03-04-26 10:00", DateOrder.DMY, "2026-04-03T08:00:00Z"),
        ("26/03/04 10:00", DateOrder.YMD, "2026-03-04T09:00:00Z"),
        ("03.04.2026 10:00", DateOrder.MDY, "2026-03-04T09:00:00Z"),
        ("2026-03-04 10:00", DateOrder.DMY, "2026-03-04T09:00:00Z"),
    ],
)
def test_the_order_of_a_date_is_what_was_said(text: str, order: DateOrder, instant: str) -> None:
    moment = read_time(text, BERLIN, order)
    assert isinstance(moment, Moment), moment
    assert iso(moment.ms) == instant


@pytest.mark.parametrize(
    ("text", "what", "right"),
    [
        ("26/03/14 19:00", "may be 26 March 2014 or 14 March 2026", "ymd"),
        ("12/12/26 19:00", "may be 12 December 2026 or 26 December 2012", "ymd"),
        ("12.03.26", "may be a day, or a time of day", "--date-order dmy"),
        ("19.45.10", "is a time of day without its day", "--day"),
        ("03/04/2026 10:00", "may be 3 April or 4 March", "--date-order"),
        ("2026-03-29 02:30", "was skipped in Europe/Berlin", "2026-03-29T03:30:00+02:00"),
        ("29.03.2026 02:30:00", "was skipped in Europe/Berlin", "2026-03-29T03:30:00+02:00"),
        (
            "2026-10-25 02:30",
            "came twice in Europe/Berlin",
            "2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00",
        ),
        ("1767225600", "looks like seconds", "milliseconds: 1767225600000"),
        ("1767225600000000", "is beyond the year 9999", "milliseconds"),
        (
            "Jan 15, 2026 10:00 AM EST",
            "EST is not the time of Europe/Berlin on 15 January 2026 (+01:00 then)",
            "--time-zone=America/New_York or --time-zone=-05:00",
        ),
        ("2026-02-30 10:00", "is no day of the calendar", "such as"),
        ("13/13/2026 10:00", "is no day of the calendar", "such as"),
        ("2026-03-01 25:00", "has no time of day", "such as"),
        ("2026-03-01 13:00 PM", "has no time of day", "such as"),
        ("46082.4166", "is no date and time", "such as"),
        ("yesterday", "is no date and time", "such as"),
        ("1 Foo 2026 10:00", "is no day of the calendar", "such as"),
        ("2569-03-01 10:00", "is no day on which somebody met", "happened"),
        ("0001-01-01 00:00", "is no day on which somebody met", "happened"),
    ],
)
def test_a_time_that_is_not_certain_is_refused_with_what_would_be_right(text: str, what: str, right: str) -> None:
    fault = read_time(text, BERLIN)
    assert isinstance(fault, TimeFault), fault
    assert what in fault.what
    assert right in fault.right


@pytest.mark.parametrize("text", ["2026-03-01 10:00", "01.03.2026 10:00", "Mar 1, 2026 10:00", "2026-03-01 10:00 EST"])
def test_a_time_without_a_zone_asks_for_one(text: str) -> None:
    fault = read_time(text)
    assert isinstance(fault, TimeFault)
    assert fault.option
    assert "--time-zone" in fault.right


def test_a_day_alone_is_its_first_moment_and_says_so() -> None:
    moment = read_time("01.03.2026", BERLIN)
    assert isinstance(moment, Moment)
    assert (iso(moment.ms), moment.day_only) == ("2026-02-28T23:00:00Z", True)


@pytest.mark.parametrize(
    ("text", "unit", "stay"),
    [
        ("1h 27m 51s", None, timedelta(hours=1, minutes=27, seconds=51)),
        ("1 hr 12 min", None, timedelta(hours=1, minutes=12)),
        ("35 mins", None, timedelta(minutes=35)),
        ("01:27:51", None, timedelta(hours=1, minutes=27, seconds=51)),
        ("5s", None, timedelta(seconds=5)),
        ("90", timedelta(minutes=1), timedelta(minutes=90)),
        ("1,5", timedelta(minutes=1), timedelta(seconds=90)),
    ],
)
def test_durations_are_read_as_the_usual_tools_write_them(text: str, unit: timedelta | None, stay: timedelta) -> None:
    assert read_duration(text, unit) == stay


@pytest.mark.parametrize("text", ["90", "47:03", "soon", "", "nan"])
def test_a_duration_without_a_unit_is_refused(text: str) -> None:
    assert isinstance(read_duration(text, None), TimeFault)


@pytest.mark.parametrize("text", ["nan", "inf", "1e400"])
def test_a_number_that_is_none_is_no_duration(text: str) -> None:
    assert isinstance(read_duration(text, timedelta(minutes=1)), TimeFault)


JULY, JANUARY = "2026-07-05 16:00", "2026-01-05 16:00"


@pytest.mark.parametrize(
    ("text", "zone", "title", "instant"),
    [
        (f"{JANUARY} EST", "America/New_York", "", "2026-01-05T21:00:00Z"),
        (f"{JULY} EDT", "America/New_York", "", "2026-07-05T20:00:00Z"),
        (f"{JULY} ET", "America/New_York", "", "2026-07-05T20:00:00Z"),
        (f"{JULY} (Eastern Time)", "America/New_York", "", "2026-07-05T20:00:00Z"),
        (f"{JULY} EST", "-05:00", "", "2026-07-05T21:00:00Z"),
        (f"{JULY} EST", "America/Panama", "", "2026-07-05T21:00:00Z"),
        (f"{JULY} IST", "Asia/Kolkata", "", "2026-07-05T10:30:00Z"),
        (f"{JULY} IST", "Europe/Dublin", "", "2026-07-05T15:00:00Z"),
        (f"{JULY} BRT", "America/Sao_Paulo", "", "2026-07-05T19:00:00Z"),
        (f"{JULY} SGT", "Asia/Singapore", "", "2026-07-05T08:00:00Z"),
        (f"{JULY} MESZ", "Europe/Berlin", "", "2026-07-05T14:00:00Z"),
        (f"{JULY} (GMT+05:30)", None, "", "2026-07-05T10:30:00Z"),
        (f"{JULY} GMT-7", None, "", "2026-07-05T23:00:00Z"),
        (f"{JULY} UTC -07:00", None, "", "2026-07-05T23:00:00Z"),
        (JULY, "Europe/Berlin", "GMT-7", "2026-07-05T23:00:00Z"),
        (JULY, "Europe/Berlin", "UTC", "2026-07-05T16:00:00Z"),
        (JULY, "America/New_York", "EDT", "2026-07-05T20:00:00Z"),
        (JULY, "-05:00", "EST", "2026-07-05T21:00:00Z"),
        (JULY, "-05:00", "", "2026-07-05T21:00:00Z"),
        (f"{JULY} UTC", "Europe/Berlin", "EST", "2026-07-05T16:00:00Z"),
        (f"{JULY} america/new_york", None, "", "2026-07-05T20:00:00Z"),
    ],
)
def test_the_zone_written_behind_a_time_or_in_the_title_is_read_where_it_is_one_clock(
    text: str, zone: str | None, title: str, instant: str
) -> None:
    known = read_zone(zone) if zone else None
    assert not isinstance(known, Reason)
    moment = read_time(text, known, None, title)
    assert isinstance(moment, Moment), moment
    assert iso(moment.ms) == instant


@pytest.mark.parametrize(
    ("text", "zone", "title", "what", "right"),
    [
        (
            f"{JULY} EST",
            "America/New_York",
            "",
            "not the time of America/New_York on 5 July 2026 (-04:00",
            "zone=-05:00",
        ),
        (
            JULY,
            "America/New_York",
            "EST",
            "not the time of America/New_York on 5 July 2026",
            "--time-zone=EST=America/New_York or --time-zone=-05:00",
        ),
        (JULY, "Europe/Berlin", "EST", "EST is not the time of Europe/Berlin", "America/New_York"),
        (f"{JULY} EST", None, "", "or the clock of America/New_York (-04:00 then)", "--time-zone=-05:00"),
        (JULY, None, "IST", "the clock of Europe/Dublin (+01:00 then)", "--time-zone=Asia/Kolkata"),
        (f"{JULY} CET", "Europe/Berlin", "", "CET is not the time of Europe/Berlin on 5 July 2026 (+02:00", "+01:00"),
        (f"{JULY} EST", "-04:00", "", "EST is not the time of -04:00", "America/New_York"),
        (f"{JULY} Etc/GMT+5", None, "", "means -05:00", "whichever is meant"),
        (f"{JULY} +20:00", None, "", "an offset that no clock has", "-12:00 to +14:00"),
        ("2026-07-05T16:00:00+20:00", None, "", "an offset that no clock has", "-12:00 to +14:00"),
        (JULY, "Europe/Berlin", "AMT", "AMT is not the time of Europe/Berlin", "such as"),
        (f"{JULY} BRT", "America/New_York", "", "BRT is not the time of America/New_York", "America/Sao_Paulo"),
        (f"{JULY} XYZ", "Europe/Berlin", "", "XYZ is not the time of Europe/Berlin", "such as"),
    ],
)
def test_a_zone_that_may_mean_another_time_is_asked_back(
    text: str, zone: str | None, title: str, what: str, right: str
) -> None:
    known = read_zone(zone) if zone else None
    assert not isinstance(known, Reason)
    fault = read_time(text, known, None, title)
    assert isinstance(fault, TimeFault), fault
    assert (what in fault.what, right in fault.right) == (True, True), fault


@pytest.mark.parametrize(
    ("text", "what", "right"),
    [
        ("26/03/04 10:00", "may be 26 March 2004 or 4 March 2026", "--date-order dmy (day first) or ymd"),
        ("26-03-04 10:00", "may be 26 March 2004 or 4 March 2026", "--date-order"),
        ("7/5/99 10:00", "has the year 99, which may be 1999 or 2099", "the year with four digits"),
    ],
)
def test_a_year_of_two_digits_that_may_be_another_is_asked_about(text: str, what: str, right: str) -> None:
    fault = read_time(text, BERLIN)
    assert isinstance(fault, TimeFault), fault
    assert what in fault.what
    assert right in fault.right


def test_a_fault_of_one_time_names_no_option_of_a_file() -> None:
    for text in (JULY, f"{JULY} EST"):
        fault = read_time(text)
        assert isinstance(fault, TimeFault)
        assert "--time-zone" in fault.right
        assert "--" not in fault.alone


@pytest.mark.parametrize(("text", "title"), [(f"{JULY} EST", ""), (JULY, "EST"), (f"{JULY} Eastern Standard Time", "")])
def test_what_an_abbreviation_stands_for_can_be_said_and_the_question_says_how(text: str, title: str) -> None:
    asked = read_time(text, None, None, title)
    assert isinstance(asked, TimeFault)
    instants = {}
    for answer in asked.right.split("--time-zone=")[1:]:
        options = Options.read(time_zone=answer.removesuffix(" or "))
        moment = read_time(text, options.zone, None, title, options.zone_as)
        assert isinstance(moment, Moment), moment
        instants[options.arguments()[1]] = iso(moment.ms)
    assert instants == {"EST=America/New_York": "2026-07-05T20:00:00Z", "-05:00": "2026-07-05T21:00:00Z"}


ONE = {"ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"}
"""Abbreviations that mean one clock in every season."""


@pytest.mark.parametrize("day", [JULY, JANUARY])
@pytest.mark.parametrize("name", ONE)
def test_an_abbreviation_of_one_clock_needs_no_answer(day: str, name: str) -> None:
    assert read_time(f"{day} {name}") == read_time(f"{day} {name}", BERLIN) == read_time(day, ZoneInfo(ONE[name]))


@pytest.mark.parametrize(
    "text", [f"{day} {name}" for day in (JULY, JANUARY) for name in ABBREVIATIONS if name not in ONE]
)
def test_every_answer_that_a_question_names_settles_it(text: str) -> None:
    asked = read_time(text)
    assert isinstance(asked, TimeFault)
    for answer in asked.right.split("--time-zone=")[1:]:
        options = Options.read(time_zone=answer.removesuffix(" or "))
        assert isinstance(read_time(text, options.zone, None, "", options.zone_as), Moment)


@pytest.mark.parametrize("text", ["3,600", "1.020", "1,234,567", "1e3", "1_000", "-5", "nan"])
def test_a_number_that_may_be_two_is_not_a_duration(text: str) -> None:
    assert isinstance(read_duration(text, timedelta(seconds=1)), TimeFault)
    assert read_duration("45,5", timedelta(minutes=1)) == timedelta(minutes=45, seconds=30)


@pytest.mark.parametrize(
    "text", ["202699999999", "20261313103000", "123456789012", "9773396000000", "2062-03-01 10:00"]
)
def test_a_time_of_another_age_is_none(text: str) -> None:
    assert isinstance(read_time(text, BERLIN), TimeFault)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10. listopada 2026 10:00", "October or November"),
        ("10 lip 2026 10:00", "June or July"),
        ("Fri 03/04/2026 10:00", "is a Wednesday"),
        ("Saturday, Mar 13, 2026 10:00", "is a Friday"),
    ],
)
def test_a_date_that_its_words_contradict_or_leave_open_is_none(text: str, why: str) -> None:
    fault = read_time(text, BERLIN, DateOrder.MDY)
    assert isinstance(fault, TimeFault)
    assert why in fault.what
