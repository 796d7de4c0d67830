"""What was sent, now and over the last day: the same whether it was added up already or not."""

import re
from dataclasses import astuple
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, func, update

from hubspot_api.limiter import Limiter, Limits, Permit
from models.tables import Attempt, Throughput, ThroughputByAccount
from models.words import AttemptKind
from tasks.sweep import sweep
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.ledger import LEASE, Ledger, account_id, do, given_up, message, people, settled, taken
from worker.accounts.registry import add
from worker.context import Context
from worker.queries import throughput
from worker.queries.throughput import Sent
from worker.queue import unconfirmed
from worker.queue.claim import claim
from worker.settings import Settings

SUMS = ("calls", "calls_failed", "delivered", "undelivered")


def day(context: Context) -> list[tuple[int, ...]]:
    return [astuple(sent) for sent in throughput.look(context).day.values()]


def earlier(engine: Engine, minutes: int) -> None:
    span = f"interval '{minutes} minutes'"
    do(engine, f"UPDATE attempts SET started_at = started_at - {span}, finished_at = finished_at - {span}")
    do(engine, f"UPDATE errors SET created_at = created_at - {span}")


def sent(submit: Submit, engine: Engine) -> None:
    submit(message(*people(4)))
    settled(engine, taken(engine), rejected=[1], unconfirmed=[2])
    submit(message(*people(3, 10)))
    given_up(engine, taken(engine))


