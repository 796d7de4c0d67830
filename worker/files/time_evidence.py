"""What the times of a file need to be read, and what the file itself says of it.

The order of a date of three numbers is settled by the rows that leave no choice (13/11/2026), also by those above the
table: a tool writes one order. What no row settles is asked, with what each answer would mean.
"""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from typing import Final

from models.input_check import Reason, shown
from models.spoken_zones import read_spoken, says
from models.words import State
from models.zones import abbreviation, meanings
from worker.files.clocks import TimeFault, instant, zone_answer
from worker.files.columns.header import OF_TIME, Columns
from worker.files.columns.known_titles import Field
from worker.files.columns.who_counts import NOTHING
from worker.files.csv_rows import CsvRow
from worker.files.dates import is_dotted_day, possible_orders
from worker.files.event_facts import EventFacts, Said
from worker.files.options import DateOrder, Options
from worker.files.questions import Choice, Question, as_argument
from worker.files.times import Written, read_written
from worker.files.written_zones import behind

_STAY: Final = frozenset({Field.JOINED, Field.LEFT})
_IN_ORDER: Final = (Field.JOINED, Field.TIME, Field.REGISTERED, Field.CANCELED, Field.LEFT, Field.DATE)
_READ: Final[dict[State | None, frozenset[Field]]] = {
    None: OF_TIME,
    State.REGISTER: frozenset({Field.TIME, Field.DATE, Field.REGISTERED}),
    State.ATTEND: frozenset({Field.TIME, Field.DATE}) | _STAY,
    State.CANCEL: frozenset({Field.TIME, Field.DATE, Field.CANCELED}),
}
"""Fields whose times a state takes."""
_FEW_ROWS: Final = 10
"""One time of so many: where fewer lack a zone, a day or an order, they are faults of their rows."""
_HALF_A_DAY: Final = 12
_FAR: Final = 9 * 60
"""Minutes from the start: where everybody joined so far from it, half of the day may be missing (02:03 for 14:03)."""
_FEW: Final = 3
"""Different days beside one year: fewer may be two years."""
_DOTTED: Final = re.compile(r"\d{1,2}\.\d{2}\.\d{2}")
_PARTS: Final = re.compile(r"\d+")
_MEANS: Final = {DateOrder.DMY: "day first", DateOrder.MDY: "month first", DateOrder.YMD: "year first"}


@dataclass(slots=True)
class _Order:
    """The orders in which every date of a column can be read, and dates that show it."""

    possible: frozenset[DateOrder] = frozenset(DateOrder)
    decided_by: str = ""
    open: str = ""
    """A date that would be another day in another order."""
    _first: set[str] = field(default_factory=set)
    _last: set[str] = field(default_factory=set)

    def see(self, text: str, orders: frozenset[DateOrder]) -> None:
        """Take a date in."""
        if len(orders) == 1 and len(self.possible) > 1:
            self.decided_by = text
        self.possible &= orders
        if DateOrder.YMD in orders and len(self._first) <= _FEW and len(self._last) <= _FEW:
            first, _, last = _PARTS.findall(text)[:3]
            self._first.add(first)
            self._last.add(last)
            self._weigh(text)
        if len(orders) > 1 and not self.open:
            days = {read.local for one in orders if isinstance(read := read_written(text, one), Written)}
            self.open = text if len(days) > 1 else ""

    def _weigh(self, text: str) -> None:
        """Tell a year of two digits from a day: it stays, where the day is another one in many rows."""
        for still, moving, orders in (
            (self._last, self._first, frozenset({DateOrder.DMY, DateOrder.MDY})),
            (self._first, self._last, frozenset({DateOrder.YMD})),
        ):
            if len(still) == 1 and len(moving) >= _FEW and len(self.possible & orders) < len(self.possible):
                self.decided_by = text
                self.possible &= orders


