"""The times of a row: when somebody came and left, on which day, and how long they stayed."""

from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import Final

from models.input_check import Reason, shown
from worker.files.clocks import Moment, TimeFault
from worker.files.columns.header import Columns
from worker.files.columns.known_titles import Field
from worker.files.columns.status_values import says_yes
from worker.files.columns.who_counts import NO_VALUE
from worker.files.csv_rows import CsvRow
from worker.files.durations import is_total, read_duration
from worker.files.options import MissingOption, Options
from worker.files.ranges import Range, read_range
from worker.files.rows import Draft, placed_at, text_of
from worker.files.swapped_dates import exchanged
from worker.files.times import Written, dotted_clock, iso, local_in, read_time, read_written
from worker.files.written_zones import behind

DAY_MS: Final = 24 * 60 * 60 * 1000
LONGEST_STAY_MS: Final = DAY_MS
"""A stay of one row is shorter: else its join is of another occurrence than its leave, or no join at all."""
_A_DAY: Final = 24 * 60
"""In minutes."""
_EARLY: Final = 3 * 60
"""Minutes before an event began at which people may have joined it."""
_HALF_A_DAY: Final = 12 * 60
"""In minutes."""
_EVENING: Final = 16
"""From this hour on an event may pass midnight."""
_A_LITTLE: Final = timedelta(minutes=2)
"""By so much the length of a stay may differ from its join and leave, which are rounded."""


