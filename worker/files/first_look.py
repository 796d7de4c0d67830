"""A first look at the whole file: what must be asked before anything is sent.

A value that nobody knows may stand in the last row; once the first rows have gone out it is too late to ask. So a file
is read twice: here for its questions, then for its records.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from models.counted import counted
from models.input_check import comparable, shown
from models.words import State
from worker.files.columns.deciding_titles import DecidingKind
from worker.files.columns.header import Columns, check_mapping, column_key
from worker.files.columns.hosts_and_attendees import EventRole, section_of
from worker.files.columns.known_titles import Field, compact
from worker.files.columns.map_option import SECTION, as_option, places_named, section_answers
from worker.files.columns.status_values import HOLDING, Standing
from worker.files.columns.who_counts import NOTHING, announces, meaning
from worker.files.csv_rows import CsvRow
from worker.files.formats.content import Content
from worker.files.options import Options
from worker.files.questions import Choice, Question
from worker.files.record_ids import RecordIds
from worker.files.sections import Table, Tables
from worker.files.several_events import Programmes, ask_reports
from worker.files.signs import Sign, absent_question, question
from worker.files.time_evidence import TimeEvidence
from worker.files.unannounced_statuses import Unannounced
from worker.files.verdicts import Judge, absent_only, says_canceled
from worker.files.written_zones import WrittenZones, ZoneAbove, in_zone_above

MOST_VALUES: Final = 1000
"""Distinct values of a column that are counted; a column of more holds no statuses."""
SHOWN: Final = 12
"""Values of a column that are named in its question."""
_EMPTY_IS_ASKED: Final = frozenset({DecidingKind.STATUS, DecidingKind.REPLY, DecidingKind.APPROVED})
"""Kinds of probable columns whose empty cells leave open whether somebody counts."""
_MERGED: Final = frozenset({DecidingKind.ROLE, DecidingKind.TICKET, DecidingKind.PAYMENT})
"""Kinds of columns whose empty cells say nothing, and whose values people merge."""


class Surveyed(NamedTuple):
    """What the first look settled: the columns that decide by their values, and the options with what it added."""

    promoted: dict[str, DecidingKind]
    options: Options
    questions: list[Question]
    """What must be answered first."""
    times: TimeEvidence
    """What the times need to be read."""
    asks_zone: bool
    """Whether it is asked in which zone the times are, because the file names one."""


def survey(content: Content, options: Options) -> Surveyed:
    """Read every row for its questions."""
    found = _Survey(options)
    tables = Tables(content, options)
    for table, row in tables.rows():
        if row is None:
            found.see_table(table, tables.hosts)
        else:
            found.see_row(table, row, tables.zone)
    found.times.see_above(tables.above)
    zone = tables.zone or tables.below
    check_mapping(tables.first, options, *found.headers, above=zone.title if zone else "")
    return found.settle(zone, is_below=tables.zone is None)


@dataclass(slots=True)
class _Values:
    """The values of a column of one title, in all tables, and which of them are not known."""

    kind: DecidingKind
    key: str = ""
    """Of a probable column: the `column_key`."""
    known: bool = False
    absent: bool = False
    """Whether they say who did not come, where it is asked who cancelled."""
    texts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Merged:
    """A column whose empty cells say nothing, and how many of them stand below one that leaves out."""

    kind: DecidingKind
    is_below: bool = False
    some_count: bool = False
    """Whether others are said to count: where only the host is marked, an empty cell is no part of a merged one."""
    rows: int = 0


@dataclass(slots=True)
class _Rivals:
    """Columns of which only one can be meant: how often each is filled, and whether they ever differ."""

    what: Field
    names: tuple[str, ...]
    filled: Counter[str] = field(default_factory=Counter)
    differ: bool = False
    seen: set[str] = field(default_factory=set)
    """The first different values."""


class _Survey:
    def __init__(self, options: Options) -> None:
        self._options = options
        self.headers: list[Columns] = []
        self._judge: Judge | None = None
        self._sections: Counter[str] = Counter()
        self._doubts: Counter[str] = Counter()
        """Rows under what may be a title."""
        self._reports: Counter[str] = Counter()
        """Rows by the event that their report is about."""
        self._tables = 0
        self._unknown: dict[str, _Values] = {}
        self._probable: dict[str, _Values] = {}
        self._filled: set[str] = set()
        self._rivals: dict[tuple[Field, tuple[str, ...]], _Rivals] = {}
        self._merged: dict[str, _Merged] = {}
        self._ids = RecordIds()
        self._programmes = Programmes(options)
        self._silent = Unannounced(options.state)
        self._zones = WrittenZones(options)
        self.times = TimeEvidence(options)

    def see_table(self, table: Table, hosts: frozenset[str]) -> None:
        """Note a header, or the section that begins."""
        if table.columns not in self.headers[-1:]:
            self.headers.append(table.columns)
        self._judge = (
            None if table.lacks else Judge(table.columns, self._options, table.stands_in(self._options.mapping), hosts)
        )
        if not table.lacks:
            self._tables += 1
            if table.section and section_of(table.section) is None:
                self._sections[table.section] += 0

    def see_row(self, table: Table, row: CsvRow, zone: ZoneAbove | None) -> None:
        """Note what a row's deciding cells say; what is asked concerns only rows that may be sent."""
        columns, judge = table.columns, self._judge
        if judge is None or row.fault or judge.whole is not None:
            return
        if table.section in self._sections:
            self._sections[table.section] += 1
        is_somebody, signs = judge.names_somebody(row.cells), judge.signs(row.cells)
        self._reports[table.report] += is_somebody
        if table.doubt:
            self._doubts[table.doubt] += 1
        self._compare(columns, row.cells)
        self._see_merged(columns, row.cells, is_somebody=is_somebody)
        self._filled.update(sign.title for sign in signs if sign.text)
        state = self._options.state
        out = state is not None and judge.against(row.cells, signs, state) is not None
        if is_somebody:
            canceled = state is State.CANCEL and says_canceled(signs)
            self._see_probable(
                columns, row.cells, out=out or canceled, came=state is State.ATTEND and judge.came(row.cells)
            )
            self._ids.see(columns, row.cells)
            self._silent.see(columns, row.cells)
            self.times.see(columns, row, counts=not out, zone_above=zone is not None)
            if not out:
                self._programmes.see(columns, row.cells)
                self._zones.see(columns, row.cells, zone)
        for sign in judge.open(row.cells, signs, state) if signs and not out else ():
            values = _Values(sign.kind, absent=sign.says is Standing.ABSENT)
            _count(self._unknown.setdefault(sign.title, values), sign.text)

    def _see_merged(self, columns: Columns, cells: list[str], *, is_somebody: bool) -> None:
        """Count the empty cells directly below one that leaves out: merged cells keep the first of them alone."""
        for place, kind in columns.deciding.items():
            if kind not in _MERGED or "" in columns.answers.get(place, ()):
                continue
            text, title = _cell(cells, place), columns.name(place)
            merged = self._merged.setdefault(title, _Merged(kind))
            if text not in NOTHING:
                says = meaning(kind, text)
                merged.is_below = says is EventRole.STAFF or (isinstance(says, Standing) and says not in HOLDING)
                merged.some_count = merged.some_count or not merged.is_below
            elif merged.is_below and is_somebody:
                merged.rows += 1

    def _see_probable(self, columns: Columns, cells: list[str], *, out: bool, came: bool) -> None:
        """Note whether a probable column decides, and what it says of those whom nothing else leaves out."""
        asked = _EMPTY_IS_ASKED | ({DecidingKind.ATTENDED} if came else frozenset())
        for place, kind in columns.probable.items():
            text = _cell(cells, place)
            known = _Values(kind, column_key(columns.titles, place))
            values = self._probable.setdefault(columns.name(place), known)
            values.known = values.known or announces(kind, text)
            if not out and (text not in NOTHING or kind in asked):
                _count(values, "" if text in NOTHING else text)

    def _compare(self, columns: Columns, cells: list[str]) -> None:
        for what, places in columns.rivals.items():
            names = tuple(columns.name(place) for place in places)
            rivals = self._rivals.setdefault((what, names), _Rivals(what, names))
            texts = [comparable(_cell(cells, place)) for place in places]
            rivals.filled.update(name for name, text in zip(names, texts, strict=True) if text)
            rivals.seen |= {text for text in texts if text and len(rivals.seen) < MOST_VALUES}
            rivals.differ = rivals.differ or len({text for text in texts if text}) > 1

    def settle(self, zone: ZoneAbove | None, *, is_below: bool) -> Surveyed:
        """Give what is settled, and ask what is not."""
        if is_below and zone is not None:
            self._zones.see_below(zone)
        promoted = {
            title: values for title, values in self._probable.items() if values.known and not _are_numbers(values.texts)
        }
        empty = (title for title, values in self._unknown.items() if values.texts and title not in self._filled)
        added = [(title, Field.IGNORE.value) for title in empty]
        asked = [
            *self._ask_values(promoted),
            *ask_reports(self._reports, self._options),
            *self._ask_sections(),
            *self._ask_merged(),
            *self._ask_rivals(added),
            *self._ids.questions(self.headers, self._options),
        ]
        zones = list(self._zones.questions())
        asked += [*self._silent.questions(promoted), *zones]
        if (several := self._programmes.question()) is not None:
            asked.append(several)
        decide = {values.key: values.kind for values in promoted.values()} | self._silent.deciding()
        settled = replace(self._options, mapping=(*self._options.mapping, *added))
        if zone is not None and not any(places_named(columns.titles, zone.title) for columns in self.headers):
            settled = in_zone_above(settled, zone)
        self.times.options = replace(self.times.options, mapping=settled.mapping)
        return Surveyed(decide, settled, asked, self.times, bool(zones))

    def _ask_values(self, promoted: dict[str, _Values]) -> Iterator[Question]:
        canceled = self._silent.say_canceled() or any(
            meaning(values.kind, text) is Standing.CANCELED for values in promoted.values() for text in values.texts
        )
        for title, values in self._unknown.items():
            if title in self._filled and values.texts and not (values.absent and canceled):
                yield _asked(title, values.kind, values.texts, absent=values.absent)
        for title, values in promoted.items():
            unclear = Counter({text: count for text, count in values.texts.items() if _unclear(values.kind, text)})
            if unclear:
                yield _asked(title, values.kind, unclear)
            absent = Counter({text: n for text, n in values.texts.items() if self._is_absent(values.kind, text)})
            if absent and not canceled:
                yield _asked(title, values.kind, absent, absent=True)

    def _is_absent(self, kind: DecidingKind, text: str) -> bool:
        """Say whether a probable column, once it decides, leaves open whether somebody who did not come cancelled."""
        says = meaning(kind, text)
        return self._options.state is State.CANCEL and any(absent_only([Sign("", kind, text, says)]))

    def _ask_merged(self) -> Iterator[Question]:
        for title, merged in self._merged.items():
            if merged.rows and (merged.some_count or merged.kind is DecidingKind.TICKET):
                yield _asked(title, merged.kind, Counter({"": merged.rows}))

    def _ask_sections(self) -> Iterator[Question]:
        answered = section_answers(self._options.mapping)
        sections = self._sections if self._tables > 1 else Counter[str]()
        for title, rows in sections.items():
            if rows and compact(title) not in answered:
                yield _of_section({title: rows}, "is the title of a part of the file")
        doubts = {title: rows for title, rows in self._doubts.items() if compact(title) not in answered}
        if doubts:
            yield _of_section(doubts, "may say who stands in the table")

    def _ask_rivals(self, added: list[tuple[str, str]]) -> Iterator[Question]:
        """Ask which of several columns is meant; not where they always say the same, or only one says anything."""
        state = self._options.state
        for rivals in self._rivals.values():
            if rivals.what in _NEVER_READ.get(state, frozenset()):
                continue
            first, *_ = rivals.names
            is_address = rivals.what is Field.EMAIL
            is_of_many = 1 < len(rivals.seen) == min(rivals.filled.total(), MOST_VALUES)  # a manager's comes again
            if len(rivals.filled) == 1 and (not is_address or first in rivals.filled or is_of_many):
                added += [(name, rivals.what.value) for name in rivals.filled]
            elif rivals.differ or rivals.filled[first] < max(rivals.filled.values(), default=0):
                named = ", ".join(f"“{shown(name)}”" for name in rivals.names)
                alike = "hold different values" if len(rivals.filled) > 1 else "have one title, and the first is empty"
                what = f"{alike}. " + ("Which is the attendee's address?" if is_address else "Which is meant?")
                means = "the attendee's, and not a host's or a buyer's" if is_address else "this one"
                choices = tuple(Choice(as_option(name, rivals.what), means) for name in rivals.names)
                yield Question("--map", f"the columns {named}", what, choices, comes_first=True)


