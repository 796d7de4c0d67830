"""Reading back: the paths of HubSpot's participation views, their pages, and what their rows say of a record.

HubSpot's OpenAPI names the views and their shapes; live, a write is not readable at once, an event's view lags much
longer than a contact's, and every field may be missing. A view may keep every write or only a contact's last state.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final

from hubspot_api.address import path_to
from hubspot_api.answer import Ambiguous, Answer, Settled, read_answer
from hubspot_api.fields import nested, number, objects, read_object, text
from hubspot_api.response import NoResponse, Response
from models.ids import is_word, walks
from models.input_check import comparable
from models.message import Address
from models.words import Identity, State

LIMIT: Final = 100
"""Rows a page: the most that HubSpot gives; 10 unless asked."""
CLOSE: Final = 1.0
"""Seconds by which a duration may differ: HubSpot keeps whole ones, rounded or cut."""
LONGEST: Final = 1_000
"""Characters of a field of a row; what is longer agrees with nothing of ours."""
SHOWN: Final = 5
"""Rows that are kept as evidence."""
_SPELT: Final = {"REGISTERED": State.REGISTER, "ATTENDED": State.ATTEND, "CANCELLED": State.CANCEL}
_SPELLING: Final = {state: spelt for spelt, state in _SPELT.items()}


@dataclass(frozen=True, slots=True)
class Participation:
    """A row of a view. Texts are empty, numbers none, where HubSpot names nothing; `occurred_at` in milliseconds."""

    address: Address
    """All that HubSpot says of the event: it has an object id, and an external address too where an app made it."""
    contacts: frozenset[str]
    """E-mail address and contact id, as they are compared."""
    contact_id: str
    attendance_state: str
    occurred_at: int | None
    seconds: int | None

    def is_of(self, address: Address) -> bool:
        """Say whether it is about this event, by any of its addresses."""
        mine = self.address
        if address.object_id is not None:
            return mine.object_id == address.object_id
        named = (address.external_event_id, address.external_account_id)
        return (mine.external_event_id, mine.external_account_id) == named

    def as_json(self) -> dict[str, object]:
        """Give it as evidence, in HubSpot's words."""
        return {
            "attendanceState": self.attendance_state,
            "occurredAt": self.occurred_at,
            "attendanceDurationSeconds": self.seconds,
            "contactId": self.contact_id,
        }


@dataclass(frozen=True, slots=True)
class ParticipationPage:
    """A page of a view: `total` rows in all (0 where HubSpot does not say), and what names the next page."""

    rows: Sequence[Participation]
    total: int
    after: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record of ours as HubSpot should show it: time in milliseconds, for `attend` the seconds of its span."""

    record_id: int
    address: Address
    state: State
    occurred_at: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Found:
    """HubSpot has it."""

    row: Participation


@dataclass(frozen=True, slots=True)
class Overtaken:
    """HubSpot shows a later record of ours in its place."""

    row: Participation
    by: int
    """That record's id."""


@dataclass(frozen=True, slots=True)
class Absent:
    """HubSpot does not show it. `newer`: it shows a later state that is none of ours, which sending would undo."""

    newer: bool


Verdict = Found | Overtaken | Absent


def contact_view(version: str, contact: str, **query: str) -> str | None:
    """Give path and query of a contact's view: everything of one contact, whatever the event.

    None for what no path can carry.
    """
    return None if walks(contact) else path_to(version, "participations", "contacts", contact, "breakdown", **query)


def event_view(version: str, *ids: str, breakdown: bool, **query: str) -> str | None:
    """Give path and query of an event's breakdown or counters; its ids are one (the object's) or two (account, event).

    None for ids that would make the path of another view, or of something else.
    """
    if any(map(walks, ids)) or is_word(ids[0], "contacts") or (not breakdown and is_word(ids[-1], "breakdown")):
        return None
    return path_to(version, "participations", *ids, *(["breakdown"] if breakdown else []), **query)


def contact_path(version: str, contact: str, after: str | None = None) -> str | None:
    """Give path and query of a page of a contact's view; none where no path can carry the contact."""
    return contact_view(version, contact, limit=str(LIMIT), **_behind(after))


