"""What columns hold whose titles are not known, guessed from their cells: addresses, times, lengths of time.

A guess is never used without an answer: it is the proposal of a question.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, pairwise
from typing import Final

from models.input_check import shown
from models.words import State
from worker.files.columns.header import MOST_COLUMNS, TIMES, Columns, recognise
from worker.files.columns.known_titles import Field, compact
from worker.files.columns.map_option import as_option
from worker.files.columns.who_counts import NOTHING
from worker.files.csv_rows import CsvRow
from worker.files.durations import read_duration
from worker.files.formats.content import Content
from worker.files.options import DateOrder, Options
from worker.files.questions import Choice, Question
from worker.files.ranges import start_of
from worker.files.times import Written, read_written

LOOKED_AT: Final = 200
_ADDRESS: Final = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+")
_MOST: Final = 0.6
"""The part of a column's filled cells that must be of one kind."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A header that may be meant, and what its columns hold by their cells."""

    header: CsvRow
    delimiter: str
    addresses: tuple[int, ...]
    times: tuple[int, ...]
    stays: tuple[int, ...]
    examples: dict[int, str]


def guess(content: Content) -> Guess | None:
    """Find the row of titles above the first row with an address; None where there is no such row."""
    best: Guess | None = None
    for delimiter, found in content.rows.first_rows(LOOKED_AT):
        rows = [row for row in found if any(cell.strip() for cell in row.cells)]
        for header, data in _tables(rows):
            one = _profile(header, data, delimiter)
            if one.addresses and (best is None or _weight(one) > _weight(best)):
                best = one
    return best


def has_addresses(content: Content) -> bool:
    """Say whether any of the first rows holds an address."""
    return any(
        _ADDRESS.search(cell)
        for _, rows in islice(content.rows.first_rows(LOOKED_AT), 1)
        for row in rows
        for cell in row.cells
    )


def _tables(rows: Sequence[CsvRow]) -> Iterator[tuple[CsvRow, Sequence[CsvRow]]]:
    """Give each row that may be a header, with the rows under it: it has no address, and the next one does."""
    for place, (row, following) in enumerate(pairwise(rows)):
        titles = [cell for cell in row.cells if cell.strip()]
        if len(titles) < 2 or len(row.cells) > MOST_COLUMNS or any("@" in cell for cell in titles):  # noqa: PLR2004 - a title line has one cell
            continue
        if any(_ADDRESS.search(cell) for cell in following.cells):
            yield row, rows[place + 1 :]


def _weight(one: Guess) -> tuple[int, int]:
    return len(one.addresses) + len(one.times) + len(one.stays), len(one.header.cells)


def _profile(header: CsvRow, rows: Sequence[CsvRow], delimiter: str) -> Guess:
    rows = [row for row in rows if any(_ADDRESS.search(cell) for cell in row.cells)]  # a total is no person's
    kinds: dict[str, list[int]] = {"address": [], "time": [], "stay": []}
    examples: dict[int, str] = {}
    for place, title in enumerate(header.cells):
        texts = [text for row in rows if place < len(row.cells) and (text := row.cells[place].strip()) not in NOTHING]
        if not title.strip() or not texts:
            continue
        examples[place] = texts[0]
        for kind, is_one in (("address", _is_address), ("time", _is_time), ("stay", _is_stay)):
            if sum(map(is_one, texts)) >= _MOST * len(texts):
                kinds[kind].append(place)
                break
    addresses, times, stays = (tuple(kinds[kind]) for kind in ("address", "time", "stay"))
    return Guess(header, delimiter, addresses, times, stays, examples)


def _is_address(text: str) -> bool:
    return _ADDRESS.search(text) is not None


def _is_time(text: str) -> bool:
    reads = (read_written(start_of(text), order) for order in (DateOrder.DMY, DateOrder.MDY))
    return any(isinstance(read, Written) for read in reads) and not re.fullmatch(r"0?[0-5]:\d\d:\d\d", text)


