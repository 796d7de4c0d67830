"""Columns that decide who counts by their values alone: “Outcome” with Attended, No Show and Cancelled.

No title announces them, so only a column of nothing but statuses is taken for one, where one of these leaves out.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from worker.files.columns.header import Columns
from worker.files.columns.known_titles import compact
from worker.files.columns.status_values import Standing, says_yes, standing_of
from worker.files.columns.who_counts import NOTHING, TELLING, DecidingKind, may_hold_statuses
from worker.files.questions import Question
from worker.files.signs import question

_LEAVING: Final = frozenset(
    {Standing.CANCELED, Standing.DENIED, Standing.DECLINED, Standing.PENDING, Standing.ABSENT, Standing.INVITED}
)


class Unannounced:
    """The columns of a file that are read as nothing, and have held statuses only so far."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, ...], list[int]] = {}
        self._leaves_out: set[str] = set()
        self._canceled: set[str] = set()
        self._other: set[str] = set()
        self._empty: Counter[str] = Counter()

    def see(self, columns: Columns, cells: list[str]) -> None:
        """Take a row in; a column is given up at its first value that is no status."""
        if (places := self._places.get(columns.titles)) is None:
            unread = {title for title in columns.unread if may_hold_statuses(title)}
            places = [place for place, title in enumerate(columns.titles) if title.strip() in unread]
            self._places[columns.titles] = places
        for place in tuple(places):
            text, title = cells[place].strip() if place < len(cells) else "", columns.titles[place].strip()
            standing = None if says_yes(text) is not None else standing_of(text)
            if text in NOTHING:
                self._empty[title] += 1
            elif standing is None:
                places.remove(place)
                self._other.add(title)
            elif standing in _LEAVING and len(compact(text)) >= TELLING:
                self._leaves_out.add(title)
                if standing is Standing.CANCELED:
                    self._canceled.add(title)

    def titles(self) -> set[str]:
        """Give the titles of those that decide."""
        return self._leaves_out - self._other

    def say_canceled(self) -> bool:
        """Say whether one of those that decide says who cancelled."""
        return not self._canceled.isdisjoint(self.titles())

    def questions(self) -> Iterator[Question]:
        """Ask about those of their cells that are empty."""
        for title in sorted(self.titles()):
            if count := self._empty[title]:
                yield question(title, DecidingKind.STATUS, {"": count})
