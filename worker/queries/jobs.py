"""Jobs as pages and commands show them."""

from typing import Final

from sqlalchemy import Connection, Engine, text

from worker.queries.rows import Row

SHOWN: Final = """
SELECT j.*, a.at, a.who, a.via, a.filter FROM jobs j JOIN actions a USING (id)"""


def list_jobs(engine: Engine, limit: int = 50, before: int | None = None) -> list[Row]:
    """List jobs, the newest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"{SHOWN} WHERE j.id < :before ORDER BY j.id DESC LIMIT :limit"),
            {"before": 2**63 - 1 if before is None else before, "limit": limit},
        )
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its public name


def jobs_under_way(connection: Connection, limit: int) -> list[Row]:
    """List the jobs that are under way, the oldest first."""
    rows = connection.execute(
        text(f"{SHOWN} WHERE j.ended_at IS NULL AND NOT j.on_hold ORDER BY j.due_at, j.id LIMIT :limit"),
        {"limit": limit},
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its public name


def find_job(engine: Engine, job_id: int) -> Row | None:
    """Show a job."""
    with engine.connect() as connection:
        row = connection.execute(text(f"{SHOWN} WHERE j.id = :id"), {"id": job_id}).one_or_none()
    return None if row is None else dict(row._mapping)  # noqa: SLF001 - its public name
