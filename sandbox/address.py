"""Which of HubSpot's endpoints a raw path and query address, by HubSpot's OpenAPI, `v3` and dated alike.

Values are decoded segment by segment after the path is split: `ev%201%2Fx` is the event `ev 1/x`. (ASGI's own `path`
comes decoded, and cannot tell that slash from the others.)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, unquote

_PREFIX = re.compile(r"/marketing/(?:v3/marketing-events|marketing-events/(?:2025-09|2026-03|2026-09))/(.+)")


class ContactKind(StrEnum):
    """How a write names its contacts: the field of an input."""

    EMAIL = "email"
    VID = "vid"


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """An event by its object id."""

    object_id: str


@dataclass(frozen=True, slots=True)
class ExternalAddress:
    """An event by its external id; a write may lack the account's, which HubSpot refuses."""

    account_id: str | None
    event_id: str


@dataclass(frozen=True, slots=True)
class Write:
    """`POST .../attendance/...`; `state` as spelt, right or wrong."""

    event: ObjectAddress | ExternalAddress
    state: str
    by: ContactKind


@dataclass(frozen=True, slots=True)
class ContactBreakdown:
    """`GET .../participations/contacts/{e-mail or contact id}/breakdown`."""

    contact: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EventBreakdown:
    """`GET .../participations/{event}/breakdown`."""

    event: ObjectAddress | ExternalAddress
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EventCounters:
    """`GET .../participations/{event}`."""

    event: ObjectAddress | ExternalAddress


Read = ContactBreakdown | EventBreakdown | EventCounters

_VERBS = {"create": ContactKind.VID, "email-create": ContactKind.EMAIL}


def parse(raw_path: bytes, query_string: bytes) -> Write | Read | None:
    """Name the endpoint; `None` where HubSpot has none. An external event called `attendance` is one, not an id."""
    matched = _PREFIX.fullmatch(raw_path.decode("latin-1"))
    if not matched:
        return None
    segments = [unquote(segment) for segment in matched[1].split("/")]
    if not all(segments):
        return None
    query = dict(reversed(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)))
    if segments[0] == "participations":
        return _read(segments[1:], query)
    match segments:
        case ["attendance", event_id, state, ("create" | "email-create") as verb]:
            return Write(ExternalAddress(query.get("externalAccountId"), event_id), state, _VERBS[verb])
        case [object_id, "attendance", state, ("create" | "email-create") as verb]:
            return Write(ObjectAddress(object_id), state, _VERBS[verb])
    return None


def _read(segments: list[str], query: Mapping[str, str]) -> Read | None:
    match segments:
        case ["contacts", contact, "breakdown"]:
            return ContactBreakdown(contact, query)
        case [object_id, "breakdown"]:
            return EventBreakdown(ObjectAddress(object_id), query)
        case [account_id, event_id, "breakdown"]:
            return EventBreakdown(ExternalAddress(account_id, event_id), query)
        case [object_id]:
            return EventCounters(ObjectAddress(object_id))
        case [account_id, event_id]:
            return EventCounters(ExternalAddress(account_id, event_id))
    return None
