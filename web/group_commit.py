"""Storing what requests hand in: those that wait at the same moment are accepted together, in one transaction.

Each transaction costs about as much for one record as for fifty, so under load many requests share one; a request
that comes alone is stored at once, alone.
"""

import asyncio
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from worker.celery import DELIVER
from worker.context import Context
from worker.database import repeat
from worker.intake.accept import Inbound, accept
from worker.intake.receipts import Part
from worker.wake import wake

T = TypeVar("T")

THREADS: Final = 3
"""Transactions at once: a large request does not hold up the small ones behind it."""
MOST: Final = 100
"""Requests in one transaction, at most."""


@dataclass(frozen=True, slots=True)
class _Asked:
    handed: Inbound
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class Storing:
    """The transactions of one process; its threads end with the process."""

    def __init__(self, process: Context) -> None:
        self._process = process
        self._waiting: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
        self._to_wake: queue.SimpleQueue[str] = queue.SimpleQueue()
        for number in range(THREADS):
            threading.Thread(target=self._run, name=f"storing-{number}", daemon=True).start()
        threading.Thread(target=self._wake, name="waking", daemon=True).start()

    async def store(self, handed: Inbound) -> None:
        """Return when it is stored.

        Raises:
            DBAPIError: where the database is out of reach; then it may be stored all the same, and is known again.

        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.put(_Asked(handed, loop, done))
        await done

    def _run(self) -> None:
        while True:
            together = _drained(self._waiting)
            failure: Exception | None = None
            parts: list[Part] = []
            try:
                parts = self._accept([one.handed for one in together])
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                failure = error
            for one in together:
                one.loop.call_soon_threadsafe(_tell, one.done, failure)
            for account in {part.account for part in parts if part.accepted}:
                self._to_wake.put(account)

    def _wake(self) -> None:
        """Wake apart: where Redis is slow to answer, nobody's request is."""
        while True:
            for account in set(_drained(self._to_wake)):
                wake(self._process, DELIVER, account=account)

    def _accept(self, handed: Sequence[Inbound]) -> list[Part]:
        def work() -> list[Part]:
            with self._process.engine.connect() as connection:
                return accept(connection, handed, self._process.rules)

        return repeat(work)  # known again by their submissions, so a COMMIT whose answer was lost stores nothing twice


def _drained(waiting: queue.SimpleQueue[T]) -> list[T]:
    """Wait for one, and take what else is there."""
    together = [waiting.get()]
    while len(together) < MOST:
        try:
            together.append(waiting.get_nowait())
        except queue.Empty:
            break
    return together


def _tell(done: asyncio.Future[None], failure: Exception | None) -> None:
    if done.done():  # the client left
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
