"""What HubSpot was sent and answered, now and over the last day.

A day holds hundreds of thousands of attempts, too many to count for a page; so each minute the sweep adds what is over
to ten-minute totals, of all and of each account. A page reads those, and the few attempts that are newer.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import redis
from sqlalchemy import Engine, RowMapping, text

from hubspot_api.limiter import Limiter, Limits
from worker.accounts import registry
from worker.context import Context

SPAN: Final = "10 minutes"
EVERY_MS: Final = 60_000
STEP: Final = 20_000
"""Attempts added in one transaction, at most."""
FRESH: Final = 10_000
"""The newest of those not added up yet that a page reads, at most; what it leaves is added up within minutes."""
OVER: Final = "5 minutes"
"""After so long an attempt is complete, and every one begun before it is stored: a lease ends much earlier."""
KEPT: Final = "8 days"
_SPANS: Final = 144
"""Of a day."""
_SPAN_SECONDS: Final = 600
_END: Final = 2**63 - 1

_SUMS: Final = """
coalesce(sum(calls), 0)::bigint AS calls, coalesce(sum(calls_failed), 0)::bigint AS calls_failed,
coalesce(sum(delivered), 0)::bigint AS delivered, coalesce(sum(undelivered), 0)::bigint AS undelivered"""
_NAMES: Final = ("calls", "calls_failed", "delivered", "undelivered")
_MARKED: Final = tuple(f"(SELECT coalesce(max({mark}), 0) FROM throughput)" for mark in ("attempts_to", "errors_to"))


_UNDELIVERED: Final = "outcome IN ('rejected', 'unconfirmed', 'failed')"


def _each(where: tuple[str, str], order: str, most: int, *, packed: bool = False) -> str:
    """Give the SQL of attempts and errors, one row each, of what `_SUMS` adds up.

    What an isolated part was rejected for stands in no attempt, so what is not delivered is counted by its errors. An
    error is of its batch's account (`errors.account_id` is known only of those that are read back); a read-back of
    several batches has none of these, so an attempt says itself whose it is. To look the batches up takes longer than
    all the rest: so pages ask for errors that are `packed`, one row for those settled together.
    """
    found = f"SELECT * FROM errors WHERE {where[1]} ORDER BY id {order} LIMIT {most}"
    if packed:
        columns = f"batch_id, created_at, max(id) AS id, count(*) FILTER (WHERE {_UNDELIVERED})::int AS undelivered"
        found = f"SELECT {columns} FROM ({found}) e GROUP BY 1, 2"
    else:
        found = f"SELECT *, ({_UNDELIVERED})::int AS undelivered FROM ({found}) e"
    return f"""
    SELECT account_id, started_at AS at, 1 AS calls, id AS attempts_to, 0 AS errors_to, delivered, 0 AS undelivered,
      (finished_at IS NOT NULL AND coalesce(http_status, 999) >= 400)::int AS calls_failed
    FROM (SELECT * FROM attempts WHERE {where[0]} ORDER BY id {order} LIMIT {most}) a
    UNION ALL
    SELECT (SELECT account_id FROM batches b WHERE b.id = e.batch_id), created_at, 0, 0, id, 0, undelivered, 0
    FROM ({found}) e"""


_UNADDED: Final = (f"id > {_MARKED[0]}", f"id > {_MARKED[1]}")


def add_up(process: Context) -> None:
    """Add the attempts that are over to the totals, at most once a minute."""
    try:
        if not process.redis.set("turnout:throughput", 1, nx=True, px=EVERY_MS):
            return
    except redis.RedisError:
        return
    while _add_up(process.engine) == STEP:
        pass


def _add_up(engine: Engine) -> int:
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE throughput IN EXCLUSIVE MODE"))
        connection.execute(
            text(f"""
            DELETE FROM throughput WHERE since < now() - interval '{KEPT}' AND attempts_to < {_MARKED[0]}
              AND errors_to < {_MARKED[1]}""")
        )
        connection.execute(text(f"DELETE FROM throughput_by_account WHERE since < now() - interval '{KEPT}'"))
        added = connection.execute(
            text(f"""
            WITH step AS MATERIALIZED ({_each(_UNADDED, "ASC", STEP)}),
            young AS (
              SELECT coalesce(min(nullif(attempts_to, 0)), {_END}) AS attempt,
                coalesce(min(nullif(errors_to, 0)), {_END}) AS error
              FROM step WHERE at > now() - interval '{OVER}'),
            over AS (SELECT step.* FROM step, young WHERE attempts_to < attempt AND errors_to < error),
            added AS (
              INSERT INTO throughput (since, calls, calls_failed, delivered, undelivered, attempts_to, errors_to)
              SELECT date_bin('{SPAN}', at, 'epoch') AS since, {_SUMS}, max(attempts_to), max(errors_to)
              FROM over GROUP BY 1
              ON CONFLICT (since) DO UPDATE SET calls = throughput.calls + excluded.calls,
                calls_failed = throughput.calls_failed + excluded.calls_failed,
                delivered = throughput.delivered + excluded.delivered,
                undelivered = throughput.undelivered + excluded.undelivered,
                attempts_to = greatest(throughput.attempts_to, excluded.attempts_to),
                errors_to = greatest(throughput.errors_to, excluded.errors_to)),
            by_account AS (
              INSERT INTO throughput_by_account AS t (account_id, since, calls, calls_failed, delivered, undelivered)
              SELECT account_id, date_bin('{SPAN}', at, 'epoch') AS since, {_SUMS}
              FROM over WHERE account_id IS NOT NULL GROUP BY 1, 2
              ON CONFLICT (account_id, since) DO UPDATE SET calls = t.calls + excluded.calls,
                calls_failed = t.calls_failed + excluded.calls_failed, delivered = t.delivered + excluded.delivered,
                undelivered = t.undelivered + excluded.undelivered)
            SELECT greatest(count(*) FILTER (WHERE attempts_to > 0), count(*) FILTER (WHERE errors_to > 0))
            FROM over""")
        )
        return int(added.scalar_one())


def look(process: Context) -> dict[str, Any]:
    """Say what was sent now and over the last day: `minute`, `day` by ten minutes without a gap, and `accounts`.

    Of each account `minute` and `day` are what its calls came to, `each` is the calls of each ten minutes of the last
    day, `in_window` and `today` are what is used of its limits now. Of the last day `peak_percent` is the busiest ten
    minutes' share of what the window lets through in ten minutes, and `mean_percent` the day's share of all the calls
    that window and daily limit allow in a day.
    """
    with process.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        fresh = connection.execute(text(_FRESH)).mappings().all()
        day = {row["since"]: Counter(_sums(row)) for row in connection.execute(text(_DAY)).mappings()}
        added = connection.execute(text(_DAY_BY_ACCOUNT)).mappings().all()
        ids = {row.name: row.id for row in connection.execute(text("SELECT name, id FROM accounts"))}
    begins = min(day)
    minute: Counter[str] = Counter()
    accounts: dict[int | None, _Sent] = {}
    for row in added:
        sent = accounts.setdefault(row["account_id"], _Sent())
        sent.day.update(_sums(row))
        for place, calls in zip(row["places"], row["each"], strict=True):
            sent.each[place] += int(calls)
    for row in fresh:
        sums, since = _sums(row), row["since"]
        sent = accounts.setdefault(row["account_id"], _Sent())
        if row["is_new"]:
            minute.update(sums)
            sent.minute.update(sums)
        if since in day:
            day[since].update(sums)
            sent.day.update(sums)
            sent.each[int((since - begins).total_seconds()) // _SPAN_SECONDS] += sums["calls"]
    return {
        "minute": _named(minute),
        "day": [{"since": since, **_named(sums)} for since, sums in day.items()],
        "accounts": [
            asdict(account) | _use(process, account, accounts.get(ids.get(account.name), _Sent()))
            for account in registry.listed(process.engine, process.settings)
        ],
    }


def _use(process: Context, account: registry.ListedAccount, sent: "_Sent") -> dict[str, Any]:
    """Say how much of an account's limits is used."""
    allowed = account.burst_limit * _SPAN_SECONDS / account.burst_seconds
    in_a_day = min(allowed * _SPANS, account.daily_limit or allowed * _SPANS)
    shares = {
        "peak_percent": percent(max(sent.each), allowed),
        "mean_percent": percent(sent.day["calls"], in_a_day),
    }
    minute, day = _with_shares(_named(sent.minute)), _with_shares(_named(sent.day)) | shares
    return _used(process, account) | {"minute": minute, "day": day, "each": sent.each}


