"""A page of what was refused at the door; each may be a whole message, so it looks at a bounded number and size."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Engine, Select, any_, asc, bindparam, desc, func, select

from models.input_check import Reason
from models.message import DEFAULT_ACCOUNT, loads
from models.tables import Refused, Submission
from models.words import Door
from worker.queries.rows import NEWEST

T = TypeVar("T")

AT_ONCE: Final = 50
"""Refusals read at once."""
BYTES_AT_ONCE: Final = 2 * 1024 * 1024
"""What these hold, or one that is larger: each may be a whole message."""


@dataclass(frozen=True, slots=True)
class RefusalFilter:
    """Which refusals: by id, by submission, by the account that the message names; else all."""

    ids: Sequence[int] | None = None
    submission: UUID | None = None
    account: str | None = None

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read a choice as `written` writes it."""
        submission = {"submission": UUID(written["submission"])} if "submission" in written else {}
        return cls(**{**written, **submission})

    @property
    def written(self) -> dict[str, object]:
        """Write it as JSON: what of it is set, by its names."""
        facts = {"ids": self.ids and list(self.ids), "submission": self.submission and str(self.submission)}
        return {name: value for name, value in {**facts, "account": self.account}.items() if value}


WALK: Final = 600
"""Refusals that one page looks at, at most."""
BYTES: Final = 8 * 1024 * 1024
"""Messages that one page reads, at most; one is always read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused and not handed in again since, with whose it is and its message."""

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
    account: str | None
    """What the message names; none where it cannot be read."""
    message: dict[str, Any] | None
    text: str | None
    """What it holds, where it is no message."""

    def without_message(self) -> "Refusal":
        """Give it without what may be large."""
        return replace(self, raw=b"", message=None, text=None)


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
        for refusal in waiting(engine, RefusalFilter(ids, chosen.submission, chosen.account)):
            found.append(take(refusal))
            if len(found) == limit:
                return found, refusal.id
        looked_at += len(ids)
    ended = looked_at == len(heads) < WALK
    return found, None if ended else heads[looked_at - 1][0]


def _those_of(chosen: RefusalFilter) -> dict[str, Any]:
    """Give the parameters of a choice, as far as SQL knows it."""
    ids = {} if chosen.ids is None else {"ids": list(chosen.ids)}
    return ids if chosen.submission is None else {**ids, "submission": chosen.submission}


def _waiting(beyond: ColumnElement[bool], names: Collection[str]) -> Select[Any]:
    """Give those beyond an id that wait to be handed in again, chosen by the parameters of these names."""
    waiting = (
        select(Refused.id, func.octet_length(Refused.raw).label("length"))
        .join(Submission, Submission.id == Refused.submission_id)
        .where(Refused.replayed_at.is_(None), Refused.raw != b"", beyond)
    )
    if "ids" in names:
        waiting = waiting.where(Refused.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    return waiting.where(Submission.submission == bindparam("submission")) if "submission" in names else waiting


def _heads(engine: Engine, chosen: RefusalFilter, before: int | None) -> list[tuple[int, int]]:
    """Name those that are looked at, and how large they are."""
    those = _those_of(chosen)
    heads = _waiting(Refused.id < bindparam("last"), those).order_by(Refused.id.desc()).limit(WALK)
    facts = {"last": NEWEST if before is None else before, **those}
    with engine.connect() as connection:
        return [(one.id, one.length) for one in connection.execute(heads, facts)]


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
    """Give the refusals that were not handed in again, the newest first, each with its message as JSON or text."""
    last = NEWEST if before is None else before
    while page := page_of(engine, chosen, last, newest_first=True):
        yield from (one for one in page if chosen.account is None or one.account == chosen.account)
        last = page[-1].id


def as_line(refusal: Refusal) -> bytes:
    """Write a refusal as a line that can be corrected: in `message`, or, where it is no JSON, in `text`."""
    said = [str(Reason(**reason)) for reason in refusal.reasons]
    kept = {"message": refusal.message, "text": refusal.text}
    line = {"refused": refusal.id, "reasons": said} | {name: value for name, value in kept.items() if value is not None}
    return json.dumps(line).encode() + b"\n"  # orjson knows no large number


@cache
def _page(names: frozenset[str], *, newest_first: bool) -> Select[*tuple[Any, ...]]:
    """Give the statement of a page of those chosen by the parameters of these names."""
    order, last = desc if newest_first else asc, bindparam("last", type_=BigInteger)
    few = _waiting(Refused.id < last if newest_first else Refused.id > last, names)
    step = few.order_by(order(Refused.id)).limit(bindparam("step")).subquery("step").c
    beside = func.sum(step.length).over(order_by=order(step.id)) - step.length
    sized = select(step.id, beside.label("beside")).subquery("sized")
    return (
        select(
            *(Refused.id, Refused.raw, Refused.inputs, Refused.reasons, Refused.refused_at),
            *(Submission.submission, Submission.part, Submission.door, Submission.producer, Submission.key_id),
        )
        .select_from(sized)
        .join(Refused, Refused.id == sized.c.id)
        .join(Submission, Submission.id == Refused.submission_id)
        .where(sized.c.beside < bindparam("bytes"))
        .order_by(order(Refused.id))
    )


def page_of(engine: Engine, chosen: RefusalFilter, last: int, *, newest_first: bool) -> list[Refusal]:
    """Give the next of the chosen refusals beyond an id, bounded in number and size."""
    those = _those_of(chosen)
    page = _page(frozenset(those), newest_first=newest_first)
    facts = {"last": last, "step": AT_ONCE, "bytes": BYTES_AT_ONCE, **those}
    with engine.connect() as connection:
        rows = connection.execute(page, facts).mappings()
        return [Refusal(**row, **_read(row["raw"])) for row in rows]


def _read(raw: bytes) -> dict[str, Any]:
    """Read what can be read of a refused message."""
    try:
        message = loads(raw)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        return {"account": None, "message": None, "text": raw.decode(errors="replace")}
    return {"account": message.get("account") or DEFAULT_ACCOUNT, "message": message, "text": None}
