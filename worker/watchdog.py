"""The watchdog: ends a worker process that takes nothing although messages wait for it, so that another is started.

A consumer can be lost without a trace (seen once on RabbitMQ, after the broker was away): the process lives, its
threads are idle, and its queues fill. Threads know no time limit that would notice it.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from celery.signals import task_postrun, task_prerun
from kombu.exceptions import OperationalError

from worker.celery import app

log = logging.getLogger(__name__)

EVERY: Final = 10.0
"""Seconds between two looks at the queues."""
STUCK: Final = 120.0
"""Seconds without a task, while messages wait at every look, after which the process is taken for stuck."""
STATUS: Final = 70
"""The exit status then: EX_SOFTWARE."""


@dataclass
class Activity:
    """What this process's threads are at."""

    running: int = 0
    last: float = field(default_factory=time.monotonic)
    """When a task last began or ended."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def changed(self, by: int) -> None:
        """Note that a task began (1) or ended (-1)."""
        with self._lock:
            self.running += by
            self.last = time.monotonic()


def begin(queues: Sequence[str]) -> None:
    """Begin to watch, as long as this process runs."""
    work = Activity()
    task_prerun.connect(lambda **_: work.changed(1), weak=False)
    task_postrun.connect(lambda **_: work.changed(-1), weak=False)
    threading.Thread(target=watch, args=(queues, work), name="watchdog", daemon=True).start()


def watch(
    queues: Sequence[str],
    work: Activity,
    end: Callable[[int], Any] = os._exit,
    every: float = EVERY,
    stuck: float = STUCK,
) -> None:
    """Look again and again, until the process is stuck: then end it."""
    since = time.monotonic()
    while True:
        time.sleep(every)
        if work.running or not _waiting(queues):
            since = time.monotonic()
        elif time.monotonic() - max(since, work.last) >= stuck:
            log.critical("messages wait in %s and none was taken for %.0f s: this process ends", queues, stuck)
            end(STATUS)
            return


def _waiting(queues: Sequence[str]) -> bool:
    """Say whether messages wait; where the broker does not say, none do."""
    with app.connection_for_read() as connection:
        try:
            channel = connection.default_channel
            return any(channel.queue_declare(name, passive=True).message_count for name in queues)
        except (*connection.connection_errors, *connection.channel_errors, OperationalError):
            return False  # a queue that nobody sent to yet is not there
