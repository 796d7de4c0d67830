"""Isolate: a request that was refused whole is searched for what is to blame, part by part, inside its claim.

Each part has a permit, an attempt's row and the lease renewed before it is sent. A crash in the middle loses only that
search: the lease runs out, and what HubSpot took meanwhile is sent again with the rest, which stores nothing twice.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, bindparam, func, update

from hubspot_api.answer import Answer, RefusedWhole, Settled
from hubspot_api.isolation_search import Findings, Indexes, absorb, begin, next_part
from hubspot_api.limiter import Permit, Use
from hubspot_api.reaction import Isolate, Settle
from models.moves import Move
from models.tables import Batch, fixed, seconds
from models.words import AttemptKind, Origin
from worker.accounts.state import may_go_on
from worker.context import GRACE
from worker.delivery import permits
from worker.delivery.call import Delivery, send, tell
from worker.queue import attempts as calls
from worker.queue.attempts import AttemptResult
from worker.queue.claim import Claim
from worker.queue.settle import PartialAnswer


@dataclass(frozen=True, slots=True)
class Ended:
    """The search came to its end."""


@dataclass(frozen=True, slots=True)
class PartAnswered:
    """What HubSpot said of a part. Where that is neither yes nor no to it, the search ends: it has its own reaction."""

    answer: Answer
    call: AttemptResult
    attempt_id: int
    records: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The search was left before its end."""

    because: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The lease is somebody else's: nothing more may be written."""


Ending = Ended | PartAnswered | Stopped | Lost


@dataclass(frozen=True, slots=True)
class Isolated:
    """What was found of the claim's members, by which attempt each, and how the search ended."""

    found: Findings
    attempts: Mapping[int, int]
    ending: Ending

    @property
    def apart(self) -> PartialAnswer:
        """Give those that have their answer."""
        apart = PartialAnswer(self.found.settled, self.attempts)
        return PartialAnswer(apart.answer, {index: self.attempts[index] for index in apart.indexes})


BUDGET: Final = 5.0
"""Seconds after which a search that has found something gives its thread to other accounts.

That costs one request: what is left is sent once more as a whole.
"""
NO_PERMIT: Final = "HubSpot refuses something in it, and there was no permit to find out what"
SLOW: Final = "HubSpot refuses something in it, and it took too long to begin sending a part"
STOPS: Final = "HubSpot refuses something in it, and the worker stopped before it was found"
HALTED: Final = "HubSpot refuses something in it, and the account was stopped before it was found"
SPENT: Final = "HubSpot refuses something in it; the search goes on after {} requests"


def isolate(delivery: Delivery, refused: RefusedWhole) -> Isolated:
    """Search the members of a claim whose request was refused."""
    claimed = delivery.claimed
    assert claimed.attempt_id is not None
    attempts = dict.fromkeys(range(len(claimed.members)), claimed.attempt_id)
    search = begin(len(claimed.members), refused, delivery.to.batch_size)
    ends = time.monotonic() + BUDGET
    while (part := next_part(search)) is not None:
        left = ends - time.monotonic()
        if search.found and (left <= 0 or search.sent >= delivery.to.burst_limit):
            # Something is answered: so each claim gets on.
            return Isolated(search.found, attempts, Stopped(SPENT.format(search.sent)))
        said = _send(delivery, part, left if search.found else float("inf"))
        if not isinstance(said, PartAnswered) or not isinstance(said.answer, Settled | RefusedWhole):
            return Isolated(search.found, attempts, said)
        calls.complete_alone(delivery.process.engine, said.attempt_id, said.call, said.answer)
        follows = Settle(said.answer) if isinstance(said.answer, Settled) else Isolate(said.answer)
        tell(delivery, said.records, said.call, follows)
        attempts |= {index: said.attempt_id for index in part if index not in search.found}
        search = absorb(search, said.answer)
    return Isolated(search.found, attempts, Ended())


def _send(delivery: Delivery, part: Indexes, left: float) -> PartAnswered | Stopped | Lost:
    process, claimed = delivery.process, delivery.claimed
    held = _permit(delivery, left)
    if isinstance(held, Stopped):
        return held
    granted = time.monotonic()
    begun = _begin(process.engine, claimed, process.settings.lease, len(part))
    if not isinstance(begun, int):
        permits.give_back(process, delivery.to, held)
        return begun
    if time.monotonic() - granted > min(GRACE, process.settings.lease - process.settings.timeout):
        permits.give_back(process, delivery.to, held)
        calls.forget_alone(process.engine, begun)
        return Stopped(SLOW)
    answer, call = send(delivery, [claimed.members[index] for index in part], held, AttemptKind.PART)
    return PartAnswered(answer, call, begun, len(part))


def _permit(delivery: Delivery, left: float) -> Permit | Stopped:
    """Wait for a permit as long as is `left`, one window at most, and not so long that the lease could run out."""
    process, to = delivery.process, delivery.to
    use = Use.LIVE if delivery.claimed.origin is Origin.LIVE else Use.LATER
    patience = min(left, to.burst_seconds, (process.settings.lease - process.settings.timeout) / 2)
    held = permits.permit(process, to, use, patience)
    if process.stopping.is_set():
        if held is not None:
            permits.give_back(process, to, held)
        return Stopped(STOPS)
    return held or Stopped(NO_PERMIT)


_RENEW: Final = (
    update(Batch)
    .where(
        Batch.id == bindparam("batch"),
        Batch.status == fixed(Move.SETTLE.before),
        Batch.lease_token == bindparam("token"),
    )
    .values(lease_until=func.clock_timestamp() + seconds("lease"))
    .returning(Batch.account_id)
)


def _begin(engine: Engine, claimed: Claim, lease: float, size: int) -> int | Stopped | Lost:
    """Renew the lease and insert the part's attempt, fenced by the token, unless the account was stopped meanwhile."""
    with engine.begin() as connection:
        renewed = connection.execute(_RENEW, {"batch": claimed.batch_id, "token": claimed.token, "lease": lease})
        account_id = renewed.scalar()
        if account_id is None:
            return Lost()
        if not may_go_on(connection, account_id):
            return Stopped(HALTED)
        return calls.begin(connection, AttemptKind.PART, account_id, claimed.batch_id, size)
