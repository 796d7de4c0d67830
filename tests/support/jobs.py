"""Bulk actions done to their end, as a test wants them: each is a job, driven by the test itself."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from sqlalchemy import Engine

from models.accept_rules import Rules
from models.correction import Change
from models.job_params import JobParams
from models.tables import JobItem
from models.words import Action, Via
from tests.support.ledger import Ledger
from worker.operations import jobs
from worker.operations.audit_log import Actor
from worker.operations.correct import Corrected, of_item
from worker.operations.replay import Replayed, of_item as of_refusal
from worker.operations.steps import WaitingItem
from worker.queries import job_results
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter, Chosen
from worker.queries.jobs import JobSummary
from worker.queries.refusals import RefusalFilter as Refusals

ME = Actor("a test", Via.TERMINAL)


class More(TypedDict, total=False):
    """What else is said of a job when it is asked for."""

    params: JobParams
    expected: int | None
    until: int | None
    pinned: Sequence[WaitingItem] | None


def run(engine: Engine, rules: Rules, action: Action, chosen: Chosen, **more: Unpack[More]) -> JobSummary:
    with engine.begin() as connection:
        job_id = jobs.ask(connection, ME, action, chosen, **more)
    return finished(engine, rules, job_id)


def finished(engine: Engine, rules: Rules, job_id: int) -> JobSummary:
    for job in jobs.finish(engine, rules, job_id):
        assert not job.last_error or "OperationalError" in job.last_error, job  # which a storm's killer causes
        last = job
    return last


def rules_for(batch_size: int) -> Rules:
    return Rules(b"", batch_size, 0.0)


def retry(engine: Engine, batch_size: int, chosen: Filter) -> int:
    return run(engine, rules_for(batch_size), Action.RETRY, chosen).done


def cancel(engine: Engine, chosen: CancelFilter) -> tuple[int, int]:
    job = run(engine, rules_for(100), Action.CANCEL, chosen)
    done = Ledger(engine).all(JobItem, JobItem.job_id == job.id, JobItem.done.is_(True))
    return len({one.item for one in done}), sum(one.record_id is not None for one in done)


def correct(engine: Engine, rules: Rules, changes: Mapping[int, Change]) -> list[Corrected]:
    mended = ((0, record_id, changes[record_id]) for record_id in sorted(changes))
    job_id = jobs.ask_to_mend(engine, ME, mended)
    finished(engine, rules, job_id)
    return [of_item(item) for item in job_results.items(engine, job_id, 1_000)]


def replay(engine: Engine, rules: Rules, chosen: Refusals) -> list[Replayed]:
    job = run(engine, rules, Action.REPLAY, chosen)
    return [of_refusal(item) for item in job_results.items(engine, job.id, 1_000)]
