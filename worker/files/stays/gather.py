"""Many joins of a person, gathered to one stay of each occurrence: first join to last leave.

An attendee report has a row for every time that somebody joined. HubSpot keeps one attendance per contact and
time, so each person becomes one record. A row that cannot be read holds back its person, and nobody else: half a
stay would be delivered as a wrong one, and the mended row would later make a second record of it.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby
from typing import Final

from models.counted import counted
from models.input_check import Reason
from worker.files.durations import is_total
from worker.files.not_people import LeftOut
from worker.files.options import ALL, Options, SharedAddress, occurrence_text
from worker.files.questions import Question, QuestionsError
from worker.files.rows import Draft, FileRecord, RejectedRow, placed_at
from worker.files.stays import occurrences
from worker.files.stays.shared_addresses import SharedTally, find_shared
from worker.files.stays.spool import Spool, Stored, spool

_A_LITTLE_MS: Final = 2 * 60 * 1000
"""By so much the length of a stay may differ from its join and leave, which are rounded."""
MOST_ROWS: Final = 10_000
"""Rows that one person's stay may have: more is an address that many share."""
Readable = Draft | FileRecord | RejectedRow | LeftOut
SHARED: Final = "several people share the address"
"""Why a row is left out by `--shared-address leave-out`."""


def gather(
    items: Iterable[Readable],
    options: Options,
    *,
    merges: bool,
    note: Callable[[SharedTally], None] = lambda _: None,
) -> Iterator[Readable]:
    """Read every row, ask what only the reader can say, and give each person's stays as one draft an occurrence.

    What is left out is given at once. Whole inputs are never merged; where no rows are, all come as they stand in the
    file. A person's rows are those of one account, event and state. `note` is told of the shared addresses
    that are not left out.

    Raises:
        QuestionsError: where it must be said which occurrence is the event's, or whose the rows of an address are.
        sqlite3.Error: where the disk is full.

    """
    with spool() as rows:
        for item in items:
            if not isinstance(item, LeftOut):
                rows.add(item)
                continue
            if item.person:
                rows.note_undone(item.person, item.line, item.time)
            yield item
        rows.complete()
        asked, tally = _ask(rows, options)
        if asked:
            raise QuestionsError(asked)
        if options.shared_address is not SharedAddress.LEAVE_OUT:
            note(tally)
        for person, stored in groupby(rows.stored(by_person=merges), key=_merged if merges else lambda _: None):
            if person is None:
                yield from (_left_out(one, options) or _last(one, rows) for one in stored)
            else:
                yield from _person(stored, options)


def _merged(one: Stored) -> bytes | None:
    """Give whose rows a row is merged with; none where it is refused or a whole input."""
    return one.person if isinstance(one.item, Draft) else None


def merge(person: Draft, other: Draft) -> None:
    """Take another row of the same person into the first: the earliest join, the latest leave, what else is known."""
    if (fault := _unknown_leave(person, other)) is not None and fault not in person.faults:
        person.faults.append(fault)
    if person.stay == other.stay:  # the sum of all stays stands in each row, not that of one
        for one in (person, other):
            one.left, one.added = one.left and one.left - one.added, 0
    person.rows += other.rows
    person.joined = _least(person.joined, other.joined)
    person.time = _least(person.time, other.time)
    person.left = _most(person.left, other.left)
    person.faults += (fault for fault in other.faults if fault not in person.faults)
    for name, value in other.input.items():
        known = person.input.setdefault(name, value)
        if isinstance(known, dict) and isinstance(value, dict):
            person.input[name] = {**value, **known}


def _unknown_leave(person: Draft, other: Draft) -> Reason | None:
    """Say where a leave was reckoned from the sum of all stays: by its title, or as both rows have it and it is more.

    Two stays of one length, of which neither is too long for its own times, are two stays.
    """
    reckoned = next((one for one in (person, other) if one.reckoned), None)
    if reckoned is None or person.stay != other.stay or not person.stay:
        return None
    spans = [
        (one.joined, one.left, one.stay) for one in (person, other) if one.joined is not None and one.left is not None
    ]
    is_more = any(stay > left - join + _A_LITTLE_MS for join, left, stay in spans)
    if not (is_total(reckoned.reckoned) or is_more):
        return None
    line, _ = reckoned.rows[-1]
    what = f"is the sum of several joins ({counted(len(person.rows) + len(other.rows), 'row')}), and not of this one"
    return placed_at(line, reckoned.reckoned, Reason("", what, "when they left"))


