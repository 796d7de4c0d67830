"""What one step of a job does: a bounded number of errors, batches or refusals, in the job's own transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text

from models.accept_rules import Rules
from models.correction import Change
from models.error_signature import CANCELED
from models.words import Action, Origin, Resolution
from worker.database import json
from worker.operations import cancel, correct, replay, retry
from worker.queries.error_filter import Filter
from worker.queries.refusals import AT_ONCE, RefusalFilter
from worker.queue.locks import lock_events
from worker.queue.requeue import move, resolve
from worker.queue.seen_groups import note_seen

STEP: Final = 1_000
"""Errors that one step takes."""
CORRECTIONS: Final = 500
BATCHES: Final = 20
"""Batches that one step cancels."""


OF: Final = {Action.CANCEL: "batches", Action.REPLAY: "refused"}
"""Of what the newest id is where a job ends, where it is not of errors.

What comes while it runs is not its own, for where records fail at once it would never end.
"""


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as it stands; the fields are those of its row and its action's."""

    id: int
    action: Action
    filter: Mapping[str, Any]
    params: Mapping[str, Any]
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
    result: Mapping[str, object] = field(default_factory=dict)


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
    found: int = connection.execute(text(f"SELECT coalesce(max(id), 0) FROM {OF.get(action, 'errors')}")).scalar_one()
    return found


def store(connection: Connection, job_id: int, rows: list[dict[str, Any]]) -> None:
    """Store a job's items."""
    connection.execute(
        text("""
        INSERT INTO job_items (job_id, item, record_id, done, by, result)
        SELECT :job, x.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(item bigint, record_id bigint,
          done boolean, by bigint, result jsonb)"""),
        {"job": job_id, "rows": json(rows)},
    )


def step(on: StepContext, work: JobState) -> StepResult | None:
    """Do the next step; none where nothing is left."""
    return STEPS[work.action](on, work)


def _retry(on: StepContext, work: JobState) -> StepResult | None:
    def again(errors: Sequence[Row[Any]]) -> list[ItemResult]:
        won = _resolved(on, errors, Resolution.RETRIED)
        move(on.connection, sorted(won), on.rules.batch_size)
        return _items(errors, won)

    return _errors(on, work, STEP, again)


def _dismiss(on: StepContext, work: JobState) -> StepResult | None:
    def leave(errors: Sequence[Row[Any]]) -> list[ItemResult]:
        return _items(errors, _resolved(on, errors, Resolution.DISMISSED, work.params["because"]))

    return _errors(on, work, STEP, leave)


def _correct(on: StepContext, work: JobState) -> StepResult | None:
    """Correct records, all by the same change, or each by its own, which waits with it."""
    if not work.pinned:
        change = Change.read(work.params["change"])

        def mend(errors: Sequence[Row[Any]]) -> list[ItemResult]:
            ids = {error.record_id: error.id for error in errors}
            return _corrected(on, work, dict.fromkeys(ids, change), ids)

        return _errors(on, work, CORRECTIONS, mend)
    rows = _take(on, work, CORRECTIONS)
    changes = {row.record_id: Change.read(row.change or work.params["change"]) for row in rows}
    done = _corrected(on, work, changes, {row.record_id: row.item for row in rows})
    return StepResult(sorted(done, key=lambda one: one.item), work.stage, work.after) if rows else None


def _take(on: StepContext, work: JobState, most: int) -> Sequence[Row[Any]]:
    """Take the next of a job's pinned items out of those that wait; what becomes of them is stored in their place."""
    return on.connection.execute(
        text("""
        WITH taken AS (
          DELETE FROM job_items WHERE id IN (
            SELECT id FROM job_items WHERE job_id = :job AND done IS NULL ORDER BY id LIMIT :most)
          RETURNING id, item, record_id, change, result)
        SELECT * FROM taken ORDER BY id"""),
        {"job": work.id, "most": most},
    ).all()


