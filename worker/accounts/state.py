"""Accounts: what stops and starts their sending, each in a transaction of its own that locks the account alone."""

from typing import Final

from sqlalchemy import Connection, Engine, text

from hubspot_api.reaction import OUTAGE
from worker.database import repeat

SENDS: Final = "paused_at IS NULL AND (parked_until IS NULL OR parked_until <= now())"
"""An account that may send."""


ENDED_STOP: Final = """
stopped = stopped + coalesce(now() - stopped_since, interval '0'), stopped_since = NULL, parked_until = NULL,
parked_because = ''"""
"""An account's stop is over; its time is added to what no batch's age counts."""
IN_OUTAGE: Final = "paused_at IS NULL AND in_a_row >= :outage"
"""An account that sends one probe at a time; whatever parks it for another cause ends the row first."""


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


MIDNIGHT: Final = "(date_trunc('day', now() AT TIME ZONE time_zone) + interval '1 day') AT TIME ZONE time_zone"
"""When the account's day ends. The day is added to its local time: where the clocks change it has 23 or 25 hours."""

NEW_DAY: Final = f"""
CASE WHEN CAST(now() AT TIME ZONE time_zone AS time) < '00:05' THEN now() ELSE {MIDNIGHT} END + interval '1 minute'"""
"""When an account whose day is spent is tried again. HubSpot's clock may be behind ours: so a minute after midnight,
and what is called spent in the first five minutes of a day is the day before."""


def park(engine: Engine, account_id: int, seconds: float | None, because: str) -> None:
    """Let an account send nothing for so many seconds, or, where none are named, until its new day.

    A parking that lasts longer holds, unless it is an outage's: that one is as long as its last probe says.
    """
    _change(
        engine,
        f"""
        stopped_since = coalesce(stopped_since, now()), (parked_until, parked_because) = (
          SELECT CASE WHEN holds THEN parked_until ELSE until END, CASE WHEN holds THEN parked_because ELSE :because END
          FROM (SELECT until, in_a_row < :outage AND coalesce(parked_until > until, false) AS holds
                FROM (SELECT CASE WHEN CAST(:seconds AS float8) IS NULL THEN {NEW_DAY}
                  ELSE now() + CAST(:seconds AS float8) * interval '1 second' END AS until) asked) compared)""",
        id=account_id,
        seconds=seconds,
        because=because,
        outage=OUTAGE,
    )


def count_ambiguous(engine: Engine, account_id: int) -> int:
    """Count one more ambiguous answer in a row, and give how many there are now.

    What was under way when the account was parked for another cause begins no outage.
    """
    return _change(
        engine,
        "in_a_row = in_a_row + CASE WHEN in_a_row < :outage AND parked_until > now() THEN 0 ELSE 1 END",
        id=account_id,
        outage=OUTAGE,
    )


def answered(engine: Engine, account_id: int) -> None:
    """Note that HubSpot answered: an outage, if there was one, is over. A pause or a parking of other cause is not."""

    def work() -> None:
        with engine.begin() as connection:
            connection.execute(
                text(f"""
                UPDATE accounts SET in_a_row = 0,
                  stopped = CASE WHEN {IN_OUTAGE} THEN stopped + coalesce(now() - stopped_since, interval '0')
                    ELSE stopped END,
                  stopped_since = CASE WHEN {IN_OUTAGE} THEN NULL ELSE stopped_since END,
                  parked_until = CASE WHEN {IN_OUTAGE} THEN NULL ELSE parked_until END,
                  parked_because = CASE WHEN {IN_OUTAGE} THEN '' ELSE parked_because END
                WHERE id = :id AND in_a_row > 0"""),
                {"id": account_id, "outage": OUTAGE},
            )

    repeat(work)


def end_probe(engine: Engine, account_id: int) -> None:
    """Let the next probe begin, where one was: of this one nothing was sent."""

    def work() -> None:
        with engine.begin() as connection:
            connection.execute(
                text(f"UPDATE accounts SET parked_until = NULL, parked_because = '' WHERE id = :id AND {IN_OUTAGE}"),
                {"id": account_id, "outage": OUTAGE},
            )

    repeat(work)


