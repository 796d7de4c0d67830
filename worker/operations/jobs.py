"""Jobs: actions in bulk, step by step, by whoever is there; killed at any moment they go on where they were.

A step is one transaction: it locks the job's row, does a bounded part of the work, and notes how far it came. So a
part is done whole or not at all, once, however many work at it. Each job's turn comes after those served longer ago.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError

from models.accept_rules import Rules
from models.correction import Change
from models.input_check import Reason
from models.job_params import NO_PARAMS, JobParams
from models.tables import Act, Job, fixed, seconds
from models.tally import Tally
from models.words import Action
from worker.database import is_away, repeat
from worker.log import get_logger
from worker.operations import audit_log, steps
from worker.operations.audit_log import Actor
from worker.operations.steps import JobState, StepContext, StepResult, WaitingItem
from worker.queries.job_filter import Chosen, CorrectedRows
from worker.queries.jobs import JobSummary, find_job, read_jobs

log = get_logger(__name__)

AGAIN: Final = 60.0
"""Seconds after which a job whose step failed is tried again."""
AT_ONCE: Final = 1_000


def ask(  # noqa: PLR0913
    connection: Connection,
    by: Actor,
    action: Action,
    chosen: Chosen | CorrectedRows,
    *,
    params: JobParams = NO_PARAMS,
    expected: int | None = None,
    until: int | None = None,
    pinned: Sequence[WaitingItem] | None = None,
) -> int:
    """Ask for a job, and note who did; give its id.

    It is done to what is chosen up to the id `until`, by default the newest there is; with `pinned` to just these,
    as they were shown.
    """
    job_id = audit_log.note(connection, by, action, chosen.written)
    connection.execute(
        insert(Job).values(
            id=job_id,
            action=action,
            params=params.written,
            expected=expected,
            until=steps.newest(connection, action) if until is None else until,
            pinned=pinned is not None,
        )
    )
    if pinned:
        steps.store(connection, job_id, pinned)
    return job_id


def ask_to_mend(
    engine: Engine,
    by: Actor,
    mended: Iterable[tuple[int, int, Change]],
    on_hold: list[Reason] | None = None,
    until: int | None = None,
) -> int:
    """Ask for corrections, each of its own: the line of the file, the record, the change; give the job's id.

    They are read to the end first: a file that cannot be read leaves nothing behind. With `on_hold`, which may be
    filled meanwhile with what is wrong of it, the job waits until it is confirmed. Errors newer than `until` were not
    shown, and are left.
    """
    with engine.begin() as connection:
        job_id = ask(connection, by, Action.CORRECT, CorrectedRows(), until=until, pinned=())
        left = iter(mended)
        named: list[int] = []
        number = 0
        while few := list(islice(left, AT_ONCE)):
            number += len(few)
            named += [id_ for line, id_, _ in few if not line]
            items = [WaitingItem(line, id_, change) for line, id_, change in few]
            steps.store(connection, job_id, items)
        what = CorrectedRows(record_ids=named) if named else CorrectedRows(mended_rows=number)
        connection.execute(update(Act).where(Act.id == job_id).values(filter=what.written))
        params = JobParams(wrong=on_hold or ())
        shown = {"expected": number, "on_hold": on_hold is not None, "params": params.written}
        connection.execute(update(Job).where(Job.id == job_id).values(shown))
    return job_id


_IS_KNOWN: Final = Job.action.in_([fixed(action) for action in Action])
"""A job of a kind that a later release has is left to its workers, which run beside while it is rolled out."""
_WAITS: Final = (Job.is_under_way(), ~Job.on_hold, _IS_KNOWN)
_IS_DUE: Final = select(select(Job.id).where(*_WAITS, Job.due_at <= func.now()).exists())


def is_due(engine: Engine) -> bool:
    """Say whether a job has something to do."""
    with engine.connect() as connection:
        return bool(connection.execute(_IS_DUE).scalar_one())


def work(
    engine: Engine,
    rules: Rules,
    seconds: float,
    stopping: Callable[[], bool] = lambda: False,
    told: Callable[[int, Exception | None], None] = lambda _, __: None,
) -> None:
    """Do what is due, for about so long; `told` how each step of a job went."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stopping() and step(engine, rules, told=told) is not None:
        pass


def finish(engine: Engine, rules: Rules, job_id: int) -> Iterator[JobSummary]:
    """Work at one job until it has ended, beside others who may; give how it stands after each step."""
    while True:
        step(engine, rules, job_id)
        job = find_job(engine, job_id)
        if job is None:
            return
        yield job
        if job.ended_at is not None:
            return
        if job.last_error:
            time.sleep(1)


