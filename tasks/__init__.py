"""What happens, verb by verb: one Celery task a file. Celery loads them by `include`; all others send them by name.

- `intake`   the stream is drained: its messages become records in batches
- `accept`   one message that came as a Celery task becomes records in batches; the accepting is `worker.intake.accept`
- `deliver`  a permit, a claim, a POST, and what became of it
- `verify`   what HubSpot's answer left open is looked for in HubSpot
- `sweep`    every second: wakes whoever has something due, takes back what a lost worker held
- `job`      some steps of a bulk action; the steps are `worker.operations.steps`
- `notify`   producers are told what became of their submissions; the telling is `worker.webhooks.notify`
- `purge`    a little of what is older than the retention goes; the rules are `worker.retention.purge`
"""

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
