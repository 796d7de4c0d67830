"""What HubSpot was sent and answered, now and over the last day.

A day holds hundreds of thousands of attempts, too many to count for a page; so each minute the sweep adds what is over
to ten-minute totals. A page reads those, and the few attempts that are newer.
"""

from typing import Any, Final

import redis
from sqlalchemy import Engine, text

from hubspot.limiter import Limiter, Limits
from worker import roster
from worker.process import Process

SPAN: Final = "10 minutes"
EVERY_MS: Final = 60_000
STEP: Final = 20_000
"""Attempts added in one transaction, or read for a page, at most."""
OVER: Final = "5 minutes"
"""After so long an attempt is complete, and every one begun before it is stored: a lease ends much earlier."""
KEPT: Final = "8 days"
_END: Final = 2**63 - 1

_SUMS: Final = """
coalesce(sum(calls), 0)::bigint AS calls, coalesce(sum(calls_failed), 0)::bigint AS calls_failed,
coalesce(sum(delivered), 0)::bigint AS delivered, coalesce(sum(undelivered), 0)::bigint AS undelivered"""
_MARKED: Final = tuple(f"(SELECT coalesce(max({mark}), 0) FROM throughput)" for mark in ("attempts_to", "errors_to"))


def _each(where: tuple[str, str], order: str, most: int) -> str:
    """Give the SQL of attempts and errors, one row each, of what `_SUMS` adds up.

    What an isolated part was rejected for stands in no attempt, so what is not delivered is counted by its errors.
    """
    return f"""
    SELECT started_at AS at, 1 AS calls, id AS attempts_to, 0 AS errors_to, delivered, 0 AS undelivered,
      (finished_at IS NOT NULL AND coalesce(http_status, 999) >= 400)::int AS calls_failed
    FROM (SELECT * FROM attempts WHERE {where[0]} ORDER BY id {order} LIMIT {most}) a
    UNION ALL
    SELECT created_at, 0, 0, id, 0, (outcome IN ('rejected', 'unconfirmed', 'failed'))::int, 0
    FROM (SELECT * FROM errors WHERE {where[1]} ORDER BY id {order} LIMIT {most}) e"""


_UNADDED: Final = (f"id > {_MARKED[0]}", f"id > {_MARKED[1]}")


def add_up(process: Process) -> None:
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
                errors_to = greatest(throughput.errors_to, excluded.errors_to))
            SELECT greatest(count(*) FILTER (WHERE attempts_to > 0), count(*) FILTER (WHERE errors_to > 0))
            FROM over""")
        )
        return int(added.scalar_one())


def read(engine: Engine) -> dict[str, Any]:
    """Say what the last minute came to, and each ten minutes of the last day, the oldest first, without a gap."""
    with engine.connect() as connection:
        day = connection.execute(
            text(f"""
            WITH unadded AS (SELECT date_bin('{SPAN}', at, 'epoch') AS since, {_SUMS}
              FROM ({_each(_UNADDED, "DESC", STEP)}) each GROUP BY 1),
            known AS (SELECT since, calls, calls_failed, delivered, undelivered FROM throughput
              WHERE since > now() - interval '1 day' UNION ALL SELECT * FROM unadded)
            SELECT g.since, {_SUMS} FROM generate_series(
              date_bin('{SPAN}', now(), 'epoch') - interval '1 day' + interval '{SPAN}',
              date_bin('{SPAN}', now(), 'epoch'), '{SPAN}') g(since)
            LEFT JOIN known USING (since) GROUP BY 1 ORDER BY 1""")
        ).all()
        minute = connection.execute(
            text(f"""
            SELECT {_SUMS} FROM ({_each(("true", "true"), "DESC", STEP // 4)}) each
            WHERE at > now() - interval '1 minute'""")
        ).one()
    return {"minute": dict(minute._mapping), "day": [dict(row._mapping) for row in day]}  # noqa: SLF001


def use_of_limits(process: Process) -> list[dict[str, Any]]:
    """Say of each account how many calls of its window and of its day are used."""
    used = []
    for account in roster.listed(process.engine, process.settings):
        limits = Limits(account["burst_limit"], account["burst_seconds"], time_zone=account["time_zone"])
        limiter = Limiter(process.limiter_redis, account["name"], limits, 0.0)
        try:
            in_window, today = limiter.used()
        except redis.RedisError:
            in_window, today = None, None
        used.append(account | {"in_window": in_window, "today": today})
    return used
