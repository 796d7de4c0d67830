"""Beat begins. It sends ticks by name and does none of the verbs, so it imports none of them."""

from celery.signals import beat_init

from tasks.beginning import or_ended, or_said
from worker import garbage, process_start, schema_watch, watchdog
from worker.context import current
from worker.monitor import start as monitor
from worker.monitor.readiness import ProcessKind


@beat_init.connect
def _begin_beat(**_: object) -> None:
    with or_ended():
        monitor.begin(ProcessKind.BEAT)
        with or_said():
            process_start.start("beat")
        schema_watch.begin(current(), "beat")
        watchdog.begin_beat(current())
        garbage.collect_as_usual()
