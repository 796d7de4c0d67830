"""Storing what requests hand in: those that wait at the same moment are accepted together, in one transaction.

Each transaction costs about as much for one record as for fifty, so under load many requests share one
(`web.together`); a request that comes alone is stored at once, alone. A large request is stored alone, and of one key
there is one transaction at a time: what its events are locked for is its own.
"""

import queue
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Uuid, any_, bindparam, func, select

from models.tables import Submission
from web.together import Together
from worker.context import Context
from worker.database import repeat
from worker.intake.accept import Inbound, accept
from worker.intake.receipts import Part
from worker.intake.wakes import due_of, wake_delivery
from worker.log import get_logger
from worker.trip import Query, begin, trip

log = get_logger(__name__)

PART: Final = "request"
"""A request is its submission's only part."""
THREADS: Final = 3
"""Transactions at once."""
MOST_INPUTS: Final = 1_000
"""Inputs in one transaction of several requests, at most."""


class StoredRequest(NamedTuple):
    """The receipt of a request: of the first time, where its `Idempotency-Key` brought it before."""

    submission: UUID
    received_at: datetime
    accepted: int
    refused: int
    repeated: int
    """Records of earlier submissions that its duplicates repeat."""
    key_id: int | None
    digest: bytes | None
    """Of the request that brought it."""


_STORED: Final = select(
    *(Submission.submission, Submission.received_at, Submission.accepted, Submission.refused),
    *(func.cardinality(Submission.repeated, type_=Integer).label("repeated"), Submission.key_id, Submission.digest),
).where(
    Submission.submission == any_(bindparam("submissions", type_=ARRAY(Uuid))), Submission.part == bindparam("part")
)


class Storing:
    """The transactions of one process, in threads of its own until `end`."""

    def __init__(self, process: Context) -> None:
        self._process = process
        self._together = Together("storing", self._store, threads=THREADS, most_weight=MOST_INPUTS)
        self._to_wake: queue.SimpleQueue[dict[str, bool] | None] = queue.SimpleQueue()
        threading.Thread(target=self._wake, name="waking", daemon=True).start()

    async def store(self, handed: Inbound) -> StoredRequest:
        """Give its receipt when it is stored.

        Raises:
            DBAPIError: where the database is out of reach; then it may be stored all the same, and is known again.
            LookupError: where the database cannot store it: then it is kept as refused, under another submission.

        """
        stored = await self._together.ask(handed.key_id, handed, handed.inputs)
        if stored is None:
            raise LookupError("a request has no receipt")
        return stored

    def end(self) -> None:
        """End the threads, when they have done what they were given."""
        self._together.end()
        self._to_wake.put(None)

    def _store(self, handed: Sequence[Inbound]) -> list[StoredRequest | None]:
        if due := due_of(self._accept(handed)):
            self._to_wake.put(due)
        asked = [submission_of(one) for one in handed]
        with begin(self._process.engine) as connection:
            (found,) = trip(
                connection, Query(_STORED, {"submissions": asked, "part": PART}, StoredRequest), commit=True
            )
        receipts = {one.submission: one for one in found.rows}
        return [receipts.get(submission) for submission in asked]

    def _wake(self) -> None:
        """Wake apart: where Redis is slow to answer, nobody's request is."""
        several: list[dict[str, bool] | None] = []
        while None not in several:
            several = [self._to_wake.get()]
            while not self._to_wake.empty():
                several.append(self._to_wake.get())
            due: dict[str, bool] = {}
            for accounts in several:
                for account, is_due in (accounts or {}).items():
                    due[account] = due.get(account, False) or is_due
            try:
                wake_delivery(self._process, due)
            except Exception:  # the thread outlives any error; the sweep wakes whom this does not
                log.exception("delivery not woken")

    def _accept(self, handed: Sequence[Inbound]) -> list[Part]:
        def work() -> list[Part]:
            with self._process.engine.connect() as connection:
                return accept(connection, handed, self._process.rules)

        return repeat(work)  # known again by their submissions, so a COMMIT whose answer was lost stores nothing twice


def submission_of(handed: Inbound) -> UUID:
    """Give the submission that a request is."""
    assert handed.message is not None
    assert handed.message.submission is not None
    return handed.message.submission
