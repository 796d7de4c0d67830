"""The verbs as Celery tasks, one a file. Celery loads them by `include`; everybody else sends them by name."""

from celery.signals import worker_ready

from tasks import accept, deliver, intake, sweep, verify
from worker import alive, permits

__all__ = ["accept", "deliver", "intake", "sweep", "verify"]


@worker_ready.connect
def _begin(**_: object) -> None:
    """Give signs of life, and wake accounts when they may ask again, as long as this process runs."""
    alive.begin()
    permits.begin()
