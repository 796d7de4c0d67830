"""What to do about an answer: a pure function from (answer, attempts, age) to a decision."""

from dataclasses import dataclass
from typing import Final

from hubspot.answer import Ambiguous, Answer, Away, Limited, NotFound, RefusedWhole, Rejection, Settled, Unauthorized
from models.backoff import wait

OUTAGE: Final = 5
"""Ambiguous answers in a row after which the account backs off as a whole, with one probe at a time."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a batch is tried: ambiguous answers at most, seconds since its first failure at most."""

    max_attempts: int
    max_age: float


@dataclass(frozen=True, slots=True)
class Settle:
    """Every record has its answer."""

    answer: Settled


@dataclass(frozen=True, slots=True)
class RejectAll:
    """Final for every record of the batch."""

    rejection: Rejection


@dataclass(frozen=True, slots=True)
class Postpone:
    """Send the same again after so many seconds. `spends` an attempt where the answer was ambiguous."""

    seconds: float
    because: str
    spends: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """All of the account waits so many seconds; spends no attempt."""

    seconds: float
    because: str


@dataclass(frozen=True, slots=True)
class Park:
    """All of the account waits: so many seconds, or, where HubSpot named none, until its next midnight."""

    seconds: float | None
    because: str


@dataclass(frozen=True, slots=True)
class Pause:
    """All of the account waits for an operator."""

    because: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Attempts or age are spent."""

    because: str


Decision = Settle | RejectAll | Postpone | Block | Park | Pause | GiveUp


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried before.

    `attempts` counts the ambiguous answers of this batch before this one, `age` the seconds since the first of them,
    and `in_a_row` those of the account with nothing else answered between, this one included.
    """

    attempts: int
    age: float
    in_a_row: int


def decide(  # noqa: C901, PLR0911 - it reads like the table of HubSpot's answers
    answer: Answer, tried: Tried, bounds: Bounds, share: float
) -> Decision:
    """Decide what follows; `share` is a random number from 0 to 1."""
    attempts, age, in_a_row = tried.attempts, tried.age, tried.in_a_row
    match answer:
        case Settled():
            return Settle(answer)
        case RefusedWhole(rejection) | NotFound(rejection):
            return RejectAll(rejection)
        case Limited(daily=True, wait=seconds):
            return Park(seconds, "HubSpot's daily limit is spent")
        case Limited(wait=seconds):
            return Block(INTERVAL if seconds is None else seconds, "HubSpot asked to slow down (429)")
        case Away(because, seconds):
            return Park(seconds, because)
        case Unauthorized(because):
            return Pause(f"HubSpot does not accept the token: {because}")
        case Ambiguous(because, seconds) if in_a_row >= OUTAGE:
            return Park(wait(in_a_row - OUTAGE + 1, share, seconds), f"{because}, {in_a_row} times in a row")
        case Ambiguous(because) if attempts + 1 >= bounds.max_attempts:
            return GiveUp(f"{because}; {attempts + 1} attempts")
        case Ambiguous(because) if age >= bounds.max_age:
            return GiveUp(f"{because}; failing for {age:.0f} seconds")
        case Ambiguous(because, seconds):
            return Postpone(wait(attempts + 1, share, seconds), because, spends=True)


INTERVAL: Final = 10.0
"""Seconds: HubSpot's rolling interval, waited for where a 429 names nothing."""
