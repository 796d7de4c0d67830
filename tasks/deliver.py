"""`attendance.deliver`: send an account's due batches."""

from worker import deliver as verb
from worker.celery import DELIVER, app
from worker.process import current
from worker.wake import received


@app.task(name=DELIVER)
def deliver(account: str = "default", place: str = "") -> None:
    """Permit, claim, POST, settle, while there is something due and the limit allows."""
    received(current(), place)
    verb.deliver(current(), account)