def _used(process: Context, account: registry.ListedAccount) -> dict[str, int | None]:
    limits = Limits(account.burst_limit, account.burst_seconds, time_zone=account.time_zone)
    try:
        in_window, today = Limiter(process.limiter_redis, account.name, limits, 0.0).used()
    except redis.RedisError:
        return {"in_window": None, "today": None}
    return {"in_window": in_window, "today": today}


def used_now(process: Context) -> list[dict[str, Any]]:
    """Give the accounts with what is used of their limits now: `in_window` and `today`."""
    return [asdict(account) | _used(process, account) for account in registry.listed(process.engine, process.settings)]


def use_of_limits(process: Context) -> list[dict[str, Any]]:
    """Give the accounts as `look` does."""
    accounts: list[dict[str, Any]] = look(process)["accounts"]
    return accounts


def summary(process: Context) -> dict[str, Any]:
    """Say what was sent in the last minute and the last day, and how much of its limits each account used."""
    found = look(process)
    day = {name: sum(span[name] for span in found["day"]) for name in _NAMES}
    kept = ("name", "in_window", "burst_limit", "burst_seconds", "today", "daily_limit", "minute", "day", "each")
    return {
        "minute": _with_shares(found["minute"]),
        "day": _with_shares(day),
        "accounts": [{name: used[name] for name in kept} for used in found["accounts"]],
    }


