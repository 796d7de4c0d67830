"""Delete: what is old goes, a bounded number of rows at a time, and is folded into running totals.

A batch goes whole, with its records, errors and attempts; then what was refused; then receipts of which nothing is
left, with what their webhooks were told; then what operators did, a job's results before the job.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Final, Self

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Update,
    Uuid,
    any_,
    bindparam,
    delete,
    exists,
    func,
    select,
    text,
    true,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from models.outcome import LastError, outcome
from models.tables import Batch, Notification, Purged, Record, Refused, Submission, ids
from worker.operations import audit_log
from worker.queries import job_results
from worker.queue import attempts

MOST_RECORDS: Final = 2_000
"""Records, or results of jobs, that one transaction deletes; of records little more, for a batch goes whole."""
MOST_ROWS: Final = 500
"""Refusals, calls, receipts or actions that one transaction deletes."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows went; of `refused` inputs."""

    batches: int = 0
    records: int = 0
    errors: int = 0
    attempts: int = 0
    refused: int = 0
    receipts: int = 0
    items: int = 0
    actions: int = 0

    def __add__(self, other: Self) -> "Counts":
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __bool__(self) -> bool:
        return any(astuple(self))


# Batches

OUTCOMES: Final = (
    select(Record.submission_id, outcome, func.count())
    .join(Batch, Batch.id == Record.batch_id)
    .outerjoin(LastError, true())
    .where(Record.batch_id == ids("batches"))
    .group_by(Record.submission_id, outcome)
)
"""How many records of batches have which outcome, by their receipt."""
ERRORS: Final = text("""
DELETE FROM errors WHERE id IN (
  SELECT id FROM errors WHERE batch_id = ANY(:batches)
  UNION SELECT e.id FROM records r JOIN errors e ON e.record_id = r.id WHERE r.batch_id = ANY(:batches))""")
"""A record's history is its errors, in whichever batches; what moved away keeps only its younger ones."""
RECORDS: Final = delete(Record).where(Record.batch_id == ids("batches"))
BATCHES: Final = delete(Batch).where(Batch.id == ids("batches"))


def batches(connection: Connection, batch_ids: Collection[int]) -> Counts:
    """Delete batches with all that is theirs."""
    of_them = {"batches": list(batch_ids)}
    outcomes: Counter[str] = Counter()
    by_receipt: Counter[int] = Counter()
    for submission_id, what, number in connection.execute(OUTCOMES, of_them):
        outcomes[what] += number
        by_receipt[submission_id] += number
    _fold(connection, outcomes)
    _note(connection, RECORDS_PURGED, by_receipt)
    return Counts(
        errors=connection.execute(ERRORS, of_them).rowcount,
        records=connection.execute(RECORDS, of_them).rowcount,
        attempts=attempts.forget_batches(connection, batch_ids),
        batches=connection.execute(BATCHES, of_them).rowcount,
    )


def _fold(connection: Connection, numbers: Mapping[str, int]) -> None:
    """Add to the running totals of these names."""
    totals = Purged.__table__.c
    if numbers:
        connection.execute(update(Purged).values({name: totals[name] + number for name, number in numbers.items()}))


def _purging(column: InstrumentedAttribute[int]) -> Update:
    """Add to a column of receipts, to each its number."""
    listed = func.unnest(bindparam("receipts", type_=ARRAY(BigInteger)), bindparam("numbers", type_=ARRAY(BigInteger)))
    purged = listed.table_valued("id", "number", name="purged_now").render_derived()
    return update(Submission).where(Submission.id == purged.c.id).values({column: column + purged.c.number})


RECORDS_PURGED: Final = _purging(Submission.records_purged)
REFUSED_PURGED: Final = _purging(Submission.refused_purged)


def _note(connection: Connection, purging: Update, numbers: Mapping[int, int]) -> None:
    """Note on receipts how much of them is purged."""
    connection.execute(purging, {"receipts": list(numbers), "numbers": list(numbers.values())})


# The rest

_OLDEST_REFUSED: Final = select(Refused.id).order_by(Refused.id).limit(bindparam("most"))
REFUSED: Final = (
    delete(Refused)
    .where(Refused.refused_at < bindparam("cutoff"), Refused.id.in_(_OLDEST_REFUSED))
    .returning(Refused.submission_id, Refused.inputs)
)
"""Deletes the oldest refused inputs, by id: what was refused earlier has the smaller one."""
RECEIPTS: Final = text("""
WITH gone AS (
  DELETE FROM submissions WHERE received_at < :cutoff AND id IN (
    SELECT id FROM submissions WHERE accepted = records_purged AND refused = refused_purged ORDER BY id LIMIT :most)
  RETURNING submission, accepted, duplicates, refused)
SELECT array_agg(DISTINCT submission) AS submissions, count(*) AS receipts,
  coalesce(sum(accepted), 0)::bigint AS accepted, coalesce(sum(duplicates), 0)::bigint AS duplicates,
  coalesce(sum(refused), 0)::bigint AS refused
FROM gone""")
"""Deletes the oldest receipts of which nothing is left, and sums up what they counted."""
NOTIFICATIONS: Final = delete(Notification).where(
    Notification.submission == any_(bindparam("submissions", type_=ARRAY(Uuid))),
    ~exists().where(Submission.submission == Notification.submission),
)
"""Deletes what webhooks were told of submissions whose last receipt has gone."""


def refused(connection: Connection, cutoff: datetime) -> Counts:
    """Delete the oldest refused inputs."""
    by_receipt: Counter[int] = Counter()
    for submission_id, inputs in connection.execute(REFUSED, {"cutoff": cutoff, "most": MOST_ROWS}):
        by_receipt[submission_id] += inputs
    _note(connection, REFUSED_PURGED, by_receipt)
    return Counts(refused=by_receipt.total())


def read_backs(connection: Connection, cutoff: datetime) -> Counts:
    """Delete the oldest calls that read back records of several batches; the others go with their batch."""
    return Counts(attempts=attempts.forget_oldest_read_backs(connection, cutoff, MOST_ROWS))


def receipts(connection: Connection, cutoff: datetime) -> Counts:
    """Delete the oldest receipts of which nothing is left."""
    gone = connection.execute(RECEIPTS, {"cutoff": cutoff, "most": MOST_ROWS}).one()
    _fold(connection, {"accepted": gone.accepted, "duplicates": gone.duplicates, "refused": gone.refused})
    connection.execute(NOTIFICATIONS, {"submissions": gone.submissions or []})
    return Counts(receipts=gone.receipts)


def jobs(connection: Connection, cutoff: datetime) -> Counts:
    """Delete results of the oldest jobs, and the jobs of which none are left, each with its action."""
    gone = job_results.forget(connection, cutoff, MOST_ROWS, MOST_RECORDS)
    return Counts(items=gone["items"], actions=gone["actions"])


def actions(connection: Connection, cutoff: datetime) -> Counts:
    """Delete the oldest actions that are no job's."""
    return Counts(actions=audit_log.forget(connection, cutoff, MOST_ROWS))
