"""What one step of a job does: a bounded number of errors, batches or refusals, in the job's own transaction."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from sqlalchemy import Connection, Engine, RowMapping, bindparam, delete, func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from models.accept_rules import Rules
from models.correction import Change
from models.error_signature import CANCELED, IN_DOUBT
from models.input_check import Reason
from models.job_params import JobParams
from models.tables import Batch, Error, JobItem, JobItemResult, Refused
from models.words import Action, Origin, Resolution
from worker.database import json
from worker.operations import cancel, correct, replay, retry
from worker.operations.replay import Closer, Replayed
from worker.operations.retry import ErrorToRetry
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter, JobFilter, known
from worker.queries.refusals import AT_ONCE, RefusalFilter
from worker.queries.rows import AT_MOST
from worker.queries.scan import Span
from worker.queue.locks import lock_events
from worker.queue.requeue import move, resolve
from worker.queue.seen_groups import note_seen

STEP: Final = 1_000
"""Errors that one step takes."""
CORRECTIONS: Final = 500
BATCHES: Final = 20
"""Batches that one step cancels."""


OF: Final[Mapping[Action, InstrumentedAttribute[int]]] = {
    Action.CANCEL: Batch.id,
    Action.REPLAY: Refused.id,
    Action.DISCARD: Refused.id,
}
"""Of what the newest id is where a job ends, where it is not of errors.

What comes while it runs is not its own, for where records fail at once it would never end.
"""


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as it stands; the fields are those of its row and its action's."""

    id: int
    action: Action
    who: str
    filter: JobFilter
    params: JobParams
    expected: int | None
    until: int
    stage: int
    after: int
    pinned: bool


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one."""

    item: int
    record_id: int | None = None
    done: bool = True
    by: int | None = None
    result: JobItemResult = field(default_factory=JobItemResult)


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """One that waits for its turn: as it was shown, or with its own change."""

    item: int
    record_id: int | None = None
    change: Change | None = None
    result: JobItemResult = field(default_factory=JobItemResult)


@dataclass(frozen=True, slots=True)
class PinnedItem:
    """One that a job was pinned to when it was shown, taken out of those that wait."""

    id: int
    item: int
    record_id: int | None
    change: Change | None
    result: JobItemResult


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step came to, and how far the job is now."""

    items: Sequence[ItemResult]
    stage: int
    after: int


@dataclass(frozen=True, slots=True)
class StepContext:
    """Where a step works."""

    engine: Engine
    connection: Connection
    """In the job's transaction."""
    rules: Rules


def newest(connection: Connection, action: Action) -> int:
    """Give the newest id there is of what an action is done to."""
    return connection.execute(select(func.coalesce(func.max(OF.get(action, Error.id)), 0))).scalar_one()


_STORE: Final = text("""
INSERT INTO job_items (job_id, item, record_id, change, done, by, result)
SELECT CAST(:job AS bigint), x.item, x.record_id, x.change, x.done, x.by, coalesce(x.result, '{}')
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(item bigint, record_id bigint, change jsonb, done boolean, by bigint,
  result jsonb)""")
"""Stores items of a job, in their order."""


def store(connection: Connection, job_id: int, items: Iterable[WaitingItem | ItemResult]) -> None:
    """Store a job's items: here their changes become JSON."""
    connection.execute(_STORE, {"job": job_id, "rows": json([_row(item) for item in items])})


def _row(item: WaitingItem | ItemResult) -> dict[str, object]:
    change = item.change if isinstance(item, WaitingItem) else None
    return asdict(item) | ({} if change is None else {"change": change.written})


def step(on: StepContext, work: JobState) -> StepResult | None:
    """Do the next step; none where nothing is left."""
    return STEPS[work.action](on, work)


def _retry(on: StepContext, work: JobState) -> StepResult | None:
    def again(errors: Sequence[ErrorToRetry]) -> list[ItemResult]:
        won = _resolved(on, errors, Resolution.RETRIED)
        move(on.connection, sorted(won), on.rules.batch_size)
        return _items(errors, won)

    return _errors(on, work, STEP, again)


