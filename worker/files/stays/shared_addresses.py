"""Addresses that many people share: HubSpot knows a person by the address, so their rows would become one person's.

One booking address for thirty attendees, or the host's in every row, is asked about. Somebody who comes back under
another spelling of the name, or with a second device, is not.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from models.input_check import EARLIEST_MS, Candidate, check_input, shown
from models.words import State
from worker.files.options import SharedAddress
from worker.files.people import people_behind, words_of
from worker.files.questions import Choice, Question

MOST_NAMES: Final = 3
"""Different names under one address from which on it is asked about, however large the file is."""
MOST_DEVICES: Final = 5
"""Stays at one time under one address: a phone, a laptop and a room are three, and a report's summary is one more."""
MOST_TIMES: Final = 10
"""Registrations (or cancellations) without a name under one address, where these are half of the file."""
SHARE: Final = 4
"""Where a quarter of the rows would become somebody else's it is asked about, also if no address has many names."""
LOOKED_AT: Final = 50
"""Different names of one address that are compared."""
SHOWN: Final = 3


class RowSaid(NamedTuple):
    """What a row says of a person: when they came and left, a number that stands for its cells, and the name."""

    joined: int | None
    left: int | None
    cells: int
    name: str


class Shared(NamedTuple):
    """An address that several people share, and by what that was seen."""

    person: bytes
    rows: int
    seen_by: str
    lost: int
    """People who would be taken for another."""
    is_many: bool
    """Whether this one address is enough to ask."""


def contact_of(person: bytes) -> str:
    """Give the address (or the contact id) of a person."""
    return str(orjson.loads(person)[-1])


def find_shared(people: Iterable[tuple[bytes, Iterable[RowSaid]]], rows: int) -> Iterator[Shared]:
    """Give every address that several people share, in a file of so many rows."""
    for person, said in people:
        seen = _Seen(contact_of(person))
        for one in said:
            seen.add(one)
        if (found := seen.judged(person, rows)) is not None and _is_contact(contact_of(person)):
            yield found


def _is_contact(text: str) -> bool:
    """Say whether it names anybody: rows under “anonymous” or “-” are refused one by one."""
    named = {"email": text} if "@" in text else {"vid": text}
    return isinstance(check_input({**named, "interactionDateTime": EARLIEST_MS}, State.REGISTER), Candidate)


@dataclass(slots=True)
class SharedTally:
    """The shared addresses of a file, counted."""

    addresses: int = 0
    rows: int = 0
    lost: int = 0
    worst: Shared | None = None
    """The one that is shown: of enough by itself, where there is one, else the one that most people share."""

    def add(self, one: Shared) -> None:
        """Count an address."""
        self.addresses += 1
        self.rows += one.rows
        self.lost += one.lost
        if self.worst is None or (one.is_many, one.lost) > (self.worst.is_many, self.worst.lost):
            self.worst = one

    def question(self, rows: int) -> Question | None:
        """Give the question that these addresses ask in a file of so many rows, if they ask one."""
        worst = self.worst
        if worst is None or not (worst.is_many or self.lost * SHARE >= rows):
            return None
        what = f"has {worst.rows:,} rows under the one address {shown(contact_of(worst.person))}: {worst.seen_by}"
        if self.addresses > 1:
            what += f"; and {self.addresses - 1:,} more addresses like it"
        what += ". HubSpot knows a person by the address, so all of them would become one person. Whose rows are they?"
        leave_out, one_person = (f"--shared-address {answer}" for answer in SharedAddress)
        choices = (
            Choice(leave_out, f"they are several people's: these {self.rows:,} rows are left out and counted"),
            Choice(one_person, "each address is one person's, whatever its rows say"),
        )
        return Question("--shared-address", "the file", what, choices)


class _Seen:
    """What the rows of one address say."""

    def __init__(self, contact: str) -> None:
        self._contact = contact
        self._rows = 0
        self._at_once = 0
        self._is_stay = False
        self._names: dict[frozenset[str], str] = {}
        self._different: set[int] = set()
        self._here: list[tuple[int, int]] = []

    def add(self, one: RowSaid) -> None:
        """Take a row in; they come by time of joining."""
        self._rows += 1
        if len(self._names) < LOOKED_AT and (words := words_of(one.name, self._contact)):
            self._names.setdefault(words, one.name)
        if len(self._different) < MOST_TIMES:
            self._different.add(one.cells)
        if one.joined is not None:
            self._is_stay = True
            self._came(one.joined, one.left, one.cells)

    def judged(self, person: bytes, rows: int) -> Shared | None:
        """Say whether several people share the address, and by what that is seen."""
        apart, unlike = people_behind(list(self._names))
        if apart >= MOST_NAMES or unlike > 1:
            first, more = [shown(name) for name in list(self._names.values())[:SHOWN]], len(self._names) - SHOWN
            names = f"their names differ ({', '.join(first)}{f' and {more:,} more' if more > 0 else ''})"
            is_many = apart >= MOST_NAMES
            return Shared(person, self._rows, names, (apart if is_many else unlike) - 1, is_many)
        if self._at_once >= MOST_DEVICES:
            seen_by = f"{self._at_once} or more of them were there at the same time"
            return Shared(person, self._rows, seen_by, self._at_once - 1, is_many=True)
        unnamed = not self._is_stay and not self._names
        if unnamed and len(self._different) >= MOST_TIMES and self._rows * 2 >= rows:
            return Shared(person, self._rows, "they are half of the file or more", self._rows - 1, is_many=True)
        return None

    def _came(self, joined: int, left: int | None, cells: int) -> None:
        """Count the stays at the time of a join; a row that stands twice in the file counts once."""
        while self._here and self._here[0][0] <= joined:
            heapq.heappop(self._here)
        if left is not None and len(self._here) < MOST_DEVICES and all(cells != other for _, other in self._here):
            heapq.heappush(self._here, (left, cells))
        self._at_once = max(self._at_once, len(self._here))
