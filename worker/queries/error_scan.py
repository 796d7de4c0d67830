"""Unresolved errors walked from the newest on, to a bound: a rare filter costs no more than a common one."""

from typing import Final

from models.words import Outcome
from worker.queries.error_filter import Filter

NEWEST: Final = 2**63 - 1
"""An id beyond all others: the `before` of a walk that begins at the newest, an `until` that leaves nothing out."""

_OF_EVENT: Final = "JOIN events ev ON ev.id = b.event_id JOIN accounts a ON a.id = b.account_id"
_LOOKED_UP: Final = """
CROSS JOIN LATERAL (SELECT * FROM batches WHERE id = e.batch_id OFFSET 0) b"""
"""Each walked error's batch by its key; the planner, asked to join, begins with all batches of an event."""


def unresolved(chosen: Filter, columns: str = "*") -> str:
    """Give the SQL of the `:walk` errors older than `:before` that are looked at: by the index of group or outcome."""
    if chosen.group_id is not None:
        return f"""
        SELECT {columns} FROM errors WHERE resolution IS NULL AND group_id = :group_id AND outcome IN ({_words(chosen)})
        AND id < :before ORDER BY id DESC LIMIT :walk"""
    # Outcome by outcome, each a constant: so the planner knows that one which nothing has costs nothing.
    each = (
        f"(SELECT {columns} FROM errors WHERE resolution IS NULL AND outcome = {_words(Filter((outcome,)))}"
        " AND id < :before ORDER BY id DESC LIMIT :walk)"
        for outcome in chosen.outcomes
    )
    return f"SELECT * FROM ({' UNION ALL '.join(each)}) each ORDER BY id DESC LIMIT :walk"


def found(chosen: Filter) -> str:
    """Give the SQL of the walked errors that the filter chooses."""
    return f"SELECT e.* FROM ({unresolved(chosen)}) e {joined(chosen, _LOOKED_UP)} WHERE {chosen.sql}"


def oldest(chosen: Filter) -> str:
    """Give the SQL of the `:most` oldest errors up to `:until` that a filter chooses; it has an index, or chooses many.

    Of each the `id` and the `record_id`.
    """
    columns, last = "SELECT e.id, e.record_id FROM errors e", "ORDER BY id LIMIT :most"
    if chosen.group_id is not None:
        return f"""
        {columns} {joined(chosen, _LOOKED_UP)}
        WHERE e.outcome IN ({_words(chosen)}) AND e.id <= :until AND {chosen.sql} {last}"""
    each = (
        f"({columns} {joined(chosen, _LOOKED_UP)} WHERE e.outcome = {_words(Filter((outcome,)))}"
        f" AND e.id <= :until AND {chosen.sql} {last})"
        for outcome in chosen.outcomes
    )
    return f"SELECT id, record_id FROM ({' UNION ALL '.join(each)}) each {last}"


def joined(chosen: Filter, batch: str = "JOIN batches b ON b.id = e.batch_id") -> str:
    """Give the SQL of what a filter's condition on errors `e` needs beside them; most need nothing."""
    needed = any(value is not None for value in (chosen.event, chosen.account, chosen.state))
    return f"{batch} {_OF_EVENT}" if needed else ""


def facts(chosen: Filter, before: int | None, walk: int) -> dict[str, object]:
    """Give the parameters of these."""
    return {**chosen.facts, "before": NEWEST if before is None else before, "walk": walk}


def _words(chosen: Filter) -> str:
    return ", ".join(f"'{Outcome(outcome).value}'" for outcome in chosen.outcomes)