def event_path(version: str, address: Address, state: State, after: str | None = None) -> str | None:
    """Give path and query of a page of an event's breakdown in one state; none for an address no path can carry."""
    if address.object_id is not None:
        ids = [address.object_id]
    else:
        ids = [address.external_account_id or "", address.external_event_id or ""]
    return event_view(version, *ids, breakdown=True, limit=str(LIMIT), state=_SPELLING[state], **_behind(after))


def _behind(after: str | None) -> dict[str, str]:
    return {"after": after} if after else {}


def read_page(response: Response | NoResponse) -> ParticipationPage | Answer:
    """Read an answer to a read; whatever is no page is what the same answer to a POST would be."""
    answer = read_answer(response, Identity.EMAIL, [])
    if not isinstance(answer, Settled) or isinstance(response, NoResponse):
        return answer
    body = read_object(response.body) or {}
    if not isinstance(body.get("results"), list):
        return Ambiguous("the answer holds no results")
    rows = [_participation(row) for row in objects(body, "results")]
    after = text(nested(nested(body, "paging"), "next"), "after", LONGEST)
    return ParticipationPage(rows, number(body, "total") or 0, after or None)


def _participation(row: Mapping[str, object]) -> Participation:
    associations, properties = nested(row, "associations"), nested(row, "properties")
    event, contact = nested(associations, "marketingEvent"), nested(associations, "contact")
    contact_id, email = text(contact, "contactId", LONGEST), comparable(text(contact, "email", LONGEST))
    address = ("marketingEventId", "externalEventId", "externalAccountId")
    return Participation(
        Address(*(text(event, name, LONGEST) or None for name in address)),
        frozenset({contact_id, email} - {""}),
        contact_id,
        text(properties, "attendanceState", LONGEST),
        number(properties, "occurredAt"),
        number(properties, "attendanceDurationSeconds"),
    )


def wanted(record_id: int, address: Address, state: State, sent: Mapping[str, object]) -> Wanted:
    """Say how HubSpot should show a record with this input, which `models.input_check` has checked."""
    seconds = None
    if state is State.ATTEND:
        span = nested(sent, "properties")
        joined, left = (datetime.fromisoformat(text(span, name)) for name in ("joinedAt", "leftAt"))
        seconds = (left - joined).total_seconds()
    return Wanted(record_id, address, state, number(sent, "interactionDateTime") or 0, seconds)


def judge(rows: Iterable[Participation], of: Wanted, ours: Iterable[Wanted] = ()) -> Verdict:
    """Judge what a contact's rows say of a record; `ours`: every record of ours of that contact and event."""
    seen = [row for row in rows if row.is_of(of.address)]
    for row in seen:
        if _agrees(row, of):
            return Found(row)
    others = [one for one in ours if one.record_id != of.record_id]
    for one in sorted(others, key=lambda one: -one.record_id):
        for row in seen:
            if one.record_id > of.record_id and _agrees(row, one):
                return Overtaken(row, one.record_id)
    foreign = (row for row in seen if not any(_same_moment(row, one) for one in others))
    return Absent(any(_state(row) is not None and (row.occurred_at or 0) > of.occurred_at for row in foreign))


def _agrees(row: Participation, of: Wanted) -> bool:
    """Say whether state, time and, for `attend`, the duration agree."""
    if not _same_moment(row, of):
        return False
    return of.seconds is None or (row.seconds is not None and abs(row.seconds - of.seconds) <= CLOSE)


def _same_moment(row: Participation, of: Wanted) -> bool:
    return _state(row) is of.state and row.occurred_at == of.occurred_at


def _state(row: Participation) -> State | None:
    """Give our word for its state; none for NO_SHOW and EMPTY, which nobody can write."""
    return _SPELT.get(row.attendance_state)


def evidence(rows: Iterable[Participation], address: Address) -> list[dict[str, object]]:
    """Give what was seen of an event, the last few rows."""
    return [row.as_json() for row in rows if row.is_of(address)][-SHOWN:]


def is_worth_paging(total: int, seen: int, missing: int) -> bool:
    """Say whether the rest of a view costs fewer calls than asking for each of the missing ones.

    Where HubSpot does not say how many rows there are, as many again are expected as were seen.
    """
    return ceil((total - seen if total > seen else seen) / LIMIT) < missing
