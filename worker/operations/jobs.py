"""Jobs: actions in bulk, step by step, by whoever is there; killed at any moment they go on where they were.

A step is one transaction: it locks the job's row, does a bounded part of the work, and notes how far it came. So a
part is done whole or not at all, once, however many work at it. Each job's turn comes after those served longer ago.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from models.accept_rules import Rules
from models.correction import Change
from models.input_check import Reason
from models.words import Action
from worker.database import json, repeat
from worker.operations import audit_log, steps
from worker.operations.audit_log import Actor
from worker.operations.steps import ItemResult, JobState, StepContext, StepResult
from worker.operations.tally import Tally
from worker.queries.jobs import JobSummary, find_job

log = logging.getLogger(__name__)

AGAIN: Final = 60.0
"""Seconds after which a job whose step failed is tried again."""
SOON: Final = 5.0
"""The same where only the connection was lost."""
AT_ONCE: Final = 1_000


def ask(  # noqa: PLR0913
    connection: Connection,
    by: Actor,
    action: Action,
    chosen: Mapping[str, object],
    *,
    params: Mapping[str, object] | None = None,
    expected: int | None = None,
    until: int | None = None,
    pinned: Sequence[ItemResult] | None = None,
) -> int:
    """Ask for a job, and note who did; give its id.

    It is done to what is chosen up to the id `until`, by default the newest there is; with `pinned` to just these,
    as they were shown.
    """
    job_id = audit_log.note(connection, by, action, chosen)
    connection.execute(
        text("""
        INSERT INTO jobs (id, action, params, expected, until, pinned)
        VALUES (:id, :action, CAST(:params AS jsonb), :expected, :until, :pinned)"""),
        {
            "id": job_id,
            "action": action,
            "params": json(params or {}),
            "expected": expected,
            "until": steps.newest(connection, action) if until is None else until,
            "pinned": pinned is not None,
        },
    )
    if pinned:
        steps.store(connection, job_id, [{**asdict(item), "done": None} for item in pinned])
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
        job_id = ask(connection, by, Action.CORRECT, {}, until=until, pinned=())
        left = iter(mended)
        named: list[int] = []
        number = 0
        while few := list(islice(left, AT_ONCE)):
            number += len(few)
            named += [id_ for line, id_, _ in few if not line]
            rows = [{"item": line, "record_id": id_, "change": change.written} for line, id_, change in few]
            connection.execute(
                text("""
                INSERT INTO job_items (job_id, item, record_id, change)
                SELECT :job, x.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(item bigint, record_id bigint,
                  change jsonb)"""),
                {"job": job_id, "rows": json(rows)},
            )
        connection.execute(
            text("""
            WITH noted AS (UPDATE actions SET filter = CAST(:filter AS jsonb) WHERE id = :job)
            UPDATE jobs SET expected = :number, on_hold = :on_hold, params = CAST(:params AS jsonb) WHERE id = :job"""),
            {
                "job": job_id,
                "number": number,
                "filter": json({"record_ids": named} if named else {"mended_rows": number}),
                "on_hold": on_hold is not None,
                "params": json({"wrong": [asdict(reason) for reason in on_hold]} if on_hold else {}),
            },
        )
    return job_id


def is_due(engine: Engine) -> bool:
    """Say whether a job has something to do."""
    with engine.connect() as connection:
        return bool(
            connection.execute(
                text("SELECT EXISTS (SELECT FROM jobs WHERE ended_at IS NULL AND NOT on_hold AND due_at <= now())")
            ).scalar_one()
        )


def work(engine: Engine, rules: Rules, seconds: float, stopping: Callable[[], bool] = lambda: False) -> None:
    """Do what is due, for about so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stopping() and step(engine, rules) is not None:
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


