"""What was sent, now and over the last day: the same whether it was added up already or not."""

from collections.abc import Callable
from typing import Any

import pytest
from ledger import ask, do, given_up, message, people, settled, taken
from sqlalchemy import Engine

from hubspot.limiter import Limiter, Limits, Permit
from worker import throughput
from worker.process import Process
from worker.receipts import Part
from worker.sweep import sweep

HandIn = Callable[..., list[Part]]
SUMS = ("calls", "calls_failed", "delivered", "undelivered")


def day(engine: Engine) -> list[tuple[int, ...]]:
    return [tuple(row[name] for name in SUMS) for row in throughput.read(engine)["day"]]


def earlier(engine: Engine, minutes: int) -> None:
    span = f"interval '{minutes} minutes'"
    do(engine, f"UPDATE attempts SET started_at = started_at - {span}, finished_at = finished_at - {span}")
    do(engine, f"UPDATE errors SET created_at = created_at - {span}")


def sent(hand_in: HandIn, engine: Engine) -> None:
    hand_in(message(*people(4)))
    settled(engine, taken(engine), rejected=[1], unconfirmed=[2])
    hand_in(message(*people(3, 10)))
    given_up(engine, taken(engine))


def test_a_day_is_144_spans_and_counts_each_call_and_each_error_once(
    process: Process, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = process.engine
    sent(hand_in, engine)
    do(engine, "UPDATE attempts SET http_status = 503 WHERE delivered = 0")
    assert throughput.read(engine)["minute"] == {"calls": 2, "calls_failed": 1, "delivered": 2, "undelivered": 5}
    earlier(engine, 60)
    before = day(engine)
    assert (len(before), sum(map(sum, before))) == (144, 2 + 1 + 2 + 5)
    monkeypatch.setattr(throughput, "STEP", 1)
    throughput.add_up(process)
    assert [tuple(row) for row in ask(engine, "SELECT sum(calls), sum(undelivered) FROM throughput")] == [(2, 5)]
    assert day(engine) == before
    process.redis.flushall()
    throughput.add_up(process)
    assert day(engine) == before


def test_what_may_still_change_is_not_added_up_yet(process: Process, hand_in: HandIn) -> None:
    engine = process.engine
    sent(hand_in, engine)
    sweep(process)
    assert ask(engine, "SELECT FROM throughput") == []
    earlier(engine, 10)
    hand_in(message("ada@example.com"))
    taken(engine)
    process.redis.flushall()
    sweep(process)
    assert [row.calls for row in ask(engine, "SELECT sum(calls) AS calls FROM throughput")] == [2]
    assert sum(row[0] for row in day(engine)) == 3


def test_old_totals_go_and_what_they_mark_as_counted_stays_so(process: Process, hand_in: HandIn) -> None:
    engine = process.engine
    sent(hand_in, engine)
    earlier(engine, 20_000)
    throughput.add_up(process)
    hand_in(message("ada@example.com"))
    settled(engine, taken(engine))
    do(engine, "UPDATE attempts SET started_at = now() - interval '1 hour' WHERE delivered = 1")
    for _ in range(2):
        process.redis.flushall()
        throughput.add_up(process)
    assert sum(row[0] for row in day(engine)) == 1


def test_the_use_of_the_limits_is_what_the_limiter_counts(process: Process) -> None:
    limiter = Limiter(process.limiter_redis, "default", Limits(100, 10), 5)
    held = [limiter.acquire() for _ in range(3)]
    assert isinstance(held[0], Permit)
    limiter.give_back(held[0])
    used: dict[str, Any] = throughput.use_of_limits(process)[0]
    assert (used["name"], used["in_window"], used["today"]) == ("default", 2, 2)
