"""What became of a job's records: each with its result, and what it is by now."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from models.outcome import LAST_ERROR, OUTCOME

COUNTED: Final = 4_000
"""Records of a job whose outcomes are counted, the newest."""


def items(
    engine: Engine, job_id: int, limit: int = 50, after: int = 0, *, skipped: bool = False
) -> list[dict[str, Any]]:
    """List a job's items in the order in which they were done, or those that it was not done to.

    `outcome` is the present one: of the record that took its place, where one did.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"""
            SELECT i.id, i.item, i.record_id, i.done, i.by, i.result, i.change, r.contact, r.batch_id,
              CASE WHEN r.id IS NOT NULL THEN {OUTCOME} END AS outcome, e.category, e.message
            FROM (SELECT * FROM job_items WHERE job_id = :job AND id > :after {"AND NOT done" if skipped else ""}
              ORDER BY id LIMIT :limit) i
            LEFT JOIN records r ON r.id = coalesce(i.by, i.record_id) LEFT JOIN batches b ON b.id = r.batch_id
            {LAST_ERROR} ORDER BY i.id"""),
            {"job": job_id, "after": after, "limit": limit},
        )
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its public name


def why(item: Mapping[str, Any]) -> str:
    """Say why something was not done to an item, or what it came to."""
    result = item["result"]
    if result.get("reasons"):
        return "; ".join("{where}: {what}; right would be {right}".format(**reason) for reason in result["reasons"])
    if item["by"] is not None:
        return f"record {item['by']} took its place"
    if "accepted" in result:
        return "accepted {accepted}, duplicates {duplicates}, refused {refused}".format(**result)
    if item["done"] is False:
        return "somebody else was faster"
    return "" if item["done"] else "not begun"


def batches(engine: Engine, job_id: int) -> int:
    """Count the batches that a job canceled."""
    with engine.connect() as connection:
        counted = connection.execute(
            text("SELECT count(DISTINCT item) FROM job_items WHERE job_id = :job AND done"), {"job": job_id}
        )
        return int(counted.scalar_one())


def outcomes(engine: Engine, job_id: int) -> dict[str, int]:
    """Count by their present outcome the records that a job was done to, of its newest `COUNTED`."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"""
            SELECT {OUTCOME} AS outcome, count(*) AS number
            FROM (SELECT * FROM job_items WHERE job_id = :job AND done IS NOT NULL ORDER BY id DESC LIMIT {COUNTED}) i
            JOIN records r ON r.id = coalesce(i.by, i.record_id) JOIN batches b ON b.id = r.batch_id {LAST_ERROR}
            WHERE i.done GROUP BY 1 ORDER BY 2 DESC"""),
            {"job": job_id},
        )
        return {row.outcome: row.number for row in rows}


def forget(connection: Connection, cutoff: datetime, most_jobs: int, most_items: int) -> dict[str, int]:
    """Delete results of the oldest jobs that ended before then, and the jobs of which none are left, with their action.

    So goes one that was asked for before then and never confirmed. Give how many `items` and `actions` those were.
    """
    ended = connection.execute(
        text("""
        SELECT j.id FROM jobs j JOIN actions a USING (id) WHERE j.id IN (SELECT id FROM jobs ORDER BY id LIMIT :most)
          AND coalesce(j.ended_at, CASE WHEN j.on_hold THEN a.at END) < :cutoff
        FOR UPDATE OF j SKIP LOCKED"""),
        {"cutoff": cutoff, "most": most_jobs},
    )
    jobs = list(ended.scalars())
    items = connection.execute(
        text("""
        DELETE FROM job_items WHERE id IN (
          SELECT id FROM job_items WHERE job_id = ANY(:jobs) ORDER BY job_id, id LIMIT :most)"""),
        {"jobs": jobs, "most": most_items},
    )
    actions = connection.execute(
        text("""
        WITH gone AS (
          DELETE FROM jobs j WHERE id = ANY(:jobs) AND NOT EXISTS (SELECT FROM job_items i WHERE i.job_id = j.id)
          RETURNING id)
        DELETE FROM actions WHERE id IN (SELECT id FROM gone)"""),
        {"jobs": jobs},
    )
    return {"items": items.rowcount, "actions": actions.rowcount}
