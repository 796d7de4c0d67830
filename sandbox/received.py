"""The writes that came, each with what was answered and which of its records are held since: for who compares books."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from sandbox.address import Write
from sandbox.events import Events
from sandbox.identity import vid_of
from sandbox.judging import State, contact_of
from sandbox.participations import StoredParticipations
from sandbox.reply import Reply


@dataclass(frozen=True, slots=True)
class ReceivedInput:
    """One input of a write, and what it came to."""

    contact: str
    occurred_at: int
    held: bool
    """Whether the record is stored, by this write or an earlier one."""
    named: bool
    """Whether a whole answer was sent that names the contact in its results."""


@dataclass(frozen=True, slots=True)
class ReceivedWrite:
    """One write that passed token and limits; inputs without a contact or a time are left out."""

    received_at: float
    """Epoch seconds."""
    event: str
    state: str
    status: str
    inputs: Sequence[ReceivedInput]


def received(  # noqa: PLR0913, PLR0917 - all that a write is judged by
    now: float,
    write: Write,
    inputs: Sequence[object],
    reply: Reply,
    stored: StoredParticipations,
    events: Events,
    seed: int,
) -> ReceivedWrite | None:
    """Write down what a write came to; `None` where it names no event or no state that there is."""
    event = events.at(write.event)
    if event is None or write.state not in set(State):
        return None
    named = _named(reply)

    def noted() -> Iterator[ReceivedInput]:
        for item in inputs:
            contact, moment = (
                contact_of(item, write.by),
                item.get("interactionDateTime") if isinstance(item, dict) else None,
            )
            if contact is not None and isinstance(moment, int):
                vid = int(contact) if contact.lstrip("-").isdigit() else vid_of(contact, seed)
                held = stored.holds((event.object_id, vid, write.state, moment))
                yield ReceivedInput(contact, moment, held, contact in named)

    return ReceivedWrite(now, event.label, write.state, reply.status, tuple(noted()))


def _named(reply: Reply) -> set[str]:
    """Give the contacts that the results of a whole answer name, by address and by contact id."""
    if reply.answer is None or not reply.whole or reply.answer.status != 200:  # noqa: PLR2004
        return set()
    try:
        body = orjson.loads(reply.answer.body)
    except orjson.JSONDecodeError:
        return set()
    results = body.get("results", []) if isinstance(body, dict) else []
    return {str(one[name]).lower() for one in results for name in ("email", "vid") if name in one}