def _is_stay(text: str) -> bool:
    return isinstance(read_duration(text, None), timedelta) or (text.isdecimal() and len(text) <= 4)  # noqa: PLR2004


def likely_state(found: Guess | None, columns: Columns | None) -> State:
    """Propose what the people of a report did, by what it has columns for."""
    fields = columns.fields if columns else {}
    if Field.JOINED in fields or Field.LEFT in fields or Field.ATTENDED in fields:
        return State.ATTEND
    if Field.REGISTERED in fields:
        return State.REGISTER
    if Field.CANCELED in fields and Field.DATE not in fields:
        return State.CANCEL
    if {Field.DURATION, Field.MINUTES, Field.SECONDS} & fields.keys():
        return State.ATTEND
    return State.ATTEND if found and (len(found.times) > 1 or found.stays) else State.REGISTER


def ask_columns(found: Guess, options: Options, state: State) -> list[Question]:
    """Ask which column holds what is needed and has no title that is known."""
    columns = recognise(found.header.cells, options)
    there = ", ".join(shown(title.strip()) for title in found.header.cells if title.strip())
    known = {place for places in columns.fields.values() for place in places}
    asked = []
    if not {Field.EMAIL, Field.VID} & columns.fields.keys() and not columns.rivals.get(Field.EMAIL):
        what = f"has no title that is known for e-mail addresses (it has: {there}). Which column holds the attendees'?"
        asked.append(_question(found, found.addresses, Field.EMAIL.value, what))
    free = [place for place in found.times if place not in known]
    has_time = {Field.TIME, Field.DATE, TIMES[state]} & columns.fields.keys()
    if not has_time and free:
        names = {State.ATTEND: "joined", State.REGISTER: "registered", State.CANCEL: "canceled"}
        what = f"has no title that is known for when they {_VERBS[state]}. Which column says it?"
        asked.append(_question(found, free, names[state], what))
        free = free[1:]
    elif not has_time and state is State.CANCEL and (others := columns.fields.get(Field.REGISTERED)):
        what = "does not say when they cancelled. Which time is to stand for it?"
        asked.append(_question(found, [place for place in others if place in found.examples], "time", what))
    stays = {Field.LEFT, Field.DURATION, Field.MINUTES, Field.SECONDS} & columns.fields.keys()
    if state is State.ATTEND and not stays:
        left = [place for place in found.stays if place not in known]
        if free:
            what = "has no title that is known for when they left. Which column says it?"
            asked.append(_question(found, free, "left", what))
        elif left:
            asked.append(_ask_length(found, left))
    return asked


_VERBS: Final = {State.ATTEND: "joined", State.REGISTER: "registered", State.CANCEL: "cancelled"}


def _question(found: Guess, places: Sequence[int], target: str, what: str) -> Question:
    own = ": take it if it is their own, not a buyer's, a host's or a sign-in name" if target == Field.EMAIL else ""
    choices = [
        Choice(as_option(_name(found, place), target), f"it holds “{shown(found.examples[place])}”{own}")
        for place in places
    ]
    where = f"line {found.header.line}" if found.header.line else "the table"
    return Question("--map", where, what, tuple(choices))


def _ask_length(found: Guess, places: Sequence[int]) -> Question:
    choices = []
    for place in places:
        text = found.examples[place]
        targets = ("duration",) if not text.isdecimal() else ("minutes", "seconds")
        choices += [
            Choice(as_option(_name(found, place), target), f"“{shown(text)}” is how long") for target in targets
        ]
    what = "has no title that is known for when they left, or how long they stayed. Which column says it?"
    where = f"line {found.header.line}" if found.header.line else "the table"
    return Question("--map", where, what, tuple(choices))


def _name(found: Guess, place: int) -> str:
    titles = found.header.cells
    same = [at for at, other in enumerate(titles) if compact(other) == compact(titles[place])]
    own = " ".join(titles[place].split())
    return own if len(same) == 1 else f"{own}#{same.index(place) + 1}"
