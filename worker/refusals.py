"""A page of what was refused at the door; each may be a whole message, so it looks at a bounded number and size."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Engine, text

from worker.refused import STEP, Chosen, waiting

WALK: Final = 600
"""Refusals that one page looks at, at most."""
BYTES: Final = 8 * 1024 * 1024
"""Messages that one page reads, at most; one is always read."""


HEAVY: Final = {"raw", "message", "text"}


def listed(engine: Engine, chosen: Chosen, before: int | None, limit: int) -> tuple[list[dict[str, Any]], int | None]:
    """Give what waits, the newest first, without the messages; and the `before` with which to go on, if any."""
    return walked(engine, chosen, before, limit, lambda row: {name: row[name] for name in row.keys() - HEAVY})


def walked(
    engine: Engine, chosen: Chosen, before: int | None, limit: int, take: Callable[[dict[str, Any]], dict[str, Any]]
) -> tuple[list[dict[str, Any]], int | None]:
    """Give what `take` makes of each, of which no message is kept; and the `before` with which to go on, if any."""
    found: list[dict[str, Any]] = []
    heads = _heads(engine, chosen, before)
    looked_at = 0
    for ids in _chunks(heads):
        for row in waiting(engine, Chosen(ids, chosen.submission, chosen.account)):
            found.append(take(row))
            if len(found) == limit:
                return found, row["id"]
        looked_at += len(ids)
    ended = looked_at == len(heads) < WALK
    return found, None if ended else heads[looked_at - 1][0]


def _heads(engine: Engine, chosen: Chosen, before: int | None) -> list[tuple[int, int]]:
    """Name those that are looked at, and how large they are."""
    of_it = "" if chosen.submission is None else "AND s.submission = :submission"
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"""
            SELECT f.id, octet_length(f.raw) FROM refused f JOIN submissions s ON s.id = f.submission_id
            WHERE f.replayed_at IS NULL AND f.raw <> '' AND f.id < :before {of_it} ORDER BY f.id DESC LIMIT {WALK}"""),
            {"before": 2**63 - 1 if before is None else before, "submission": chosen.submission},
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
        if len(ids) == STEP - 1:  # with a full step `waiting` would look for another
            yield ids
            ids = []
    if ids:
        yield ids
