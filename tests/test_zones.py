from datetime import timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, strategies as st

from models.input_check import Reason
from models.zones import ABBREVIATIONS, name_of, read_offset, read_place, read_zone, zone_in


@pytest.mark.parametrize(
    ("name", "what", "right"),
    [
        ("EST", "-05:00 all year or the clock of America/New_York (-05:00 in January, -04:00 in July)", "-05:00"),
        ("est", "-05:00 all year", "America/New_York"),
        ("Eastern Standard Time", "-05:00 all year", "America/New_York"),
        ("Eastern Time", "the clock of America/New_York", "America/New_York"),
        ("MST", "-07:00 all year or the clock of America/Denver", "America/Denver or America/Phoenix or -07:00"),
        ("HST", "-10:00 all year", "Pacific/Honolulu"),
        ("PST", "the clock of America/Los_Angeles (-08:00 in January, -07:00 in July)", "America/Los_Angeles"),
        ("PT", "the clock of America/Los_Angeles", "America/Los_Angeles"),
        ("CST", "+08:00 all year", "America/Chicago or Asia/Shanghai or -06:00 or +08:00"),
        ("IST", "the clock of Europe/Dublin (+00:00 in January, +01:00 in July)", "Asia/Kolkata or Europe/Dublin"),
        ("BST", "the clock of Europe/London", "Europe/London"),
        ("CET", "+01:00 all year or the clock of Europe/Berlin (+01:00 in January, +02:00 in July)", "Europe/Berlin"),
        ("MET", "+01:00 all year", "Europe/Berlin"),
        ("EET", "+02:00 all year", "Europe/Athens"),
        ("WET", "+00:00 all year", "Europe/Lisbon"),
        ("AEST", "+10:00 all year or the clock of Australia/Sydney (+11:00 in January", "Australia/Brisbane"),
        ("Etc/GMT+5", "means -05:00: such names count the other way round", "-05:00 or +05:00"),
        ("etc/gmt-2", "means +02:00: such names count the other way round", "+02:00 or -02:00"),
        ("GMT-7", "is -07:00 as people write it, and +07:00 as computers name zones", "-07:00 or +07:00"),
        ("GMT+05:30", "is +05:30 as people write it", "+05:30"),
    ],
)
def test_a_name_of_more_than_one_clock_is_asked_back_with_what_it_may_mean(name: str, what: str, right: str) -> None:
    for read in (read_zone, read_place):
        asked = read(name)
        assert isinstance(asked, Reason), asked
        assert what in asked.what
    asked = read_zone(name)
    assert isinstance(asked, Reason)
    assert right in asked.right


@pytest.mark.parametrize(
    ("name", "said", "right"),
    [
        ("Berlin", "not a time zone", "Europe/Berlin"),
        ("new york", "not a time zone", "America/New_York"),
        ("Mars/Olympus", "not a time zone", "the name of a place"),
        ("../etc/passwd", "not a time zone", "the name of a place"),
        ("right/Europe/Berlin", "not a time zone", "the name of a place"),
        ("posix/UTC", "not a time zone", "the name of a place"),
        ("localtime", "not a time zone", "the name of a place"),
        ("Factory", "not a time zone", "the name of a place"),
        ("+20:00", "not a time zone", "the name of a place"),
        ("GMT+25", "not a time zone", "the name of a place"),
        ("", "not a time zone", "the name of a place"),
    ],
)
def test_what_is_no_zone_is_not_taken_for_one(name: str, said: str, right: str) -> None:
    for read in (read_zone, read_place):
        asked = read(name)
        assert isinstance(asked, Reason), asked
        assert (said in asked.what, right in asked.right) == (True, True), asked


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("america/new_york", "America/New_York"),
        ("America/New York", "America/New_York"),
        ("US/Eastern", "US/Eastern"),
        ("EST5EDT", "EST5EDT"),
        ("PST8PDT", "PST8PDT"),
        ("Japan", "Japan"),
        *(
            (name, "UTC")
            for name in ("UTC", "utc", "GMT", "Z", "Zulu", "UCT", "Etc/UTC", "Etc/GMT", "Etc/GMT+0", "GMT0")
        ),
    ],
)
def test_a_name_of_one_clock_is_read_in_every_spelling(name: str, known: str) -> None:
    for read in (read_zone, read_place):
        zone = read(name)
        assert isinstance(zone, ZoneInfo), zone
        assert name_of(zone) == known


@pytest.mark.parametrize(
    ("text", "hours"), [("-05:00", -5), ("+05:30", 5.5), ("+0530", 5.5), ("+2", 2), ("UTC+2", 2), ("UTC -03:00", -3)]
)
def test_an_offset_is_a_zone_for_a_file_and_none_for_the_database_which_reads_its_sign_the_other_way(
    text: str, hours: float
) -> None:
    zone = read_zone(text)
    assert not isinstance(zone, Reason)
    assert zone.utcoffset(None) == timedelta(hours=hours)
    assert read_offset(name_of(zone)) == zone
    assert isinstance(read_place(text), Reason)


def test_every_place_is_read_as_itself() -> None:
    asked = {name for name in available_timezones() if isinstance(read_place(name), Reason)}
    assert {name for name in asked if "/" in name and not name.startswith("Etc/GMT")} == set()
    assert {name.upper() for name in asked if "/" not in name} <= ABBREVIATIONS.keys() | {"FACTORY", "LOCALTIME"}


@given(st.text(max_size=12) | st.from_regex(r"(Etc/)?(GMT|UTC)?[+-]?[0-9:]{0,6}", fullmatch=True))
def test_no_name_makes_it_fall_over_and_what_is_read_is_read_again_as_the_same(name: str) -> None:
    zone = read_zone(name)
    if not isinstance(zone, Reason):
        assert read_zone(name_of(zone)) == zone


@pytest.mark.parametrize(
    ("title", "zone"),
    [
        ("Join Time (EST)", "EST"),
        ("Join Time (GMT-7)", "GMT-7"),
        ("Join Time (GMT -07:00)", "GMT -07:00"),
        ("Join Time (UTC-05:00) Eastern", "UTC-05:00"),
        ("Left [Europe/Berlin]", "Europe/Berlin"),
        ("Date (all times in PST)", "PST"),
        ("Time (Eastern Time)", "Eastern Time"),
        ("Join Time UTC", "UTC"),
        ("joined_at_utc", "utc"),
        ("Join Time IST", "IST"),
        ("Join Time (AMT)", "AMT"),
        ("Duration (Minutes)", ""),
        ("Name (Original Name)", ""),
        ("Date (MM/DD/YYYY)", ""),
        ("Date (2026-03-01)", ""),
        ("Time (24-hour)", ""),
        ("Est", ""),
        ("Join Time", ""),
    ],
)
def test_a_titles_zone_is_found_and_nothing_else_is_taken_for_one(title: str, zone: str) -> None:
    assert zone_in(title) == zone
