"""The audit log: who did what, when, to how many."""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, text

from models.words import Via
from worker.database import json
from worker.queries.error_filter import ANY_OPEN


class Actor(NamedTuple):
    """Who does something: a key's name at the console, a user of the machine at its terminal, a schedule."""

    who: str
    via: Via


def at_the_terminal() -> Actor:
    """Name whoever runs this process."""
    try:
        return Actor(getpass.getuser(), Via.TERMINAL)
    except (KeyError, OSError):  # a container's user need not have a name
        return Actor("nobody known", Via.TERMINAL)


@dataclass
class Noted:
    """An action that is noted; `number` is filled in once it is done."""

    id: int
    number: int | None = None


def note(connection: Connection, by: Actor, what: str, chosen: Mapping[str, object]) -> int:
    """Note an action, and give its id."""
    noted = connection.execute(
        text("""
        INSERT INTO actions (who, via, what, filter) VALUES (:who, :via, :what, CAST(:filter AS jsonb))
        RETURNING id"""),
        {**by._asdict(), "what": what, "filter": json(chosen)},
    )
    return int(noted.scalar_one())


@contextmanager
def noted(engine: Engine, by: Actor, what: str, **chosen: object) -> Iterator[Noted]:
    """Note an action before it is done, and afterwards to how many it was, or that it failed.

    What is interrupted in between stays noted, without a number.
    """
    with engine.begin() as connection:
        action = Noted(note(connection, by, what, chosen))
    try:
        yield action
    except Exception as error:
        _end(engine, action, type(error).__name__)
        raise
    if action.number is not None:
        _end(engine, action, "")


def _end(engine: Engine, action: Noted, last_error: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE actions SET number = :number, last_error = :last_error WHERE id = :id"),
            {"id": action.id, "number": action.number, "last_error": last_error},
        )


NAMES: Final = {"outcomes": "outcome", "record_ids": "record", "error_ids": "error", "ids": "refused"}
FEW: Final = 5


def said(chosen: Mapping[str, Any]) -> str:
    """Write a filter, or of what: `outcome failed, event 77`."""
    told = []
    for name, value in sorted(chosen.items(), key=lambda one: (one[0] != "outcomes", one[0])):  # as SQL keeps no order
        if name == "outcomes" and len(value) == len(ANY_OPEN):
            continue  # what is named by id or group is meant whatever its outcome
        written = str(value)
        if isinstance(value, list):
            written = " or ".join(map(str, value[:FEW]))
            written += f" and {len(value) - FEW} more" if len(value) > FEW else ""
        told.append(f"{NAMES.get(name, name.removesuffix('_id').replace('_', ' '))} {written}")
    return ", ".join(told)


def listed(
    engine: Engine, limit: int = 50, before: int | None = None, who: str | None = None, what: str | None = None
) -> list[dict[str, Any]]:
    """List actions, the newest first; of the newest 10,000 where one's own are asked for."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT a.*, j.id IS NOT NULL AS is_job, coalesce(a.number, j.done) AS done,
              j.params ->> 'because' AS because, j.id IS NOT NULL AND j.ended_at IS NULL AS is_under_way,
              coalesce(j.stopped, false) AS stopped
            FROM (SELECT * FROM actions WHERE id < :before ORDER BY id DESC LIMIT 10000) a
            LEFT JOIN jobs j ON j.id = a.id
            WHERE (CAST(:who AS text) IS NULL OR a.who = :who) AND (CAST(:what AS text) IS NULL OR a.what = :what)
            ORDER BY a.id DESC LIMIT :limit"""),
            {"before": 2**63 - 1 if before is None else before, "limit": limit, "who": who, "what": what},
        )
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its public name


def forget(connection: Connection, cutoff: datetime, most: int) -> int:
    """Delete the oldest actions of before then that are no job's; give how many those were."""
    gone = connection.execute(
        text("""
        DELETE FROM actions WHERE at < :cutoff AND id IN (
          SELECT a.id FROM actions a WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = a.id) ORDER BY a.id
          LIMIT :most)"""),
        {"cutoff": cutoff, "most": most},
    )
    return gone.rowcount
