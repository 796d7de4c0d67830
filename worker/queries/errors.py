"""Unresolved errors, one by one."""

from sqlalchemy import Engine, text

from models.words import Outcome
from worker.queries import error_scan
from worker.queries.error_filter import CHOSEN, Filter
from worker.queries.rows import EVENT, Row, read


def list_errors(
    engine: Engine, chosen: Filter, limit: int = 50, before: int | None = None, walk: int | None = None
) -> list[Row]:
    """List unresolved errors, the newest first; of `walk` errors at most, counted from the newest one in question."""
    with engine.connect() as connection:
        return read(
            connection,
            f"""
            SELECT e.id, e.created_at, e.outcome, e.category, e.code, e.message, e.group_id, e.batch_id, e.record_id,
              r.contact, r.input, a.name AS account, b.event_id, {EVENT}, b.state
            FROM ({_every(chosen) if walk is None else error_scan.found(chosen)} ORDER BY e.id DESC LIMIT :limit) e
            JOIN records r ON r.id = e.record_id JOIN batches b ON b.id = e.batch_id
            JOIN events ev ON ev.id = b.event_id JOIN accounts a ON a.id = b.account_id ORDER BY e.id DESC""",
            limit=limit,
            outcomes=list(chosen.outcomes),
            **error_scan.facts(chosen, before, walk or 0),
        )


def _every(chosen: Filter) -> str:
    """Give the SQL of all errors that a filter chooses, by the index of group or outcome."""
    if chosen.group_id is not None:
        return f"SELECT e.* {CHOSEN} WHERE e.outcome = ANY(:outcomes) AND e.id < :before AND {chosen.sql}"
    # Outcome by outcome, each a constant: so the planner knows that one which nothing has costs nothing.
    each = " UNION ALL ".join(
        f"""
        (SELECT e.* {CHOSEN} WHERE e.outcome = '{Outcome(outcome).value}' AND e.id < :before AND {chosen.sql}
        ORDER BY e.id DESC LIMIT :limit)"""
        for outcome in chosen.outcomes
    )
    return f"SELECT * FROM ({each}) e"


def further_errors(engine: Engine, chosen: Filter, before: int | None, walk: int) -> int | None:
    """Give the `before` with which to go on where no more of a walk is found; none where it met the end."""
    with engine.connect() as connection:
        counted = f"SELECT count(*) AS number, min(id) AS oldest FROM ({error_scan.unresolved(chosen, 'id')}) e"
        walked = connection.execute(text(counted), error_scan.facts(chosen, before, walk)).one()
    return walked.oldest if walked.number == walk else None
