"""What the times of a file need to be read (an order, a day, a zone), and what the file itself says of it."""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Final

from models.input_check import Reason, shown
from models.spoken_zones import read_spoken, says
from models.words import State
from models.zones import abbreviation, meanings
from worker.files.clocks import TimeFault, instant, zone_answer
from worker.files.columns.header import OF_TIME, Columns
from worker.files.columns.known_titles import Field
from worker.files.columns.map_option import as_option
from worker.files.columns.who_counts import NO_VALUE
from worker.files.csv_rows import CsvRow
from worker.files.dates import is_day_of_month, is_dotted_day, possible_orders
from worker.files.event_facts import EventFacts, Said
from worker.files.options import DateOrder, Options, SwappedDates
from worker.files.order_evidence import OrderEvidence
from worker.files.questions import Choice, Question, as_argument
from worker.files.ranges import start_of
from worker.files.times import Written, dotted_clock, local_in, read_written
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
_UNITLESS: Final = re.compile(r"0*[1-9][0-9]*(?:\.[0-9]+)?|0*\.[0-9]*[1-9][0-9]*")
_LONG_MINUTES: Final = 600
"""More minutes than an event has, so that seconds are proposed."""
_HALF_A_DAY: Final = 12
_FAR: Final = 9 * 60
"""Minutes from the start: where everybody joined so far from it, half of the day may be missing (02:03 for 14:03)."""
_EARLY: Final = 3 * 60
"""Minutes before the start at which somebody may have joined."""