class RowTimes:
    """Reads the times of rows under one header, above which the file may name their zone."""

    def __init__(self, columns: Columns, options: Options, zone: str = "") -> None:
        self._columns = columns
        self._options = options
        self._zone = zone

    def read_stay(self, row: CsvRow, draft: Draft) -> None:
        """Read when somebody came and left, the latter also from how long they stayed."""
        if self._columns.has_start:
            draft.joined = draft.time = self._event_time(self._options.start)
        else:
            draft.joined = self.read(row, draft, (Field.JOINED, Field.TIME, Field.DATE))
            draft.time = self.read(row, draft, (Field.TIME,)) if Field.TIME in self._columns.fields else draft.joined
        draft.left = self.read(row, draft, (Field.LEFT,))
        if draft.left is not None:
            known = self._stay(row, Draft(draft.where, draft.columns, [], {}))
            draft.stay = known // timedelta(milliseconds=1) if known is not None else 0
        if draft.left is not None and self._is_past_midnight(row, draft):
            draft.left += DAY_MS
        if draft.joined is not None and not self._told(row, Field.LEFT)[0]:
            stay = self._stay(row, draft)
            draft.left = draft.joined + stay // timedelta(milliseconds=1) if stay is not None else None
            if stay is not None:
                draft.stay, draft.reckoned = stay // timedelta(milliseconds=1), self._length_title(row)
            elif not draft.faults:
                draft.left = self._event_time(self._options.end)
        elif draft.joined is not None and draft.left == draft.joined and not self._has_total():
            draft.added = draft.stay
            draft.left += draft.added  # within the minute that is shown
        if draft.joined is not None and draft.left is not None and draft.left < draft.joined:
            what = f"{shown(self._told(row, Field.LEFT)[0] or iso(draft.left))} is before they joined"
            right = "a later time (the next day, past midnight?)"
            draft.faults.append(placed_at(row.line, self._columns.title(Field.LEFT), Reason("", what, right)))
        elif draft.joined is not None and draft.left is not None and draft.left - draft.joined >= LONGEST_STAY_MS:
            what = f"they stayed {(draft.left - draft.joined) / 3_600_000:,.0f} hours, from {iso(draft.joined)}"
            right = "less than a day (is the join the time of registration, or is AM or PM wrong?)"
            draft.faults.append(placed_at(row.line, self._columns.title(Field.LEFT), Reason("", what, right)))
            draft.joined = draft.left = None  # it tells of no occurrence

    def _is_past_midnight(self, row: CsvRow, draft: Draft) -> bool:
        """Say whether somebody left on the day after they joined: only a time of day is written.

        How long they stayed says so, or that they came in the evening; 12:55 to 1:40 is an afternoon without its PM.
        """
        join, leave = (self._as_written(self._told(row, what)[0]) for what in (Field.JOINED, Field.LEFT))
        joined, left = draft.joined, draft.left
        if joined is None or left is None or left >= joined:
            return False
        if join is None or leave is None or not leave.clock_only:
            return False
        apart = timedelta(milliseconds=left + DAY_MS - joined)
        stay = self._stay(row, Draft(draft.where, self._columns, [], {}))
        if stay is not None and abs(apart - stay) <= _A_LITTLE:
            return True
        is_long = stay is not None and stay > apart + _A_LITTLE
        return join.local.hour >= _EVENING and apart < timedelta(hours=12) and not is_long

    def _event_time(self, when: datetime | time | None) -> int | None:
        """Give when the event began or ended, in the zone of the file's times."""
        options = self._options
        if isinstance(when, time):
            when = datetime.combine(options.day, when) if options.day is not None else None
        if when is None:
            return None
        moment = read_time(when.isoformat(" "), options.zone, zone_as=options.zone_as)
        return moment.ms if isinstance(moment, Moment) else None

    def _has_total(self) -> bool:
        """Say whether the length of stay is that of all of a person's joins together."""
        places = (self._columns.fields.get(what, ()) for what in (Field.SECONDS, Field.MINUTES, Field.DURATION))
        return any(is_total(self._columns.titles[place]) for place in chain.from_iterable(places))

    def _length_title(self, row: CsvRow) -> str:
        """Give the title of the length of stay that a row has."""
        told = (Field.SECONDS, Field.MINUTES, Field.DURATION)
        return next((self._columns.title(what) for what in told if text_of(self._columns, row, what)), "")

    def _stay(self, row: CsvRow, draft: Draft) -> timedelta | None:
        units = {Field.SECONDS: timedelta(seconds=1), Field.MINUTES: timedelta(minutes=1), Field.DURATION: None}
        for what, unit in units.items():
            if (text := text_of(self._columns, row, what)) and text not in NO_VALUE:
                stay = read_duration(text, unit)
                if isinstance(stay, timedelta):
                    return stay
                draft.faults.append(self._reason(row, what, stay))
        return None

    def _day_of(self, clock: str) -> date | TimeFault | None:
        """Give the day of a join's time of day: the one that brings it near to the event's start."""
        day, start, at = self._options.day, self._options.start, self._as_written(clock)
        if day is None or start is None or at is None or not at.clock_only:
            return day
        later = _minutes(at.local.time()) - _minutes(start if isinstance(start, time) else start.time())
        for days in (-1, 0, 1):
            if -_EARLY <= later + days * _A_DAY <= _HALF_A_DAY:
                return day + timedelta(days=days)
        what = f"{shown(clock)} is hours before the event began at {start:%H:%M}, and more than half a day after it"
        return TimeFault(what, "the time with its day, such as 2026-03-29 20:30")

    def _told(self, row: CsvRow, kind: Field, *, spans: bool = True) -> tuple[str, int, date | None]:
        """Give the text of a time, its column, and for a time of day the day that another cell has.

        “Registration Date” and “Registration Time” are one time, and so are “Date” and “Join Time”. Of two times in a
        cell the first is given where `spans` says so, and the other is when somebody left.
        """
        own = [(text, place) for text, place in self._cells(row, kind) if says_yes(text) is None]
        if not own:
            return self._end_of_range(row) if kind is Field.LEFT else ("", -1, None)
        text, column = own[0]
        if spans and kind is not Field.LEFT and isinstance(span := read_range(text), Range):
            text = span.start
        first = self._as_written(text)
        if first is None or not (first.day_only or first.clock_only):
            return text, column, None
        near = [*own[1:], *(self._cells(row, Field.DATE) if kind is not Field.DATE else ())]
        if kind is Field.LEFT:
            near += self._cells(row, Field.JOINED)
        for other, at in near:
            read = self._as_written(other)
            if first.day_only and read is not None and read.clock_only:
                return other, at, self._local_day(first)
            if first.clock_only and read is not None and not read.clock_only:
                return text, column, self._local_day(read)
        return text, column, None

    def _end_of_range(self, row: CsvRow) -> tuple[str, int, date | None]:
        """Give when somebody left who has both times in one cell, such as 10:00 - 11:00."""
        for kind in (Field.JOINED, Field.TIME, Field.DATE):
            for text, place in self._cells(row, kind):
                if isinstance(span := read_range(text), Range):
                    start = self._as_written(span.start)
                    on = self._local_day(start) if start is not None and not start.clock_only else None
                    return span.end, place, on or self._told(row, kind)[2]
        return "", -1, None

    def _join_of(self, row: CsvRow, leave: str) -> str:
        """Give the time of day of the join that a leave follows, whose day is the leave's; else the leave's own."""
        join = self._told(row, Field.JOINED)[0]
        read = self._as_written(join)
        return join if read is not None and read.clock_only else leave

    def _local_day(self, read: Written) -> date | None:
        known = local_in(read, self._options.zone)
        return known.local.date() if known else None

    def _as_written(self, text: str) -> Written | None:
        read = read_written(text, self._options.order, self._options.excel_dates)
        return read if isinstance(read, Written) else None

    def _cells(self, row: CsvRow, kind: Field) -> list[tuple[str, int]]:
        """Give what stands in the columns of a field, and their places."""
        places = self._columns.fields.get(kind, ())
        found = [(row.cells[place].strip(), place) for place in places if place < len(row.cells)]
        return [(self._as_meant(text, place), place) for text, place in found if text not in NO_VALUE]

    def _as_meant(self, text: str, place: int) -> str:
        """Write a cell as its column is meant: 10.30 as a time of day, a real date with day and month exchanged."""
        options = self._options
        if (options.dotted_clocks or options.exchanged) and (name := self._columns.name(place)):
            text = (dotted_clock(text) or text) if name in options.dotted_clocks else text
            text = (exchanged(text) or text) if name in options.exchanged else text
        return text

    def read(self, row: CsvRow, draft: Draft, kinds: tuple[Field, ...], *, days: bool = False) -> int | None:
        """Read the first time that is there; a fault is noted, and the text kept to be shown and corrected."""
        options = self._options
        for kind in kinds:
            text, column, beside = self._told(row, kind, spans=not days)
            if not text:
                continue  # “Registered: Yes” has its time in another column
            zone = self._columns.zones.get(column) or behind(text_of(self._columns, row, Field.ZONE) or self._zone)
            day = beside or (
                options.day if days else self._day_of(self._join_of(row, text) if kind is Field.LEFT else text)
            )
            if isinstance(day, TimeFault):
                if kind is not Field.LEFT or not draft.faults:  # of the join's, whose day is the leave's
                    draft.faults.append(self._reason(row, kind, day))
                return None
            moment = read_time(text, options.zone, options.order, zone, options.zone_as, day, options.excel_dates)
            if isinstance(moment, Moment) and moment.day_only and not days:
                moment = TimeFault(f"{shown(text)} has no time of day", "a time such as 2026-03-01T10:00:00Z")
            if isinstance(moment, Moment):
                draft.day_only = draft.day_only or moment.day_only
                return moment.ms
            if kind is Field.LEFT:
                draft.input["properties"] = {Field.LEFT.value: text}
            else:
                draft.input["interactionDateTime"] = text
            draft.faults.append(self._reason(row, kind, moment))
            return None
        return None

    def _reason(self, row: CsvRow, what: Field, fault: TimeFault) -> Reason:
        reason = (MissingOption if fault.option else Reason)("", fault.what, fault.right)
        return placed_at(row.line, self._columns.title(what), reason)


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute
