"""Pages of what was not accepted and is open: each may be a whole message, so their number and size are bounded."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple, Self, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, Select, asc, desc, func, select

from models.input_check import Reason
from models.message import DEFAULT_ACCOUNT, Json, loads
from models.tables import Refused, Submission, among
from models.words import Closing, Door
from worker.database import rows_as
from worker.queries.rows import NEWEST

T = TypeVar("T")

AT_ONCE: Final = 50
"""Refusals read at once."""
BYTES_AT_ONCE: Final = 2 * 1024 * 1024
"""What these hold, or one that is larger: each may be a whole message."""


@dataclass(frozen=True, slots=True)
class RefusalFilter:
    """Which refusals: by id, by submission, by group, by the account that the message names; else all."""

    ids: Sequence[int] | None = None
    submission: UUID | None = None
    account: str | None = None
    group_id: str | None = None

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read a choice as `written` writes it."""
        submission = {"submission": UUID(written["submission"])} if "submission" in written else {}
        return cls(**{**written, **submission})

    @property
    def written(self) -> dict[str, object]:
        """Write it as JSON: what of it is set, by its names."""
        facts = {"ids": self.ids and list(self.ids), "submission": self.submission and str(self.submission)}
        facts |= {"account": self.account, "group_id": self.group_id}
        return {name: value for name, value in facts.items() if value}

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Give the conditions of a `Refused`, with its `Submission`; `account` is not among them."""
        yield Refused.is_open()
        if self.group_id is not None:
            yield Refused.group_id == self.group_id
        if self.ids is not None:
            yield Refused.id == among(self.ids)
        if self.submission is not None:
            yield Submission.submission == self.submission

    def includes(self, refusal: "Refusal") -> bool:
        """Say whether one of those conditions is meant: its account stands in no column, but in its message."""
        return self.account is None or refusal.account == self.account


WALK: Final = 600
"""Refusals that one page looks at, at most."""
BYTES: Final = 8 * 1024 * 1024
"""Messages that one page reads, at most; one is always read."""
LOOKED_AT_ONCE: Final = 500
"""Refusals that a preview reads at once; their messages are bounded as a page's are."""
BYTES_LOOKED_AT: Final = 32 * 1024 * 1024
"""Messages that a preview reads, at most: 10,000 rows of a file hold a sixth of that."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was not accepted and is open, with whose it is and its message."""

    id: int
    raw: bytes
    inputs: int
    reasons: list[dict[str, str]]
    refused_at: datetime
    submission: UUID
    part: str
    door: Door
    producer: str
    key_id: int | None
    group_id: str
    source: Mapping[str, Any] | None
    draft: Mapping[str, Any] | None
    account: str | None
    """What the message names; none where it cannot be read."""
    message: Json | None
    text: str | None
    """What it holds, where it is no message."""

    def without_message(self) -> "Refusal":
        """Give it without what may be large."""
        return replace(self, raw=b"", message=None, text=None, source=None, draft=None)


def listed(engine: Engine, chosen: RefusalFilter, before: int | None, limit: int) -> tuple[list[Refusal], int | None]:
    """Give what waits, the newest first, without the messages; and the `before` with which to go on, if any."""
    return walked(engine, chosen, before, limit, Refusal.without_message)


def walked(
    engine: Engine, chosen: RefusalFilter, before: int | None, limit: int, take: Callable[[Refusal], T]
) -> tuple[list[T], int | None]:
    """Give what `take` makes of each, of which no message is kept; and the `before` with which to go on, if any."""
    found: list[T] = []
    heads = _heads(engine, chosen, before)
    looked_at = 0
    for ids in _chunks(heads):
        for refusal in waiting(engine, replace(chosen, ids=ids)):
            found.append(take(refusal))
            if len(found) == limit:
                return found, refusal.id
        looked_at += len(ids)
    ended = looked_at == len(heads) < WALK
    return found, None if ended else heads[looked_at - 1][0]


def oldest(
    engine: Engine, chosen: RefusalFilter, until: int, at_most: int, take: Callable[[Refusal], T]
) -> tuple[list[T], bool]:
    """Give what `take` makes of each up to an id, the oldest first; and say whether there are more.

    No message is kept. At most so many are looked at, and so many that their messages have a bounded size.
    """
    found: list[T] = []
    looked_at = size = last = 0
    while page := page_of(engine, chosen, last, newest_first=False, at_once=LOOKED_AT_ONCE):
        for row in page:
            if row.id > until:
                return found, False
            if looked_at == at_most or (looked_at and size + len(row.raw) > BYTES_LOOKED_AT):
                return found, True
            looked_at, size, last = looked_at + 1, size + len(row.raw), row.id
            if chosen.includes(row):
                found.append(take(row))
    return found, False


