"""`attendance.notify`: tell webhooks what became of their submissions; how is in `worker.webhooks.notify`."""

from worker.celery import app
from worker.context import current
from worker.task_names import NOTIFY
from worker.wake import received
from worker.webhooks import notify as verb


@app.task(name=NOTIFY)
def notify(place: str = "") -> None:
    """Look which submissions fail or are finished, claim, POST, settle, while something is due."""
    received(current(), place)
    verb.notify(current())