def count_unknown(engine: Engine, account_id: int, event_id: int) -> int:
    """Note an event that HubSpot does not know; give how many there are since it last accepted something."""

    def work() -> int:
        with engine.begin() as connection:
            counted = connection.execute(
                text("""
                UPDATE accounts SET unknown_events = array_remove(unknown_events, :event) || CAST(:event AS bigint)
                WHERE id = :id RETURNING cardinality(unknown_events)"""),
                {"id": account_id, "event": event_id},
            )
            return int(counted.scalar_one())

    return repeat(work)


def learn_batch_size(engine: Engine, account_id: int, present: int, learned: int) -> None:
    """Let the account's batches hold no more than HubSpot was seen to take."""
    _change(
        engine,
        "batch_size = least(coalesce(batch_size, :present), :learned)",
        id=account_id,
        present=present,
        learned=learned,
    )


def find(engine: Engine, account: str) -> int | None:
    """Give an account's id; none where there is no such account, or no longer."""
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT id FROM accounts WHERE name = :name AND removed_at IS NULL"), {"name": account}
        )
        return found.scalar_one_or_none()


def resume(engine: Engine, account: str) -> bool:
    """Let an account send again, beginning with one batch as a probe; false where there is no such account."""
    with engine.begin() as connection:
        changed = connection.execute(
            text("""
            UPDATE accounts SET paused_at = NULL, paused_because = '', parked_until = NULL, parked_because = '',
              unknown_events = '{}',
              in_a_row = CASE WHEN stopped_since IS NULL THEN in_a_row ELSE greatest(in_a_row, :outage) END
            WHERE name = :name AND removed_at IS NULL"""),
            {"name": account, "outage": OUTAGE},
        )
        return bool(changed.rowcount)


def _change(engine: Engine, assignments: str, **facts: object) -> int:
    """Change an account's row, again where the connection was lost: what HubSpot answered must not be lost with it."""

    def work() -> int:
        with engine.begin() as connection:
            changed = connection.execute(
                text(f"UPDATE accounts SET {assignments} WHERE id = :id RETURNING in_a_row"), facts
            )
            return int(changed.scalar_one())

    return repeat(work)


def may_go_on(connection: Connection, account_id: int) -> bool:
    """Say whether an account still may send, for one who sends already."""
    sends = connection.execute(
        text(f"SELECT EXISTS (SELECT FROM accounts WHERE id = :id AND {SENDS})"), {"id": account_id}
    )
    return bool(sends.scalar_one())


def may_send(connection: Connection, account_id: int, lease: float) -> int | None:
    """Look at the account: none where it is paused or parked, else its ambiguous answers in a row.

    After an outage's worth of them there is one probe at a time: who takes it parks the account for the others,
    until its answer or its lease ends that.
    """
    account = connection.execute(
        text("SELECT in_a_row, stopped_since FROM accounts WHERE id = :id"), {"id": account_id}
    ).one()
    if account.in_a_row < OUTAGE and account.stopped_since is None:
        return connection.execute(
            text(f"SELECT in_a_row FROM accounts WHERE id = :id AND {SENDS} FOR SHARE"), {"id": account_id}
        ).scalar()
    begins, still = ENDED_STOP, "true"
    if account.in_a_row >= OUTAGE:
        begins = "parked_until = now() + :lease * interval '1 second', parked_because = :because"
        still = "in_a_row >= :outage"  # else another probe was answered meanwhile, and this one would park for nothing
    return connection.execute(
        text(f"""
        UPDATE accounts SET {begins}
        WHERE id = (SELECT id FROM accounts WHERE id = :id AND {SENDS} AND {still} FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING in_a_row"""),
        {
            "id": account_id,
            "lease": lease,
            "because": "one batch is sent to see whether HubSpot answers again",
            "outage": OUTAGE,
        },
    ).scalar()
