"""Requests held until every record of their submission has its answer: one question for all of them together."""

import asyncio
from typing import Final
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool

from worker.database import is_away, sqlstate
from worker.log import get_logger
from worker.queries import submissions

log = get_logger(__name__)

LONGEST: Final = 60.0
"""Seconds that an answer is held, at most."""
MOST: Final = 1_000
"""Answers held at once; whoever comes then gets his at once."""
EVERY: Final = 0.1
"""Seconds between two looks, while anybody waits."""


class LongPoll:
    """The answers that this process holds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[UUID, set[asyncio.Future[None]]] = {}
        self._number = 0
        self._looking: asyncio.Task[None] | None = None
        self._ended = False

    async def until_settled(self, submission: UUID, seconds: float) -> bool:
        """Wait until the submission has no record that waits for its answer, for so many seconds at most.

        False where there is no room to wait.
        """
        if self._ended or self._number >= MOST:
            return False
        future = asyncio.get_running_loop().create_future()
        self._held.setdefault(submission, set()).add(future)
        self._number += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await asyncio.wait_for(future, min(seconds, LONGEST))
        except TimeoutError:
            pass
        finally:
            self._number -= 1
            held = self._held.get(submission, set())
            held.discard(future)
            if not held:
                self._held.pop(submission, None)
        return True

    def end(self) -> None:
        """Hold nothing any more: the process stops."""
        self._ended = True
        for submission in list(self._held):
            self._let_go(submission)

    async def _look(self) -> None:
        while self._held:
            try:
                for submission in await run_in_threadpool(self._settled, list(self._held)):
                    self._let_go(submission)
            except DBAPIError as error:
                if not is_away(error):  # an outage is logged as such, and who waits, waits on
                    log.warning("finished submissions not looked for", sqlstate=sqlstate(error))
            await asyncio.sleep(EVERY)

    def _settled(self, asked: list[UUID]) -> list[UUID]:
        with self._engine.connect() as connection:
            return list(submissions.settled(connection, asked))

    def _let_go(self, submission: UUID) -> None:
        for future in self._held.get(submission, ()):
            if not future.done():
                future.set_result(None)
