"""Room that producers share: how much is taken, in all and by each of them.

An owner (a key, an address) has a share at most, so whoever takes all that one owner can leaves room for the others.
Everything here runs on one event loop, so nothing is locked.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Shares:
    """How much there is, in all and for one owner."""

    most: int
    of_one: int


class NoRoom(Exception):  # noqa: N818 - it is a state of the world
    """There is no room now; `is_own` where the owner itself has taken its share."""

    def __init__(self, *, is_own: bool) -> None:
        super().__init__()
        self.is_own = is_own


@dataclass(slots=True, eq=False)
class _Waiter:
    owner: Hashable
    amount: int
    shares: Shares
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Room:
    """What is taken of one thing."""

    def __init__(self) -> None:
        self.taken = 0
        self._of: Counter[Hashable] = Counter()
        self._waiting: list[_Waiter] = []

    def of(self, owner: Hashable) -> int:
        """Say how much an owner has taken."""
        return self._of[owner]

    def take(self, owner: Hashable, amount: int, shares: Shares) -> None:
        """Take some.

        Raises:
            NoRoom: where it is not there.

        """
        if self._of[owner] + amount > shares.of_one:
            raise NoRoom(is_own=True)
        if self.taken + amount > shares.most:
            raise NoRoom(is_own=False)
        self._take(owner, amount)

    def give_back(self, owner: Hashable, amount: int) -> None:
        """Give some back, to those that wait; each owner's in their order."""
        self.taken -= amount
        self._of[owner] -= amount
        if not self._of[owner]:
            del self._of[owner]
        passed: set[Hashable] = set()
        for waiter in list(self._waiting):
            if waiter.granted.done():  # it has left, and takes itself away in a moment
                continue
            if waiter.owner not in passed and self._fits(waiter):
                self._waiting.remove(waiter)
                self._take(waiter.owner, waiter.amount)
                waiter.granted.set_result(None)
            else:
                passed.add(waiter.owner)

    @contextmanager
    def place(self, owner: Hashable, shares: Shares) -> Iterator[None]:
        """Hold one place until the block ends.

        Raises:
            NoRoom: where there is none.

        """
        self.take(owner, 1, shares)
        try:
            yield
        finally:
            self.give_back(owner, 1)

    @asynccontextmanager
    async def turn(self, owner: Hashable, amount: int, shares: Shares) -> AsyncIterator[None]:
        """Hold some until the block ends; wait until it is there. Who asks for more than a share gets one share."""
        waiter = _Waiter(owner, min(amount, shares.of_one, shares.most), shares)
        if self._fits(waiter) and all(other.owner != owner for other in self._waiting):
            self._take(owner, waiter.amount)
        else:
            self._waiting.append(waiter)
            try:
                await waiter.granted
            except asyncio.CancelledError:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                else:
                    self.give_back(owner, waiter.amount)
                raise
        try:
            yield
        finally:
            self.give_back(owner, waiter.amount)

    def _fits(self, waiter: _Waiter) -> bool:
        own, shares = self._of[waiter.owner] + waiter.amount, waiter.shares
        return own <= shares.of_one and self.taken + waiter.amount <= shares.most

    def _take(self, owner: Hashable, amount: int) -> None:
        self.taken += amount
        self._of[owner] += amount


class Turns:
    """Threads for what takes long. One owner has a few of them at most, and waits for these, not for all."""

    def __init__(self, threads: int, of_one: int) -> None:
        self._shares: Final = Shares(threads, of_one)
        self._limiter = CapacityLimiter(threads)
        self._room = Room()

    async def run(self, owner: Hashable, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do work in a thread, when it is the owner's turn."""
        async with self._room.turn(owner, 1, self._shares):
            return await to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self._limiter)