def percent(part: float, whole: float) -> float | None:
    """Give a share in per cent; none of nothing."""
    return round(100 * part / whole, 4) if whole else None


_BEGINS: Final = f"date_bin('{SPAN}', now(), 'epoch') - interval '1 day' + interval '{SPAN}'"
"""The first of the last day's ten minutes."""
_FRESH: Final = f"""
SELECT account_id, date_bin('{SPAN}', at, 'epoch') AS since, at > now() - interval '1 minute' AS is_new, {_SUMS}
FROM ({_each(_UNADDED, "DESC", FRESH, packed=True)}) each WHERE at > now() - interval '1 day' GROUP BY 1, 2, 3"""
"""What is not added up yet, which holds whatever is younger than `OVER`."""
_DAY: Final = f"""
SELECT g.since, {_SUMS} FROM generate_series({_BEGINS}, date_bin('{SPAN}', now(), 'epoch'), '{SPAN}') g(since)
LEFT JOIN throughput USING (since) GROUP BY 1 ORDER BY 1"""
_DAY_BY_ACCOUNT: Final = f"""
SELECT account_id, array_agg((extract(epoch FROM since - begins.at) / {_SPAN_SECONDS})::int) AS places,
  array_agg(calls) AS each, {_SUMS}
FROM throughput_by_account, (SELECT {_BEGINS} AS at) begins WHERE since >= begins.at GROUP BY 1"""


@dataclass
class _Sent:
    """What an account's calls came to in the last minute and day, and its calls of each ten minutes."""

    minute: Counter[str] = field(default_factory=Counter)
    day: Counter[str] = field(default_factory=Counter)
    each: list[int] = field(default_factory=lambda: [0] * _SPANS)


def _sums(row: RowMapping) -> dict[str, int]:
    return {name: int(row[name]) for name in _NAMES}


def _named(sums: Counter[str]) -> dict[str, int]:
    return {name: sums[name] for name in _NAMES}


def _with_shares(sums: Mapping[str, int]) -> dict[str, Any]:
    """Add how many of a hundred calls failed, and of a hundred records were not delivered."""
    return {
        **sums,
        "calls_failed_percent": percent(sums["calls_failed"], sums["calls"]),
        "undelivered_percent": percent(sums["undelivered"], sums["delivered"] + sums["undelivered"]),
    }