def questions(items: Iterable[Readable], options: Options) -> list[Question]:
    """Give what the rows ask, without reading them for their records."""
    with spool() as rows:
        for item in items:
            if not isinstance(item, LeftOut):
                rows.add(item)
        rows.complete()
        return _ask(rows, options)[0]


def _ask(rows: Spool, options: Options) -> tuple[list[Question], SharedTally]:
    """Find the occurrences and the shared addresses; give what they ask, and how many of the latter there are."""
    count, tally = rows.count(), SharedTally()
    for one in find_shared(rows.people(), count):
        tally.add(one)
        if options.shared_address is SharedAddress.LEAVE_OUT:
            rows.note_shared(one.person)
    asked = [occurrences.find(rows, options), tally.question(count) if options.shared_address is None else None]
    return [one for one in asked if one is not None], tally


def _left_out(one: Stored, options: Options) -> LeftOut | None:
    """Leave out a row of another occurrence than the one that was said, or of a shared address."""
    if one.is_shared:
        return LeftOut(_line(one.item), SHARED)
    if one.start is not None and not occurrences.is_chosen(one.start, options):
        said = occurrence_text(options.occurrence) if options.occurrence else ALL
        return LeftOut(_line(one.item), f"belongs to another occurrence than the one on {said}")
    return None


def _last(one: Stored, rows: Spool) -> Draft | FileRecord | RejectedRow | LeftOut:
    """Give a row of a log, left out where a later one of the same person undoes it; refused where none is later."""
    item = one.item
    if not isinstance(item, Draft) or (undone := rows.undone(one.person)) is None:
        return item
    line, time = undone
    if time is not None and item.time is not None and time != item.time:
        return LeftOut(_line(item), "a later row of the same person says otherwise") if time > item.time else item
    what = f"says otherwise of the same person than line {line}, and it is not known which is later"
    item.faults.append(Reason(f"line {_line(item)}", what, "the row alone that is true"))
    return item


def _person(rows: Iterator[Stored], options: Options) -> Iterator[Draft | LeftOut]:
    """Merge one person's rows, an occurrence at a time.

    Rows without a join come first. Where there are several occurrences it is not known which one they belong to, so
    they hold back the person's other rows.
    """
    first = next(rows)
    is_lost = first.start is None and first.is_of_several
    for _, occurrence in groupby(chain([first], rows), key=lambda one: one.start):
        known = ((_left_out(one, options), one.item) for one in occurrence)
        for is_out, group in groupby(known, key=lambda one: one[0] is not None):
            if is_out:
                yield from (out for out, _ in group if out is not None)
                continue
            for draft in _stay(item for _, item in group if isinstance(item, Draft)):
                if is_lost:
                    what = "has no join time, so it is not known which occurrence it belongs to"
                    draft.faults.append(Reason(f"line {_line(first.item)}", what, "when they joined"))
                yield draft


def _stay(drafts: Iterator[Draft]) -> Iterator[Draft]:
    """Merge the rows of a stay; give more than one draft only where the rows are too many to be one person's."""
    person = next(drafts)
    last_join, crowded = person.joined, False
    for draft in drafts:
        last_join = _most(last_join, draft.joined)
        if len(person.rows) >= MOST_ROWS:
            crowded = True
            yield _crowd(person)
            person = draft
        else:
            merge(person, draft)
    yield _crowd(person) if crowded else _settled(person, last_join)


def _crowd(person: Draft) -> Draft:
    what = f"stands in more than {MOST_ROWS:,} rows, so it is no one person's"
    person.faults.append(Reason(f"line {person.rows[0][0]}", what, "each person's own address"))
    return person


def _settled(person: Draft, last_join: int | None) -> Draft:
    """Let a stay whose last join has no leave end there at the earliest; without any leave it stays without."""
    if person.left is not None and len(person.rows) > 1:
        person.left = _most(person.left, last_join)
    return person


def _line(item: Draft | FileRecord | RejectedRow) -> int:
    return item.rows[0][0] if isinstance(item, Draft) else item.line


def _least(one: int | None, other: int | None) -> int | None:
    return min((ms for ms in (one, other) if ms is not None), default=None)


def _most(one: int | None, other: int | None) -> int | None:
    return max((ms for ms in (one, other) if ms is not None), default=None)
