"""A worker process begins: its verbs are known to Celery, and what watches over them runs."""

from typing import Any

from celery.signals import worker_init, worker_ready

from tasks import accept, deliver, intake, job, notify, purge, refuse, sweep, verify
from tasks.beginning import or_ended, or_said
from tasks.fallback import Fallback
from worker import garbage, heartbeat, process_start, schema_watch, watchdog
from worker.context import current
from worker.delivery import permits
from worker.intake import arrivals
from worker.monitor import start as monitor
from worker.monitor.readiness import ProcessKind
from worker.task_names import INTAKE

__all__ = ["accept", "deliver", "intake", "job", "notify", "purge", "refuse", "sweep", "verify"]


@worker_init.connect
def _begin(sender: Any, **_: object) -> None:  # noqa: ANN401 - Celery's worker
    """Begin what a worker process does beside its tasks, also while its broker is away; it ends with the process."""
    with or_ended():
        _begin_worker(sender)


def _begin_worker(sender: Any) -> None:  # noqa: ANN401 - Celery's worker
    queues = list(sender.app.amqp.queues.consume_from)
    kind = f"worker of {', '.join(sorted(queues))}"
    monitor.begin(ProcessKind.WORKER)
    with or_said():
        process_start.check_pool(kind, sender.pool_cls)
        process_start.start(kind)
    schema_watch.begin(current(), kind)
    activity = watchdog.observe()
    permits.begin()
    if INTAKE in queues:
        arrivals.begin()
    fallback = Fallback(current(), queues, activity)
    fallback.begin()
    heartbeat.begin(queues, lambda: fallback.finds_work)
    worker_ready.connect(lambda **_: watchdog.begin(queues, activity), weak=False)
    garbage.collect_as_usual()
