"""What to do about an answer: a pure function from it, and what was tried before, to a decision."""

from dataclasses import dataclass
from typing import Final

from hubspot_api.answer import (
    Ambiguous,
    Answer,
    Limited,
    NotFound,
    PortalUnavailable,
    RefusedWhole,
    Rejection,
    Settled,
    Unauthorized,
)
from models.backoff import wait
from models.counted import counted

UNKNOWN: Final = 3
"""Events in a row that HubSpot does not know, with nothing accepted between, after which the account is paused."""
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
class Isolate:
    """Some of the batch is refused, and has to be searched for."""

    answer: RefusedWhole


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


EndOfClaim = Settle | RejectAll | Postpone | Block | Park | Pause | GiveUp
Decision = Isolate | EndOfClaim


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried before.

    `attempts` counts the ambiguous answers of this batch before this one, `age` the seconds since the first of them,
    and `in_a_row` those of the account with nothing else answered between, this one included. `records` is what was
    sent; `unknown_events` how many events HubSpot has not known since it last accepted something, this one included.
    """

    attempts: int
    age: float
    in_a_row: int
    records: int = 1
    unknown_events: int = 0


def decide(  # noqa: C901, PLR0911 - it reads like the table of HubSpot's answers
    answer: Answer, tried: Tried, bounds: Bounds, share: float
) -> Decision:
    """Decide what follows; `share` is a random number from 0 to 1."""
    attempts, age, in_a_row = tried.attempts, tried.age, tried.in_a_row
    match answer:
        case Settled():
            return Settle(answer)
        case RefusedWhole() if tried.records > 1:
            return Isolate(answer)
        case RefusedWhole(rejection):
            return RejectAll(rejection)
        case NotFound():
            return _unknown(answer, tried.unknown_events)
        case Limited(daily=True, wait=seconds):
            return Park(seconds, "HubSpot's daily limit is spent")
        case Limited(wait=seconds):
            return Block(INTERVAL if seconds is None else seconds, "HubSpot asked to slow down (429)")
        case PortalUnavailable(because, seconds):
            return Park(seconds, because)
        case Unauthorized(because):
            return Pause(f"HubSpot does not accept the token: {because}")
        case Ambiguous(because, seconds) if in_a_row >= OUTAGE:
            return Park(wait(in_a_row - OUTAGE + 1, share, seconds), f"{because}, {in_a_row} times in a row")
        case Ambiguous(because) if attempts + 1 >= bounds.max_attempts:
            return GiveUp(f"{because}; {counted(attempts + 1, 'attempt')}")
        case Ambiguous(because) if age >= bounds.max_age:
            return GiveUp(f"{because}; failing for {age:.0f} seconds")
        case Ambiguous(because, seconds):
            return Postpone(wait(attempts + 1, share, seconds), because, spends=True)


INTERVAL: Final = 10.0
"""Seconds: HubSpot's rolling interval, waited for where a 429 names nothing."""


def _unknown(answer: NotFound, events: int) -> RejectAll | Pause:
    """Tell an event that is not there from an address, or a token, that knows none."""
    if not answer.hubspots:
        return Pause("a 404 that is not in HubSpot's words: what answers there is not HubSpot's attendance API")
    if events >= UNKNOWN:
        return Pause(
            f"HubSpot knew none of the last {events} events, and accepted nothing between: either the token is another"
            f" portal's or app's, or they are not there ({answer.rejection.message})"
        )
    return RejectAll(answer.rejection)
