"""What is asked for at the same moment is done together, in one piece of work for all of it.

A trip to PostgreSQL and a hand-over to a thread cost about as much for one as for fifty. So what is asked for while
the thread is busy waits, and goes together; what comes alone goes alone, at once. The owners take turns, and of one
owner there is one piece of work at a time: what an owner's own requests wait for is its own.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST: Final = 100
"""What goes together, at most."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """What waits to be done, whose it is, how much it weighs, and who waits for it."""

    owner: Hashable
    what: T
    weight: int
    done: asyncio.Future[Any]


class WaitingWork(Generic[T]):
    """What waits, by its owner. It is used on one event loop, so nothing is locked."""

    def __init__(self, most_weight: int) -> None:
        """Take what several may weigh together, at most; one that weighs more goes alone."""
        self._most_weight = most_weight
        self._of: dict[Hashable, deque[Asked[T]]] = {}
        """In the order in which it is the owners' turn."""
        self._busy: set[Hashable] = set()

    def put(self, asked: Asked[T]) -> None:
        """Add one."""
        self._of.setdefault(asked.owner, deque()).append(asked)

    def take(self) -> list[Asked[T]]:
        """Take what goes together now, if there is anything; its owners get no more until it is `finished`."""
        together: list[Asked[T]] = []
        weight = 0
        turns = deque(owner for owner in self._of if owner not in self._busy)
        while turns and len(together) < MOST:
            owner = turns.popleft()
            mine = self._of[owner]
            if together and weight + mine[0].weight > self._most_weight:
                continue
            together.append(mine.popleft())
            weight += together[-1].weight
            if mine:
                turns.append(owner)
        for owner in {asked.owner for asked in together}:
            self._busy.add(owner)
            mine = self._of.pop(owner)
            if mine:
                self._of[owner] = mine  # behind the others
        return together

    def finished(self, together: Sequence[Asked[T]]) -> None:
        """Let the owners of what went together have the next."""
        self._busy -= {asked.owner for asked in together}


class Together(Generic[T, R]):
    """Does what is asked for in a few threads of its own, until `end`."""

    def __init__(
        self, name: str, work: Callable[[list[T]], Sequence[R]], *, threads: int, most_weight: int = MOST
    ) -> None:
        """Take the work: it gives a result for each that it is given, in their order."""
        self._work = work
        self._waiting = WaitingWork[T](most_weight)
        self._free = self._threads = threads
        self._is_begun_soon = False
        self._given: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, list[Asked[T]]] | None] = queue.SimpleQueue()
        for number in range(threads):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    async def ask(self, owner: Hashable, what: T, weight: int = 1) -> R:
        """Give the result of one.

        Raises:
            Exception: what the work for all of them raised.

        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[R] = loop.create_future()
        self._waiting.put(Asked(owner, what, weight, done))
        if not self._is_begun_soon:  # what the loop has at hand already goes together
            self._is_begun_soon = True
            loop.call_soon(self._begin, loop)
        return await done

    def end(self) -> None:
        """End the threads, when they have done what they were given; nothing may be asked for after that."""
        for _ in range(self._threads):
            self._given.put(None)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_begun_soon = False
        while self._free and (together := self._waiting.take()):
            self._free -= 1
            self._given.put((loop, together))

    def _run(self) -> None:
        while (given := self._given.get()) is not None:
            loop, together = given
            results: Sequence[R] = ()
            failure: Exception | None = None
            try:
                results = self._work([asked.what for asked in together])
            except Exception as error:  # noqa: BLE001 - who asked is told
                failure = error
            try:
                loop.call_soon_threadsafe(self._tell, loop, together, results, failure)
            except RuntimeError:  # the loop has ended, and with it all who asked
                return

    def _tell(
        self,
        loop: asyncio.AbstractEventLoop,
        together: list[Asked[T]],
        results: Sequence[R],
        failure: Exception | None,
    ) -> None:
        self._free += 1
        self._waiting.finished(together)
        self._begin(loop)  # first, so that the thread works while these are answered
        for place, asked in enumerate(together):
            if asked.done.done():  # the client left
                continue
            if failure is None:
                asked.done.set_result(results[place])
            else:
                asked.done.set_exception(failure)
