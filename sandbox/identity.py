"""The numbers HubSpot would have given: a contact's `vid`, an external event's object id.

Both are drawn from the seed and what they belong to, so two runs of one seed answer alike, and a contact or an event is
one and the same whichever way it is addressed. Neither fits 32 bits; both fit the 53 that JavaScript keeps exactly.
"""

from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Event:
    """A marketing event. `label` is how it was addressed: its object id, or `externalAccountId/externalEventId`."""

    label: str
    object_id: str
    external_account_id: str | None = None
    external_event_id: str | None = None


def vid_of(email: str, seed: int) -> int:
    """Return the contact id of an e-mail address, whatever its case."""
    return _number(f"contact {seed} {email.lower()}")


def event_by_object_id(object_id: str) -> Event:
    """Return the event with this object id."""
    return Event(object_id, object_id)


def event_by_external_id(account_id: str, event_id: str, seed: int) -> Event:
    """Return the event which an app calls `event_id` in the account that it calls `account_id`."""
    object_id = str(_number(f"event {seed} {len(account_id)} {account_id} {event_id}"))
    return Event(f"{account_id}/{event_id}", object_id, account_id, event_id)


def _number(text: str) -> int:
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return 2**32 + (int.from_bytes(digest) >> 12)
