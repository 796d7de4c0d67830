"""A worker does its due work itself while no wake-up reaches it: the broker never decides whether work goes on.

The database knows what is due and the stream what waits; a wake-up only says so sooner. A process to which the broker
brings nothing for `QUIET` seconds (it is away, blocked, or a connection went silent; or beat is gone) looks for itself.
It then does what it would have been woken for; claims, locks and permits keep it apart from others.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from tasks import deliver, intake, job, sweep, verify
from worker.celery import app
from worker.context import Context
from worker.log import get_logger
from worker.retention import purge
from worker.task_names import DELIVER, INTAKE, JOB, NOTIFY, PURGE, SWEEP, VERIFY
from worker.watchdog import Activity
from worker.webhooks import notify

log = get_logger(__name__)

QUIET: Final = 5.0
"""Seconds without a task after which a process looks for due work itself. Beat ticks every second."""
EVERY: Final = 2.0
"""Seconds between two looks."""
FOUND: Final = 10.0
"""Seconds after work was found for which the process says that it finds work itself."""
THREADS: Final = 4
"""Verbs of one process that run at once in this way."""

DueTask = tuple[str, tuple[tuple[str, str], ...], int]
"""A task, its arguments, and which of several at once."""


def _wake_nobody(_: Context, task: str, **__: object) -> int:  # noqa: ARG001 - as `wake`
    return 0


VERBS: Final[Mapping[str, Callable[..., Any]]] = {
    INTAKE: lambda process: intake.intake(process, _wake_nobody),
    DELIVER: lambda process, account: deliver.deliver(process, account, _wake_nobody),
    VERIFY: verify.verify,
    NOTIFY: notify.notify,
    JOB: job.work,
    PURGE: purge.purge_a_little,
}
"""What each task does. Nobody is woken: while the broker blocks, that takes seconds, and the next look comes sooner."""


class Fallback:
    """What one process does by itself."""

    def __init__(self, process: Context, queues: Collection[str], activity: Activity) -> None:
        """Take the names of the queues whose tasks this process runs."""
        self._process = process
        self._queues = frozenset(queues)
        self._activity = activity
        self._running: dict[DueTask, Future[None]] = {}
        self._threads = ThreadPoolExecutor(THREADS, "fallback")
        self._active = False
        self._found_at = -FOUND

    @property
    def finds_work(self) -> bool:
        """Say whether the broker brings nothing although there was work due lately."""
        return self._active and time.monotonic() - self._found_at < FOUND

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
            except Exception as error:  # the thread outlives any error
                if not self._process.is_outage(error):
                    log.exception("looking for due work failed")

    def look(self) -> int:
        """Begin what is due and is not running yet; give how much that is."""
        self._running = {work: future for work, future in self._running.items() if not future.done()}
        found = [work for work in self._due() if work not in self._running]
        if found and not self._active:
            self._active = True
            log.warning("no task came", seconds=QUIET, consequence="this process looks for due work itself")
        if found:
            self._found_at = time.monotonic()
        for work in found:
            self._running[work] = self._threads.submit(self._do, work)
        self._activity.found_itself(len(found))
        return len(found)

    def _due(self) -> list[DueTask]:
        found: list[DueTask] = []

        def note(_: Context, task: str, places: int = 1, **facts: str) -> int:
            found.extend((task, tuple(facts.items()), place) for place in range(min(places, THREADS)))
            return places

        if SWEEP in self._queues:
            sweep.sweep(self._process, note)
        elif DELIVER in self._queues:
            due = sweep.due_accounts(self._process)
            for account in due:
                note(self._process, DELIVER, sweep.places_of_each(len(due)), account=account)
        queue_of = app.conf.task_routes
        return [work for work in found if queue_of[work[0]]["queue"] in self._queues]

    def _do(self, work: DueTask) -> None:
        task, facts, _ = work
        try:
            VERBS[task](self._process, **dict(facts))
        except Exception as error:
            if not self._process.is_outage(error):
                log.exception("task failed", task=task)
