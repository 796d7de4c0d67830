"""The Celery app: `celery -A worker worker`, `celery -A worker beat`.

A Celery message is only a wake-up; the database is the queue of truth. Every setting here was measured or met as a
flaw; its reason stands beside it.
"""

import sys
from functools import cached_property
from importlib import import_module
from itertools import pairwise
from typing import Any

from celery import Celery
from celery.loaders.app import AppLoader
from celery.signals import setup_logging, worker_shutting_down
from kombu.entity import Exchange, Queue

from models.message import Json
from worker import garbage
from worker.broker import connecting
from worker.log import get_logger
from worker.setting_sources import SettingsError
from worker.settings import Settings, load_settings, log_format
from worker.task_names import JOB, PURGE, SWEEP, TASKS

log = get_logger(__name__)


class Loader(AppLoader):  # type: ignore[misc]
    """Reads the settings when the app is first used, not at import; where they are not usable, nothing starts."""

    def import_default_modules(self) -> Any:  # noqa: ANN401 - Celery's
        """Import what the program needs: beat none of the verbs."""
        import_module("tasks.begin_beat" if _program() == "beat" else "tasks.begin_worker")
        return super().import_default_modules()

    def read_configuration(self, env: str = "") -> Json:  # noqa: ARG002 - Celery's signature
        """Give Celery's configuration; where the settings are wrong, the process ends with the reason alone."""
        try:
            return configuration(load_settings())
        except SettingsError as error:
            if kind := _program():
                from worker.process_start import refused

                refused(kind, error)
            if log_format() != "json":
                raise SystemExit(f"turnout: {error}") from None
            log.critical("cannot start", reason=str(error))
            raise SystemExit(1) from None


def _is_celerys_program() -> bool:
    """Say whether this is Celery's own program, and not one of ours that only publishes."""
    return "celery.bin.celery" in sys.modules


def _program() -> str | None:
    """Say whether this process is Celery's worker or its beat, by its command line."""
    if not _is_celerys_program():
        return None
    words = (word for before, word in pairwise(sys.argv) if before not in {"-A", "--app"})
    return next((word for word in words if word in {"worker", "beat"}), None)


class App(Celery):  # type: ignore[misc]
    """Celery, whose worker and beat log as everything else does."""

    @cached_property
    def Worker(self) -> Any:  # noqa: ANN401, N802 - Celery's own
        """The worker."""
        return self.subclass_with_self("worker.programs:WorkerProgram")

    @cached_property
    def Beat(self) -> Any:  # noqa: ANN401, N802 - Celery's own
        """The scheduler's process."""
        return self.subclass_with_self("worker.programs:Beat")


app = App("turnout", loader=Loader, task_cls="worker.verb_task:VerbTask")


def configuration(settings: Settings) -> Json:
    """Give Celery's configuration for these settings."""
    connection = connecting(settings)
    return {
        "broker_url": settings.broker_url,
        # A worker that starts before its broker waits for it, and one that loses it comes back, for ever: by default
        # it gives up after a hundred tries, some 45 minutes.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Also where Redis answers, and takes no writes for now: it is full, or became a replica. By default a worker
        # that comes back to such a one ends. On RabbitMQ these errors are mistakes of ours, such as a queue's type.
        "broker_channel_error_retry": settings.broker_url.startswith("redis"),
        "broker_connection_timeout": connection["connect_timeout"],
        "broker_pool_acquire_timeout": 2,
        # A peer that vanished, or goes silent and never closes, is noticed by three heartbeats that do not come (on
        # Redis by the health check below). Celery sends its own from the thread pool's loop, for a connection that
        # consumes; a publisher's silence is noticed by the confirmation that does not come.
        "broker_heartbeat": 10,
        # No message ends a worker, and none that can be read is lost, whatever it is.
        "broker_transport": "worker.redis_transport:Transport" if settings.broker_url.startswith("redis") else None,
        "worker_consumer": "worker.consumer:Consumer",
        "broker_transport_options": connection["transport_options"],
        # JSON only: a message is text from anybody, not code.
        "accept_content": ["json"],
        "task_serializer": "json",
        # Nobody reads results or events; what happened is in SQL.
        "task_ignore_result": True,
        "result_backend": None,
        "worker_send_task_events": False,
        "task_send_sent_event": False,
        # A queue a verb, so that intake, delivery and housekeeping do not starve each other (-Q).
        "task_queues": [
            # The type is always said: left out, it is the virtual host's default, which Celery does not see.
            Queue(name, Exchange("turnout"), routing_key=name, queue_arguments={"x-queue-type": settings.queue_type})
            for name in TASKS
        ],
        "task_create_missing_queues": False,
        "task_routes": {name: {"queue": name} for name in TASKS} | {name: {"queue": SWEEP} for name in (PURGE, JOB)},
        # A message is acknowledged when its work is done, also for a killed worker (on RabbitMQ). One that fails is
        # done too: the sweep wakes the verb again; only `accept`, which carries data, does not fail but waits.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # One at a time: a worker that holds messages it does not work on only delays them.
        "worker_prefetch_multiplier": 1,
        "worker_disable_rate_limits": True,
        # A worker's control queue is exclusive on RabbitMQ: where a host vanishes, its name is locked until the broker
        # notices, and a worker of that name exits at each start. Nothing here uses remote control.
        "worker_enable_remote_control": False,
        # The broker's outage is no reason to drop a POST that is under way.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # By default a worker that lost its connection takes less for a while, and then raises that by a call to the
        # broker, beside its threads' acknowledgements. On RabbitMQ that call's answer can be lost among them: the
        # worker took nothing for ever, and did not stop (seen, at just that line of its log).
        "worker_enable_prefetch_count_reduction": False,
        # A stop lets a POST that is under way finish and settle.
        "worker_soft_shutdown_timeout": settings.timeout + 5,
        "worker_enable_soft_shutdown_on_idle": False,
        # Producers commit first and publish second; the sweep covers what is not published. One repeat, at once:
        # without any, a publisher that lost its connection never makes another (seen on RabbitMQ, of beat too).
        "task_publish_retry": True,
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
        # What waits on the network needs no process each, and Celery's own choice, forked children, is refused.
        "worker_pool": "threads",
        "worker_concurrency": 8,
        "enable_utc": True,
        # Beat carries only ticks, without `expires` (it is the sender's clock), and remembers nothing: any number
        # of beats is harmless.
        "beat_scheduler": "worker.beat:Ticks",
        "beat_max_loop_interval": 1,
        "beat_schedule": {"sweep": {"task": SWEEP, "schedule": 1.0}},
    }


@setup_logging.connect
def _set_up_logging(**_: object) -> None:
    from worker.logging_setup import set_up

    set_up(log_format())


@worker_shutting_down.connect
def _stop(**_: object) -> None:
    from worker.context import current

    current().stopping.set()


def _log_from_here_on() -> None:
    """Log before Celery's program reads its options, so that what is wrong with these is a line as any other."""
    from click import NoSuchOption, UsageError

    def show(error: UsageError, _: object = None) -> None:
        log.critical("cannot start", reason=error.format_message())

    _set_up_logging()
    if log_format() == "json":
        for kind in (UsageError, NoSuchOption):  # Celery's program shows the latter in its own way
            setattr(kind, "show", show)  # noqa: B010 - mypy takes it for a function, not a method


def begin_program() -> None:
    """Begin as Celery's own program, which imports this first of all that is ours."""
    garbage.collect_rarely()  # until the process has begun (`tasks.begin_worker`)
    _log_from_here_on()


if _is_celerys_program():
    begin_program()