@dataclass(slots=True)
class TimeEvidence:
    """What was seen of the times of a file."""

    options: Options
    _orders: dict[str, _Order] = field(default_factory=dict)
    """By the column."""
    _dotted: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """By the column: three numbers with dots, and whether all such can be days."""
    _without_zone: tuple[str, str] | None = None
    """The title and the text of a time that names no zone."""
    _abbreviations: Counter[str] = field(default_factory=Counter)
    _at: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    _clock: tuple[str, str] | None = None
    """The title and the text of a time of day without its day."""
    _clocks: list[time] = field(default_factory=list)
    """The earliest and the latest time of day at which somebody joined."""
    _values: int = 0
    """Times of people who count; and of these those that lack a zone, lack a day, or may be two days."""
    _zoneless: int = 0
    _dayless: int = 0
    _two_days: int = 0

    def see_above(self, rows: list[CsvRow]) -> None:
        """Note the order of dates above the table."""
        for row in rows:
            for cell in row.cells:
                if (orders := possible_orders(cell)) is not None and orders:
                    self._orders.setdefault("", _Order()).see(cell.strip(), orders)

    def see(self, columns: Columns, cells: list[str], *, counts: bool, zone_above: bool) -> None:
        """Note what the times of a row need; the order of dates is also shown by rows that are left out."""
        if counts and columns.has_start and self.options.zone is None and self.options.start is not None:
            self._without_zone = self._without_zone or ("--start", str(self.options.start))
            self._values += 1
            self._zoneless += 1
        for what in _IN_ORDER:
            for place in columns.fields.get(what, ()):
                text = cells[place].strip() if place < len(cells) else ""
                if text in NOTHING:
                    continue
                if self.options.order is None and (orders := possible_orders(text)) is not None:
                    self._two_days += len(orders) > 1
                    self._orders.setdefault(columns.name(place), _Order()).see(text, orders)
                if self.options.order is None and _DOTTED.fullmatch(text):
                    is_day = is_dotted_day(text)
                    known = self._dotted.setdefault(columns.name(place), (text, is_day))
                    self._dotted[columns.name(place)] = (known[0], known[1] and is_day)
                if counts and what in _READ[self.options.state]:
                    self._see_needs(columns, cells, place, text, what, zone_above=zone_above)

    def _see_needs(  # noqa: PLR0913 - a cell, and where it stands
        self, columns: Columns, cells: list[str], place: int, text: str, what: Field, *, zone_above: bool
    ) -> None:
        self._values += 1
        order = self.options.order or next(iter(sorted(possible_orders(text) or ())), None)
        read = read_written(text, order, self.options.excel_dates)
        if not isinstance(read, Written):
            return
        if read.clock_only and place in columns.fields.get(Field.JOINED, ()):
            clocks = [*self._clocks, read.local.time()]
            self._clocks = [min(clocks), max(clocks)]
        if read.clock_only and self.options.day is None and not self._has_day(columns, cells, what):
            self._clock = self._clock or (columns.name(place), text)
            self._dayless += 1
        if self.options.zone is not None or read.local.tzinfo is not None:
            return
        own = columns.fields.get(Field.ZONE, ())
        named = (behind(cells[at]) for at in own if at < len(cells) and cells[at].strip())
        written = read.zone or columns.zones.get(place) or next(named, "")
        if not written and not zone_above:
            self._without_zone = self._without_zone or (columns.name(place), text)
            self._zoneless += 1
        elif written and (short := abbreviation(written.strip("()[] "))):
            moment = instant(read.local.replace(year=max(read.local.year, 2000)), written, None)
            if isinstance(moment, TimeFault) and moment.option:
                self._zoneless += 1
                self._abbreviations[short] += 1
                self._at.setdefault(short, (text, read.local))

    def _are_many(self, lacking: int) -> bool:
        """Say whether so many times lack something that it is asked; of a few, each row is told so alone."""
        return lacking * _FEW_ROWS > self._values

    def _has_day(self, columns: Columns, cells: list[str], what: Field) -> bool:
        """Say whether a row has its day in a column of its own."""
        kinds = {what, Field.DATE} | ({Field.JOINED} if what is Field.LEFT else set())
        for place in (place for kind in kinds for place in columns.fields.get(kind, ())):
            text = cells[place].strip() if place < len(cells) else ""
            read = read_written(text, DateOrder.DMY, self.options.excel_dates) if text else None
            other = read_written(text, DateOrder.MDY, self.options.excel_dates) if text else None
            if any(isinstance(one, Written) and not one.clock_only for one in (read, other)):
                return True
        return False

    def settle(self, facts: EventFacts, *, asks_zone: bool) -> tuple[Options, list[str], list[Question]]:
        """Give the options with what the file settles, what that was, and what it leaves open."""
        options, notes, asked = self.options, [], []
        if options.order is None and (settled := self._settled()) is not None:
            order, by = settled
            options = replace(options, order=order)
            notes.append(f"dates are read {_MEANS[order]}, as “{shown(by)}” shows")
        elif options.order is None and (question := self._ask_order()) is not None:
            asked.append(question)
            options = options.answered(question.choices[0].arguments())
        if self._clock is not None and options.day is None and self._are_many(self._dayless):
            # people register and cancel on other days than the event's
            known = facts.day(options.order, options.zone) if options.state is State.ATTEND else None
            if known is not None:
                options = replace(options, day=known[0])
                notes.append(f"times of day are of {_day(known[0])}, as {known[1]} says")
            else:
                asked.append(self._ask_day(facts))
                options = options.answered(asked[-1].choices[0].arguments(assumed=True))
        if options.start is None and self._clocks:
            known = facts.start(options.order, options.zone)
            if known is not None and all(_apart(clock, known[0].time()) >= _FAR for clock in self._clocks):
                asked.append(self._ask_half(*known))
                options = options.answered(asked[-1].choices[0].arguments())
            elif known is not None and self._pass_midnight_from(known[0].time()):
                options = replace(options, start=known[0].time())
                notes.append(f"times of day are of the day that is nearest to {known[0]:%H:%M}, as {known[1]} says")
            elif known is None and self._pass_midnight():
                asked.append(self._ask_start())
                options = options.answered(asked[-1].choices[0].arguments(assumed=True))
        if options.zone is None and not asks_zone and self._zoneless and self._are_many(self._zoneless):
            asked.append(self._ask_zone())
            options = options.answered(asked[-1].choices[0].arguments(assumed=True))
        return options, notes, asked

    def _pass_midnight_from(self, start: time) -> bool:
        """Say whether somebody joined at a time of day that is half a day from the start: on another day."""
        return any(
            abs(clock.hour * 60 + clock.minute - start.hour * 60 - start.minute) > _HALF_A_DAY * 60
            for clock in self._clocks
        )

    def _pass_midnight(self) -> bool:
        """Say whether people joined at times of day that are half a day apart: some of them on the next day."""
        first, last = self._clocks
        return last.hour - first.hour >= _HALF_A_DAY

    def _ask_half(self, start: datetime, said: Said) -> Question:
        first, last = self._clocks
        what = (
            f"began at {start:%H:%M}, as {said} says, and people joined from {first:%H:%M} to {last:%H:%M}. "
            "Are AM and PM missing (then export it with them)? If the times are right, when did the event begin?"
        )
        own = Choice(f"--start {first:%H:%M}", "about when the first one joined: the times are right as they stand")
        return Question("--start", "the report", what, (own,))

    def _ask_start(self) -> Question:
        first, last = self._clocks
        what = f"has times of day from {first:%H:%M} to {last:%H:%M}: did the event pass midnight? When did it begin?"
        means = "the time of day: --start 22:00; each time is of the day that brings it nearest to that"
        return Question("--start", "the report", what, (Choice("--start BEGAN", means, assumed="--start 18:00"),))

    def _settled(self) -> tuple[DateOrder, str] | None:
        """Give the only order in which every date can be read, and a date that shows it."""
        if self._dotted and not self._orders and all(are_days for _, are_days in self._dotted.values()):
            return DateOrder.DMY, next(iter(self._dotted.values()))[0]
        possible = frozenset(DateOrder)
        for one in self._orders.values():
            possible &= one.possible
        by = next((one.decided_by for one in self._orders.values() if one.decided_by), "")
        if len(possible) == 1 and not by:  # only together
            by = next((one.open for one in self._orders.values() if one.open), "")
        return (next(iter(possible)), by) if len(possible) == 1 and by else None

    def _ask_order(self) -> Question | None:
        name, known = next(((name, one) for name, one in self._orders.items() if one.open and name), ("", None))
        if known is None or not self._are_many(self._two_days):
            return None
        orders = sorted(known.possible or possible_orders(known.open) or DateOrder, key=list(_ORDERS).index)
        if "m" in known.open.lower():  # AM and PM are written where the month comes first, more often than not
            orders.sort(key=lambda one: one is not DateOrder.MDY)
        choices = []
        for order in orders:
            read = read_written(known.open, order)
            means = _day(read.local) if isinstance(read, Written) else "no day"
            choices.append(Choice(f"--date-order {order}", f"{_MEANS[order]}: “{shown(known.open)}” is {means}"))
        what = f"has dates such as “{shown(known.open)}”. Which number is the day, and which the month?"
        return Question("--date-order", f"column “{shown(name)}”", what, tuple(choices))

    def _ask_day(self, facts: EventFacts) -> Question:
        title, text = self._clock or ("", "")
        of_what = "the event" if self.options.state is State.ATTEND else "that"
        what = f"has times of day without a day, such as “{shown(text)}”. On which day was {of_what}?"
        if facts.is_several:
            what += " (The file names several.)"
        placeholder = Choice("--day DAY", "year, month and day: --day 2026-03-29", assumed="--day 2026-01-15")
        return Question("--day", f"column “{shown(title)}”", what, (placeholder,))

    def _ask_zone(self) -> Question:
        title, text = self._without_zone or ("", "")
        if not text:
            short = self._abbreviations.most_common(1)[0][0]
            text, local = self._at[short]
            said, wanted = meanings(short, local) or ("", [])
            choices = [Choice(f"--time-zone={zone_answer(short, one, local)}", _says(one)) for one in wanted[:4]]
            what = f"“{shown(text)}” is in {short}, which may mean {said}. Where was the event?"
            return Question("--time-zone", "the times", what, tuple(choices))
        choices = []
        if self.options.home:
            own = as_argument(self.options.home)
            choices.append(Choice(f"--time-zone {own}", f"your computer's zone, {_says(self.options.home)}"))
        more = "a city such as Berlin, a name such as “Eastern Time”, an offset such as GMT-7, or UTC"
        choices.append(Choice("--time-zone CITY", f"{'another: ' if choices else ''}{more}", assumed="--time-zone UTC"))
        where = title if title.startswith("--") else f"column “{shown(title)}”"
        what = f"says “{shown(text)}”, and not in which time zone. Whose clock is it?"
        return Question("--time-zone", where, what, tuple(choices))


def _apart(one: time, other: time) -> int:
    """Give the minutes between two times of day, on whichever days bring them nearest."""
    apart = abs(one.hour * 60 + one.minute - other.hour * 60 - other.minute)
    return min(apart, 2 * _HALF_A_DAY * 60 - apart)


def _says(zone: str) -> str:
    known = read_spoken(zone)
    return zone if isinstance(known, Reason) else says(known)


_ORDERS: Final = (DateOrder.DMY, DateOrder.MDY, DateOrder.YMD)


def _day(day: "datetime | object") -> str:
    return f"{day:%d %B %Y}".lstrip("0")
