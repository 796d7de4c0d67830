"""Accounts: what stops and starts their sending, each in a transaction of its own that locks the account alone."""

from typing import Final

from sqlalchemy import Engine, text

from hubspot.reaction import OUTAGE

ENDED_STOP: Final = """
stopped = stopped + coalesce(now() - stopped_since, interval '0'), stopped_since = NULL, parked_until = NULL,
parked_because = ''"""
"""An account's stop is over; its time is added to what no batch's age counts."""


def pause(engine: Engine, account_id: int, because: str) -> None:
    """Let an account send nothing until an operator resumes it."""
    _change(
        engine,
        """
        paused_at = coalesce(paused_at, now()), paused_because = :because,
        stopped_since = coalesce(stopped_since, now())""",
        id=account_id,
        because=because,
    )


def park(engine: Engine, account_id: int, seconds: float | None, because: str) -> None:
    """Let an account send nothing for so many seconds, or, where none are named, until midnight (UTC)."""
    _change(
        engine,
        """
        parked_because = :because, stopped_since = coalesce(stopped_since, now()),
        parked_until = CASE
          WHEN CAST(:seconds AS float8) IS NULL THEN date_trunc('day', now(), 'UTC') + interval '1 day'
          ELSE now() + CAST(:seconds AS float8) * interval '1 second' END""",
        id=account_id,
        seconds=seconds,
        because=because,
    )


def count_ambiguous(engine: Engine, account_id: int) -> int:
    """Count one more ambiguous answer in a row, and give how many there are now."""
    return _change(engine, "in_a_row = in_a_row + 1", id=account_id)


def answered(engine: Engine, account_id: int) -> None:
    """Note that HubSpot answered: an outage, if there was one, is over."""
    _change(engine, f"in_a_row = 0, {ENDED_STOP}", id=account_id)


def end_probe(engine: Engine, account_id: int) -> None:
    """Let the next probe begin: of this one nothing was sent."""
    _change(engine, "parked_until = NULL, parked_because = ''", id=account_id)


def resume(engine: Engine, account: str) -> bool:
    """Let an account send again, beginning with one batch as a probe; false where there is no such account."""
    with engine.begin() as connection:
        changed = connection.execute(
            text("""
            UPDATE accounts SET paused_at = NULL, paused_because = '', parked_until = NULL, parked_because = '',
              in_a_row = CASE WHEN stopped_since IS NULL THEN in_a_row ELSE greatest(in_a_row, :outage) END
            WHERE name = :name"""),
            {"name": account, "outage": OUTAGE},
        )
        return bool(changed.rowcount)


def _change(engine: Engine, assignments: str, **facts: object) -> int:
    with engine.begin() as connection:
        changed = connection.execute(
            text(f"UPDATE accounts SET {assignments} WHERE id = :id RETURNING in_a_row"), facts
        )
        return int(changed.scalar_one())
