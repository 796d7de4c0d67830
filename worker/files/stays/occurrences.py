"""Occurrences: a webinar that is held every week has a report of several, and HubSpot's event is one of them.

The joins of all people are read in the order of time. A new occurrence begins with a join that is on another day than
the occurrence's first one (in the reader's zone) and comes hours after the last join of anybody; in any case with a
join a day or more after the first. So a session may pass midnight, the sessions of one day are one occurrence, and
joins a day or more apart are never taken for one stay. Leaves do not count: a device left connected overnight would
tie two sessions together.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

import orjson

from models.input_check import shown
from models.zones import name_of
from worker.files.clocks import EPOCH
from worker.files.options import ALL, Options
from worker.files.questions import Choice, Question
from worker.files.stays.spool import Spool

QUIET: Final = timedelta(hours=6)
"""Without a join, at least, before another day begins another occurrence: longer than a session has without any, and
shorter than the night between two days of a conference."""
LONGEST: Final = timedelta(days=1)
"""From the first join to the last of one occurrence, less than this."""
MOST_SHOWN: Final = 20

_QUIET_MS: Final = QUIET // timedelta(milliseconds=1)
_LONGEST_MS: Final = LONGEST // timedelta(milliseconds=1)


def starts(joins: Iterable[tuple[bytes, int]], zone: tzinfo | None) -> Iterator[tuple[bytes, int]]:
    """Give when the occurrences of each event begin; `joins` come by event and time."""
    current: bytes | None = None
    first = last = 0
    for event, joined in joins:
        if (
            event != current
            or joined - first >= _LONGEST_MS
            or (joined - last >= _QUIET_MS and day(joined, zone) != day(first, zone))
        ):
            current, first = event, joined
            yield event, joined
        last = joined


def day(ms: int, zone: tzinfo | None) -> date:
    """Give the day of an instant in a zone."""
    return _local(ms, zone).date()


def find(spool: Spool, options: Options) -> Question | None:
    """Find every event's occurrences; give the question where it is not said which belongs to an event."""
    spool.note_starts(starts(spool.joins(), options.zone))
    if options.occurrence == ALL:
        return None
    events = list(_unsaid(spool, options))
    if not events:
        return None
    return _question(spool, events[0], options)


def is_chosen(start: int, options: Options) -> bool:
    """Say whether an occurrence is the one that was said, or none was."""
    return options.occurrence in {None, ALL} or day(start, options.zone) == options.occurrence


def _unsaid(spool: Spool, options: Options) -> Iterator[bytes]:
    """Give the first event of which it is not said which occurrence it is.

    A day that is none of an event's occurrences is asked about again. Only where a file tells of several events may
    one with a single occurrence be on another day: its rows name it themselves.
    """
    alone = None
    count = 0
    for event, number in spool.events():
        count += 1
        if options.occurrence is None:
            known = number == 1
        else:
            known = any(is_chosen(start, options) for start in spool.starts(event))
            if not known and number == 1:
                alone, known = event, True
        if not known:
            yield event
            return
    if alone is not None and count == 1:
        yield alone


def _question(spool: Spool, event: bytes, options: Options) -> Question:
    zone = options.zone
    listed, told = list(spool.occurrences(event, MOST_SHOWN)), sum(1 for _ in spool.starts(event))
    choices = [_choice(*one, zone) for one in listed]
    if told > 1:
        choices.append(
            Choice(f"--occurrence {ALL}", "all of them belong to this event: one record for each person and occurrence")
        )
    of = _named(event)
    if options.occurrence is None:
        what = f"has {told} occurrences, and {of} in HubSpot is one of them: which one?"
    else:
        what = f"has no occurrence that begins on {options.occurrence} ({of})"
    if told > len(listed):
        what += f" (the first {len(listed)} are listed)"
    return Question("--occurrence", "the file", what, tuple(choices))


def _choice(start: int, end: int, people: int, zone: tzinfo | None) -> Choice:
    begins, ends = _local(start, zone), _local(end, zone)
    until = f"{ends:%H:%M}" if ends.date() == begins.date() else f"{ends.day} {ends:%B %Y %H:%M}"
    persons = "1 person" if people == 1 else f"{people:,} people"
    means = f"{begins.day} {begins:%B %Y}, first join {begins:%H:%M}, last leave {until} ({_zone(zone)}): {persons}"
    facts = {"day": str(begins.date()), "first_join": begins.isoformat(), "last_leave": ends.isoformat()}
    return Choice(f"--occurrence {begins.date()}", means, {**facts, "people": people})


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
