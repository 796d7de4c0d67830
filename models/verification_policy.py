"""How long an unconfirmed record is looked for at HubSpot, and what follows when it is not there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WAITS: Final = (30.0, 120.0, 600.0)
"""Seconds between two looks, the first of which comes a few seconds after the answer.

Live, a contact's view shows a write within seconds and an event's much later; nobody has published a bound. Four
looks over almost thirteen minutes outlast what was seen many times over, and cost little: whatever is there is
mostly found by the first two.
"""
GATHERS: Final = 30.0
"""Seconds from the last look until a record is sent once more: those looked for one by one go out packed together."""


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """Look once more, after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Send it once more, after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Leave:
    """It stays what it is, and is the operator's."""

    because: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """It is canceled, as an operator wanted before it was known whether HubSpot has it."""

    because: str


def after_absence(  # noqa: PLR0913 - what is known of the record
    reads: int,
    *,
    sent_again: bool,
    newer: bool,
    canceled: bool = False,
    stands: bool = False,
    waits: Sequence[float] = WAITS,
) -> ReadAgain | SendAgain | Leave | Cancel:
    """Decide what follows the look number `reads` (from 1) that found nothing.

    `sent_again`: it was sent once more already. `newer`: HubSpot shows a later state that sending would undo.
    `canceled`: an operator took it out of the queue. `stands`: its outcome is known unless it is found.
    """
    if reads <= len(waits):
        return ReadAgain(waits[reads - 1])
    if canceled:
        return Cancel("an operator canceled it, and it is not there")
    if stands:
        return Leave("it is not there: the call that brought no answer stored nothing")
    if sent_again:
        return Leave("it was sent once more, and is still not there")
    if newer:
        return Leave("HubSpot shows a later state that is none of ours, which sending it again would undo")
    return SendAgain(GATHERS)


def is_asked_for_alone(reads: int, waits: Sequence[float] = WAITS) -> bool:
    """Say whether a record whose event's whole breakdown does not show it is now asked for by its contact.

    Once when the breakdown has had its time, and once before it is called absent: in between, and at first, the
    breakdown alone costs a hundredth.
    """
    return reads == 1 or reads >= len(waits)