@dataclass(slots=True)
class TimeEvidence:
    """What was seen of the times of a file."""

    options: Options
    _dates: OrderEvidence = field(default_factory=OrderEvidence)
    _without_zone: tuple[str, str] | None = None
    """The title and the text of a time that names no zone."""
    _abbreviations: Counter[str] = field(default_factory=Counter)
    _at: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    _clock: tuple[str, str] | None = None
    """The title and the text of a time of day without its day."""
    _clocks: list[time] = field(default_factory=list)
    """The earliest and the latest time of day at which somebody joined."""
    _joins: dict[DateOrder, tuple[datetime, datetime]] = field(default_factory=dict)
    """By the order of dates: the earliest and the latest full time of joining, in the zone that was said."""
    _unitless: tuple[str, str] | None = None
    """The title and the largest length of stay without its unit, where that says alone when somebody left."""
    _unitless_rows: int = 0
    _values: int = 0
    """Times of people who count; and of these those that lack a zone, lack a day, or may be two days."""
    _zoneless: int = 0
    _dayless: int = 0
    _two_days: int = 0

    def see_above(self, rows: list[CsvRow]) -> None:
        """Note the order of dates above the table."""
        for row in rows:
            for cell in row.cells:
                self._dates.see_above(cell.strip(), row.line)

    def see(self, columns: Columns, row: CsvRow, *, counts: bool, zone_above: bool) -> None:
        """Note what the times of a row need; the order of dates is also shown by rows that are left out."""
        if counts and columns.has_start and self.options.zone is None and self.options.start is not None:
            self._without_zone = self._without_zone or ("--start", str(self.options.start))
            self._values += 1
            self._zoneless += 1
        if counts and self.options.state is State.ATTEND and Field.LEFT not in columns.fields:
            for place in columns.fields.get(Field.DURATION, ()):
                self._see_length(columns.name(place), row.cells[place].strip() if place < len(row.cells) else "")
        for what in _IN_ORDER:
            for place in columns.fields.get(what, ()):
                text = start_of(row.cells[place].strip()) if place < len(row.cells) else ""
                if text not in NO_VALUE:
                    self._see(columns, row, place, text, what, counts=counts, zone_above=zone_above)

    def _see_length(self, title: str, text: str) -> None:
        """Note a length of stay without its unit."""
        if _UNITLESS.fullmatch(text):
            self._unitless_rows += 1
            if self._unitless is None or float(text) > float(self._unitless[1]):
                self._unitless = (title, text)

    def _see(  # noqa: PLR0913 - a cell, and where it stands
        self, columns: Columns, row: CsvRow, place: int, text: str, what: Field, *, counts: bool, zone_above: bool
    ) -> None:
        is_read = what in _READ[self.options.state]
        has_day = self._has_day(columns, row.cells, what, place) if dotted_clock(text) else False
        column = columns.name(place)
        is_sheet = bool(self.options.excel_dates)
        orders = self._dates.see(column, text, row.line, has_day=has_day, is_sheet=is_sheet, is_read=is_read)
        self._two_days += orders > 1
        if has_day or (text.count(".") == 1 and not is_day_of_month(text)):
            text = dotted_clock(text) or text
        if counts and is_read:
            self._see_needs(columns, row.cells, place, text, what, zone_above=zone_above)

    def _see_needs(  # noqa: PLR0913 - a cell, and where it stands
        self, columns: Columns, cells: list[str], place: int, text: str, what: Field, *, zone_above: bool
    ) -> None:
        self._values += 1
        order = self.options.order or min(possible_orders(text) or (), default=None)
        read = read_written(text, order, self.options.excel_dates)
        if not isinstance(read, Written):
            return
        if read.clock_only and place in columns.fields.get(Field.JOINED, ()):
            clocks = [*self._clocks, read.local.time()]
            self._clocks = [min(clocks), max(clocks)]
        if read.clock_only and self.options.day is None and not self._has_day(columns, cells, what, place):
            self._clock = self._clock or (columns.name(place), text)
            self._dayless += 1
        own = columns.fields.get(Field.ZONE, ())
        named = (behind(cells[at]) for at in own if at < len(cells) and cells[at].strip())
        written = read.zone or columns.zones.get(place) or next(named, "")
        if place in columns.fields.get(Field.JOINED, ()) and not (read.clock_only or read.day_only):
            self._see_join(text, written)
        if self.options.zone is not None or read.local.tzinfo is not None:
            return
        if read.day_only and what is Field.DATE and Field.JOINED in columns.fields:
            return  # the time of day beside it needs a zone, or has one
        if not written and not zone_above:
            self._without_zone = self._without_zone or (columns.name(place), text)
            self._zoneless += 1
        elif written and (short := abbreviation(written.strip("()[] "))):
            moment = instant(read.local.replace(year=max(read.local.year, 2000)), written, None)
            if isinstance(moment, TimeFault) and moment.option:
                self._zoneless += 1
                self._abbreviations[short] += 1
                self._at.setdefault(short, (text, read.local))

    def _see_join(self, text: str, zone: str) -> None:
        """Note when somebody joined, in each order in which its date can be read."""
        orders = {self.options.order} if self.options.order else possible_orders(text) or set(DateOrder)
        for order in orders:
            read = read_written(text, order, self.options.excel_dates)
            there = (
                local_in(read._replace(zone=read.zone or zone), self.options.zone)
                if isinstance(read, Written)
                else None
            )
            if there is not None:
                known = self._joins.get(order, (there.local, there.local))
                self._joins[order] = min(known[0], there.local), max(known[1], there.local)

    def _are_many(self, lacking: int) -> bool:
        """Say whether so many times lack something that it is asked; of a few, each row is told so alone."""
        return lacking * _FEW_ROWS > self._values

    def _has_day(self, columns: Columns, cells: list[str], what: Field, own: int) -> bool:
        """Say whether a row has the day of a cell in a column of its own."""
        kinds = {what, Field.DATE} | ({Field.JOINED} if what is Field.LEFT else set())
        for kind, place in ((one, place) for one in kinds for place in columns.fields.get(one, ())):
            text = cells[place].strip() if place < len(cells) and place != own else ""
            if not text or (is_dotted_day(text) and (kind in _STAY or place > own)):
                continue  # it may be a time of day itself
            read = (read_written(text, order, self.options.excel_dates) for order in (DateOrder.DMY, DateOrder.MDY))
            if any(isinstance(one, Written) and not one.clock_only for one in read):
                return True
        return False

    def settle(self, facts: EventFacts, *, asks_zone: bool) -> tuple[Options, list[str], list[Question]]:
        """Give the options with what the file settles, what that was, and what it leaves open."""
        asked: list[Question] = []
        options, notes = self._settle_order(asked)
        if self._clock is not None and options.day is None and self._are_many(self._dayless):
            # people register and cancel on other days than the event's
            known = facts.day(options.order, options.zone) if options.state is State.ATTEND else None
            if known is not None:
                options = replace(options, day=known[0])
                notes.append(f"times of day are of {_day(known[0])}, as {known[1]} says")
            else:
                asked.append(self._ask_day(facts))
                options = options.answered(asked[-1].choices[0].arguments(assumed=True))
        if self._unitless is not None and self._are_many(self._unitless_rows):
            asked.append(_ask_unit(*self._unitless))
            options = options.answered(asked[-1].choices[0].arguments())
        if options.start is None and self._clocks:
            known = facts.start(options.order, options.zone)
            if known is not None and all(_is_far(clock, known[0].time()) for clock in self._clocks):
                asked.append(self._ask_half(*known))
                options = options.answered(asked[-1].choices[0].arguments())
            elif known is not None and self._need_days_from(known[0].time()):
                options = replace(options, start=known[0].time())
                notes.append(f"times of day are of the day that is nearest to {known[0]:%H:%M}, as {known[1]} says")
            elif known is None and self._pass_midnight():
                asked.append(self._ask_start())
                options = options.answered(asked[-1].choices[0].arguments(assumed=True))
        elif not asks_zone and (far := self._ask_far(facts, options)) is not None:
            asked.append(far)
            options = options.answered(asked[-1].choices[0].arguments())
        if options.zone is None and not asks_zone and self._zoneless and self._are_many(self._zoneless):
            asked.append(self._ask_zone())
            options = options.answered(asked[-1].choices[0].arguments(assumed=True))
        return options, notes, asked

    def _settle_order(self, asked: list[Question]) -> tuple[Options, list[str]]:
        """Settle the order of dates, and which numbers with dots are times of day; ask what is open."""
        options, notes = self.options, []
        if clocks := self._dates.clocks():
            options = replace(options, dotted_clocks=tuple(dict.fromkeys((*options.dotted_clocks, *clocks))))
        if options.order is not None and (against := self._dates.titled_against(options.order)):
            notes.append(f"the title “{shown(against)}” shows another order of dates than --date-order {options.order}")
        if options.order is None and (settled := self._dates.settled()) is not None:
            options = replace(options, order=settled[0])
            notes.append(settled[1])
        elif options.order is None and (question := self._dates.question(are_many=self._are_many(self._two_days))):
            asked.append(question)
            options = options.answered(question.choices[0].arguments())
        if options.swapped_dates is None and (question := self._dates.ask_swapped()) is not None:
            asked.append(question)
            options = options.answered(question.choices[0].arguments())
        if options.swapped_dates is SwappedDates.EXCHANGE and not options.exchanged:
            options = replace(options, exchanged=self._dates.exchanged())
        return options, notes

    def _need_days_from(self, start: time) -> bool:
        """Say whether somebody joined hours before the start, or half a day from it: perhaps on another day."""
        first, last = self._clocks
        return _minutes(start) - _minutes(first) > _EARLY or _minutes(last) - _minutes(start) > _HALF_A_DAY * 60

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

    def _ask_far(self, facts: EventFacts, options: Options) -> Question | None:
        """Ask when the event began where everybody joined far from what the report, or the option, says."""
        joins = self._joins.get(options.order or DateOrder.DMY)
        if joins is None:
            return None
        first, last = joins
        start, day = facts.start(options.order, options.zone), facts.day(options.order, options.zone)
        if isinstance(options.start, datetime):
            began, is_far = f"began at {_when(options.start)}, as --start says", _are_far(joins, options.start)
        elif options.start is not None:
            is_far = first.date() == last.date() and all(_is_far(one.time(), options.start) for one in joins)
            began = f"began at {options.start:%H:%M}, as --start says"
        elif start is not None:
            began, is_far = f"began at {_when(start[0])}, as {start[1]} says", _are_far(joins, start[0])
        elif day is not None:
            is_far = last.date() < day[0] - timedelta(days=1) or first.date() > day[0] + timedelta(days=1)
            began = f"was on {_day(day[0])}, as {day[1]} says"
        else:
            return None
        what = (
            f"{began}, and people joined from {_when(first)} to {_when(last)}. "
            "Are AM and PM missing (then export it with them), or is it of another event? "
            "If the times are right, when did the event begin?"
        )
        own = Choice(
            f"--start {first:%Y-%m-%dT%H:%M}", "about when the first one joined: the times are right as they stand"
        )
        return Question("--start", "the event", what, (own,)) if is_far else None

    def _ask_start(self) -> Question:
        first, last = self._clocks
        what = f"has times of day from {first:%H:%M} to {last:%H:%M}: did the event pass midnight? When did it begin?"
        means = "the time of day: --start 22:00; each time is of the day that brings it nearest to that"
        return Question("--start", "the report", what, (Choice("--start BEGAN", means, assumed="--start 18:00"),))

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
            what = f"is in {short}, which may mean {said}. Where was the event?"
            return Question("--time-zone", f"the time “{shown(text)}”", what, tuple(choices))
        choices = []
        if self.options.home:
            own = as_argument(self.options.home)
            choices.append(Choice(f"--time-zone {own}", f"your computer's zone, {_says(self.options.home)}"))
        more = "a city such as Berlin, a name such as “Eastern Time”, an offset such as GMT-7, or UTC"
        choices.append(Choice("--time-zone CITY", f"{'another: ' if choices else ''}{more}", assumed="--time-zone UTC"))
        where = title if title.startswith("--") else f"column “{shown(title)}”"
        example = text.strip("\"'= ")
        what = f"says “{shown(example)}”, and not in which time zone. Whose clock is it?"
        if title.startswith("--"):  # what it says may be assumed
            what = "does not say in which time zone it is. Whose clock is it?"
        return Question("--time-zone", where, what, tuple(choices))


