"""What the dates of a file show of the order of their numbers, and which numbers with dots are times of day.

A tool writes one order: the rows that leave no choice (13/11/2026) settle it for all. A spreadsheet breaks that rule:
where it reads the month first, it turns 05/03/2026 into the third of May, and leaves 13/03/2026 the text that it was.
Such a column is asked about.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from models.counted import counted
from models.input_check import shown
from worker.files.dates import is_day_of_month, is_dotted_day, possible_orders
from worker.files.options import DateOrder, SwappedDates
from worker.files.questions import Choice, Question
from worker.files.swapped_dates import exchanged, is_real_date
from worker.files.times import Written, dotted_clock, read_written

_FEW: Final = 3
"""Different days beside one year: fewer may be two years."""
_PARTS: Final = re.compile(r"\d+")
_DOTTED: Final = re.compile(r"\d{1,2}\.\d{2}\.\d{2}")
_FORMAT: Final = re.compile(r"\b(?:([dtjg]{1,2}[/.-]m{1,2})|m{1,2}[/.-]d{1,2})(?:[/.-][yja]{2,4})?\b", re.IGNORECASE)
_DOTTED_DATE: Final = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}\b")
"""Day first in every country: a sign of the order of the other dates, where these leave it open."""
_NUMBER: Final = re.compile(r"\d{1,2}\.\d+")
_MEANS: Final = {DateOrder.DMY: "day first", DateOrder.MDY: "month first", DateOrder.YMD: "year first"}
_ORDERS: Final = (DateOrder.DMY, DateOrder.MDY, DateOrder.YMD)


@lru_cache(maxsize=256)
def order_in_title(title: str) -> DateOrder | None:
    """Give the order that a title shows, such as “Join Time (mm/dd/yyyy)”."""
    found = _FORMAT.search(title)
    if found is None:
        return None
    return DateOrder.DMY if found[1] else DateOrder.MDY


@dataclass(slots=True)
class _Order:
    """The orders in which every date of a column can be read, and dates that show it."""

    possible: frozenset[DateOrder] = frozenset(DateOrder)
    decided_by: str = ""
    open: str = ""
    """A date that would be another day in another order."""
    shows: dict[DateOrder, tuple[int, str]] = field(default_factory=dict)
    """By the order: the line and the text of the first date that can be read in no other."""
    counts: Counter[DateOrder | None] = field(default_factory=Counter)
    """Dates that can be read in one order alone, and of several under None."""
    _first: set[str] = field(default_factory=set)
    _last: set[str] = field(default_factory=set)

    def see(self, text: str, orders: frozenset[DateOrder], line: int) -> None:
        """Take a date in."""
        only = next(iter(orders)) if len(orders) == 1 else None
        self.counts[only] += 1
        if only is not None:
            self.shows.setdefault(only, (line, text))
        if only is not None and len(self.possible) > 1:
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
class _Dotted:
    """Numbers with dots in a column: days such as 12.03.26, or times of day such as 10.30."""

    text: str
    are_days: bool = True
    are_clocks: bool = True
    have_day: bool = True
    """Whether another cell of each row has the day."""
    is_clock: bool = False
    """Whether one has two numbers that are no day of a month, such as 10.30."""

    def see(self, text: str, *, has_day: bool, is_sheet: bool) -> None:
        """Take one in; a workbook's `0.25` may be a part of a day."""
        is_short = _DOTTED.fullmatch(text) is None
        self.are_days = self.are_days and not is_short and is_dotted_day(text)
        is_part = is_sheet and is_short and text.startswith("0.")
        self.are_clocks = self.are_clocks and dotted_clock(text) is not None and not is_part
        self.have_day = self.have_day and has_day
        self.is_clock = self.is_clock or (is_short and not is_day_of_month(text))

    @property
    def is_time_of_day(self) -> bool:
        """Say whether they are times of day."""
        return self.are_clocks and (self.is_clock or self.have_day)


@dataclass(slots=True)
class _Mixed:
    """Real dates of a spreadsheet beside dates as text in one column, which it could not take for dates."""

    real: str = ""
    text: str = ""
    is_open: bool = True
    """Whether each real date could be another with its day and month exchanged, and no text one could be read so."""

    def see(self, text: str, orders: frozenset[DateOrder] | None) -> None:
        """Take a date in."""
        if is_real_date(text):
            self.is_open = self.is_open and exchanged(text) is not None
            self.real = self.real or (text if exchanged(text) not in {None, text} else "")
        elif orders is not None:
            self.is_open = self.is_open and len(orders) == 1
            self.text = self.text or text


