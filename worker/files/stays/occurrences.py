"""Occurrences: a webinar that is held every week has a report of several, and HubSpot's event is one of them.

The joins of all people are read in the order of time. A new occurrence begins with a join that comes hours after the
last join of anybody, if it is on another day than the occurrence's first one (in the reader's zone), or if nobody was
there for hours before it; in any case with a join a day or more after the first. So a session may pass midnight, the
sessions of one day are one occurrence as long as somebody stays in between, and joins a day or more apart are never
taken for one stay. On another day leaves do not count, and on the same day one device does not: a device left connected
would tie two sessions together.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

import orjson

from models.input_check import shown
from models.zones import name_of
from worker.files.clocks import EPOCH
from worker.files.options import ALL, Options, occurrence_text
from worker.files.questions import Choice, Question
from worker.files.stays.spool import Spool

QUIET: Final = timedelta(hours=6)
"""Without a join, at least, before another occurrence: longer than a session has without any, and shorter than the
night between two days of a conference."""
LONGEST: Final = timedelta(days=1)
"""From the first join to the last of one occurrence, less than this."""
MOST_SHOWN: Final = 20

_FEW: Final = 3
_QUIET_MS: Final = QUIET // timedelta(milliseconds=1)
_LONGEST_MS: Final = LONGEST // timedelta(milliseconds=1)


class Came(NamedTuple):
    """A row's join and leave, and whose it is."""

    event: bytes
    joined: int
    left: int | None
    person: bytes


def starts(rows: Iterable[Came], zone: tzinfo | None) -> Iterator[tuple[bytes, int]]:
    """Give when the occurrences of each event begin; `rows` come by event and time."""
    current: bytes | None = None
    first = last = 0
    there = _There()
    for event, joined, left, person in rows:
        quiet = joined - last >= _QUIET_MS and (
            day(joined, zone) != day(first, zone) or joined - there.until(last) >= _QUIET_MS
        )
        if event != current or joined - first >= _LONGEST_MS or quiet:
            current, first, there = event, joined, _There()
            yield event, joined
        last = joined
        there.add(person, joined if left is None else left)


@dataclass(slots=True)
class _There:
    """Until when people were there: the latest leave, and the latest of anybody else."""

    latest: int = 0
    by: bytes = b""
    others: int = 0
    people: set[bytes] = field(default_factory=set)
    """The first few: of a file of two people each counts."""

    def add(self, person: bytes, left: int) -> None:
        """Note until when somebody was there."""
        if len(self.people) < _FEW:
            self.people.add(person)
        if person == self.by:
            self.latest = max(self.latest, left)
        elif left > self.latest:
            self.latest, self.by, self.others = left, person, self.latest
        else:
            self.others = max(self.others, left)

    def until(self, last_join: int) -> int:
        """Give when the last person left; of three or more, one that stays behind may be a forgotten device."""
        return max(last_join, self.latest if len(self.people) < _FEW else self.others)


def day(ms: int, zone: tzinfo | None) -> date:
    """Give the day of an instant in a zone."""
    return _local(ms, zone).date()


def find(spool: Spool, options: Options) -> Question | None:
    """Find every event's occurrences; give the question where it is not said which belongs to an event."""
    spool.note_starts(starts(map(Came._make, spool.joins()), options.zone))
    if options.occurrence == ALL:
        return None
    events = list(_unsaid(spool, options))
    if not events:
        return None
    return _question(spool, events[0], options)


def is_chosen(start: int, options: Options) -> bool:
    """Say whether an occurrence is the one that was said, or none was: by its day, or by its day and time."""
    said = options.occurrence
    if isinstance(said, datetime):
        return _begins(start, options.zone) == said
    return said in {None, ALL} or day(start, options.zone) == said


def _unsaid(spool: Spool, options: Options) -> Iterator[bytes]:
    """Give the first event of which it is not said which occurrence it is.

    A day on which none of an event's occurrences begins, or several, is asked about again. Only where a file tells of
    several events may one with a single occurrence be on another day: its rows name it themselves.
    """
    alone = None
    count = 0
    for event, number in spool.events():
        count += 1
        if options.occurrence is None:
            known = number == 1
        else:
            chosen = sum(1 for start in spool.starts(event) if is_chosen(start, options))
            known = chosen == 1
            if not chosen and number == 1:
                alone, known = event, True
        if not known:
            yield event
            return
    if alone is not None and count == 1:
        yield alone


def _question(spool: Spool, event: bytes, options: Options) -> Question:
    zone = options.zone
    listed, told = list(spool.occurrences(event, MOST_SHOWN)), sum(1 for _ in spool.starts(event))
    days = Counter(day(start, zone) for start in spool.starts(event))
    choices = [_choice(*one, zone, alone=days[day(one[0], zone)] == 1) for one in listed]
    if told > 1:
        choices.append(
            Choice(f"--occurrence {ALL}", "all of them belong to this event: one record for each person and occurrence")
        )
    of = _named(event)
    if options.occurrence is None:
        what = f"has {told} occurrences, and {of} in HubSpot is one of them: which one?"
    else:
        number = sum(1 for start in spool.starts(event) if is_chosen(start, options))
        which = f"{number} occurrences that begin on" if number else "no occurrence that begins on"
        what = f"has {which} {occurrence_text(options.occurrence)} ({of})"
    if told > len(listed):
        what += f" (the first {len(listed)} are listed)"
    return Question("--occurrence", "the file", what, tuple(choices))


def _choice(start: int, end: int, people: int, zone: tzinfo | None, *, alone: bool) -> Choice:
    """List an occurrence, by its day where it is alone on it."""
    begins, ends = _local(start, zone), _local(end, zone)
    until = f"{ends:%H:%M}" if ends.date() == begins.date() else f"{ends.day} {ends:%B %Y %H:%M}"
    persons = "1 person" if people == 1 else f"{people:,} people"
    means = f"{begins.day} {begins:%B %Y}, first join {begins:%H:%M}, last leave {until} ({_zone(zone)}): {persons}"
    facts = {"day": str(begins.date()), "first_join": begins.isoformat(), "last_leave": ends.isoformat()}
    said = begins.date() if alone else _begins(start, zone)
    return Choice(f"--occurrence {occurrence_text(said)}", means, {**facts, "people": people})


def _begins(ms: int, zone: tzinfo | None) -> datetime:
    """Give the local day and time to the minute."""
    return _local(ms, zone).replace(second=0, microsecond=0, tzinfo=None)


def _named(event: bytes) -> str:
    """Name an event as its rows do."""
    _, object_id, external, _, _ = orjson.loads(event)
    name = object_id or external
    return f"event {shown(name)}" if name else "the event"


def _zone(zone: tzinfo | None) -> str:
    return name_of(zone) if zone else "UTC"


def _local(ms: int, zone: tzinfo | None) -> datetime:
    at = EPOCH + timedelta(milliseconds=ms)
    try:
        return at.astimezone(zone or UTC)
    except OverflowError:  # the last day of the year 9999
        return at