def _dismiss(on: StepContext, work: JobState) -> StepResult | None:
    def leave(errors: Sequence[ErrorToRetry]) -> list[ItemResult]:
        return _items(errors, _resolved(on, errors, Resolution.DISMISSED, work.params.because))

    return _errors(on, work, STEP, leave)


def _correct(on: StepContext, work: JobState) -> StepResult | None:
    """Correct records, all by the same change, or each by its own, which waits with it."""
    if not work.pinned:
        change = _change_of_all(work)

        def mend(errors: Sequence[ErrorToRetry]) -> list[ItemResult]:
            ids = {error.record_id: error.id for error in errors}
            return _corrected(on, work, dict.fromkeys(ids, change), ids)

        return _errors(on, work, CORRECTIONS, mend)
    rows = _take(on, work, CORRECTIONS)
    of_record = {row.record_id: row for row in rows if row.record_id is not None}
    changes = {id_: row.change or _change_of_all(work) for id_, row in of_record.items()}
    done = _corrected(on, work, changes, {id_: row.item for id_, row in of_record.items()})
    return StepResult(sorted(done, key=lambda one: one.item), work.stage, work.after) if rows else None


def _change_of_all(work: JobState) -> Change:
    if work.params.change is None:
        raise ValueError("a change that this release cannot read")
    return work.params.change


_NEXT: Final = (
    select(JobItem.id)
    .where(JobItem.job_id == bindparam("job"), JobItem.waits())
    .order_by(JobItem.id)
    .limit(bindparam("most"))
)
_TAKEN: Final = (
    delete(JobItem)
    .where(JobItem.id.in_(_NEXT))
    .returning(JobItem.id, JobItem.item, JobItem.record_id, JobItem.change, JobItem.result)
    .cte("taken")
)
_TAKE: Final = select(_TAKEN).order_by(_TAKEN.c.id)


def _take(on: StepContext, work: JobState, most: int) -> list[PinnedItem]:
    """Take the next of a job's pinned items out of those that wait; what becomes of them is stored in their place."""

    def read(row: RowMapping) -> PinnedItem:
        change = row["change"]
        return PinnedItem(**{**row, "change": None if change is None else Change.read(change)})

    return [*map(read, on.connection.execute(_TAKE, {"job": work.id, "most": most}).mappings())]


def _corrected(
    on: StepContext, work: JobState, changes: Mapping[int, Change], ids: Mapping[int, int]
) -> list[ItemResult]:
    origin = Origin.LIVE if work.expected == 1 else Origin.REPLAY
    ordered = {record_id: changes[record_id] for record_id in sorted(changes)}
    return [
        ItemResult(ids[one.record_id], one.record_id, one.by is not None, one.by, {
            "difference": one.difference, "reasons": [reason.written for reason in one.reasons],
        })
        for one in correct.correct(on.engine, on.connection, on.rules, origin, ordered, work.until)
    ]  # fmt: skip


def _errors(
    on: StepContext, work: JobState, most: int, act: Callable[[Sequence[ErrorToRetry]], list[ItemResult]]
) -> StepResult | None:
    if work.pinned:
        taken = [row.item for row in _take(on, work, most)]
        return StepResult(act(retry.targets_of(on.connection, taken)), work.stage, work.after) if taken else None
    chosen = known(work.filter, Filter)
    for stage in range(work.stage, len(chosen.outcomes)):
        span = Span(work.after if stage == work.stage else 0, work.until, AT_MOST)
        found, left = retry.find(
            on.connection, replace(chosen, outcomes=chosen.outcomes[stage : stage + 1]), span, most
        )
        if found or left:
            return StepResult(act(found) if found else [], stage, left.after if left else work.until)
    return None


def _resolved(on: StepContext, errors: Sequence[ErrorToRetry], how: Resolution, because: str = "") -> set[int]:
    lock_events(on.connection, {error.event_id for error in errors})
    return set(resolve(on.connection, [error.id for error in errors], how, because))


