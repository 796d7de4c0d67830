"""Events: those of a name, and one with what became of its records."""

from collections import Counter

from sqlalchemy import Connection, Engine

from models.outcome import LAST_ERROR, OUTCOME, of_batch
from models.words import Outcome, State
from worker.queries.error_filter import EVENT_NAMED, OPEN
from worker.queries.rows import EVENT, Row, read


def list_events(
    connection: Connection, named: str | None = None, before: int | None = None, limit: int = 100
) -> list[Row]:
    """List events, the newest first, or those that people name so."""
    return read(
        connection,
        f"""
        SELECT ev.id, {EVENT}, a.name AS account, ev.created_at FROM events ev JOIN accounts a ON a.id = ev.account_id
        WHERE {"true" if named is None else EVENT_NAMED} AND ev.id < :before ORDER BY ev.id DESC LIMIT :limit""",
        event=named,
        before=2**63 - 1 if before is None else before,
        limit=limit,
    )


def find_event(engine: Engine, event_id: int, walk: int = 3_000, errors: int = 4_000) -> Row | None:
    """Show an event: its records by state and outcome, of its newest `walk` batches, and no more than `errors` errors.

    `all` says whether that was everything. `missing` are those that HubSpot should have and, as far as we know, has
    not: neither delivered, nor waiting, nor canceled.
    """
    with engine.connect() as connection:
        found = read(
            connection,
            f"""
            SELECT ev.id, {EVENT}, a.name AS account, ev.created_at FROM events ev
            JOIN accounts a ON a.id = ev.account_id WHERE ev.id = :id""",
            id=event_id,
        )
        if not found:
            return None
        rows = read(
            connection,
            # As models.outcome has it, the other way round: from the few that have an error.
            f"""
            WITH walked AS MATERIALIZED (
              SELECT id, state, status, size,
                (SELECT count(*) FROM errors e WHERE e.batch_id = b.id) AS errors
              FROM batches b WHERE event_id = :id ORDER BY id DESC LIMIT {walk}),
            few AS MATERIALIZED (
              SELECT * FROM (SELECT *, sum(errors) OVER (ORDER BY id DESC) - errors AS before FROM walked) b
              WHERE before < {errors})
            SELECT state, status, NULL AS outcome, count(*) AS batches, sum(size)::bigint AS records,
              (SELECT count(*) FROM walked) AS walked
            FROM few GROUP BY 1, 2
            UNION ALL
            SELECT b.state, b.status, {OUTCOME}, 0,
              count(*), 0
            FROM (SELECT * FROM few WHERE errors > 0 OFFSET 0) b CROSS JOIN LATERAL (
              SELECT DISTINCT ON (e.record_id) e.* FROM errors e WHERE e.batch_id = b.id
              ORDER BY e.record_id, e.id DESC) e
            CROSS JOIN LATERAL (SELECT FROM records r WHERE r.id = e.record_id AND r.batch_id = b.id OFFSET 0) r
            GROUP BY 1, 2, 3""",
            id=event_id,
        )
    sizes = [row for row in rows if row["outcome"] is None]
    apart = [row for row in rows if row["outcome"] is not None]
    outcomes: dict[str, Counter[str]] = {state.value: Counter() for state in State}
    for row in sizes:
        outcomes[row["state"]][of_batch(row["status"])] += row["records"]
    for row in apart:
        outcomes[row["state"]][of_batch(row["status"])] -= row["records"]
        outcomes[row["state"]][row["outcome"]] += row["records"]
    counted = sum(row["batches"] for row in sizes)
    everything = counted < walk and all(row["walked"] == counted for row in sizes)
    states = {
        state: {
            "records": sum(counts.values()),
            **{outcome.value: counts[outcome.value] for outcome in Outcome},
            "missing": sum(counts[outcome] for outcome in OPEN),
        }
        for state, counts in outcomes.items()
    }
    return {**found[0], "states": states, "all": everything}


def outcomes_by_event(engine: Engine) -> dict[tuple[str, str], Counter[str]]:
    """Count the records by outcome, per event and state; it may scan, as the audit does."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    with engine.connect() as connection:
        for row in read(
            connection,
            f"""
            SELECT {EVENT}, b.state, {OUTCOME} AS outcome, count(*) AS records
            FROM records r JOIN batches b ON b.id = r.batch_id {LAST_ERROR} JOIN events ev ON ev.id = b.event_id
            GROUP BY 1, 2, 3""",
        ):
            counts.setdefault((row["event"], row["state"]), Counter())[row["outcome"]] += row["records"]
    return counts
