"""Where unconfirmed records are looked for, how far each view is read, and what it says of them: decided purely.

More than ten of one event are looked for in the event's breakdown, a hundred a call, as far as that is cheaper than
asking for each; what it does not show, and the rest, in the contacts' own views, which HubSpot fills sooner.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from hubspot_api.participations import (
    Absent,
    Found,
    Overtaken,
    Participation,
    ParticipationPage,
    Wanted,
    evidence,
    is_worth_paging,
    judge,
)
from models.tables import ReadBack
from models.verification_policy import Cancel, Leave, after_absence, is_asked_for_alone
from models.words import Resolution
from worker.queue.read_back_results import ReadBackResult
from worker.queue.unconfirmed import Breakdown, DueForReadBack, Unconfirmed

FEW: Final = 10
"""Records of one event that are looked for contact by contact, at most."""
PAGES: Final = 10
"""Pages of one contact's view, at most: a thousand participations."""
IN_BREAKDOWN: Final = "the event's breakdown"
IN_CONTACTS_VIEW: Final = "the contact's view"


class Paging(Enum):
    """How the reading of a breakdown stands."""

    ON = auto()
    """The next page is worth its call."""
    FOUND_ALL = auto()
    COMPLETE = auto()
    """All of it was read: what it does not show is not there yet."""
    LEFT = auto()
    """It is refused, or so long that asking for each is cheaper."""


@dataclass(frozen=True, slots=True)
class BreakdownReading:
    """An event's breakdown as far as it is read for some records: the `missing` are those that it did not show yet."""

    key: Breakdown
    missing: tuple[Unconfirmed, ...]
    due: int
    """Records due in all that it may show, those of other turns too."""
    seen: int = 0
    """Rows."""
    after: str | None = None
    """What names the next page."""
    paging: Paging = Paging.ON

    def turned(self, page: ParticipationPage, shown: Collection[int]) -> "BreakdownReading":
        """Take in a page, which showed the records of these errors."""
        read = replace(self.without(shown), seen=self.seen + len(page.rows), after=page.after)
        read = replace(read, due=self.due - len(shown))
        if page.after is None:
            return replace(read, paging=Paging.COMPLETE)
        if not read.missing:
            return replace(read, paging=Paging.FOUND_ALL)
        goes_on = is_worth_paging(page.total, read.seen, read.due)
        return read if goes_on else replace(read, paging=Paging.LEFT)

    def without(self, error_ids: Collection[int]) -> "BreakdownReading":
        """Leave out the records of these errors."""
        return replace(self, missing=without(self.missing, error_ids))


@dataclass(frozen=True, slots=True)
class ContactReading:
    """A contact's view, as far as it is read for some records."""

    contact: str
    records: tuple[Unconfirmed, ...]
    rows: tuple[Participation, ...] = ()
    pages: int = 0
    after: str | None = None
    ended: bool = False
    refusal: str = ""
    """HubSpot's words, where it refuses to show it."""

    def turned(self, page: ParticipationPage) -> "ContactReading":
        """Take in a page; the last, or one that leaves none of the records unseen, ends it."""
        rows, pages = (*self.rows, *page.rows), self.pages + 1
        found = all(isinstance(judge(rows, record.wanted), Found) for record in self.records)
        ended = found or page.after is None or pages == PAGES
        return replace(self, rows=rows, pages=pages, after=page.after, ended=ended)

    def refused(self, because: str) -> "ContactReading":
        """End it by HubSpot's refusal."""
        return replace(self, ended=True, refusal=because)


@dataclass(frozen=True, slots=True)
class ReadBackPlan:
    """Where the records of a turn are looked for: `breakdowns` first, then in their contacts' views those `left`."""

    breakdowns: tuple[BreakdownReading, ...]
    left: tuple[Unconfirmed, ...]
    """Those that have not been looked for."""

    @property
    def contacts(self) -> list[ContactReading]:
        """Give the views of those left, each of which shows all records of its contact."""
        by_contact: defaultdict[str, list[Unconfirmed]] = defaultdict(list)
        for record in self.left:
            by_contact[record.contact].append(record)
        return [ContactReading(contact, tuple(records)) for contact, records in by_contact.items()]

    def without(self, error_ids: Collection[int]) -> "ReadBackPlan":
        """Leave out the records of these errors: they were looked for."""
        return replace(self, left=without(self.left, error_ids))


