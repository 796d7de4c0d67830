"""What HubSpot was sent and answered, now and over the last day.

A day holds hundreds of thousands of attempts, too many to count for a page; so each minute the sweep adds what is over
to ten-minute totals, of all and of each account. A page reads those, and the few attempts that are newer.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Final

import redis
from sqlalchemy import BigInteger, DateTime, Engine, bindparam, cast, delete, func, literal_column, select, text

from hubspot_api.limiter import Limiter, Limits
from models.tables import Account, Throughput, ThroughputByAccount
from worker.accounts import registry
from worker.context import Context

SPAN: Final = timedelta(minutes=10)
SPANS: Final = 144
"""Of a day."""
EVERY_MS: Final = 60_000
STEP: Final = 20_000
"""Attempts added in one transaction, at most."""
FRESH: Final = 10_000
"""The newest of those not added up yet that a page reads, at most; what it leaves is added up within minutes."""
OVER: Final = timedelta(minutes=5)
"""After so long an attempt is complete, and every one begun before it is stored: a lease ends much earlier."""
KEPT: Final = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Sent:
    """What calls came to, and how many records were delivered by them, and were not."""

    calls: int = 0
    calls_failed: int = 0
    delivered: int = 0
    undelivered: int = 0

    def __add__(self, other: "Sent") -> "Sent":
        return Sent(
            self.calls + other.calls,
            self.calls_failed + other.calls_failed,
            self.delivered + other.delivered,
            self.undelivered + other.undelivered,
        )

    @property
    def calls_failed_percent(self) -> float | None:
        """Give how many of a hundred calls failed."""
        return percent(self.calls_failed, self.calls)

    @property
    def undelivered_percent(self) -> float | None:
        """Give how many of a hundred records were not delivered."""
        return percent(self.undelivered, self.delivered + self.undelivered)


@dataclass(frozen=True, slots=True)
class LimitUse:
    """An account (as `registry` lists it), and what is used of its limits now; None where Redis is out of reach."""

    account: registry.ListedAccount
    in_window: int | None
    today: int | None


@dataclass(frozen=True, slots=True)
class AccountUse(LimitUse):
    """What an account's calls came to in the last minute and day, and its calls of each ten minutes of that day."""

    minute: Sent
    day: Sent
    each: list[int]

    @property
    def peak_percent(self) -> float | None:
        """Give the busiest ten minutes' share of what the window lets through in ten minutes."""
        return percent(max(self.each), self._in_a_span)

    @property
    def mean_percent(self) -> float | None:
        """Give the day's share of all the calls that window and daily limit allow in a day."""
        by_window = self._in_a_span * SPANS
        return percent(self.day.calls, min(by_window, self.account.daily_limit or by_window))

    @property
    def _in_a_span(self) -> float:
        in_a_span: float = self.account.burst_limit * SPAN.total_seconds() / self.account.burst_seconds
        return in_a_span


@dataclass(frozen=True, slots=True)
class LastDay:
    """What was sent in the last minute, in each ten minutes of the last day without a gap, and by each account."""

    minute: Sent
    day: dict[datetime, Sent]
    accounts: list[AccountUse]

    @property
    def sent(self) -> Sent:
        """Sum up the day."""
        return sum(self.day.values(), Sent())


def percent(part: float, whole: float) -> float | None:
    """Give a share in per cent; none of nothing."""
    return round(100 * part / whole, 4) if whole else None


# Adding up

