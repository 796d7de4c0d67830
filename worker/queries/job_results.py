"""What became of a job's records: each with its result, and what it is by now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.orm import aliased

from models.input_check import Reason
from models.outcome import LastError, outcome
from models.tables import Act, Batch, Job, JobItem, JobItemResult, Record, among
from models.words import Outcome
from worker.database import rows_as

COUNTED: Final = 4_000
"""Records of a job whose outcomes are counted, the newest."""


@dataclass(frozen=True, slots=True)
class ItemToday:
    """An item of a job, and what its record is by now: of the record that took its place, where one did."""

    id: int
    item: int
    record_id: int | None
    done: bool | None
    by: int | None
    result: JobItemResult
    change: Mapping[str, object] | None
    contact: str | None
    batch_id: int | None
    outcome: Outcome | None
    category: str | None
    message: str | None

    @property
    def why(self) -> str:
        """Say why it was not done, or what it came to."""
        if reasons := self.result.get("reasons"):
            return "; ".join(str(Reason(**reason)) for reason in reasons)
        if self.by is not None:
            return f"record {self.by} took its place"
        if "accepted" in self.result:
            return "accepted {accepted}, duplicates {duplicates}, not accepted {refused}".format(**self.result)
        if self.done is False:
            return "somebody else was faster"
        return "" if self.done else "not begun"


def _items(*, skipped: bool) -> Select[Any]:
    of_job = JobItem.job_id == bindparam("job")
    page = select(JobItem).where(of_job, JobItem.id > bindparam("after")).order_by(JobItem.id).limit(bindparam("limit"))
    item = aliased(JobItem, (page.where(~JobItem.done) if skipped else page).subquery("item"))
    return (
        select(
            *(item.id, item.item, item.record_id, item.done, item.by, item.result, item.change),
            *(Record.contact, Record.batch_id),
            case((Record.id.is_not(None), outcome)).label("outcome"),
            *(LastError.category, LastError.message),
        )
        .outerjoin(Record, Record.id == func.coalesce(item.by, item.record_id))
        .outerjoin(Batch, Batch.id == Record.batch_id)
        .outerjoin(LastError, true())
        .order_by(item.id)
    )


_ALL: Final = _items(skipped=False)
_SKIPPED: Final = _items(skipped=True)


def items(engine: Engine, job_id: int, limit: int = 50, after: int = 0, *, skipped: bool = False) -> list[ItemToday]:
    """List a job's items in the order in which they were done, or those that it was not done to."""
    facts = {"job": job_id, "limit": limit, "after": after}
    with engine.connect() as connection:
        return rows_as(ItemToday, connection.execute(_SKIPPED if skipped else _ALL, facts))


def batches(engine: Engine, job_id: int) -> int:
    """Count the batches that a job canceled."""
    counted = select(func.count(JobItem.item.distinct())).where(JobItem.job_id == job_id, JobItem.done.is_(True))
    with engine.connect() as connection:
        return connection.execute(counted).scalar_one()


_NEWEST: Final = aliased(
    JobItem,
    select(JobItem)
    .where(JobItem.job_id == bindparam("job"), ~JobItem.waits())
    .order_by(JobItem.id.desc())
    .limit(COUNTED)
    .subquery("newest"),
)
_NUMBER: Final = func.count().label("number")
_OUTCOMES: Final = (
    select(outcome.label("outcome"), _NUMBER)
    .select_from(_NEWEST)
    .join(Record, Record.id == func.coalesce(_NEWEST.by, _NEWEST.record_id))
    .join(Batch, Batch.id == Record.batch_id)
    .outerjoin(LastError, true())
    .where(_NEWEST.done.is_(True))
    .group_by(outcome)
    .order_by(_NUMBER.desc())
)


def outcomes(engine: Engine, job_id: int) -> dict[str, int]:
    """Count by their present outcome the records that a job was done to, of its newest `COUNTED`."""
    with engine.connect() as connection:
        return {one.value: number for one, number in connection.execute(_OUTCOMES, {"job": job_id})}


def forget(connection: Connection, cutoff: datetime, most_jobs: int, most_items: int) -> dict[str, int]:
    """Delete results of the oldest jobs that ended before then, and the jobs of which none are left, with their action.

    So goes one that was asked for before then and never confirmed. Give how many `items` and `actions` those were.
    """
    oldest = select(Job.id).order_by(Job.id).limit(most_jobs)
    over = func.coalesce(Job.ended_at, case((Job.on_hold, Act.at)))
    ended = (
        select(Job.id)
        .join(Act, Act.id == Job.id)
        .where(Job.id.in_(oldest), over < literal(cutoff))
        .with_for_update(of=Job, skip_locked=True)
    )
    jobs = among(connection.execute(ended).scalars().all())
    some = select(JobItem.id).where(JobItem.job_id == jobs).order_by(JobItem.job_id, JobItem.id).limit(most_items)
    items = connection.execute(delete(JobItem).where(JobItem.id.in_(some)))
    empty = ~exists().where(JobItem.job_id == Job.id)
    gone = delete(Job).where(Job.id == jobs, empty).returning(Job.id).cte("gone")
    actions = connection.execute(delete(Act).where(Act.id.in_(select(gone.c.id))))
    return {"items": items.rowcount, "actions": actions.rowcount}
