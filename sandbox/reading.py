"""The participation views: what was stored, once it is old enough to be seen.

Shapes by HubSpot's OpenAPI (`CollectionResponseWithTotalParticipationBreakdown`, `AttendanceCounters`). One row is one
stored write; its `id` is its number, which is also what `after` names: the first row of the next page.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sandbox.address import ContactBreakdown, EventBreakdown, EventCounters, ExternalAddress, ObjectAddress, Read
from sandbox.answers import SandboxAnswer, invalid, json_answer, unknown_event
from sandbox.events import Events
from sandbox.identity import Event, vid_of
from sandbox.judging import State
from sandbox.options import SandboxOptions
from sandbox.participations import StoredParticipations, StoredRow, stored_until

_SPELT = {"REGISTERED": State.REGISTER, "ATTENDED": State.ATTEND, "CANCELLED": State.CANCEL}
_NEVER_STORED = {"NO_SHOW", "EMPTY"}
_SPELLING = {state: spelt for spelt, state in _SPELT.items()}

_MOST, _USUAL = 100, 10
"""`limit`, by the OpenAPI: 1 to 100, 10 unless said."""


class Views:
    """Answers the views of one account."""

    def __init__(self, options: SandboxOptions, events: Events, stored: StoredParticipations) -> None:
        self._options = options
        self._events = events
        self._stored = stored

    def answer(self, read: Read, now: float) -> SandboxAnswer:
        """Answer one view as it stands at `now` (epoch seconds)."""
        match read:
            case ContactBreakdown(contact, query):
                return self._contact(contact, query, now - self._options.read_delay)
            case EventBreakdown(address, query):
                return self._event(address, query, now - self._options.delay_of_events)
            case EventCounters(address):
                return self._counters(address, now - self._options.delay_of_events)

    def _contact(self, contact: str, query: Mapping[str, str], until: float) -> SandboxAnswer:
        rows = self._stored.of_contact(self._vid(contact))
        return self._page([row for row in rows if _wanted(row, query)], query, until)

    def _event(self, address: ObjectAddress | ExternalAddress, query: Mapping[str, str], until: float) -> SandboxAnswer:
        event = self._events.at(address)
        assert event is not None, "a read's path names the external account"
        if not self._events.knows(event):
            return unknown_event(event.label)
        rows = self._stored.of_event(event.object_id, _SPELT.get(query.get("state", "")))
        if contact := query.get("contactIdentifier"):
            vid = self._vid(contact)
            rows = [row for row in rows if row.of.vid == vid]
        return self._page(rows if query.get("state", "") not in _NEVER_STORED else (), query, until)

    def _counters(self, address: ObjectAddress | ExternalAddress, until: float) -> SandboxAnswer:
        event = self._events.at(address)
        assert event is not None, "a read's path names the external account"
        if not self._events.knows(event):
            return unknown_event(event.label)
        contacts = {}
        for state in State:
            rows = self._stored.of_event(event.object_id, state)
            contacts[state] = len({row.of.vid for row in rows[: stored_until(rows, until)]})
        return json_answer(
            200,
            {
                "registered": contacts[State.REGISTER],
                "attended": contacts[State.ATTEND],
                "cancelled": contacts[State.CANCEL],
                "noShows": 0,
            },
        )

    def _page(self, rows: Sequence[StoredRow], query: Mapping[str, str], until: float) -> SandboxAnswer:
        state, limit, after = query.get("state"), query.get("limit", str(_USUAL)), query.get("after") or "0"
        if state and state not in _SPELT.keys() | _NEVER_STORED:
            return invalid(f"Unknown state '{state}'")
        if not limit.isdecimal() or not 1 <= int(limit) <= _MOST:
            return invalid(f"limit must be between 1 and {_MOST}")
        if not after.isdecimal():
            return invalid(f"Invalid after '{after}'")
        total = stored_until(rows, until)
        first = _position(rows, int(after))
        last = min(first + int(limit), total)
        body: dict[str, object] = {"total": total, "results": [self._row(row) for row in rows[first:last]]}
        if last < total:
            body["paging"] = {"next": {"after": str(rows[last].id)}}
        return json_answer(200, body)

    def _row(self, row: StoredRow) -> dict[str, object]:
        participation = row.of
        properties: dict[str, object] = {
            "attendanceState": _SPELLING[participation.state],
            "occurredAt": participation.occurred_at,
        }
        if participation.seconds is not None:
            properties["attendanceDurationSeconds"] = participation.seconds
        return {
            "id": str(row.id),
            "createdAt": datetime.fromtimestamp(row.stored_at, UTC).isoformat(),
            "associations": {
                "marketingEvent": _association(participation.event),
                "contact": {
                    "contactId": str(participation.vid),
                    "email": self._stored.emails.get(participation.vid, ""),
                },
            },
            "properties": properties,
        }

    def _vid(self, contact: str) -> int:
        return int(contact) if contact.isdecimal() else vid_of(contact, self._options.seed)


def _association(event: Event) -> dict[str, str]:
    association = {"marketingEventId": event.object_id, "name": f"Event {event.label}"}
    if event.external_account_id is not None and event.external_event_id is not None:
        association["externalAccountId"] = event.external_account_id
        association["externalEventId"] = event.external_event_id
    return association


def _wanted(row: StoredRow, query: Mapping[str, str]) -> bool:
    return query.get("state", "") in {"", _SPELLING[row.of.state]}


def _position(rows: Sequence[StoredRow], number: int) -> int:
    """Find the first row whose number is at least `number`."""
    return bisect_left(rows, number, key=lambda row: row.id)