ROLL_UP: Final = text("""
WITH step AS MATERIALIZED (
  SELECT account_id, started_at AS at, 1 AS calls,
    (finished_at IS NOT NULL AND coalesce(http_status, 999) >= 400)::int AS calls_failed,
    delivered, 0 AS undelivered, id AS attempts_to, 0 AS errors_to
  FROM (
    SELECT * FROM attempts WHERE id > (SELECT coalesce(max(attempts_to), 0) FROM throughput) ORDER BY id LIMIT :step) a
  UNION ALL
  SELECT (SELECT account_id FROM batches b WHERE b.id = e.batch_id), created_at, 0, 0,
    0, (outcome IN ('rejected', 'unconfirmed', 'failed'))::int, 0, id
  FROM (
    SELECT * FROM errors WHERE id > (SELECT coalesce(max(errors_to), 0) FROM throughput) ORDER BY id LIMIT :step) e),
young AS (
  SELECT min(nullif(attempts_to, 0)) AS attempt, min(nullif(errors_to, 0)) AS error
  FROM step WHERE at > now() - CAST(:over AS interval)),
over AS (
  SELECT step.* FROM step, young
  WHERE (attempts_to < young.attempt) IS NOT FALSE AND (errors_to < young.error) IS NOT FALSE),
added AS (
  INSERT INTO throughput AS t (since, calls, calls_failed, delivered, undelivered, attempts_to, errors_to)
  SELECT date_bin(CAST(:span AS interval), at, 'epoch'), sum(calls), sum(calls_failed), sum(delivered),
    sum(undelivered), max(attempts_to), max(errors_to)
  FROM over GROUP BY 1
  ON CONFLICT (since) DO UPDATE SET calls = t.calls + excluded.calls,
    calls_failed = t.calls_failed + excluded.calls_failed, delivered = t.delivered + excluded.delivered,
    undelivered = t.undelivered + excluded.undelivered,
    attempts_to = greatest(t.attempts_to, excluded.attempts_to), errors_to = greatest(t.errors_to, excluded.errors_to)),
added_by_account AS (
  INSERT INTO throughput_by_account AS t (account_id, since, calls, calls_failed, delivered, undelivered)
  SELECT account_id, date_bin(CAST(:span AS interval), at, 'epoch'), sum(calls), sum(calls_failed), sum(delivered),
    sum(undelivered)
  FROM over WHERE account_id IS NOT NULL GROUP BY 1, 2
  ON CONFLICT (account_id, since) DO UPDATE SET calls = t.calls + excluded.calls,
    calls_failed = t.calls_failed + excluded.calls_failed, delivered = t.delivered + excluded.delivered,
    undelivered = t.undelivered + excluded.undelivered)
SELECT greatest(count(*) FILTER (WHERE attempts_to > 0), count(*) FILTER (WHERE errors_to > 0)) FROM over""")
"""Adds to the totals the next attempts and errors up to the first of each that is not over; gives how many those were.

What an isolated part was rejected for stands in no attempt, so what is not delivered is counted by its errors. An error
is of its batch's account (`errors.account_id` is known only of those that are read back); a read-back of several
batches has none of these, so an attempt says itself whose it is.
"""


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
        connection.exec_driver_sql("LOCK TABLE throughput IN EXCLUSIVE MODE")
        newest = select(func.max(Throughput.attempts_to)), select(func.max(Throughput.errors_to))
        connection.execute(
            delete(Throughput).where(  # but for what marks the newest that are counted
                Throughput.since < func.now() - KEPT,
                Throughput.attempts_to < newest[0].scalar_subquery(),
                Throughput.errors_to < newest[1].scalar_subquery(),
            )
        )
        connection.execute(delete(ThroughputByAccount).where(ThroughputByAccount.since < func.now() - KEPT))
        return int(connection.execute(ROLL_UP, {"span": SPAN, "over": OVER, "step": STEP}).scalar_one())


# Reading

NOT_ADDED_UP: Final = text("""
SELECT account_id, date_bin(CAST(:span AS interval), at, 'epoch') AS since,
  at > now() - interval '1 minute' AS is_of_last_minute, sum(calls)::bigint AS calls,
  sum(calls_failed)::bigint AS calls_failed, sum(delivered)::bigint AS delivered,
  sum(undelivered)::bigint AS undelivered
FROM (
  SELECT account_id, started_at AS at, 1 AS calls,
    (finished_at IS NOT NULL AND coalesce(http_status, 999) >= 400)::int AS calls_failed,
    delivered, 0 AS undelivered
  FROM (
    SELECT * FROM attempts WHERE id > (SELECT coalesce(max(attempts_to), 0) FROM throughput)
    ORDER BY id DESC LIMIT :most) a
  UNION ALL
  SELECT (SELECT account_id FROM batches b WHERE b.id = e.batch_id), created_at, 0, 0, 0, undelivered
  FROM (
    SELECT batch_id, created_at,
      (count(*) FILTER (WHERE outcome IN ('rejected', 'unconfirmed', 'failed')))::int AS undelivered
    FROM (
      SELECT * FROM errors WHERE id > (SELECT coalesce(max(errors_to), 0) FROM throughput)
      ORDER BY id DESC LIMIT :most) e
    GROUP BY batch_id, created_at) e) sent
WHERE at > now() - interval '1 day' GROUP BY 1, 2, 3""")
"""What is not added up yet of the last day, which holds whatever is younger than `OVER`; counted as `ROLL_UP` does.

To look up an error's batch takes longer than all the rest: so errors that were settled together are one row first.
"""
_BEGINS: Final = select(
    func.date_bin(SPAN, func.now(), literal_column("timestamptz 'epoch'"), type_=DateTime) - (SPANS - 1) * SPAN
)
"""The first of the last day's ten minutes."""
_DAY: Final = select(
    Throughput.since, Throughput.calls, Throughput.calls_failed, Throughput.delivered, Throughput.undelivered
).where(Throughput.since >= bindparam("begins"))
_DAY_BY_ACCOUNT: Final = (
    select(
        ThroughputByAccount.account_id,
        func.array_agg(ThroughputByAccount.since),
        func.array_agg(ThroughputByAccount.calls),
        cast(func.sum(ThroughputByAccount.calls), BigInteger),
        cast(func.sum(ThroughputByAccount.calls_failed), BigInteger),
        cast(func.sum(ThroughputByAccount.delivered), BigInteger),
        cast(func.sum(ThroughputByAccount.undelivered), BigInteger),
    )
    .where(ThroughputByAccount.since >= bindparam("begins"))
    .group_by(ThroughputByAccount.account_id)
)


