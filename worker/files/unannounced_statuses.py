"""Columns that decide who counts by their values alone: no title announces them, or there is no title.

- nothing but statuses, of which one leaves out: “Outcome” with Attended, No Show and Cancelled. It decides.
- nothing but joins and leaves, as in older lists of Teams: “User Action” with Joined and Left. It decides.
- a few values, of which one is said of events only: “Record Type” with Standard and Waitlist. It is asked about.
- ticks, or yes and no, without a title. It is asked about.
"""

import re
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Final

from models.words import State
from worker.files.columns.deciding_titles import ACTIONS, HARMLESS, DecidingKind
from worker.files.columns.header import Columns, column_key
from worker.files.columns.known_titles import compact, title_words
from worker.files.columns.map_option import OTHERS
from worker.files.columns.status_values import (
    LEAVING,
    TELLING,
    Standing,
    begins_with_yes,
    is_of_events,
    join_or_leave,
    may_say_not_coming,
    says_yes,
    standing_of,
)
from worker.files.columns.who_counts import LONGEST_TITLE, NOTHING, is_elsewhere, may_hold_statuses, says_little
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
_OTHER_QUESTIONS: Final = frozenset(
    {"agree", "receive", "subscribe", "updates", "news", "contacted", "einwilligung", "zustimmung", "accord", "acepto"}
)
"""Words of what a form asks beside whether somebody comes."""
MOST_VALUES: Final = 12
"""Different values of a column that is asked about: one of more holds what people wrote."""


_NOT_LIVE: Final = re.compile(
    r"\bon[ -]?demand\b|\breplay\b|\brecording\b|\brecorded\b|aufzeichnung|\bwaiting ?room\b|\blobby\b|warteraum",
    re.IGNORECASE,
)
"""What says of somebody who joined that they were not there while it was on."""


@dataclass(slots=True, eq=False)
class _Unread:
    """What a column that is read as nothing has held so far."""

    name: str
    title: str
    key: str
    state: State | None
    has_start: bool
    """Whether nothing says who came: whoever stands there is taken to have come at the start."""
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
    hints: Counter[str] = field(default_factory=Counter)
    """The first remarks that may say that somebody does not come."""
    empty: int = 0

    def add(self, text: str) -> bool:
        """Take a value in; say whether the column may still decide."""
        if text in NOTHING:
            self.empty += 1
            return True
        if text in self.values or len(self.values) <= MOST_VALUES:
            self.values[text] += 1
        self.ticks = self.ticks and self._ticks(text) is not None
        standing = None if says_yes(text) is not None else standing_of(text)
        self.statuses = self.statuses and standing is not None
        self.moves = self.moves and join_or_leave(text) is not None
        if len(compact(text)) >= TELLING:
            self.leaves_out = self.leaves_out or standing in LEAVING
            self.canceled = self.canceled or standing is Standing.CANCELED
            self.of_events = self.of_events or is_of_events(text) or self._is_not_live(text)
            hints = self._holds_remarks and (self._leaves_out(text) or may_say_not_coming(text))
            if hints and (text in self.hints or len(self.hints) < MOST_VALUES):
                self.hints[text] += 1
        return self._holds_remarks or self.statuses or self.moves or len(self.values) <= MOST_VALUES

    def kind(self) -> DecidingKind | None:
        """Say as what it decides, if it does."""
        titled = bool(compact(self.title))
        known = titled and compact(self.title) in ACTIONS
        if self.moves and self.values and (known or any(join_or_leave(text) == "leave" for text in self.values)):
            return DecidingKind.MOVE
        may = may_hold_statuses(self.title) if titled else True
        return DecidingKind.STATUS if may and self.statuses and self.leaves_out else None

    def question(self) -> Question | None:
        """Ask whether it says who counts, where it may."""
        few = len(self.values) <= MOST_VALUES
        if few and self._are_ticks():
            doubts = {text: (n, not self._ticks(text)) for text, n in self.values.items()}
            # who left a question open said nothing; where all others have a tick, who has none may not have come
            return self._ask(doubts, empty_leaves_out=all(map(self._ticks, self.values)) or not compact(self.title))
        if self.hints:
            return doubtful_question(
                self.name, {text: (n, True) for text, n in self.hints.items()} | {OTHERS: (0, False)}
            )
        if few and self.of_events and not is_elsewhere(self.title):
            return self._ask(
                {text: (n, self._leaves_out(text)) for text, n in self.values.items()}, empty_leaves_out=False
            )
        return None

    def _ask(self, doubts: dict[str, tuple[int, bool]], *, empty_leaves_out: bool) -> Question:
        return doubtful_question(self.name, doubts | ({"": (self.empty, empty_leaves_out)} if self.empty else {}))

    @property
    def _holds_remarks(self) -> bool:
        return not compact(self.title) or not _NOTES.isdisjoint(title_words(self.title))

    def _ticks(self, text: str) -> bool | None:
        """Read yes or no; where nothing else says who came, a status that says so is a tick as well."""
        yes = begins_with_yes(text)
        return True if yes is None and self.has_start and standing_of(text) is Standing.ATTENDED else yes

    def _are_ticks(self) -> bool:
        """Say whether it holds yes and no, or ticks, and not of everybody; what else a form asks is no matter."""
        if not self.ticks or not self.values:
            return False
        some_no = any(not self._ticks(text) for text in self.values)
        some_yes = any(map(self._ticks, self.values))
        if not compact(self.title):
            return some_no or self.empty > 0
        words = title_words(self.title)
        other = _OTHER_QUESTIONS if len(words) > LONGEST_TITLE else HARMLESS | _OTHER_QUESTIONS
        elsewhere = not other.isdisjoint(words) or is_elsewhere(self.title)
        if elsewhere or says_little(self.title) or self.state is State.CANCEL:
            return False
        return some_yes and (some_no or (self.has_start and self.empty > 0))

    def _is_not_live(self, text: str) -> bool:
        return self.state is State.ATTEND and _NOT_LIVE.search(text) is not None

    def _leaves_out(self, text: str) -> bool:
        gone = standing_of(text) in {Standing.CANCELED, Standing.DECLINED}
        return gone or is_of_events(text) or self._is_not_live(text)


class Unannounced:
    """The columns of a file that are read as nothing."""

    def __init__(self, state: State | None) -> None:
        self._state = state
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
        name, has_start = columns.name(place), columns.has_start and self._state is State.ATTEND
        own = _Unread(name, columns.titles[place].strip(), column_key(columns.titles, place), self._state, has_start)
        return self._columns.setdefault(name, own)

    def deciding(self) -> dict[str, DecidingKind]:
        """Give those that decide, by their `column_key`."""
        return {column.key: kind for column in self._columns.values() if (kind := column.kind()) is not None}

    def say_canceled(self) -> bool:
        """Say whether one of those that decide says who cancelled."""
        return any(column.canceled and column.kind() is not None for column in self._columns.values())

    def questions(self, promoted: Container[str]) -> Iterator[Question]:
        """Ask about empty cells of those that decide, and about those that may and were not `promoted`."""
        for title, column in sorted(self._columns.items()):
            if (kind := column.kind()) is not None and column.empty:
                yield question(title, kind, {"": column.empty})
            elif kind is None and title not in promoted and (asked := column.question()) is not None:
                yield asked