_POSTPONE: Final = (
    update(Job)
    .where(Job.id == bindparam("job"), Job.is_under_way())
    .values(due_at=func.now() + seconds("again"), last_error=bindparam("why"))
)


def step(
    engine: Engine,
    rules: Rules,
    job_id: int | None = None,
    told: Callable[[int, Exception | None], None] = lambda _, __: None,
) -> int | None:
    """Do one step of the job that was served longest ago, or of this one; give its id, or none if nothing was due."""
    taken: list[int] = []
    try:
        done = repeat(lambda: _step(engine, rules, job_id, taken))
    except Exception as error:
        if not taken or (isinstance(error, DBAPIError) and is_away(error)):
            raise
        log.exception("job step failed", job=taken[-1])
        told(taken[-1], error)
        with engine.begin() as connection:
            why = f"a step failed ({type(error).__name__}); see the log"
            connection.execute(_POSTPONE, {"job": taken[-1], "again": AGAIN, "why": why})
        return taken[-1]
    if done is not None:
        told(done, None)
    return done


_DUE: Final = (
    select(
        Job.id, Job.action, Act.who, Act.filter, Job.params, Job.expected, Job.until, Job.stage, Job.after, Job.pinned
    )
    .join(Act, Act.id == Job.id)
    .where(*_WAITS, Job.due_at <= func.clock_timestamp())
    .order_by(Job.due_at, Job.id)
    .limit(1)
)
_NEXT: Final = _DUE.with_for_update(of=Job, skip_locked=True)
_THIS: Final = _DUE.where(Job.id == bindparam("job")).with_for_update(of=Job)


def _step(engine: Engine, rules: Rules, job_id: int | None, taken: list[int]) -> int | None:
    with engine.begin() as connection:
        found = read_jobs(JobState, connection.execute(_NEXT if job_id is None else _THIS, {"job": job_id}))
        if not found:
            return None
        (current,) = found
        taken.append(current.id)
        done = steps.step(StepContext(engine, connection, rules), current)
        if done is None:
            _ended(connection, current.id, started_at=func.coalesce(Job.started_at, func.now()))
        else:
            _go_on(connection, current.id, done)
        return current.id


_GO_ON: Final = (
    update(Job)
    .where(Job.id == bindparam("job"))
    .values(
        stage=bindparam("at_stage"),
        after=bindparam("behind"),
        done=Job.done + bindparam("more_done"),
        skipped=Job.skipped + bindparam("more_skipped"),
        last_error="",
        started_at=func.coalesce(Job.started_at, func.now()),
        due_at=func.clock_timestamp(),
    )
)


def _go_on(connection: Connection, job_id: int, done: StepResult) -> None:
    if done.items:
        steps.store(connection, job_id, done.items)
    number = sum(item.done for item in done.items)
    facts = {"job": job_id, "at_stage": done.stage, "behind": done.after}
    connection.execute(_GO_ON, {**facts, "more_done": number, "more_skipped": len(done.items) - number})


def _ended(connection: Connection, job_id: int, **how: object) -> bool:
    """End a job that has not ended, and note to how many it was done; say whether it had not."""
    ended = update(Job).where(Job.id == job_id, Job.is_under_way()).values(ended_at=func.now(), last_error="", **how)
    done = connection.execute(ended.returning(Job.done)).scalar()
    if done is not None:
        connection.execute(update(Act).where(Act.id == job_id).values(number=done))
    return done is not None


def hold(engine: Engine, job_id: int, found: Tally) -> None:
    """Keep with a job that is on hold what it will come to, as it is shown."""
    with engine.begin() as connection:
        shown = Job.params.concat(literal(JobParams(tally=found).written, JSONB))
        connection.execute(update(Job).where(Job.id == job_id, Job.on_hold).values(params=shown))


def begin(engine: Engine, by: Actor, job_id: int) -> bool:
    """Begin a job that was on hold; false where it is none."""
    begun = update(Job).where(Job.id == job_id, Job.on_hold, Job.is_under_way())
    with engine.begin() as connection:
        is_begun = bool(connection.execute(begun.values(on_hold=False, due_at=func.now())).rowcount)
        if is_begun:
            audit_log.note(connection, by, "begin", {"job": job_id})
        return is_begun


def stop(engine: Engine, by: Actor, job_id: int) -> bool:
    """Stop a job after the step it is at; what is done stays done. False where it has ended, or there is none."""
    with engine.begin() as connection:
        is_stopped = _ended(connection, job_id, stopped=True)
        if is_stopped:
            audit_log.note(connection, by, "stop", {"job": job_id})
        return is_stopped
