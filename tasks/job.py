"""`attendance.job`: some steps of what was asked for in bulk; how is in `worker.operations.jobs`."""

from typing import Final

from worker.celery import app
from worker.context import Context, current
from worker.failures import Verb, noted, teller
from worker.operations import jobs
from worker.task_names import JOB
from worker.wake import received

SECONDS: Final = 5.0
"""For which one message works, so that none holds a thread for long."""


@noted(Verb.JOB)
def work(process: Context) -> None:
    """Work at the jobs that are under way."""
    jobs.work(process.engine, process.rules, SECONDS, process.stopping.is_set, teller(process, Verb.JOB))


@app.task(name=JOB)
def job(place: str = "") -> None:
    """`attendance.job`: jobs are under way."""
    work(current())
    received(current(), place)