def _items(errors: Sequence[ErrorToRetry], won: set[int]) -> list[ItemResult]:
    return [ItemResult(error.id, error.record_id, error.record_id in won) for error in errors]


GONE: Final = Reason("batch", "was sent, canceled or added to since it was shown", "a new preview of what still waits")


def _cancel(on: StepContext, work: JobState) -> StepResult | None:
    place, largest = work.after, {}
    if work.pinned:
        largest = {row.item: row.result["size"] for row in _take(on, work, BATCHES)}
        found = cancel.batches_of(on.connection, largest)
        if not largest:
            return None
    else:
        span = Span(work.after, work.until, AT_MOST)
        found, left = cancel.find(on.connection, known(work.filter, CancelFilter), span, BATCHES)
        if not found:
            return StepResult([], work.stage, left.after) if left else None
        place = left.after if left else work.until
    note_seen(on.engine, [CANCELED, IN_DOUBT])
    lock_events(on.connection, {batch.event_id for batch in found})
    items: list[ItemResult] = []
    for batch in found:
        records = cancel.cancel(on.connection, batch.id, largest.get(batch.id))
        if records is None:
            items.append(ItemResult(batch.id, done=False, result={"reasons": [GONE.written]} if work.pinned else {}))
        else:
            items += [ItemResult(batch.id, record_id) for record_id in records] or [ItemResult(batch.id)]
    return StepResult(items, work.stage, place)


def _replay(on: StepContext, work: JobState) -> StepResult | None:
    """Submit refusals again, in transactions of accept's own; after a crash they are parts seen before."""
    closer = Closer(work.who, use_account=work.params.use_account)

    def named(ids: Sequence[int]) -> list[Replayed]:
        return replay.replay_named(on.engine, on.connection, on.rules, ids, closer)

    def found(chosen: RefusalFilter, span: tuple[int, int]) -> tuple[list[Replayed], int | None]:
        return replay.replay(on.engine, on.connection, on.rules, chosen, span, closer=closer)

    return _refusals(on, work, named, found)


def _discard(on: StepContext, work: JobState) -> StepResult | None:
    """Dismiss refusals."""
    closer = Closer(work.who, work.params.because)

    def named(ids: Sequence[int]) -> list[Replayed]:
        return replay.discard_named(on.connection, ids, closer)

    def found(chosen: RefusalFilter, span: tuple[int, int]) -> tuple[list[Replayed], int | None]:
        return replay.discard(on.engine, on.connection, chosen, span, closer)

    return _refusals(on, work, named, found)


def _refusals(
    on: StepContext,
    work: JobState,
    named: Callable[[Sequence[int]], list[Replayed]],
    found: Callable[[RefusalFilter, tuple[int, int]], tuple[list[Replayed], int | None]],
) -> StepResult | None:
    if work.pinned:
        taken = [row.item for row in _take(on, work, AT_ONCE)]
        return StepResult(_replayed(named(taken)), work.stage, work.after) if taken else None
    if work.after >= work.until:
        return None
    done, following = found(known(work.filter, RefusalFilter), (work.after, work.until))
    return StepResult(_replayed(done), work.stage, work.until if following is None else following)


def _replayed(done: Sequence[Replayed]) -> list[ItemResult]:
    return [ItemResult(one.id, done=not one.reasons, result=_came_to(one)) for one in done]


def _came_to(one: Replayed) -> JobItemResult:
    """Write what became of a refusal; of one that was dismissed there is nothing to say."""
    reasons = [reason.written for reason in one.reasons]
    told: JobItemResult = {
        "accepted": one.accepted,
        "duplicates": one.duplicates,
        "refused": one.refused,
        "reasons": reasons,
    }
    return told if any(told.values()) else {}


STEPS: Final[Mapping[Action, Callable[[StepContext, JobState], StepResult | None]]] = {
    Action.RETRY: _retry,
    Action.DISMISS: _dismiss,
    Action.CORRECT: _correct,
    Action.CANCEL: _cancel,
    Action.REPLAY: _replay,
    Action.DISCARD: _discard,
}
