"""`attendance.purge`: a little of what is older than the retention goes; the rules are in `worker.retention.purge`."""

from worker.celery import app
from worker.context import current
from worker.retention import purge as verb
from worker.task_names import PURGE
from worker.wake import received


@app.task(name=PURGE)
def purge(place: str = "") -> None:
    """Purge one step of everything that is old."""
    received(current(), place)
    verb.purge_a_little(current())