def _ask_unit(title: str, largest: str) -> Question:
    choices = [
        Choice(as_option(title, unit), f"{largest} is {float(largest) / hour:.1f} hours")
        for unit, hour in ((Field.MINUTES, 60), (Field.SECONDS, 3600))
    ]
    if float(largest) > _LONG_MINUTES:
        choices.reverse()
    what = f"has lengths of stay without a unit, up to {largest}. Are these minutes or seconds?"
    return Question("--map", f"column “{shown(title)}”", what, tuple(choices))


def _is_far(clock: time, start: time) -> bool:
    """Say whether a time of day is far from the start, on any day: half of the day may be missing, or its zone."""
    return _FAR <= (_minutes(clock) - _minutes(start)) % (2 * _HALF_A_DAY * 60) < 2 * _HALF_A_DAY * 60 - _EARLY


def _are_far(joins: tuple[datetime, datetime], start: datetime) -> bool:
    """Say whether all of the joins are far from the start."""
    first, last = joins
    return last < start - timedelta(minutes=_FAR) or first > start + timedelta(minutes=_FAR)


def _when(at: datetime) -> str:
    return f"{at:%H:%M} on {_day(at)}"


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def _says(zone: str) -> str:
    known = read_spoken(zone)
    return zone if isinstance(known, Reason) else says(known)


def _day(day: "datetime | object") -> str:
    return f"{day:%d %B %Y}".lstrip("0")
