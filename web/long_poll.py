"""Requests held until every record of their submission has its answer: one question for all of one key together."""

import asyncio
from asyncio import sleep
from typing import Final
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, TimeoutError as NoConnection

from web.room import NoRoom, Room, Shares
from worker.database import is_away, sqlstate
from worker.log import get_logger
from worker.queries import submissions

log = get_logger(__name__)

LONGEST: Final = 60.0
"""Seconds that an answer is held, at most."""
MOST: Final = 1_000
"""Answers held at once; whoever comes then gets his at once."""
MOST_OF_KEY: Final = 500
EVERY: Final = 0.1
"""Seconds between two looks, while anybody waits."""
SHARE: Final = 9
"""After a look a pause is so many times as long as it took: large submissions of one key cost a tenth of a thread."""
THREADS: Final = 2


class LongPoll:
    """The answers that this process holds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[int, dict[UUID, set[asyncio.Future[None]]]] = {}
        """By key, and submission."""
        self._places = Room()
        self._looking: dict[int, asyncio.Task[None]] = {}
        self._threads = CapacityLimiter(THREADS)
        self._ended = False

    async def until_settled(self, submission: UUID, seconds: float, key_id: int) -> bool:
        """Wait until the submission has no record that waits for its answer, for so many seconds at most.

        False where there is no room to wait.
        """
        if self._ended:
            return False
        try:
            with self._places.place(key_id, Shares(MOST, MOST_OF_KEY)):
                await self._hold(submission, seconds, key_id)
        except NoRoom:
            return False
        return True

    async def _hold(self, submission: UUID, seconds: float, key_id: int) -> None:
        future = asyncio.get_running_loop().create_future()
        mine = self._held.setdefault(key_id, {})
        mine.setdefault(submission, set()).add(future)
        if key_id not in self._looking:
            self._looking[key_id] = asyncio.create_task(self._look(key_id))
        try:
            await asyncio.wait_for(future, min(seconds, LONGEST))
        except TimeoutError:
            pass
        finally:
            mine[submission].discard(future)
            if not mine[submission]:
                del mine[submission]

    def end(self) -> None:
        """Hold nothing any more: the process stops."""
        self._ended = True
        for mine in self._held.values():
            for submission in mine:
                _let_go(mine[submission])

    async def _look(self, key_id: int) -> None:
        clock = asyncio.get_running_loop().time
        mine = self._held[key_id]
        try:
            while mine:
                begun = clock()
                try:
                    for submission in await to_thread.run_sync(self._settled, list(mine), limiter=self._threads):
                        _let_go(mine.get(submission, set()))
                except NoConnection:
                    log.warning("finished submissions not looked for", error=NoConnection.__name__)
                except DBAPIError as error:
                    if not is_away(error):  # an outage is logged as such, and who waits, waits on
                        log.warning("finished submissions not looked for", sqlstate=sqlstate(error))
                await sleep(max(EVERY, SHARE * (clock() - begun)))
        finally:
            del self._looking[key_id], self._held[key_id]

    def _settled(self, asked: list[UUID]) -> list[UUID]:
        with self._engine.connect() as connection:
            return list(submissions.settled(connection, asked))


def _let_go(futures: set[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
