"""The audit log: who did what, when, to how many."""

import getpass
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    and_,
    bindparam,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import aliased

from models.tables import Act, Job
from models.words import Via, action_of
from worker.database import rows_as
from worker.queries.error_filter import ANY_OPEN
from worker.queries.jobs import JobSummary
from worker.queries.rows import NEWEST

T = TypeVar("T")


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


_NOTE: Final = insert(Act).returning(Act.id)


def note(connection: Connection, by: Actor, what: str, chosen: Mapping[str, object]) -> int:
    """Note an action, and give its id."""
    facts = {**by._asdict(), "what": what, "filter": dict(chosen)}
    return connection.execute(_NOTE, facts).scalar_one()


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


def counting(engine: Engine, by: Actor, what: str, rows: Iterable[T], **chosen: object) -> Iterator[T]:
    """Note that rows are taken out, and once they all are, or no more is asked for, how many they were."""
    with engine.begin() as connection:
        action = Noted(note(connection, by, what, chosen), 0)
    try:
        for action.number, row in enumerate(rows, 1):
            yield row
    finally:
        _end(engine, action, "")


EXPORT: Final = "export"
"""Records or messages were written to a file, or as JSON."""
READ_BACK: Final = "read back"
"""HubSpot was asked by the API, with an operator's key."""


def _end(engine: Engine, action: Noted, last_error: str) -> None:
    ended = update(Act).where(Act.id == action.id).values(number=action.number, last_error=last_error)
    with engine.begin() as connection:
        connection.execute(ended)


NAMES: Final = {
    "outcomes": "outcome",
    "record_ids": "record",
    "error_ids": "error",
    "ids": "refused",
    "mended_rows": "corrected rows",
}
BECAUSE: Final = "because"
"""Why something was done, where an operator said so; of a job it stands in its parameters."""
FEW: Final = 5


def said(chosen: Mapping[str, object]) -> str:
    """Write a filter, or of what: `outcome failed, event 77`."""
    told = []
    for name, value in sorted(chosen.items(), key=lambda one: (one[0] != "outcomes", one[0])):  # as SQL keeps no order
        if name == BECAUSE or value in (None, "", []):
            continue  # why it was done has its own place; what is empty says nothing
        written = str(value)
        if isinstance(value, list):
            if name == "outcomes" and len(value) == len(ANY_OPEN):
                continue  # what is named by id or group is meant whatever its outcome
            written = " or ".join(map(str, value[:FEW]))
            written += f" and {len(value) - FEW} more" if len(value) > FEW else ""
        told.append(f"{NAMES.get(name, name.removesuffix('_id').replace('_', ' '))} {written}")
    return ", ".join(told)


LOOKED_AT: Final = 10_000
"""Actions among which one's own, or those of one kind, are looked for: the newest."""


@dataclass(frozen=True, slots=True)
class LoggedAction:
    """An action of the audit log, and what came of it where it is a job."""

    id: int
    at: datetime
    who: str
    via: Via
    what: str
    filter: Mapping[str, object]
    number: int | None
    last_error: str
    is_job: bool
    done: int | None
    because: str | None
    is_under_way: bool
    stopped: bool


_ACT: Final = aliased(
    Act, select(Act).where(Act.id < bindparam("before")).order_by(Act.id.desc()).limit(LOOKED_AT).subquery("act")
)
_ACTIONS: Final = (
    select(
        *(_ACT.id, _ACT.at, _ACT.who, _ACT.via, _ACT.what, _ACT.filter, _ACT.number, _ACT.last_error),
        Job.id.is_not(None).label("is_job"),
        func.coalesce(_ACT.number, Job.done).label("done"),
        func.coalesce(
            func.jsonb_extract_path_text(Job.params, BECAUSE), func.jsonb_extract_path_text(_ACT.filter, BECAUSE)
        ).label("because"),
        and_(Job.id.is_not(None), Job.is_under_way()).label("is_under_way"),
        func.coalesce(Job.stopped, false()).label("stopped"),
    )
    .outerjoin(Job, Job.id == _ACT.id)
    .order_by(_ACT.id.desc())
    .limit(bindparam("limit"))
)


def filter_of(row: LoggedAction | JobSummary) -> Mapping[str, object]:
    """Give of what something was done, as it is kept."""
    return row.filter.written if isinstance(row, JobSummary) else row.filter


def of_what(row: LoggedAction | JobSummary, group: str = "") -> str:
    """Write of what something was done; of a group, with what its errors have in common."""
    words = said(filter_of(row)) + (f" ({group})" if group else "")
    return words or ("everything" if row.is_job else "")


def listed(
    engine: Engine, limit: int = 50, before: int | None = None, who: str | None = None, what: str | None = None
) -> list[LoggedAction]:
    """List actions, the newest first; of the newest `LOOKED_AT` where one's own are asked for."""
    actions = _ACTIONS if who is None else _ACTIONS.where(_ACT.who == who)
    actions = actions if what is None else actions.where(_ACT.what == action_of(what))
    facts = {"before": NEWEST if before is None else before, "limit": limit}
    with engine.connect() as connection:
        return rows_as(LoggedAction, connection.execute(actions, facts))


def forget(connection: Connection, cutoff: datetime, most: int) -> int:
    """Delete the oldest actions of before then that are no job's; give how many those were."""
    oldest = select(Act.id).where(~exists().where(Job.id == Act.id)).order_by(Act.id).limit(most)
    gone = delete(Act).where(Act.at < literal(cutoff), Act.id.in_(oldest))
    return connection.execute(gone).rowcount
