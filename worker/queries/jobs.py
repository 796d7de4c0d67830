"""Jobs as pages and commands show them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, TypeVar

from sqlalchemy import Connection, Engine, Result, RowMapping, select

from models.job_params import JobParams
from models.tables import Act, Job
from models.words import Action, Via
from worker.database import columns_of
from worker.queries.job_filter import JobFilter, read_filter
from worker.queries.rows import in_stored_order

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job as it stands, with what was asked for, when and by whom."""

    id: int
    action: Action
    params: JobParams
    expected: int | None
    until: int
    stage: int
    after: int
    done: int
    skipped: int
    due_at: datetime
    last_error: str
    started_at: datetime | None
    ended_at: datetime | None
    stopped: bool
    on_hold: bool
    pinned: bool
    at: datetime
    who: str
    via: Via
    filter: JobFilter
    is_job: ClassVar[bool] = True

    @property
    def standing(self) -> str:
        """Say in a word or two how it stands."""
        if self.stopped:
            return "stopped"
        if self.ended_at is not None:
            return "finished"
        if self.on_hold:
            return "awaiting confirmation"
        if self.last_error:
            return f"waits: {self.last_error}"
        return "running" if self.started_at is not None else "queued"

    def as_json(self) -> dict[str, object]:
        """Write it as commands print it, its filter and parameters as they are kept."""
        kept = {"filter": self.filter.written, "params": self.params.written}
        return asdict(self) | {name: in_stored_order(value) for name, value in kept.items()}


_JOBS: Final = select(*columns_of(Job, JobSummary), Act.at, Act.who, Act.via, Act.filter).join(Act, Act.id == Job.id)


def read_jobs(kind: Callable[..., T], result: Result[*tuple[Any, ...]]) -> list[T]:
    """Read rows of jobs, with their actions', each as a `kind`: here their JSON is read."""

    def typed(row: RowMapping) -> dict[str, object]:
        return {"filter": read_filter(row["action"], row["filter"]), "params": JobParams.read(row["params"])}

    return [kind(**{**row, **typed(row)}) for row in result.mappings()]


def list_jobs(engine: Engine, limit: int = 50, before: int | None = None) -> list[JobSummary]:
    """List jobs, the newest first."""
    listed = _JOBS if before is None else _JOBS.where(Job.id < before)
    with engine.connect() as connection:
        return read_jobs(JobSummary, connection.execute(listed.order_by(Job.id.desc()).limit(limit)))


def jobs_under_way(connection: Connection, limit: int) -> list[JobSummary]:
    """List the jobs that are under way, the oldest first."""
    under_way = _JOBS.where(Job.is_under_way(), ~Job.on_hold)
    return read_jobs(JobSummary, connection.execute(under_way.order_by(Job.due_at, Job.id).limit(limit)))


def find_job(engine: Engine, job_id: int) -> JobSummary | None:
    """Show a job."""
    with engine.connect() as connection:
        found = read_jobs(JobSummary, connection.execute(_JOBS.where(Job.id == job_id)))
    return found[0] if found else None
