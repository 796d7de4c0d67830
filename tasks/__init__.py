"""What happens, verb by verb: one Celery task a file. Celery loads them by `include`; all others send them by name.

- `intake`   the stream is drained: its messages become records in batches
- `accept`   one message that came as a Celery task becomes records in batches; the accepting is `worker.intake.accept`
- `refuse`   a message that is no call of `accept` is kept as not accepted, with the reason
- `deliver`  a permit, a claim, a POST, and what became of it
- `verify`   what HubSpot's answer left open is looked for in HubSpot
- `sweep`    every second: wakes whoever has something due, takes back what a lost worker held
- `job`      some steps of a bulk action; the steps are `worker.operations.steps`
- `notify`   producers are told what became of their submissions; the telling is `worker.webhooks.notify`
- `purge`    a little of what is older than the retention goes; the rules are `worker.retention.purge`
- `fallback` a worker does its due work itself while no wake-up reaches it
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.signals import beat_init, worker_init, worker_ready

from models.escaping import visible
from tasks import accept, deliver, intake, job, notify, purge, refuse, sweep, verify
from tasks.fallback import Fallback
from worker import heartbeat, process_start, schema_watch, watchdog
from worker.context import current
from worker.delivery import permits
from worker.log import get_logger
from worker.logging_setup import set_up
from worker.monitor import start as monitor
from worker.monitor.readiness import ProcessKind
from worker.settings import SettingsError, log_format
from worker.startup import CannotStart

log = get_logger(__name__)

__all__ = ["accept", "deliver", "intake", "job", "notify", "purge", "refuse", "sweep", "verify"]


@worker_init.connect
def _begin(sender: Any, **_: object) -> None:  # noqa: ANN401 - Celery's worker
    """Begin what a worker process does beside its tasks, also while its broker is away; it ends with the process."""
    with _or_ended():
        _begin_worker(sender)


def _begin_worker(sender: Any) -> None:  # noqa: ANN401 - Celery's worker
    queues = list(sender.app.amqp.queues.consume_from)
    kind = f"worker of {', '.join(sorted(queues))}"
    monitor.begin(ProcessKind.WORKER)
    with _or_said():
        process_start.check_pool(kind, sender.pool_cls)
        process_start.start(kind)
    schema_watch.begin(current(), kind)
    activity = watchdog.observe()
    permits.begin()
    fallback = Fallback(current(), queues, activity)
    fallback.begin()
    heartbeat.begin(queues, lambda: fallback.finds_work)
    worker_ready.connect(lambda **_: watchdog.begin(queues, activity), weak=False)


@beat_init.connect
def _begin_beat(**_: object) -> None:
    with _or_ended():
        monitor.begin(ProcessKind.BEAT)
        with _or_said():
            process_start.start("beat")
        schema_watch.begin(current(), "beat")
        watchdog.begin_beat(current())


@contextmanager
def _or_ended() -> Iterator[None]:
    """End the process where it cannot begin: Celery would log the error and go on without watchdog and heartbeat."""
    try:
        yield
    except Exception:
        log.critical("cannot start", reason="a bug: see the traceback", exc_info=True)
        sys.exit(1)


@contextmanager
def _or_said() -> Iterator[None]:
    """End the process, in one sentence, where it cannot work as things are."""
    shape = log_format()
    set_up(shape)  # Celery does so only after this
    try:
        yield
    except (CannotStart, SettingsError) as error:
        if shape == "json":
            log.critical("cannot start", reason=str(error))
        else:
            sys.stderr.write(f"turnout: {visible(str(error))}\n")
        sys.exit(1)
