"""Celery with celery-batches: a task a record, many of which are done together."""

import os
from collections import defaultdict

from celery import Celery
from celery_batches import Batches
from produced import produced
from records import deliver

MOST = 100
app = Celery("batches_app", broker=os.environ["BENCH_BROKER"])
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=0,
)


@app.task(base=Batches, flush_every=4 * MOST, flush_interval=1)
def send(requests):
    """Deliver records, in a call for each event."""
    waiting = defaultdict(list)
    for request in requests:
        path, one = request.args
        waiting[path].append(one)
    for path, inputs in waiting.items():
        for first in range(0, len(inputs), MOST):
            deliver(path, inputs[first : first + MOST])


if __name__ == "__main__":
    produced(send.delay)
