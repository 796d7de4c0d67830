"""A worker does its due work itself while no wake-up reaches it: the broker never decides whether work goes on.

The database knows what is due and the stream what waits; a wake-up only says so sooner. A process to which the broker
brings nothing for `QUIET` seconds (it is away, blocked, or a connection went silent; or beat is gone) looks for itself.
It then runs the very tasks that it would have been woken for; claims, locks and permits keep it apart from others.
"""

import logging
import threading
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import redis
from sqlalchemy.exc import DBAPIError

from tasks import sweep
from worker.celery import DELIVER, SWEEP, app
from worker.context import Context
from worker.watchdog import Activity

log = logging.getLogger(__name__)

QUIET: Final = 5.0
"""Seconds without a task after which a process looks for due work itself. Beat ticks every second."""
EVERY: Final = 2.0
"""Seconds between two looks."""
THREADS: Final = 4
"""Tasks of one process that run at once in this way."""

Work = tuple[str, tuple[tuple[str, str], ...]]
"""A task and its arguments."""


class Fallback:
    """What one process does by itself."""

    def __init__(self, process: Context, queues: Collection[str], activity: Activity) -> None:
        """Take the names of the queues whose tasks this process runs."""
        self._process = process
        self._queues = frozenset(queues)
        self._activity = activity
        self._running: dict[Work, Future[None]] = {}
        self._threads = ThreadPoolExecutor(THREADS, "fallback")
        self._active = False

    def begin(self) -> None:
        """Begin to look, as long as the process runs."""
        threading.Thread(target=self._run, name="fallback", daemon=True).start()

    def _run(self) -> None:
        while not self._process.stopping.wait(EVERY):
            if self._activity.quiet_for() < QUIET:
                self._active = False
                continue
            try:
                self.look()
            except (DBAPIError, redis.RedisError) as error:
                log.debug("nothing is looked for: %s", type(error).__name__)
            except Exception:
                log.exception("looking for due work failed")  # the thread outlives any error

    def look(self) -> int:
        """Begin what is due and is not running yet; give how much that is."""
        self._running = {work: future for work, future in self._running.items() if not future.done()}
        found = [work for work in self._due() if work not in self._running]
        if found and not self._active:
            self._active = True
            log.warning("no task has come for %.0f s although work is due: this process looks for it itself", QUIET)
        for work in found:
            self._running[work] = self._threads.submit(self._do, work)
        self._activity.found_itself(len(found))
        return len(found)

    def _due(self) -> list[Work]:
        found: list[Work] = []

        def note(_: Context, task: str, places: int = 1, **facts: str) -> int:
            found.append((task, tuple(facts.items())))
            return places

        if SWEEP in self._queues:
            sweep.sweep(self._process, note)
        elif DELIVER in self._queues:
            for account in sweep.due_accounts(self._process):
                note(self._process, DELIVER, account=account)
        queue_of = app.conf.task_routes
        return [work for work in found if queue_of[work[0]]["queue"] in self._queues]

    def _do(self, work: Work) -> None:
        task, facts = work
        try:
            app.tasks[task](**dict(facts))
        except (DBAPIError, redis.RedisError) as error:
            log.debug("%s ended: %s", task, type(error).__name__)
        except Exception:
            log.exception("%s failed", task)
