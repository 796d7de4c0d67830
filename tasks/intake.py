"""`attendance.intake`: accept what waits in the stream."""

from worker import intake as verb
from worker.celery import INTAKE, app
from worker.process import current
from worker.wake import received


@app.task(name=INTAKE)
def intake(place: str = "") -> None:
    """Read, accept, acknowledge, until the stream is empty."""
    received(current(), place)
    verb.intake(current())
