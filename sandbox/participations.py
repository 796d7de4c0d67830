"""What one account has stored, and the lists from which it is read back."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.identity import Event
from sandbox.judging import State

StoredKey = tuple[str, int, str, int]
"""Object id, vid, state, occurredAt: the same again is an identical repeat."""


@dataclass(frozen=True, slots=True)
class Participation:
    """One stored write, however it was addressed."""

    event: Event
    contact: str
    """As sent: the e-mail address in lower case, or the vid."""
    vid: int
    state: State
    occurred_at: int
    """Epoch milliseconds."""
    seconds: int | None


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A participation with its number (from 1, in the order of storing) and when it was stored (epoch seconds)."""

    id: int
    stored_at: float
    of: Participation


class StoredParticipations:
    """Everything stored in one account; it only grows, so each list is sorted by number and by time."""

    def __init__(self) -> None:
        self.rows: list[StoredRow] = []
        self.emails: dict[int, str] = {}
        """The addresses of the contacts that were ever named by one."""
        self._keys: set[StoredKey] = set()
        self._by_contact: defaultdict[int, list[StoredRow]] = defaultdict(list)
        self._by_event: defaultdict[tuple[str, State | None], list[StoredRow]] = defaultdict(list)

    def holds(self, key: StoredKey) -> bool:
        """Whether this was stored before."""
        return key in self._keys

    def add(self, key: StoredKey, participation: Participation, now: float) -> None:
        """Store what is not held yet; `now` never runs backwards."""
        row = StoredRow(len(self.rows) + 1, now, participation)
        self.rows.append(row)
        self._keys.add(key)
        self._by_contact[participation.vid].append(row)
        self._by_event[participation.event.object_id, None].append(row)
        self._by_event[participation.event.object_id, participation.state].append(row)
        if "@" in participation.contact:
            self.emails[participation.vid] = participation.contact

    def of_contact(self, vid: int) -> Sequence[StoredRow]:
        """List a contact's rows, oldest first."""
        return self._by_contact.get(vid, ())

    def of_event(self, object_id: str, state: State | None = None) -> Sequence[StoredRow]:
        """List an event's rows, of one state or of all, oldest first."""
        return self._by_event.get((object_id, state), ())


def stored_until(rows: Sequence[StoredRow], moment: float) -> int:
    """Count the leading rows that were stored at `moment` or before, in O(log n)."""
    return bisect_right(rows, moment, key=lambda row: row.stored_at)
