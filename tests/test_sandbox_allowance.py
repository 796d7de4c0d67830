from datetime import UTC, datetime

import pytest

from sandbox.allowance import Allowance, Policy
from sandbox.options import SandboxOptions, Tier

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("tier", "burst", "daily"),
    [
        ("free", 100, 250_000),
        ("starter", 100, 250_000),
        ("professional", 190, 625_000),
        ("enterprise", 190, 1_000_000),
        ("addon", 250, 1_250_000),
        ("oauth", 110, None),
    ],
)
def test_each_tier_has_hubspots_limits(tier: str, burst: int, daily: int | None) -> None:
    allowance = Allowance(SandboxOptions(tier=tier))
    rulings = [allowance.ask(NOON) for _ in range(burst + 1)]
    assert [ruling.refused for ruling in rulings] == [None] * burst + [Policy.BURST]
    assert rulings[0].headers["X-HubSpot-RateLimit-Max"] == str(burst)
    assert rulings[0].headers["X-HubSpot-RateLimit-Remaining"] == str(burst - 1)
    assert rulings[0].headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    if daily is None:
        assert not [name for name in rulings[0].headers if "Daily" in name]
    else:
        assert rulings[0].headers["X-HubSpot-RateLimit-Daily"] == str(daily)
        assert rulings[-1].headers["X-HubSpot-RateLimit-Daily-Remaining"] == str(daily - burst)


def test_a_set_limit_takes_the_place_of_the_tiers() -> None:
    assert SandboxOptions(tier=Tier.ENTERPRISE, burst_limit=3, daily_limit=7).limits.burst == 3
    assert SandboxOptions(tier=Tier.OAUTH, daily_limit=7).limits.daily == 7


def test_the_day_ends_at_midnight_in_the_accounts_time_zone() -> None:
    allowance = Allowance(SandboxOptions(daily_limit=1, time_zone="America/New_York"))
    assert allowance.ask(NOON).refused is None
    spent = allowance.ask(NOON + 60)
    assert spent.refused is Policy.DAILY
    assert spent.wait == 17 * 3600 - 60  # noon in UTC is seven in New York
    assert allowance.ask(NOON + 60 + spent.wait - 1).refused is Policy.DAILY
    assert allowance.ask(NOON + 60 + spent.wait).refused is None


def test_midnight_is_found_on_a_day_of_23_hours() -> None:
    allowance = Allowance(SandboxOptions(daily_limit=0, time_zone="America/New_York"))
    midnight = datetime(2026, 3, 8, 5, tzinfo=UTC).timestamp()
    assert allowance.ask(midnight).wait == 23 * 3600


def test_a_refused_request_spends_none_of_the_day() -> None:
    allowance = Allowance(SandboxOptions(burst_limit=1, daily_limit=2))
    assert [allowance.ask(NOON + second).refused for second in (0, 1, 2, 10, 20)] == [
        None,
        Policy.BURST,
        Policy.BURST,
        None,
        Policy.DAILY,
    ]
