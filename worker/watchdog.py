"""The watchdog: ends a process that the broker no longer reaches although it is there, so that another is started.

A consumer can be lost without a trace (seen on RabbitMQ, after the broker was away): the process lives, its threads
are idle, and its queues fill. Threads know no time limit that would notice it. So a worker ends where, at every look
for two minutes, messages waited for it or it had to find due work itself; beat ends where its ticks reach nobody.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import redis
from celery.signals import task_postrun, task_prerun

from worker import heartbeat
from worker.broker import closed_after
from worker.celery import app
from worker.context import Context
from worker.log import get_logger

log = get_logger(__name__)

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
    found: int = 0
    """Due work that this process had to find itself since the watchdog looked last."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def changed(self, by: int) -> None:
        """Note that a task began (1) or ended (-1)."""
        with self._lock:
            self.running += by
            self.last = time.monotonic()

    def quiet_for(self) -> float:
        """Give the seconds for which no task has begun, ended or run; 0 while one runs."""
        with self._lock:
            return 0.0 if self.running else time.monotonic() - self.last

    def found_itself(self, number: int) -> None:
        """Note due work that the process had to find itself."""
        with self._lock:
            self.found += number

    def take_found(self) -> int:
        """Give how much was found so, and count anew."""
        with self._lock:
            found, self.found = self.found, 0
            return found


def observe() -> Activity:
    """Give the activity of this process's tasks, from now on."""
    work = Activity()
    task_prerun.connect(lambda **_: work.changed(1), weak=False)
    task_postrun.connect(lambda **_: work.changed(-1), weak=False)
    return work


def begin(queues: Sequence[str], work: Activity) -> None:
    """Begin to watch, as long as this process runs."""
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
        found = work.take_found()
        waiting = None if work.running else _waiting(queues)
        if waiting is None or not (waiting or found):
            since = time.monotonic()
        elif time.monotonic() - max(since, work.last) >= stuck:
            log.critical("worker is stuck", queues=list(queues), seconds=round(stuck), consequence="this process ends")
            end(STATUS)
            return


def begin_beat(process: Context) -> None:
    """Begin to watch beat, as long as this process runs."""
    threading.Thread(target=watch_ticks, args=(process,), name="watchdog", daemon=True).start()


def watch_ticks(
    process: Context, end: Callable[[int], Any] = os._exit, every: float = EVERY, stuck: float = STUCK
) -> None:
    """Look again and again whether ticks are worked on, while there are workers and the broker answers; else end."""
    since = time.monotonic()
    while True:
        time.sleep(every)
        try:
            reaches = heartbeat.ticking(process.redis) or not heartbeat.workers(process.redis)
        except redis.RedisError as error:
            process.redis_outage.failed(error)
            reaches = True  # what cannot be seen is no reason to end
        else:
            process.redis_outage.answered()
        if reaches or _waiting([]) is None:
            since = time.monotonic()
        elif time.monotonic() - since >= stuck:
            log.critical("beat is stuck", seconds=round(stuck), consequence="this process ends")
            end(STATUS)
            return


def _waiting(queues: Sequence[str]) -> bool | None:
    """Say whether messages wait; none where the broker does not say."""
    try:
        with closed_after(app.connection_for_read()) as connection:
            channel = connection.default_channel
            return any(_messages(connection, channel, name) for name in queues)
    except Exception as error:  # noqa: BLE001 - transports raise errors of no common class
        log.debug("queue length unknown", error=type(error).__name__)
        return None


def _messages(connection: Any, channel: Any, queue: str) -> int:  # noqa: ANN401 - kombu carries no types
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return 0  # a queue that nobody sent to yet is not there
