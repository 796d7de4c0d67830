"""Celery's worker and beat as processes of ours: they log from their first line on, and print no banner."""

import os
from logging import LogRecord
from typing import Any, Final

from celery import platforms
from celery.apps import beat, worker
from celery.worker.consumer import consumer

from worker.context import current
from worker.log import get_logger

log = get_logger(__name__)

OF_AN_OUTAGE: Final = ("consumer: ", "Frequent restarts detected: ")
"""How Celery's lines about a connection begin: the latter where a broker answers, and takes nothing for now."""


class WorkerProgram(worker.Worker):  # type: ignore[misc]
    """`celery -A worker worker`."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Celery's own
        """Have what Celery prints logged, and an outage of the broker once."""
        worker.safe_say = _say
        consumer.logger.addFilter(_is_no_outage)
        super().__init__(**options)

    def emit_banner(self) -> None:
        """Say what starts, in a line."""
        log.info(
            "worker starts", worker=self.hostname, queues=sorted(self.app.amqp.queues), concurrency=self.concurrency
        )

    def on_consumer_ready(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's own
        """Say that it takes work, first or again after an outage of the broker."""
        super().on_consumer_ready(consumer)
        current().broker.answered()
        log.info("worker ready", worker=self.hostname)

    def on_stopped(self) -> None:
        """Say that it has stopped."""
        super().on_stopped()
        log.info("worker stopped", worker=self.hostname)


class Beat(beat.Beat):  # type: ignore[misc]
    """`celery -A worker beat`."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Celery's own
        """Print no banner."""
        super().__init__(**options | {"quiet": True})

    def run(self) -> None:
        """Say that it starts."""
        log.info("beat starts")
        super().run()

    def install_sync_handler(self, service: Any) -> None:  # noqa: ANN401, ARG002 - Celery's own
        """Stop at once when it is asked to: it keeps nothing, and a tick that is lost comes again.

        Celery's own raises SystemExit into whatever is under way, which may be a wait for RabbitMQ: seen to take two
        minutes, until the watchdog ended the process.
        """

        def stop(*_: object) -> None:
            log.info("beat stopped")
            os._exit(0)

        platforms.signals.update(SIGTERM=stop, SIGINT=stop)


def _is_no_outage(line: LogRecord) -> bool:
    """Note an outage of the broker in place of Celery's lines: one for the loss, and one for each try to come back."""
    words = (line.msg, *line.args) if isinstance(line.args, tuple) else (line.msg,)
    errors = [word for word in words if isinstance(word, BaseException)]
    if not errors or not any(isinstance(word, str) and word.startswith(OF_AN_OUTAGE) for word in words):
        return True
    current().broker.failed(errors[0])
    return False


def _say(text: str, _: object = None) -> None:
    """Log what Celery prints when it is asked to stop, or (SIGUSR1) where its threads are."""
    log.info("Celery says", says=text)
