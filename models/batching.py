"""Which new record goes into which batch, and what that batch waits for. A pure function of what was read under lock.

Within an event a smaller batch id is an earlier acceptance, and a record never joins a batch that is not newer than
the newest unsettled batch already holding its contact: so per contact, batches settle in the order of acceptance,
while batches that share no contact go in parallel.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

from models.words import Identity, State

NEW: Final = 2**62
"""References from here on stand for batches whose id is not drawn yet; they are larger than every id."""
CANDIDATES: Final = 4
"""Batches with room that are tried per group, at each end: a contact named ten thousand times stays cheap."""


class Group(NamedTuple):
    """What the records of one batch share."""

    event_id: int
    state: State
    identity: Identity


class Newcomer(NamedTuple):
    """A new record, as far as batching is concerned."""

    group: Group
    contact: str


@dataclass(slots=True)
class Planned:
    """A batch and what this plan adds to it: records by their index among the newcomers, and what it waits for."""

    ref: int
    group: Group
    room: int
    after: set[int] = field(default_factory=set)
    added: list[int] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        """Say whether the batch has yet to be inserted."""
        return self.ref >= NEW


def plan(
    newcomers: Sequence[Newcomer],
    held: Mapping[tuple[int, str], int],
    open_batches: Iterable[Planned],
    batch_size: int,
) -> list[Planned]:
    """Assign every newcomer, in order of acceptance, to exactly one batch.

    `held` gives the newest unsettled batch of an event that holds a contact. New records fill full batches straight
    away; the rest is appended to the open batches, else begins a new one.
    """
    with_room: dict[Group, list[Planned]] = {}
    for batch in sorted(open_batches, key=lambda batch: batch.ref):
        with_room.setdefault(batch.group, []).append(batch)
    straight = Counter(newcomer.group for newcomer in newcomers)
    for group, number in straight.items():
        straight[group] = number - number % batch_size
    begun: dict[Group, list[Planned]] = {group: [] for group in straight}
    refs = count(NEW)
    newest = dict(held)
    used: dict[int, Planned] = {}
    for index, (group, contact) in enumerate(newcomers):
        holder = newest.get((group.event_id, contact), 0)
        mine = begun[group]
        candidates = mine if straight[group] > 0 else with_room.get(group, [])[:CANDIDATES] + mine
        batch = next((batch for batch in candidates if batch.room > 0 and batch.ref > holder), None) or Planned(
            next(refs), group, batch_size
        )
        if batch.is_new and not batch.added:
            mine.append(batch)
        straight[group] -= 1
        batch.added.append(index)
        batch.room -= 1
        if holder:
            batch.after.add(holder)
        if batch.is_new and not batch.room:
            mine.remove(batch)
        del mine[: -2 * CANDIDATES]
        newest[group.event_id, contact] = batch.ref
        used[batch.ref] = batch
    return sorted(used.values(), key=lambda batch: batch.ref)


def without_implied(planned: Sequence[Planned], waiting: Mapping[int, Collection[int]]) -> None:
    """Let no batch wait for another for which one that it waits for waits too: the order is the same.

    Where contacts recur, each batch would wait for most of those before it, and be written again for each of them.
    `waiting` gives what batches of before wait for; where some of them are left out, less is found.
    """
    number: dict[int, int] = {}
    implied: dict[int, int] = {}  # as sets of bits: what a batch waits for, itself or by way of others

    def bit(ref: int) -> int:
        return 1 << number.setdefault(ref, len(number))

    def all_of(after: Iterable[int]) -> int:
        found = 0
        for ref in after:
            found |= bit(ref) | implied.get(ref, 0)
        return found

    for ref in sorted(waiting):  # a batch waits for smaller ones
        implied[ref] = all_of(waiting[ref])
    for batch in planned:
        needed = set[int]()
        found = 0
        for ref in sorted(batch.after, reverse=True):
            if not found & bit(ref):
                needed.add(ref)
                found |= bit(ref) | implied.get(ref, 0)
        batch.after = needed
        implied[batch.ref] = found