def oldest_ids(engine: Engine, chosen: RefusalFilter, until: int, at_most: int) -> tuple[list[int], bool]:
    """Name the chosen ones up to an id, the oldest first, at most so many; and say whether there are more."""
    if chosen.account is not None:
        return oldest(engine, chosen, until, at_most, lambda one: one.id)
    heads = _waiting(chosen, Refused.id <= until).order_by(Refused.id).limit(at_most + 1)
    with engine.connect() as connection:
        ids = [id_ for id_, _ in connection.execute(heads)]
    return ids[:at_most], len(ids) > at_most


def _waiting(chosen: RefusalFilter, beyond: ColumnElement[bool]) -> Select[int, int]:
    """Select the chosen ones beyond an id, with how large they are."""
    length = func.octet_length(Refused.raw).label("length")
    waiting = select(Refused.id, length).join(Submission, Submission.id == Refused.submission_id)
    return waiting.where(*chosen.conditions(), beyond)


def _heads(engine: Engine, chosen: RefusalFilter, before: int | None) -> list[tuple[int, int]]:
    """Name those that are looked at, and how large they are."""
    heads = _waiting(chosen, Refused.id < (NEWEST if before is None else before))
    with engine.connect() as connection:
        rows = connection.execute(heads.order_by(Refused.id.desc()).limit(WALK))
        return [(id_, length) for id_, length in rows]


def _chunks(heads: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Give the ids to read at once, until that would be too much."""
    ids: list[int] = []
    left = BYTES
    for id_, length in heads:
        if length > left < BYTES:
            break
        left -= length
        ids.append(id_)
        if len(ids) == AT_ONCE - 1:  # with so many `waiting` would look for another
            yield ids
            ids = []
    if ids:
        yield ids


def waiting(engine: Engine, chosen: RefusalFilter, before: int | None = None) -> Iterator[Refusal]:
    """Give the open refusals, the newest first, each with its message as JSON or text."""
    last = NEWEST if before is None else before
    while page := page_of(engine, chosen, last, newest_first=True):
        yield from filter(chosen.includes, page)
        last = page[-1].id


_ENDED: Final = select(Refused.closed_at.label("closed_at"), Refused.closing, Refused.closed_by, Refused.closed_because)


@dataclass(frozen=True, slots=True)
class ClosedRefusal:
    """How a refusal ended."""

    closed_at: datetime
    closing: Closing | None
    closed_by: str
    closed_because: str


def ended(engine: Engine, id_: int) -> ClosedRefusal | None:
    """Say how a refusal ended; none where it has not, or where there is none."""
    with engine.connect() as connection:
        rows = connection.execute(_ENDED.where(Refused.id == id_, Refused.closed_at.is_not(None)))
        return next(iter(rows_as(ClosedRefusal, rows)), None)


def as_line(refusal: Refusal) -> bytes:
    """Write a refusal as a line that can be corrected: in `message`, or, where it is no JSON, in `text`."""
    said = [str(Reason(**reason)) for reason in refusal.reasons]
    kept = {"message": refusal.message, "text": refusal.text}
    line = {"refused": refusal.id, "reasons": said} | {name: value for name, value in kept.items() if value is not None}
    return json.dumps(line).encode() + b"\n"  # orjson knows no large number


def page_of(
    engine: Engine, chosen: RefusalFilter, last: int, *, newest_first: bool, at_once: int | None = None
) -> list[Refusal]:
    """Give the next of the chosen refusals beyond an id, bounded in number and size."""
    order = desc if newest_first else asc
    few = _waiting(chosen, Refused.id < last if newest_first else Refused.id > last)
    step = few.order_by(order(Refused.id)).limit(at_once or AT_ONCE).subquery("step").c
    beside = func.sum(step.length).over(order_by=order(step.id)) - step.length
    sized = select(step.id, beside.label("beside")).subquery("sized")
    page = (
        select(
            *(Refused.id, Refused.raw, Refused.inputs, Refused.reasons, Refused.refused_at),
            *(Refused.group_id, Refused.source, Refused.draft),
            *(Submission.submission, Submission.part, Submission.door, Submission.producer, Submission.key_id),
        )
        .select_from(sized)
        .join(Refused, Refused.id == sized.c.id)
        .join(Submission, Submission.id == Refused.submission_id)
        .where(sized.c.beside < BYTES_AT_ONCE)
        .order_by(order(Refused.id))
    )
    with engine.connect() as connection:
        rows = connection.execute(page).mappings()
        return [Refusal(**row, **_read(row["raw"])._asdict()) for row in rows]


class _Content(NamedTuple):
    """What can be read of a refused message, as a `Refusal` has it."""

    account: str | None = None
    message: Json | None = None
    text: str | None = None


def _read(raw: bytes) -> _Content:
    """Read what can be read of a refused message."""
    try:
        message = loads(raw)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        return _Content(text=raw.decode(errors="replace"))
    return _Content(message.get("account") or DEFAULT_ACCOUNT, message)
