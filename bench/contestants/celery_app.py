"""Celery with a task a record."""

import os

from celery import Celery
from produced import produced
from records import deliver

app = Celery("celery_app", broker=os.environ["BENCH_BROKER"])
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=64,
)


@app.task
def send(path, one):
    """Deliver a record."""
    deliver(path, [one])


if __name__ == "__main__":
    produced(send.delay)
