"""Columns that decide who counts by their values alone: no title announces them, or there is no title.

- nothing but statuses, of which one leaves out: “Outcome” with Attended, No Show and Cancelled. It decides.
- nothing but joins and leaves, as in older lists of Teams: “User Action” with Joined and Left. It decides.
- a few values, of which one is said of events only: “Record Type” with Standard and Waitlist. It is asked about.
- ticks, or yes and no, without a title. It is asked about.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from worker.files.columns.deciding_titles import ACTIONS, DecidingKind
from worker.files.columns.header import Columns, column_key
from worker.files.columns.known_titles import compact, title_words
from worker.files.columns.status_values import (
    LEAVING,
    TELLING,
    Standing,
    is_of_events,
    join_or_leave,
    says_yes,
    standing_of,
)
from worker.files.columns.who_counts import NOTHING, is_elsewhere, may_hold_statuses
from worker.files.questions import Question
from worker.files.signs import doubtful_question, question

_NOTES: Final = frozenset(
    {
        "note", "notes", "comment", "comments", "remark", "remarks", "bemerkung", "bemerkungen", "kommentar", "notiz",
        "notizen", "commentaire", "commentaires", "remarques", "nota", "notas", "comentario", "comentarios",
        "observaciones", "observacoes", "commenti", "opmerking", "opmerkingen",
    }
)  # fmt: skip
"""Words of a title under which people write what happened: “cancelled by phone”."""
MOST_VALUES: Final = 12
"""Different values of a column that is asked about: one of more holds what people wrote."""


@dataclass(slots=True, eq=False)
class _Unread:
    """What a column that is read as nothing has held so far."""

    title: str
    key: str
    statuses: bool = True
    """Whether it holds nothing but statuses."""
    moves: bool = True
    """Whether it holds nothing but joins and leaves."""
    leaves_out: bool = False
    canceled: bool = False
    of_events: bool = False
    ticks: bool = True
    """Whether it holds nothing but yes and no, or ticks."""
    values: Counter[str] = field(default_factory=Counter)
    empty: int = 0

    def add(self, text: str) -> bool:
        """Take a value in; say whether the column may still decide."""
        if text in NOTHING:
            self.empty += 1
            return True
        if text in self.values or len(self.values) <= MOST_VALUES:
            self.values[text] += 1
        self.ticks = self.ticks and says_yes(text) is not None
        standing = None if says_yes(text) is not None else standing_of(text)
        self.statuses = self.statuses and standing is not None
        self.moves = self.moves and join_or_leave(text) is not None
        if len(compact(text)) >= TELLING:
            self.leaves_out = self.leaves_out or standing in LEAVING
            self.canceled = self.canceled or standing is Standing.CANCELED
            self.of_events = self.of_events or is_of_events(text)
        return self.statuses or self.moves or len(self.values) <= MOST_VALUES

    def kind(self) -> DecidingKind | None:
        """Say as what it decides, if it does."""
        titled = bool(compact(self.title))
        known = titled and compact(self.title) in ACTIONS
        if self.moves and self.values and (known or any(join_or_leave(text) == "leave" for text in self.values)):
            return DecidingKind.MOVE
        may = may_hold_statuses(self.title) if titled else True
        return DecidingKind.STATUS if may and self.statuses and self.leaves_out else None

    def is_doubtful(self) -> bool:
        """Say whether it is asked about: few values, one of which is said of events only; or ticks without a title."""
        few = len(self.values) <= MOST_VALUES
        of_events = self.of_events or (self.canceled and not _NOTES.isdisjoint(title_words(self.title)))
        return few and ((of_events and not is_elsewhere(self.title)) or self._are_ticks())

    def doubts(self) -> dict[str, tuple[int, bool]]:
        """Give its values: how many rows hold each, and whether it leaves out if the column decides."""
        ticks = self._are_ticks()
        doubts = {text: (n, not says_yes(text) if ticks else _leaves_out(text)) for text, n in self.values.items()}
        return doubts | ({"": (self.empty, ticks)} if self.empty else {})

    def _are_ticks(self) -> bool:
        some_not = self.empty or any(not says_yes(text) for text in self.values)
        return bool(not compact(self.title) and self.ticks and self.values and some_not)


def _leaves_out(text: str) -> bool:
    return is_of_events(text) or standing_of(text) is Standing.CANCELED


class Unannounced:
    """The columns of a file that are read as nothing."""

    def __init__(self) -> None:
        self._columns: dict[str, _Unread] = {}
        self._open: dict[tuple[str, ...], list[tuple[int, _Unread]]] = {}
        """By the header: the columns that may still decide."""

    def see(self, columns: Columns, cells: list[str]) -> None:
        """Take a row in; a column is given up once nothing that it may hold could decide."""
        if (still := self._open.get(columns.titles)) is None:
            still = self._open[columns.titles] = [(place, self._column(columns, place)) for place in columns.silent]
        for place, column in tuple(still):
            if not column.add(cells[place].strip() if place < len(cells) else ""):
                still.remove((place, column))

    def _column(self, columns: Columns, place: int) -> _Unread:
        own = _Unread(columns.titles[place].strip(), column_key(columns.titles, place))
        return self._columns.setdefault(columns.name(place), own)

    def deciding(self) -> dict[str, DecidingKind]:
        """Give those that decide, by their `column_key`."""
        return {column.key: kind for column in self._columns.values() if (kind := column.kind()) is not None}

    def say_canceled(self) -> bool:
        """Say whether one of those that decide says who cancelled."""
        return any(column.canceled and column.kind() is not None for column in self._columns.values())

    def questions(self) -> Iterator[Question]:
        """Ask about empty cells of those that decide, and about those that may."""
        for title, column in sorted(self._columns.items()):
            if (kind := column.kind()) is not None and column.empty:
                yield question(title, kind, {"": column.empty})
            elif kind is None and column.is_doubtful():
                yield doubtful_question(title, column.doubts())
