"""The verbs as Celery tasks, one a file. Celery loads them by `include`; everybody else sends them by name."""

from typing import Any

from celery.signals import worker_ready

from tasks import accept, deliver, intake, job, notify, purge, sweep, verify
from worker import heartbeat, watchdog
from worker.delivery import permits

__all__ = ["accept", "deliver", "intake", "job", "notify", "purge", "sweep", "verify"]


@worker_ready.connect
def _begin(sender: Any, **_: object) -> None:  # noqa: ANN401 - Celery's consumer
    """Give signs of life, wake accounts when they may ask again, and watch, as long as this process runs."""
    heartbeat.begin()
    permits.begin()
    watchdog.begin([queue.name for queue in sender.task_consumer.queues])
