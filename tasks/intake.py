"""Intake: the stream is drained into the database by one reader at a time, so that its order is that of acceptance.

Whoever reads holds a PostgreSQL advisory lock from the read to the acknowledgement, in a transaction of its own: no
session is assumed, and a pooler in transaction mode does no harm. The lock only keeps two readers from doing the same
work. Where it is lost (its connection dies while the reader lives) the order is kept all the same: no new entry is
given out before all earlier ones are acknowledged, and what is accepted twice is stored once. Entries that were read
and never acknowledged come first, each alone: one of them may have been what killed its reader.
"""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection, func, select, true

from models.words import Door
from worker.celery import app
from worker.context import Context, current
from worker.failures import Verb, noted
from worker.intake.accept import Inbound, accept, refuse_whole, unstorable
from worker.intake.wakes import due_of, wake_delivery
from worker.stream import StreamEntry
from worker.task_names import INTAKE
from worker.wake import received, wake

LOCK: Final = 0x7475726E  # «turn»
"""The advisory lock's key."""
_LOCK: Final = select(
    func.pg_try_advisory_xact_lock(LOCK), func.set_config("idle_in_transaction_session_timeout", "120s", true())
)
"""Its transaction is idle while another accepts: 32 MiB can take longer than the usual time-out."""
DEATHS: Final = 5
"""A message during which the process died so often while it was alone is refused."""


@noted(Verb.INTAKE)
def intake(process: Context, wake: Callable[..., int] = wake) -> int:
    """Accept what waits in the stream until it is empty; give how many messages were accepted.

    Raises:
        redis.RedisError, sqlalchemy.exc.DBAPIError: where one of them is out of reach; nothing is lost by it.

    """
    drained = 0
    while not process.stopping.is_set() and (taken := _take(process, wake)):
        drained += taken
    return drained


def _take(process: Context, wake: Callable[..., int]) -> int:
    """Accept and acknowledge one read; give how many entries it had: none, too, where another reader is at it."""
    with process.engine.begin() as turn:
        if not turn.execute(_LOCK).scalar_one():
            return 0
        read = process.stream.read()
        if read.entries:
            with process.engine.connect() as connection:
                if read.again:
                    _accept_alone(process, connection, read.entries[0], wake)
                else:
                    _accept(process, connection, read.entries, wake)
            process.stream.done(read.entries)
    return len(read.entries)


def _accept(process: Context, connection: Connection, entries: Sequence[StreamEntry], wake: Callable[..., int]) -> None:
    parts = accept(connection, [_handed(entry) for entry in entries], process.rules)
    wake_delivery(process, due_of(parts), wake)


def _accept_alone(process: Context, connection: Connection, entry: StreamEntry, wake: Callable[..., int]) -> None:
    begun = process.stream.begin_alone(entry)
    try:
        if begun > DEATHS:
            reason = unstorable(f"the process died {DEATHS} times while it accepted this alone")
            refuse_whole(connection, _handed(entry), process.rules, reason)
        else:
            _accept(process, connection, [entry], wake)
    except Exception:
        process.stream.ended_alone(entry)  # it failed, and the process lives: no death
        raise


def _handed(entry: StreamEntry) -> Inbound:
    return Inbound(Door.STREAM, entry.id, entry.raw, traceparent=entry.traceparent)


@app.task(name=INTAKE)
def intake_task(place: str = "") -> None:
    """`attendance.intake`: messages wait in the stream."""
    received(current(), place)
    intake(current())
