"""Storing what requests hand in: those that wait at the same moment are accepted together, in one transaction.

Each transaction costs about as much for one record as for fifty, so under load many requests share one; a request
that comes alone is stored at once, alone. The keys take turns, a large request is stored alone, and of one key there is
one transaction at a time: what a producer's own requests wait for, and what its events are locked for, is its own.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from worker.celery import DELIVER
from worker.context import Context
from worker.database import repeat
from worker.intake.accept import Inbound, accept
from worker.intake.receipts import Part
from worker.wake import wake

THREADS: Final = 3
"""Transactions at once."""
MOST: Final = 100
"""Requests in one transaction, at most."""
MOST_INPUTS: Final = 1_000
"""Inputs in one transaction of several requests, at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits to be stored, and who waits for it."""

    handed: Inbound
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class WaitingRequests:
    """What waits to be stored, by the key that it came with; several threads take from it."""

    def __init__(self) -> None:
        self._of: dict[int | None, deque[Asked]] = {}
        """In the order in which it is the keys' turn."""
        self._busy: set[int | None] = set()
        self._changed = threading.Condition()

    def put(self, asked: Asked) -> None:
        """Add one."""
        with self._changed:
            self._of.setdefault(asked.handed.key_id, deque()).append(asked)
            self._changed.notify()

    def take(self) -> list[Asked]:
        """Wait for some, and take what goes into one transaction; its keys get no other until it is `finished`."""
        with self._changed:
            while not (keys := [key for key in self._of if key not in self._busy]):
                self._changed.wait()
            together: list[Asked] = []
            inputs = 0
            turns = deque(keys)
            while turns and len(together) < MOST:
                key = turns.popleft()
                mine = self._of[key]
                if together and inputs + mine[0].handed.inputs > MOST_INPUTS:
                    continue
                together.append(mine.popleft())
                inputs += together[-1].handed.inputs
                if mine:
                    turns.append(key)
            for key in {asked.handed.key_id for asked in together}:
                self._busy.add(key)
                mine = self._of.pop(key)
                if mine:
                    self._of[key] = mine  # behind the others
            return together

    def finished(self, together: Sequence[Asked]) -> None:
        """Let the keys of a transaction have the next one."""
        with self._changed:
            self._busy -= {asked.handed.key_id for asked in together}
            self._changed.notify_all()


class Storing:
    """The transactions of one process; its threads end with the process."""

    def __init__(self, process: Context) -> None:
        self._process = process
        self._waiting = WaitingRequests()
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
        self._waiting.put(Asked(handed, loop, done))
        await done

    def _run(self) -> None:
        while True:
            together = self._waiting.take()
            failure: Exception | None = None
            parts: list[Part] = []
            try:
                parts = self._accept([one.handed for one in together])
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                failure = error
            self._waiting.finished(together)
            for one in together:
                one.loop.call_soon_threadsafe(_tell, one.done, failure)
            for account in {part.account for part in parts if part.accepted}:
                self._to_wake.put(account)

    def _wake(self) -> None:
        """Wake apart: where Redis is slow to answer, nobody's request is."""
        while True:
            accounts = {self._to_wake.get()}
            while not self._to_wake.empty():
                accounts.add(self._to_wake.get())
            for account in accounts:
                wake(self._process, DELIVER, account=account)

    def _accept(self, handed: Sequence[Inbound]) -> list[Part]:
        def work() -> list[Part]:
            with self._process.engine.connect() as connection:
                return accept(connection, handed, self._process.rules)

        return repeat(work)  # known again by their submissions, so a COMMIT whose answer was lost stores nothing twice


def _tell(done: asyncio.Future[None], failure: Exception | None) -> None:
    if done.done():  # the client left
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
