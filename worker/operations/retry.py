"""Retry: the chosen records move into new batches, those of many old ones packed together.

Whoever resolves the open error, by one guarded UPDATE, owns what follows; the error keeps the old batch and attempt
and is the history. A waiting retry holds nobody; its claim looks for what overtook it.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from worker.queries.error_filter import CHOSEN, Filter

WALK: Final = 10_000
"""Open errors that are looked at at once."""


def find(
    connection: Connection, chosen: Filter, outcome: str, span: tuple[int, int], most: int
) -> tuple[Sequence[Row[Any]], int]:
    """Find the next chosen errors of an outcome within a span of ids: `id`, `record_id`, `event_id`.

    Say too how far that looked: no further than `WALK` open errors, however few of them are chosen.
    """
    after, until = span
    facts = {"outcome": outcome, "after": after, "most": most, "walk": WALK, **chosen.facts}
    walked = f"e.outcome = :outcome AND e.id > :after AND e.id <= :until AND {chosen.by_index}"
    place: int = connection.execute(
        text(f"""
        SELECT coalesce((SELECT e.id FROM errors e WHERE {walked} ORDER BY e.id OFFSET :walk - 1 LIMIT 1), :until)"""),
        {**facts, "until": until},
    ).scalar_one()
    found = connection.execute(
        text(f"""
        SELECT e.id, e.record_id, b.event_id {CHOSEN} WHERE {walked} AND {chosen.sql} AND NOT EXISTS (
          SELECT FROM errors n WHERE n.record_id = e.record_id AND n.batch_id = e.batch_id AND n.id > e.id)
        ORDER BY e.id LIMIT :most"""),
        {**facts, "until": place},
    ).all()
    return found, found[-1].id if len(found) == most else place


def rows_of(connection: Connection, error_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Read errors as `find` gives them."""
    return connection.execute(
        text("""
        SELECT e.id, e.record_id, b.event_id FROM errors e JOIN batches b ON b.id = e.batch_id
        WHERE e.id = ANY(:ids) ORDER BY e.id"""),
        {"ids": list(error_ids)},
    ).all()
