"""Intake: the stream is drained into the database by one reader at a time, so that its order is that of acceptance.

The reader holds a PostgreSQL advisory lock on the very connection it accepts with: without the lock there is no
transaction either. Entries that were read and never acknowledged come first, each alone: one of them may have been
what killed its reader.
"""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from models.words import Door
from worker.celery import DELIVER, INTAKE, app
from worker.context import Context, current
from worker.intake.accept import Inbound, accept, refuse_whole
from worker.stream import Entry
from worker.wake import received, wake

LOCK: Final = 0x7475726E  # «turn»
"""The advisory lock's key."""
_LOCK: Final = select(func.pg_try_advisory_lock(LOCK))
_UNLOCK: Final = select(func.pg_advisory_unlock(LOCK))
DEATHS: Final = 5
"""A message during which the process died so often while it was alone is refused."""


def intake(process: Context, wake: Callable[..., int] = wake) -> int:
    """Accept what waits in the stream until it is empty; give how many messages were accepted.

    Raises:
        redis.RedisError, sqlalchemy.exc.DBAPIError: where one of them is out of reach; nothing is lost by it.

    """
    with process.engine.connect() as connection:
        if not connection.execute(_LOCK).scalar_one():
            return 0
        connection.commit()
        try:
            process.stream.join()
            return _drain(process, connection, wake)
        finally:
            _unlock(connection)


def _drain(process: Context, connection: Connection, wake: Callable[..., int]) -> int:
    stream, drained = process.stream, 0
    while not process.stopping.is_set():
        again = stream.pending()
        entries = again or stream.new()
        if not entries:
            break
        if again:
            _accept_alone(process, connection, again[0], wake)
        else:
            _accept(process, connection, entries, wake)
        stream.done(entries)
        drained += len(entries)
    return drained


def _accept(process: Context, connection: Connection, entries: Sequence[Entry], wake: Callable[..., int]) -> None:
    parts = accept(connection, [_handed(entry) for entry in entries], process.rules)
    for account in {part.account for part in parts if part.accepted}:
        wake(process, DELIVER, account=account)


def _accept_alone(process: Context, connection: Connection, entry: Entry, wake: Callable[..., int]) -> None:
    begun = process.stream.begin_alone(entry)
    try:
        if begun > DEATHS:
            what = f"the process died {DEATHS} times while it accepted this alone"
            refuse_whole(connection, _handed(entry), process.rules, what)
        else:
            _accept(process, connection, [entry], wake)
    except Exception:
        process.stream.ended_alone(entry)  # it failed, and the process lives: no death
        raise


def _handed(entry: Entry) -> Inbound:
    return Inbound(Door.STREAM, entry.id, entry.raw)


def _unlock(connection: Connection) -> None:
    try:
        connection.rollback()
        connection.execute(_UNLOCK)
        connection.commit()
    except DBAPIError:
        connection.invalidate()  # the lock ends with the connection


@app.task(name=INTAKE)
def intake_task(place: str = "") -> None:
    """`attendance.intake`: messages wait in the stream."""
    received(current(), place)
    intake(current())