def test_a_day_is_144_spans_and_counts_each_call_and_each_error_once(
    context: Context, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = context.engine
    sent(submit, engine)
    do(engine, update(Attempt).where(Attempt.delivered == 0).values(http_status=503))
    assert throughput.look(context).minute == Sent(calls=2, calls_failed=1, delivered=2, undelivered=5)
    earlier(engine, 60)
    before = day(context)
    assert (len(before), sum(map(sum, before))) == (144, 2 + 1 + 2 + 5)
    monkeypatch.setattr(throughput, "STEP", 1)
    throughput.add_up(context)
    kept = Ledger(engine).all(Throughput)
    assert (sum(row.calls for row in kept), sum(row.undelivered for row in kept)) == (2, 5)
    assert day(context) == before
    context.redis.flushall()
    throughput.add_up(context)
    assert day(context) == before


def test_what_may_still_change_is_not_added_up_yet(context: Context, submit: Submit) -> None:
    engine = context.engine
    sent(submit, engine)
    sweep(context)
    assert Ledger(engine).all(Throughput) == []
    earlier(engine, 10)
    submit(message("ada@example.com"))
    taken(engine)
    context.redis.flushall()
    sweep(context)
    assert sum(row.calls for row in Ledger(engine).all(Throughput)) == 2
    assert sum(row[0] for row in day(context)) == 3


def test_old_totals_go_and_what_they_mark_as_counted_stays_so(context: Context, submit: Submit) -> None:
    engine = context.engine
    sent(submit, engine)
    earlier(engine, 20_000)
    throughput.add_up(context)
    submit(message("ada@example.com"))
    settled(engine, taken(engine))
    do(engine, update(Attempt).where(Attempt.delivered == 1).values(started_at=func.now() - timedelta(hours=1)))
    for _ in range(2):
        context.redis.flushall()
        throughput.add_up(context)
    assert sum(row[0] for row in day(context)) == 1


def test_the_use_of_the_limits_is_what_the_limiter_counts(context: Context) -> None:
    limiter = Limiter(context.limiter_redis, "default", Limits(100, 10), 5)
    held = [limiter.acquire() for _ in range(3)]
    assert isinstance(held[0], Permit)
    limiter.give_back(held[0])
    (used,) = throughput.used_now(context)
    assert (used.account.name, used.in_window, used.today) == ("default", 2, 2)


@pytest.fixture
def two(context: Context, settings: Settings, submit: Submit) -> None:
    """Two accounts: of `acme`, with limits of its own, one call that failed; of the other two, and a read-back."""
    engine = context.engine
    limits = {"burst_limit": 10, "burst_seconds": 10, "daily_limit": 1_000}
    add(engine, settings, "acme", limits, SecretStr("token-of-acme"))
    sent(submit, engine)
    unconfirmed.begin(engine, account_id(engine), LEASE, [])
    do(
        engine,
        update(Attempt).where(Attempt.kind == AttemptKind.READ_BACK).values(finished_at=func.now(), http_status=200),
    )
    submit({**message(*people(3, 20)), "account": "acme"})
    acme = Ledger(engine).account("acme").id
    claimed = claim(engine, acme, LEASE)
    assert claimed is not None
    settled(engine, claimed, rejected=[0])
    do(engine, update(Attempt).where(Attempt.account_id == acme).values(http_status=503))


def by_account(context: Context, of: str) -> dict[str, tuple[int, ...]]:
    return {used.account.name: astuple(getattr(used, of)) for used in throughput.look(context).accounts}


@pytest.mark.usefixtures("two")
def test_each_account_has_its_own_calls_and_errors_added_up_or_not(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = context.engine
    now = {"acme": (1, 1, 2, 1), "default": (3, 0, 2, 5)}
    assert by_account(context, "minute") == by_account(context, "day") == now
    earlier(engine, 60)
    before = throughput.look(context).accounts
    monkeypatch.setattr(throughput, "STEP", 1)
    for _ in range(2):
        context.redis.delete("turnout:throughput")
        throughput.add_up(context)
    assert Ledger(engine).all(ThroughputByAccount) != []
    assert throughput.look(context).accounts == before
    assert by_account(context, "day") == now
    assert set(by_account(context, "minute").values()) == {(0, 0, 0, 0)}
    assert [sum(used.each) for used in before] == [1, 3]


@pytest.mark.usefixtures("two")
def test_the_use_over_the_last_day_is_told_by_its_peak_and_by_what_the_limits_allow_in_a_day(context: Context) -> None:
    acme, default = throughput.look(context).accounts
    # Of 10 calls in 10 s ten minutes let 600 through, and the day is at most 1,000.
    assert (acme.peak_percent, acme.mean_percent) == (0.1667, 0.1)
    assert (acme.day.calls_failed_percent, acme.day.undelivered_percent) == (100.0, 33.3333)
    assert default.peak_percent is not None
    assert default.mean_percent is not None
    assert default.peak_percent > default.mean_percent > 0


def test_an_account_that_called_nobody_has_no_share_of_errors(context: Context) -> None:
    (used,) = throughput.look(context).accounts
    assert (used.mean_percent, used.day.undelivered_percent) == (0, None)
    assert used.each == [0] * 144


@pytest.mark.usefixtures("two")
def test_old_totals_of_an_account_go_too(context: Context) -> None:
    earlier(context.engine, 20_000)
    throughput.add_up(context)
    context.redis.delete("turnout:throughput")
    throughput.add_up(context)
    assert Ledger(context.engine).all(ThroughputByAccount) == []


@pytest.mark.usefixtures("two")
def test_status_tells_what_was_sent_and_each_accounts_use_of_its_limits(facts: Facts, turnout: Turnout) -> None:
    told = facts("status")["throughput"]
    assert [told[span][name] for span in ("minute", "day") for name in SUMS] == [4, 1, 4, 6] * 2
    assert (told["day"]["calls_failed_percent"], told["day"]["undelivered_percent"]) == (25.0, 60.0)
    assert [account["name"] for account in told["accounts"]] == ["acme", "default"]
    said = turnout("status").output
    assert "last minute: 4 delivered by 4 calls; errors: 60.00 % of records, 25.00 % of calls" in said
    assert "last day: 4 delivered by 4 calls" in said
    (row,) = [line for line in said.splitlines() if line.strip().startswith("acme")]
    assert re.split(r"\s{2,}", row.strip()) == [
        "acme",
        "0 of 10 in 10 s",
        "0 of 1,000",
        *["1", "33.33 % / 100.00 %"] * 2,
        "0.10 %",
        "0.17 %",
    ]
