"""`attendance.verify`: look for an account's unconfirmed records at HubSpot."""

from worker import verify as verb
from worker.celery import VERIFY, app
from worker.process import current
from worker.wake import received


@app.task(name=VERIFY)
def verify(account: str = "default", place: str = "") -> None:
    """Permit, read back, and what that means for each record, while something is due and the limit allows."""
    received(current(), place)
    verb.verify(current(), account)