_STAY: Final = frozenset({Field.JOINED, Field.LEFT, Field.DURATION, Field.MINUTES, Field.SECONDS})
_NEVER_READ: Final[dict[State | None, frozenset[Field]]] = {
    State.REGISTER: _STAY,
    State.CANCEL: _STAY | {Field.REGISTERED},
    State.ATTEND: frozenset({Field.REGISTERED}),
}
"""Fields that a state takes nothing from."""


def _of_section(titles: dict[str, int], named: str) -> Question:
    """Ask whether the people under one title count, or under several lines that may be titles."""
    what = f"{named} ({counted(sum(titles.values()), 'row')}). Do the people in it count?"
    keep, leave_out = (
        as_option(SECTION, f"status({', '.join(f'{title}={says}' for title in titles)})")
        for says in ("keep", "leave out")
    )
    choices = (Choice(keep, "they count"), Choice(leave_out, "they are left out and counted"))
    shows = ", ".join(f"“{shown(title)}”" for title in [*titles][:SHOWN])
    more = f" and {len(titles) - SHOWN:,} more" if len(titles) > SHOWN else ""
    return Question("--map", f"section {shows}{more}", what, choices)


def _asked(title: str, kind: DecidingKind, texts: Counter[str], *, absent: bool = False) -> Question:
    ask = absent_question if absent else question
    return ask(title, kind, dict(texts.most_common(SHOWN)), len(texts) - SHOWN)


def _unclear(kind: DecidingKind, text: str) -> bool:
    return meaning(kind, text) is None and not (kind is DecidingKind.STAFF and "@" in text)


def _are_numbers(texts: Counter[str]) -> bool:
    """Say whether the values of a column number its rows: 1 is no yes there."""
    return len(texts) > 1 and "0" not in texts and all(text.isdecimal() and n == 1 for text, n in texts.items())


def _count(values: _Values, text: str) -> None:
    if text in values.texts or len(values.texts) < MOST_VALUES:
        values.texts[text] += 1


def _cell(cells: list[str], place: int) -> str:
    return cells[place].strip() if place < len(cells) else ""
