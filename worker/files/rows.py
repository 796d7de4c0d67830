"""What becomes of a row: a draft of an input, then a record, or a refused row with its reasons."""

import json
from dataclasses import dataclass, field
from typing import Final

import orjson

from models.input_check import Candidate, Reason, check_input, shown
from models.message import Address, Message
from models.words import State
from worker.files.columns.header import TIMES, Columns, columns_before, corrected
from worker.files.columns.known_titles import Field
from worker.files.csv_rows import CsvRow
from worker.files.times import iso
from worker.files.where import Where, envelope, missing_time

_WORDS: Final = {
    "interactionDateTime": "the time",
    "joinedAt": "the join",
    "leftAt": "the leave",
    "subscriber_state": "the state",
    "email": "the address",
}
"""What HubSpot's fields are called where no column of the file has them."""
_KNOWN_STATES: Final = frozenset(State)
_TIMES: Final = (".interactionDateTime", ".properties")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A row, or the rows of one person, that became an input; `line` is the first of them."""

    line: int
    account: str
    address: Address
    state: State
    candidate: Candidate
    corrects: tuple[str, ...] = ()
    """What its rows correct, where the file is a corrected one."""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row, or the rows of one person, that cannot be handed in; `raw` is what the books keep of it."""

    line: int
    reasons: tuple[Reason, ...]
    raw: bytes
    titles: tuple[str, ...]
    rows: tuple[tuple[int, list[str]], ...]
    """The file's own rows with their lines, to be fixed under the file's own header."""

    @property
    def corrects(self) -> tuple[str, ...]:
        """Name what its rows were to correct, where the file is a corrected one."""
        return corrected(self.titles, self.rows)

    @property
    def own_titles(self) -> tuple[str, ...]:
        """Give the file's own titles, without those that stand before them in a file of refused rows."""
        return self.titles[columns_before(self.titles) :]

    @property
    def own_rows(self) -> list[tuple[int, list[str]]]:
        """Give the rows under these, with their lines."""
        start = columns_before(self.titles)
        return [(line, cells[start:]) for line, cells in self.rows]

    def lines(self, name: str) -> list[list[str]]:
        """Write its rows as a file of refused rows has them, under a name that says what they correct."""
        reason = "; ".join(map(str, self.reasons))
        return [[reason, str(line), name, *cells] for line, cells in self.own_rows]


@dataclass(slots=True)
class Draft:
    """A row read so far: the contact, the times in milliseconds, and what is wrong with it."""

    where: Where
    columns: Columns
    rows: list[tuple[int, list[str]]]
    input: dict[str, object]
    time: int | None = None
    joined: int | None = None
    left: int | None = None
    day_only: bool = False
    stay: int = 0
    """How long they stayed by the row's own column, in milliseconds, where it has a leave as well."""
    added: int = 0
    """What of it was added to a leave that equals the join."""
    reckoned: str = ""
    """The title of the length of stay, where the leave was reckoned from it alone."""
    faults: list[Reason] = field(default_factory=list)

    @property
    def contact(self) -> str:
        """Give what tells one person from another, nothing where nobody is named."""
        return str(self.input.get("email") or self.input.get("vid") or "").lower()

    @property
    def person(self) -> bytes:
        """Give what tells the person's rows of one account, event and state from all others."""
        return as_json([*self.where, self.contact])

    def finish(self) -> FileRecord | RejectedRow:
        """Judge the draft: what is right becomes a record, anything else is refused with every reason against it."""
        message = envelope(self.where)
        around = () if isinstance(message, Message) else message
        state = message.state if isinstance(message, Message) else _state_of(self.where)
        properties = self.input.setdefault("properties", {})
        if state is State.ATTEND and isinstance(properties, dict):
            for name, ms in ((Field.JOINED, self.joined), (Field.LEFT, self.left)):
                if ms is not None:
                    properties[name.value] = iso(ms)
        if self.time is not None:
            self.input["interactionDateTime"] = self.time
        judged = check_input(self.input, state or State.REGISTER, "")
        if isinstance(judged, Candidate):
            if self.faults or not isinstance(message, Message):
                return self._refused(around)
            corrects = corrected(self.columns.titles, self.rows)
            return FileRecord(self.rows[0][0], message.account, message.address, message.state, judged, corrects)
        if self.faults:  # which say already why a time, or the contact, is missing
            judged = tuple(
                reason
                for reason in judged
                if not reason.where.startswith(_TIMES)
                and not (self._is_not_taken and reason.where == "")
                and not (reason.where == ".email" and str(self.input.get("email", "")).count("@") > 1)
            )
        there = {one.strip(): cell.strip() for one, cell in zip(self.columns.titles, self.rows[0][1], strict=False)}
        found = (missing_time(one, there.get(self._title(one.where), "")) for one in judged)
        return self._refused((*around, *found))

    @property
    def _is_not_taken(self) -> bool:
        """Say whether a fault says what stands where the contact should."""
        return not self.contact and any(True for _ in self.columns.not_taken(self.rows[0][1]))

    def _refused(self, reasons: tuple[Reason, ...]) -> RejectedRow:
        line = self.rows[0][0]
        raw = as_json({**self.where.fields(), "inputs": [self.input]})
        placed = (placed_at(line, self._title(reason.where), reason) for reason in reasons)
        return RejectedRow(line, (*self.faults, *placed), raw, self.columns.titles, tuple(self.rows))

    def _title(self, where: str) -> str:
        """Give the file's own title for a field of an input or of a message."""
        name = where.removeprefix(".properties").removeprefix(".")
        if name == Field.TIME:
            state = _state_of(self.where)
            own = (TIMES[state],) if state else ()
            return next(
                (self.columns.title(what) for what in (Field.TIME, *own, Field.DATE) if what in self.columns.fields),
                _WORDS[name],
            )
        return self.columns.title(Field(name)) if name in self.columns.fields else _WORDS.get(name, name)


def _state_of(where: Where) -> State | None:
    """Give the state that a row names; none where it names none, or none that is known."""
    return State(where.state) if where.state in _KNOWN_STATES else None


def refused_row(row: CsvRow, titles: tuple[str, ...], *reasons: Reason) -> RejectedRow:
    """Refuse a row whose cells cannot be told apart."""
    return RejectedRow(row.line, reasons, as_json(row.cells), titles, ((row.line, row.cells),))


def as_json(value: object) -> bytes:
    """Write JSON; what orjson cannot write (half of a surrogate pair, a very long number) is escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def placed_at(line: int, name: str, reason: Reason) -> Reason:
    """Say where a reason stands in the words of the file."""
    return type(reason)(f"line {line}, {shown(name)}" if name else f"line {line}", reason.what, reason.right)


def first_of(cells: list[str], places: tuple[int, ...]) -> tuple[str, int]:
    """Give the first text in these columns and its column; nothing and -1 where all are empty."""
    for column in places:
        if column < len(cells) and (text := cells[column].strip()):
            return text, column
    return "", -1


def text_of(columns: Columns, row: CsvRow, what: Field) -> str:
    """Give the first text that a row has in the columns of a field."""
    places = columns.fields.get(what)
    return first_of(row.cells, places)[0] if places else ""