@dataclass(slots=True)
class OrderEvidence:
    """What was seen of the dates of a file, by their columns."""

    _orders: dict[str, _Order] = field(default_factory=dict)
    _dotted: dict[str, _Dotted] = field(default_factory=dict)
    _mixed: dict[str, _Mixed] = field(default_factory=dict)
    _dotted_date: str = ""

    def see_above(self, text: str, line: int) -> None:
        """Note the order of a date above the table."""
        if orders := possible_orders(text):
            self._orders.setdefault("", _Order()).see(text, orders, line)

    def see(  # noqa: PLR0913 - a cell, and where it stands
        self, column: str, text: str, line: int, *, has_day: bool, is_sheet: bool, is_read: bool
    ) -> int:
        """Note a cell of a column of times; say in how many orders its date can be read."""
        if _NUMBER.fullmatch(text) or _DOTTED.fullmatch(text):
            self._dotted.setdefault(column, _Dotted(text)).see(text, has_day=has_day, is_sheet=is_sheet)
        orders = possible_orders(text)
        if orders is not None and len(orders) > 1 and (titled := order_in_title(column)) in orders:
            orders = frozenset({titled})
        if is_read and (orders is not None or is_real_date(text)):
            self._mixed.setdefault(column, _Mixed()).see(text, orders)
        if orders is None:
            self._dotted_date = self._dotted_date or (text if _DOTTED_DATE.match(text) else "")
            return 0
        self._orders.setdefault(column, _Order()).see(text, orders, line)
        return len(orders)

    def titled_against(self, order: DateOrder) -> str:
        """Give a title that shows another order than the one that was said; nothing where there is none."""
        return next((name for name in self._orders if order_in_title(name) not in {None, order}), "")

    def clocks(self) -> tuple[str, ...]:
        """Name the columns whose numbers with dots are times of day."""
        return tuple(column for column, one in self._dotted.items() if one.is_time_of_day)

    def settled(self) -> tuple[DateOrder, str] | None:
        """Give the only order in which every date can be read, and what shows it."""
        days = [one for one in self._dotted.values() if not one.is_time_of_day]
        if days and not self._orders and all(one.are_days for one in days):
            return DateOrder.DMY, f"dates are read day first, as “{shown(days[0].text)}” shows"
        possible = frozenset(DateOrder)
        for one in self._orders.values():
            possible &= one.possible
        by = next((one.decided_by for one in self._orders.values() if one.decided_by), "")
        if len(possible) > 1 and DateOrder.DMY in possible and self._dotted_date and self._orders:
            possible, by = frozenset({DateOrder.DMY}), self._dotted_date
        if len(possible) == 1 and not by:  # only together
            by = next((one.open for one in self._orders.values() if one.open), "")
        if len(possible) != 1 or not by:
            return None
        (order,) = possible
        return order, f"dates are read {_MEANS[order]}, as “{shown(by)}” shows{self._weight(order)}"

    def _weight(self, order: DateOrder) -> str:
        """Say how few dates settle how many."""
        clear = sum(one.counts[order] for one in self._orders.values())
        either = sum(one.counts[None] for name, one in self._orders.items() if name)
        if not clear or clear * 2 > either:
            return ""
        line, _ = next(one.shows[order] for one in self._orders.values() if order in one.shows)
        dates = "date leaves" if clear == 1 else "dates leave"
        return f" (only {clear:,} {dates} no choice, first in line {line}; {either:,} could be read in another order)"

    def question(self, *, are_many: bool) -> Question | None:
        """Ask for the order, where many dates could be two days, or some contradict each other."""
        clashes = [(name, one) for name, one in self._orders.items() if name and not one.possible]
        opened = [(name, one) for name, one in self._orders.items() if one.open and name]
        name, known = next(iter([*(one for one in clashes if one[1].open), *opened]), ("", None))
        if known is None or not (are_many or not known.possible):
            return None
        orders = sorted(known.possible or possible_orders(known.open) or DateOrder, key=list(_ORDERS).index)
        if "m" in known.open.lower():  # AM and PM are written where the month comes first, more often than not
            orders.sort(key=lambda one: one is not DateOrder.MDY)
        choices = []
        for order in orders:
            read = read_written(known.open, order)
            means = f"{read.local:%d %B %Y}".lstrip("0") if isinstance(read, Written) else "no day"
            others = sum(number for one, number in known.counts.items() if one not in {None, order})
            refused = f"; {counted(others, 'date')} of another order cannot be read then" if others else ""
            choices.append(
                Choice(f"--date-order {order}", f"{_MEANS[order]}: “{shown(known.open)}” is {means}{refused}")
            )
        what = f"has dates such as “{shown(known.open)}”. Which number is the day, and which the month?"
        if not known.possible:
            listed = (f"line {at} “{shown(text)}” ({_MEANS[one]})" for one, (at, text) in sorted(known.shows.items()))
            what += f" Its rows contradict each other: {', '.join(listed)}."
        return Question("--date-order", f"column “{shown(name)}”", what, tuple(choices))

    def exchanged(self) -> tuple[str, ...]:
        """Name the columns whose real dates may all be others with day and month exchanged."""
        return tuple(column for column, one in self._mixed.items() if one.real and one.is_open)

    def ask_swapped(self) -> Question | None:
        """Ask whether a spreadsheet exchanged day and month of the dates that it could take for dates."""
        for name, one in self._mixed.items():
            if not (name and one.real and one.text and one.is_open):
                continue
            other = exchanged(one.real) or ""
            what = (
                f"has dates as text, such as “{shown(one.text)}”, and real dates, such as {shown(one.real)}. A "
                "spreadsheet that expects another order exchanges day and month of the dates that it can read, and "
                "leaves the others as text. Did that happen here?"
            )
            choices = (
                Choice(f"--swapped-dates {SwappedDates.EXCHANGE}", f"yes: {shown(one.real)} is {shown(other)}"),
                Choice(f"--swapped-dates {SwappedDates.KEEP}", f"no: {shown(one.real)} is right as it stands"),
            )
            return Question("--swapped-dates", f"column “{shown(name)}”", what, choices)
        return None
