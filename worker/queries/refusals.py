"""A page of what was refused at the door; each may be a whole message, so it looks at a bounded number and size."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import Engine, text

from models.input_check import Reason
from models.message import DEFAULT_ACCOUNT, loads
from worker.queries.rows import Row

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


HEAVY: Final = {"raw", "message", "text"}


def listed(
    engine: Engine, chosen: RefusalFilter, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Give what waits, the newest first, without the messages; and the `before` with which to go on, if any."""
    return walked(engine, chosen, before, limit, lambda row: {name: row[name] for name in row.keys() - HEAVY})


def walked(
    engine: Engine,
    chosen: RefusalFilter,
    before: int | None,
    limit: int,
    take: Callable[[dict[str, Any]], dict[str, Any]],
) -> tuple[list[dict[str, Any]], int | None]:
    """Give what `take` makes of each, of which no message is kept; and the `before` with which to go on, if any."""
    found: list[dict[str, Any]] = []
    heads = _heads(engine, chosen, before)
    looked_at = 0
    for ids in _chunks(heads):
        for row in waiting(engine, RefusalFilter(ids, chosen.submission, chosen.account)):
            found.append(take(row))
            if len(found) == limit:
                return found, row["id"]
        looked_at += len(ids)
    ended = looked_at == len(heads) < WALK
    return found, None if ended else heads[looked_at - 1][0]


def _heads(engine: Engine, chosen: RefusalFilter, before: int | None) -> list[tuple[int, int]]:
    """Name those that are looked at, and how large they are."""
    conditions = {
        "AND s.submission = :submission": chosen.submission,
        "AND f.id = ANY(:ids)": None if chosen.ids is None else list(chosen.ids),
    }
    of_it = " ".join(condition for condition, value in conditions.items() if value is not None)
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"""
            SELECT f.id, octet_length(f.raw) FROM refused f JOIN submissions s ON s.id = f.submission_id
            WHERE f.replayed_at IS NULL AND f.raw <> '' AND f.id < :before {of_it} ORDER BY f.id DESC LIMIT {WALK}"""),
            {
                "before": 2**63 - 1 if before is None else before,
                "submission": chosen.submission,
                "ids": conditions["AND f.id = ANY(:ids)"],
            },
        )
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


def waiting(engine: Engine, chosen: RefusalFilter, before: int | None = None) -> Iterator[Row]:
    """Give the refusals that were not handed in again, the newest first, each with its message as JSON or text."""
    last = 2**63 - 1 if before is None else before
    while True:
        rows = page_of(engine, chosen, last, newest_first=True)
        yield from (row for row in rows if chosen.account is None or row["account"] == chosen.account)
        if not rows:
            return
        last = rows[-1]["id"]


def as_line(row: Row) -> bytes:
    """Write a refusal as a line that can be corrected: in `message`, or, where it is no JSON, in `text`."""
    said = [str(Reason(**reason)) for reason in row["reasons"]]
    kept = {name: row[name] for name in ("message", "text") if row[name] is not None}
    return json.dumps({"refused": row["id"], "reasons": said, **kept}).encode() + b"\n"  # orjson knows no large number


def page_of(engine: Engine, chosen: RefusalFilter, last: int, *, newest_first: bool) -> list[Row]:
    """Give the next of the chosen refusals beyond an id, bounded in number and size."""
    beyond, order = ("f.id < :last", "DESC") if newest_first else ("f.id > :last", "ASC")
    conditions = {
        "f.id = ANY(:ids)": None if chosen.ids is None else list(chosen.ids),
        "s.submission = :submission": chosen.submission,
    }
    where = " AND ".join([beyond, *(condition for condition, value in conditions.items() if value is not None)])
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"""
            SELECT f.id, f.raw, f.inputs, f.reasons, f.refused_at, s.submission, s.part, s.door, s.producer, s.key_id
            FROM (SELECT id, sum(length) OVER (ORDER BY id {order}) - length AS beside FROM (
              SELECT f.id, octet_length(f.raw) AS length FROM refused f JOIN submissions s ON s.id = f.submission_id
              WHERE f.replayed_at IS NULL AND f.raw <> '' AND {where} ORDER BY f.id {order} LIMIT :step) few) few
            JOIN refused f USING (id) JOIN submissions s ON s.id = f.submission_id
            WHERE few.beside < :bytes ORDER BY f.id {order}"""),
            {
                "last": last,
                "ids": conditions["f.id = ANY(:ids)"],
                "submission": chosen.submission,
                "step": AT_ONCE,
                "bytes": BYTES_AT_ONCE,
            },
        ).all()
    return [{**row._mapping, **_read(bytes(row.raw))} for row in rows]  # noqa: SLF001 - its public name


def _read(raw: bytes) -> Row:
    """Read what can be read of a refused message."""
    try:
        message = loads(raw)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        return {"account": None, "message": None, "text": raw.decode(errors="replace")}
    return {"account": message.get("account") or DEFAULT_ACCOUNT, "message": message, "text": None}
