"""What a load needs, computed; the numbers of the documents are the code's."""

from dataclasses import replace

import pytest

from models import sizing
from models.sizing import Load, Size, size, warnings
from tests.support.documents import text_of
from worker import database
from worker.settings import Settings

SMALL = Load(records_a_day=10_000)
USUAL = Load(records_a_day=1_000_000, burst=190, daily=625_000)


def warned(load: Load) -> list[str]:
    return [one.partition(":")[0] for one in warnings(load, size(load))]


def test_a_small_load_needs_two_of_everything_and_hardly_a_processor() -> None:
    needed = size(SMALL)
    assert (needed.delivery_workers, needed.housekeeping_workers, needed.beats, needed.web_processes) == (2, 2, 2, 2)
    assert needed.processors < 1
    assert needed.connections == 6 * (database.POOL + 2)
    assert warned(SMALL) == []


def test_a_million_a_day_is_computed_by_the_formulas_of_the_page() -> None:
    needed = size(USUAL)
    records = 1_000_000 / 86_400 * 10
    assert needed.records_kept == 90_000_000
    assert needed.calls_a_day == 40_000
    assert needed.daily_limit_used == 0.064
    assert needed.burst_limit_used == pytest.approx(records / 25 / 19, abs=0.001)
    assert needed.postgresql_disk == pytest.approx(1_000 + 90 * (510 + 1_720 / 25) * 1.25, abs=1)
    assert needed.redis_memory == pytest.approx(64 + records * 3_600 * 400 / 1e6, abs=1)
    assert warned(USUAL) == ["90,000,000 records are kept"]


@pytest.mark.parametrize(
    ("load", "more"),
    [
        (replace(USUAL, records_a_call=1), "delivery_workers"),
        (replace(USUAL, records_a_call=1), "calls_a_day"),
        (replace(USUAL, records_a_call=1), "wal_a_day"),
        (replace(USUAL, by_http=1, peak_factor=20), "web_processes"),
        (replace(USUAL, by_http=1), "postgresql_processors"),
        (replace(USUAL, retention_days=365), "postgresql_disk"),
        (replace(USUAL, retention_days=365), "postgresql_memory"),
        (replace(USUAL, peak_factor=100), "redis_memory"),
        (replace(USUAL, peak_factor=100), "connections"),
        (replace(USUAL, peak_factor=100, records_a_call=1), "housekeeping_workers"),
        (replace(USUAL, peak_factor=100, round_trip=5), "memory"),
    ],
)
def test_what_a_heavier_load_needs_is_more(load: Load, more: str) -> None:
    assert getattr(size(load), more) > getattr(size(USUAL), more)


ALONE = replace(SMALL, records_a_call=1)
BY_HTTP = replace(SMALL, by_http=1, retention_days=9)
DAILY = "a day's calls are 80% of an account's daily limit of 250,000"
BURST = "the peak is 289% of an account's burst limit of 100 calls in ten seconds"
CONNECTED = "126 connections are more than PostgreSQL's default of 100"


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (replace(ALONE, records_a_day=200_000), DAILY),
        (replace(ALONE, records_a_day=199_000), ""),
        (replace(ALONE, records_a_day=200_000, accounts=2), ""),
        (replace(ALONE, records_a_day=1_000_000, accounts=4, daily=None), BURST),
        (replace(BY_HTTP, records_a_day=3_000_000), CONNECTED),
        (replace(BY_HTTP, records_a_day=500_000), ""),
    ],
)
def test_it_warns_of_what_does_not_fit(load: Load, said: str) -> None:
    found = warned(load)
    known = {DAILY, BURST, CONNECTED}
    assert known & set(found) == ({said} if said else set()), found


def test_an_oauth_app_has_no_daily_limit() -> None:
    needed = size(replace(USUAL, daily=None))
    assert needed.daily_limit_used is None
    assert dict(needed.described())["calls a day"] == "40,000 an account: no limit"


def test_the_calculators_constants_are_the_codes_and_the_pages() -> None:
    assert sizing.CONNECTIONS == database.POOL + 2
    assert sizing.RECORD_BYTES == 510
    defaults = Load(records_a_day=1)
    limits = {"burst_limit": defaults.burst, "daily_limit": defaults.daily, "retention_days": defaults.retention_days}
    assert {name: Settings.model_fields[name].default for name in limits} == limits
    page = text_of("docs/sizing.md")
    for cost in (sizing.DELIVERY, sizing.HOUSEKEEPING, sizing.BEAT, sizing.WEB, sizing.POSTGRESQL):
        cells = (cost.record, cost.call, cost.request, cost.idle * 1000, cost.megabytes)
        row = " | ".join(f"{cell:,.0f}" for cell in cells)
        assert f"| {row} |" in page, row
    for constant in (sizing.RECORD_BYTES, sizing.CALL_BYTES, sizing.WAL_RECORD_BYTES, sizing.WAL_CALL_BYTES):
        assert f"{constant:,} B" in page
    assert sizing.MEASURED in page


def test_the_command_says_it_in_lines_and_in_json(facts: object, turnout: object) -> None:
    said = turnout("size", "--records-a-day", "1000000", "--tier", "professional").output  # type: ignore[operator]
    assert "processes             2 delivery, 2 housekeeping, 2 beat, 2 serve" in said
    assert "calls a day           40,000 an account: 6% of the limit" in said
    assert said.splitlines()[-1] == f"measured: {sizing.MEASURED}"
    assert said in text_of("docs/sizing.md")
    told = facts("size", "--records-a-day", "1000000", "--tier", "oauth")  # type: ignore[operator]
    assert told["daily_limit_used"] is None
    assert told["load"]["burst"] == 110
    assert set(Size.__dataclass_fields__) <= told.keys()
