"""`attendance.sweep`: what time brings about, sent by beat every second."""

from worker import sweep as verb
from worker.celery import SWEEP, app
from worker.process import current


@app.task(name=SWEEP)
def sweep() -> None:
    """Wake who has something due, take back what was lost, run what is scheduled."""
    verb.sweep(current())