def _corrected(
    on: StepContext, work: JobState, changes: Mapping[int, Change], ids: Mapping[int, int]
) -> list[ItemResult]:
    origin = Origin.LIVE if work.expected == 1 else Origin.REPLAY
    ordered = {record_id: changes[record_id] for record_id in sorted(changes)}
    return [
        ItemResult(ids[one.record_id], one.record_id, one.by is not None, one.by, {
            "difference": one.difference, "reasons": [asdict(reason) for reason in one.reasons],
        })
        for one in correct.correct(on.engine, on.connection, on.rules, origin, ordered, work.until)
    ]  # fmt: skip


def _errors(
    on: StepContext, work: JobState, most: int, act: Callable[[Sequence[Row[Any]]], list[ItemResult]]
) -> StepResult | None:
    if work.pinned:
        taken = [row.item for row in _take(on, work, most)]
        return StepResult(act(retry.rows_of(on.connection, taken)), work.stage, work.after) if taken else None
    chosen = Filter.read(work.filter)
    for stage in range(work.stage, len(chosen.outcomes)):
        after = work.after if stage == work.stage else 0
        found, place = retry.find(on.connection, chosen, chosen.outcomes[stage], (after, work.until), most)
        if found or place < work.until:
            return StepResult(act(found) if found else [], stage, place)
    return None


def _resolved(on: StepContext, errors: Sequence[Row[Any]], how: Resolution, because: str = "") -> set[int]:
    lock_events(on.connection, {error.event_id for error in errors})
    return set(resolve(on.connection, [error.id for error in errors], how, because))


def _items(errors: Sequence[Row[Any]], won: set[int]) -> list[ItemResult]:
    return [ItemResult(error.id, error.record_id, error.record_id in won) for error in errors]


GONE: Final = {
    "where": "batch",
    "what": "was sent, canceled or added to since it was shown",
    "right": "a new preview of what still waits",
}


def _cancel(on: StepContext, work: JobState) -> StepResult | None:
    place, largest = work.after, {}
    if work.pinned:
        largest = {row.item: row.result["size"] for row in _take(on, work, BATCHES)}
        found = cancel.events_of(on.connection, largest)
        if not largest:
            return None
    else:
        found, place = cancel.find(
            on.connection, cancel.CancelFilter.read(work.filter), work.after, work.until, BATCHES
        )
        if not found:
            return StepResult([], work.stage, place) if place < work.until else None
    note_seen(on.engine, [CANCELED])
    lock_events(on.connection, {batch.event_id for batch in found})
    items: list[ItemResult] = []
    for batch in found:
        records = cancel.cancel(on.connection, batch.id, largest.get(batch.id))
        if records is None:
            items.append(ItemResult(batch.id, done=False, result={"reasons": [GONE]} if work.pinned else {}))
        else:
            items += [ItemResult(batch.id, record_id) for record_id in records] or [ItemResult(batch.id)]
    return StepResult(items, work.stage, place)


def _replay(on: StepContext, work: JobState) -> StepResult | None:
    """Hand refusals in again, in transactions of accept's own; after a crash they are parts seen before."""
    if work.pinned:
        taken = [row.item for row in _take(on, work, AT_ONCE)]
        done = replay.replay_named(on.engine, on.connection, on.rules, taken)
        return StepResult(_replayed(done), work.stage, work.after) if taken else None
    if work.after >= work.until:
        return None
    chosen = RefusalFilter.read(work.filter)
    done, following = replay.replay(on.engine, on.connection, on.rules, chosen, (work.after, work.until))
    return StepResult(_replayed(done), work.stage, work.until if following is None else following)


def _replayed(done: Sequence[replay.Replayed]) -> list[ItemResult]:
    return [
        ItemResult(
            one.id, done=not one.reasons, result={name: value for name, value in asdict(one).items() if name != "id"}
        )
        for one in done
    ]


STEPS: Final[Mapping[Action, Callable[[StepContext, JobState], StepResult | None]]] = {
    Action.RETRY: _retry,
    Action.DISMISS: _dismiss,
    Action.CORRECT: _correct,
    Action.CANCEL: _cancel,
    Action.REPLAY: _replay,
}