def plan(turn: DueForReadBack) -> ReadBackPlan:
    """Plan a turn: an event of which more than a few are due is read whole, state by state."""
    groups: defaultdict[Breakdown, list[Unconfirmed]] = defaultdict(list)
    for record in turn.records:
        groups[record.breakdown].append(record)
    of_event = Counter[int]()
    for key, number in turn.due.items():
        of_event[key.event_id] += number
    breakdowns = (
        BreakdownReading(key, tuple(group), turn.due.get(key, len(group)))
        for key, group in groups.items()
        if of_event[key.event_id] > FEW
    )
    return ReadBackPlan(tuple(breakdowns), tuple(turn.records))


def without(records: Sequence[Unconfirmed], error_ids: Collection[int]) -> tuple[Unconfirmed, ...]:
    """Give the records but those of these errors."""
    return tuple(record for record in records if record.error_id not in error_ids)


def by_contact(page: ParticipationPage) -> dict[str, list[Participation]]:
    """Give the rows of a page by what they name their contacts with."""
    rows: defaultdict[str, list[Participation]] = defaultdict(list)
    for row in page.rows:
        for contact in row.contacts:
            rows[contact].append(row)
    return rows


def found_in_breakdown(
    rows: Mapping[str, Sequence[Participation]], unconfirmed: Sequence[Unconfirmed]
) -> list[ReadBackResult]:
    """Say which of an event's records a page of its breakdown shows."""
    judged = ((record, judge(rows[record.contact], record.wanted)) for record in unconfirmed)
    return [_found(record, verdict.row, IN_BREAKDOWN) for record, verdict in judged if isinstance(verdict, Found)]


def absent_from_breakdown(missing: Sequence[Unconfirmed], waits: Sequence[float]) -> list[ReadBackResult]:
    """Say of which records it is enough, for now, that a complete breakdown does not show them.

    HubSpot fills these views late. The others are asked for by their contacts.
    """
    return [
        _absent(record, [], IN_BREAKDOWN, waits, newer=False)
        for record in missing
        if not is_asked_for_alone(record.reads, waits)
    ]


def judged_by_contact(
    reading: ContactReading,
    unconfirmed: Sequence[Unconfirmed],
    ours: Mapping[int, Sequence[Wanted]],
    waits: Sequence[float],
) -> list[ReadBackResult]:
    """Say what a contact's view says: of those it was read for everything, of any other that it is there.

    `ours` holds every record of the contact by event.
    """
    reads = {record.error_id: record.reads for record in reading.records}
    results = []
    for record in unconfirmed:
        verdict = judge(reading.rows, record.wanted, ours.get(record.event_id, ()))
        if isinstance(verdict, Found):
            results.append(_found(record, verdict.row, IN_CONTACTS_VIEW))
        elif record.error_id not in reads:
            continue
        elif isinstance(verdict, Overtaken) and not record.stands:
            results.append(_overtaken(record, verdict))
        else:
            newer = isinstance(verdict, Absent) and verdict.newer
            # What another look at the same time has stored is not counted once more.
            asked = replace(record, reads=reads[record.error_id])
            results.append(_absent(asked, reading.rows, IN_CONTACTS_VIEW, waits, newer=newer, refusal=reading.refusal))
    return results


def _found(record: Unconfirmed, row: Participation, where: str) -> ReadBackResult:
    return ReadBackResult(record, Resolution.CONFIRMED, _evidence(record, where, [row.as_json()], found=True))


def _overtaken(record: Unconfirmed, verdict: Overtaken) -> ReadBackResult:
    said = _evidence(record, IN_CONTACTS_VIEW, [verdict.row.as_json()], found=True)
    said["by"] = verdict.by
    return ReadBackResult(record, Resolution.SUPERSEDED, said)


def _absent(  # noqa: PLR0913 - what was seen, and where
    record: Unconfirmed,
    rows: Sequence[Participation],
    where: str,
    waits: Sequence[float],
    *,
    newer: bool,
    refusal: str = "",
) -> ReadBackResult:
    said = _evidence(record, where, evidence(rows, record.wanted.address), found=False)
    if refusal:
        said["refused"] = refusal
    follows = after_absence(
        record.reads + 1,
        sent_again=record.sent_again,
        newer=newer,
        canceled=record.canceled,
        stands=record.stands,
        waits=waits,
    )
    if isinstance(follows, Cancel):
        return ReadBackResult(record, Resolution.DISMISSED, said, because=follows.because)
    if isinstance(follows, Leave):
        said["left"] = follows.because
        return ReadBackResult(record, None, said)
    return ReadBackResult(record, None, said, follows.seconds)


def _evidence(record: Unconfirmed, where: str, seen: Sequence[Mapping[str, object]], *, found: bool) -> ReadBack:
    return {"reads": record.reads + 1, "where": where, "found": found, "seen": seen}