@dataclass
class _Tally:
    """What is summed up of one account."""

    minute: Sent = Sent()
    day: Sent = Sent()
    each: list[int] = field(default_factory=lambda: [0] * SPANS)


def look(process: Context) -> LastDay:
    """Read what was sent in the last minute and day."""
    accounts: defaultdict[int | None, _Tally] = defaultdict(_Tally)
    minute = Sent()
    with process.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        begins = connection.execute(_BEGINS).scalar_one()
        day = {begins + place * SPAN: Sent() for place in range(SPANS)}
        day |= {since: Sent(*sums) for since, *sums in connection.execute(_DAY, {"begins": begins})}
        for account_id, spans, each, *sums in connection.execute(_DAY_BY_ACCOUNT, {"begins": begins}):
            tally = accounts[account_id]
            tally.day = Sent(*sums)
            for since, calls in zip(spans, each, strict=True):
                tally.each[(since - begins) // SPAN] = calls
        fresh = connection.execute(NOT_ADDED_UP, {"span": SPAN, "most": FRESH})
        for account_id, since, is_of_last_minute, *sums in fresh:
            sent, tally = Sent(*sums), accounts[account_id]
            if is_of_last_minute:
                minute += sent
                tally.minute += sent
            if since in day:
                day[since] += sent
                tally.day += sent
                tally.each[(since - begins) // SPAN] += sent.calls
        names = {row.id: row.name for row in connection.execute(select(Account.id, Account.name))}
    of = {names[account_id]: tally for account_id, tally in accounts.items() if account_id in names}
    return LastDay(minute, day, [_with(use, of.get(use.account.name, _Tally())) for use in used_now(process)])


def _with(use: LimitUse, tally: _Tally) -> AccountUse:
    return AccountUse(use.account, use.in_window, use.today, tally.minute, tally.day, tally.each)


def used_now(process: Context) -> list[LimitUse]:
    """Give the accounts with what is used of their limits now."""
    return [_used(process, account) for account in registry.listed(process.engine, process.settings)]


def _used(process: Context, account: registry.ListedAccount) -> LimitUse:
    limits = Limits(account.burst_limit, account.burst_seconds, time_zone=account.time_zone)
    try:
        return LimitUse(account, *Limiter(process.limiter_redis, account.name, limits, 0.0).used())
    except redis.RedisError:
        return LimitUse(account, None, None)


def to_json(found: LastDay) -> dict[str, object]:
    """Write it as `turnout status --json` prints it."""
    return {
        "minute": _with_shares(found.minute),
        "day": _with_shares(found.sent),
        "accounts": [
            {
                "name": use.account.name,
                "in_window": use.in_window,
                "burst_limit": use.account.burst_limit,
                "burst_seconds": use.account.burst_seconds,
                "today": use.today,
                "daily_limit": use.account.daily_limit,
                "minute": _with_shares(use.minute),
                "day": _with_shares(use.day) | {"peak_percent": use.peak_percent, "mean_percent": use.mean_percent},
                "each": use.each,
            }
            for use in found.accounts
        ],
    }


def _with_shares(sent: Sent) -> dict[str, object]:
    shares = {"calls_failed_percent": sent.calls_failed_percent, "undelivered_percent": sent.undelivered_percent}
    return asdict(sent) | shares