def step(engine: Engine, rules: Rules, job_id: int | None = None) -> int | None:
    """Do one step of the job that was served longest ago, or of this one; give its id, or none if nothing was due."""
    taken: list[int] = []
    try:
        return repeat(lambda: _step(engine, rules, job_id, taken))
    except Exception as error:
        if not taken:
            raise
        log.exception("job %d: a step failed", taken[-1])
        with engine.begin() as connection:
            connection.execute(
                text("""
                UPDATE jobs SET due_at = now() + :again * interval '1 second', last_error = :last_error
                WHERE id = :id AND ended_at IS NULL"""),
                {
                    "id": taken[-1],
                    "again": SOON if isinstance(error, OperationalError) else AGAIN,
                    "last_error": f"a step failed ({type(error).__name__}); see the log",
                },
            )
        return taken[-1]


def _step(engine: Engine, rules: Rules, job_id: int | None, taken: list[int]) -> int | None:
    with engine.begin() as connection:
        row = connection.execute(
            text(f"""
            SELECT j.id, j.action, a.filter, j.params, j.expected, j.until, j.stage, j.after, j.pinned
            FROM jobs j JOIN actions a USING (id)
            WHERE j.ended_at IS NULL AND NOT j.on_hold AND j.due_at <= clock_timestamp()
              {"" if job_id is None else "AND j.id = :id"}
            ORDER BY j.due_at, j.id LIMIT 1 FOR UPDATE OF j {"SKIP LOCKED" if job_id is None else ""}"""),
            {} if job_id is None else {"id": job_id},
        ).one_or_none()
        if row is None:
            return None
        taken.append(row.id)
        current = JobState(**{**row._mapping, "action": Action(row.action)})  # noqa: SLF001 - its public name
        done = steps.step(StepContext(engine, connection, rules), current)
        if done is None:
            _end(connection, current.id)
        else:
            _go_on(connection, current.id, done)
        return current.id


def _go_on(connection: Connection, job_id: int, done: StepResult) -> None:
    if done.items:
        steps.store(connection, job_id, [asdict(item) for item in done.items])
    connection.execute(
        text("""
        UPDATE jobs SET stage = :stage, after = :after, done = done + :done, skipped = skipped + :skipped,
          last_error = '', started_at = coalesce(started_at, now()), due_at = clock_timestamp() WHERE id = :id"""),
        {
            "id": job_id,
            "stage": done.stage,
            "after": done.after,
            "done": sum(item.done for item in done.items),
            "skipped": sum(not item.done for item in done.items),
        },
    )


def _end(connection: Connection, job_id: int) -> None:
    connection.execute(
        text("""
        WITH ended AS (
          UPDATE jobs SET ended_at = now(), started_at = coalesce(started_at, now()), last_error = '' WHERE id = :id
          RETURNING id, done)
        UPDATE actions a SET number = ended.done FROM ended WHERE a.id = ended.id"""),
        {"id": job_id},
    )


def hold(engine: Engine, job_id: int, found: Tally) -> None:
    """Keep with a job that is on hold what it will come to, as it is shown."""
    with engine.begin() as connection:
        connection.execute(
            text("""
            UPDATE jobs SET params = params || jsonb_build_object('tally', CAST(:tally AS jsonb))
            WHERE id = :id AND on_hold"""),
            {"id": job_id, "tally": json(asdict(found))},
        )


def begin(engine: Engine, by: Actor, job_id: int) -> bool:
    """Begin a job that was on hold; false where it is none."""
    with engine.begin() as connection:
        begun = text("UPDATE jobs SET on_hold = false, due_at = now() WHERE id = :id AND on_hold AND ended_at IS NULL")
        is_begun = bool(connection.execute(begun, {"id": job_id}).rowcount)
        if is_begun:
            audit_log.note(connection, by, "begin", {"job": job_id})
        return is_begun


def stop(engine: Engine, by: Actor, job_id: int) -> bool:
    """Stop a job after the step it is at; what is done stays done. False where it has ended, or there is none."""
    with engine.begin() as connection:
        stopped = connection.execute(
            text("""
            WITH ended AS (
              UPDATE jobs SET ended_at = now(), stopped = true, last_error = '' WHERE id = :id AND ended_at IS NULL
              RETURNING id, done)
            UPDATE actions a SET number = ended.done FROM ended WHERE a.id = ended.id"""),
            {"id": job_id},
        ).rowcount
        if stopped:
            audit_log.note(connection, by, "stop", {"job": job_id})
        return bool(stopped)
