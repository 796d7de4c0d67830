"""A row's cells to a draft of an input, and a draft to a record or to a refused row with its reasons."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import Final

import orjson

from models.input_check import Candidate, Reason, check_input, shown
from models.message import Address, Message
from models.words import State
from worker.files.clocks import Moment, TimeFault
from worker.files.columns.header import TIMES, Columns, columns_before, corrected
from worker.files.columns.known_titles import TITLES, Field, compact
from worker.files.columns.map_option import answer_key
from worker.files.columns.status_values import STATES, Standing, says_yes, standing_of
from worker.files.columns.who_counts import NOTHING
from worker.files.csv_rows import CsvRow
from worker.files.not_addresses import address_in, not_taken
from worker.files.not_people import LeftOut, not_a_person
from worker.files.options import MissingOption, Options
from worker.files.times import Written, iso, local_in, read_duration, read_time, read_written
from worker.files.verdicts import ABSENT, Judge
from worker.files.where import Where, envelope, missing, missing_time, place
from worker.files.written_zones import behind

_STATES: Final = {standing: state for state, standing in STATES.items()}
DAY_MS: Final = 24 * 60 * 60 * 1000
LONGEST_STAY_MS: Final = DAY_MS
"""A stay of one row is shorter: else its join is of another occurrence than its leave, or no join at all."""
_EARLY: Final = 3 * 60
"""Minutes before an event began at which people may have joined it."""
_HALF_A_DAY: Final = 12 * 60
"""In minutes."""
_EVENING: Final = 16
"""From this hour on an event may pass midnight."""
_A_LITTLE: Final = timedelta(minutes=2)
"""By so much the length of a stay may differ from its join and leave, which are rounded."""
_TOTAL: Final = ("total", "gesamt", "cumul", "complessiv")
"""Within a title: the sum of a person's stays."""
_UNDECODED: Final = "\ufffd"
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
    faults: list[Reason] = field(default_factory=list)

    @property
    def contact(self) -> str:
        """Give what tells one person from another, nothing where nobody is named."""
        return str(self.input.get("email") or self.input.get("vid") or "").lower()

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
        placed = (_at(line, self._title(reason.where), reason) for reason in reasons)
        return RejectedRow(line, (*self.faults, *placed), raw, self.columns.titles, tuple(self.rows))

    def _title(self, where: str) -> str:
        """Give the file's own title for a field of an input or of a message."""
        name = where.removeprefix(".properties").removeprefix(".")
        if name == Field.TIME:
            state = _state_of(self.where)
            own = (TIMES[state],) if state else ()
            return next(
                (self.columns.title(what) for what in (Field.TIME, *own, Field.DATE) if what in self.columns.fields),
                name,
            )
        return self.columns.title(Field(name)) if name in self.columns.fields else name


def _state_of(where: Where) -> State | None:
    """Give the state that a row names; none where it names none, or none that is known."""
    return State(where.state) if where.state in set(State) else None


class Drafter:
    """Reads rows under one header."""

    def __init__(self, columns: Columns, options: Options, judge: Judge, zone: str = "") -> None:
        """Read rows under a header, above which the file may name the zone of its times."""
        self.judge = judge
        self._zone = zone
        self._columns = columns
        self._options = options

    def read(  # noqa: C901, PLR0911 - each for its reason
        self, row: CsvRow
    ) -> Draft | RejectedRow | LeftOut:
        """Read a row; what cannot be read in it is kept as a fault of the draft."""
        columns, width = self._columns, len(self._columns.titles)
        if row.fault:
            return refused_row(row, columns.titles, row.fault)
        if len(row.cells) > width and any(cell.strip() for cell in row.cells[width:]):
            before = columns_before(columns.titles)
            what = f"has {len(row.cells) - before} cells where the header has {width - before}"
            return refused_row(row, columns.titles, Reason(f"line {row.line}", what, "a cell with a delimiter quoted"))
        if (broken := self._undecoded(row)) is not None:
            return refused_row(row, columns.titles, broken)
        state = self._state(row)
        if state is Standing.ABSENT:
            return LeftOut(row.line, ABSENT)
        if isinstance(state, Standing):
            return LeftOut(
                row.line, f"{columns.title(Field.STATE)} “{shown(self._text(row, Field.STATE))}” ({state.value})"
            )
        if state in set(State) and (out := self.judged(row, State(state))) is not None:
            return out
        where = place(
            self._options,
            account=self._text(row, Field.ACCOUNT),
            object_id=self._text(row, Field.OBJECT_ID),
            event=self._text(row, Field.EVENT),
            external_account=self._text(row, Field.EXTERNAL_ACCOUNT),
            state=state,
        )
        contact = self._contact(row)
        if not contact and (nobody := not_a_person(columns, row)) is not None:
            return nobody
        draft = Draft(where, columns, [(row.line, row.cells)], contact)
        named = tuple(columns.name(column) for column in columns.asked.get(Field.EVENT, ()))
        draft.faults += (_at(row.line, reason.where, reason) for reason in missing(where, named))
        if str(contact.get("email", "")).count("@") > 1:
            many = Reason("", f"{shown(str(contact['email']))} are several addresses", "the person's own address alone")
            draft.faults.append(_at(row.line, columns.title(Field.EMAIL), many))
        if not draft.contact:
            draft.faults += (_at(row.line, reason.where, reason) for reason in not_taken(columns, row.cells))
        if state == State.ATTEND:
            self._read_stay(row, draft)
        else:
            kinds = (Field.TIME, Field.CANCELED if state == State.CANCEL else Field.REGISTERED, Field.DATE)
            draft.time = self._time(row, draft, kinds, days=True)
        return draft

    def _undecoded(self, row: CsvRow) -> Reason | None:
        """Say which cell that is read holds a character that could not be decoded."""
        columns = self._columns
        for at in chain.from_iterable((*columns.fields.values(), *columns.properties.values())):
            if at < len(row.cells) and _UNDECODED in row.cells[at]:
                what = f"{shown(row.cells[at])} holds a character that could not be read"
                right = "the text as it was written, or --encoding (windows-1252 is usual)"
                return _at(row.line, columns.name(at), Reason("", what, right))
        return None

    def _state(self, row: CsvRow) -> str | Standing | None:
        """Give the state that the row's own column names, else the one that was said; or why the row has none."""
        text = self._text(row, Field.STATE)
        if not text:
            return self._options.state
        place = self._columns.fields[Field.STATE][0]
        standing = self._columns.answers.get(place, {}).get(answer_key(text)) or standing_of(text)
        if standing in _STATES:
            return _STATES[standing]
        if standing is Standing.ABSENT or compact(self._columns.titles[place]) in TITLES[Field.STATE]:
            return standing if standing is Standing.ABSENT else text
        if standing in {Standing.CONFIRMED, Standing.KEPT}:
            return None  # who is approved may have registered or come
        return standing or text

    def judged(self, row: CsvRow, state: State) -> LeftOut | RejectedRow | None:
        """Leave a row out, or refuse it, for what its deciding columns say; nothing where it counts."""
        out = self.judge.leave_out(row.line, row.cells, state)
        if isinstance(out, Reason):
            return refused_row(row, self._columns.titles, out)
        return LeftOut(row.line, *out) if out else None

    def _contact(self, row: CsvRow) -> dict[str, object]:
        """Name the contact, by e-mail where there is one; only then HubSpot takes the contact's properties."""
        email, vid = address_in(self._text(row, Field.EMAIL)), self._text(row, Field.VID)
        if not email:
            return {"vid": vid} if vid else {}
        properties = {
            name: text for name, places in self._columns.properties.items() if (text := _first(row.cells, places)[0])
        }
        return {"email": email, "contactProperties": properties}

    def _read_stay(self, row: CsvRow, draft: Draft) -> None:
        """Read when somebody came and left, the latter also from how long they stayed."""
        if self._columns.has_start:
            draft.joined = draft.time = self._event_time(self._options.start)
        else:
            draft.joined = self._time(row, draft, (Field.JOINED, Field.TIME, Field.DATE))
            draft.time = self._time(row, draft, (Field.TIME,)) if Field.TIME in self._columns.fields else draft.joined
        draft.left = self._time(row, draft, (Field.LEFT,))
        if draft.left is not None:
            known = self._stay(row, Draft(draft.where, draft.columns, [], {}))
            draft.stay = known // timedelta(milliseconds=1) if known is not None else 0
        if draft.left is not None and self._is_past_midnight(row, draft):
            draft.left += DAY_MS
        if draft.joined is not None and not self._text(row, Field.LEFT):
            stay = self._stay(row, draft)
            draft.left = draft.joined + stay // timedelta(milliseconds=1) if stay is not None else None
            if stay is None and not draft.faults:
                draft.left = self._event_time(self._options.end)
        elif draft.joined is not None and draft.left == draft.joined and not self._has_total():
            draft.added = draft.stay
            draft.left += draft.added  # within the minute that is shown
        if draft.joined is not None and draft.left is not None and draft.left < draft.joined:
            what = f"{shown(self._text(row, Field.LEFT))} is before they joined"
            right = "a later time (the next day, past midnight?)"
            draft.faults.append(_at(row.line, self._columns.title(Field.LEFT), Reason("", what, right)))
        elif draft.joined is not None and draft.left is not None and draft.left - draft.joined >= LONGEST_STAY_MS:
            what = f"they stayed {(draft.left - draft.joined) / 3_600_000:,.0f} hours, from {iso(draft.joined)}"
            right = "less than a day (is the join the time of registration, or is AM or PM wrong?)"
            draft.faults.append(_at(row.line, self._columns.title(Field.LEFT), Reason("", what, right)))
            draft.joined = draft.left = None  # it tells of no occurrence

    def _is_past_midnight(self, row: CsvRow, draft: Draft) -> bool:
        """Say whether somebody left on the day after they joined: only the times of day are written.

        How long they stayed says so, or that they came in the evening; 12:55 to 1:40 is an afternoon without its PM.
        """
        join, leave = (self._read(self._told(row, what)[0]) for what in (Field.JOINED, Field.LEFT))
        joined, left = draft.joined, draft.left
        if joined is None or left is None or left >= joined:
            return False
        if join is None or leave is None or not (join.clock_only and leave.clock_only):
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
        titles = (compact(self._columns.titles[place]) for place in chain.from_iterable(places))
        return any(word in title for title in titles for word in _TOTAL)

    def _stay(self, row: CsvRow, draft: Draft) -> timedelta | None:
        units = {Field.SECONDS: timedelta(seconds=1), Field.MINUTES: timedelta(minutes=1), Field.DURATION: None}
        for what, unit in units.items():
            if (text := self._text(row, what)) and text not in NOTHING:
                stay = read_duration(text, unit)
                if isinstance(stay, timedelta):
                    return stay
                draft.faults.append(self._reason(row, what, stay))
        return None

    def _day_of(self, clock: str) -> date | TimeFault | None:
        """Give the day of a join's time of day: the one that brings it within half a day of the event's start."""
        day, start, at = self._options.day, self._options.start, self._read(clock)
        if day is None or start is None or at is None or not at.clock_only:
            return day
        later = at.local.hour * 60 + at.local.minute - start.hour * 60 - start.minute
        if _HALF_A_DAY < later < 2 * _HALF_A_DAY - _EARLY:
            what = f"{shown(clock)} is more than half a day after the event began, or hours before it"
            return TimeFault(what, "the time with its day, such as 2026-03-29 20:30")
        return day + timedelta(days=1 if later < -_HALF_A_DAY else -1 if later > _HALF_A_DAY else 0)

    def _told(self, row: CsvRow, kind: Field) -> tuple[str, int, date | None]:
        """Give the text of a time, its column, and for a time of day the day that another cell has.

        “Registration Date” and “Registration Time” are one time, and so are “Date” and “Join Time”.
        """
        own = [(text, place) for text, place in self._cells(row, kind) if says_yes(text) is None]
        if not own:
            return "", -1, None
        text, column = own[0]
        near = [*own[1:], *(self._cells(row, Field.DATE) if kind is not Field.DATE else ())]
        if kind is Field.LEFT:
            near += self._cells(row, Field.JOINED)
        first = self._read(text)
        if first is None or not (first.day_only or first.clock_only):
            return text, column, None
        for other, at in near:
            read = self._read(other)
            if first.day_only and read is not None and read.clock_only:
                return other, at, self._local_day(first)
            if first.clock_only and read is not None and not read.clock_only:
                return text, column, self._local_day(read)
        return text, column, None

    def _join_of(self, row: CsvRow, leave: str) -> str:
        """Give the time of day of the join that a leave follows, whose day is the leave's; else the leave's own."""
        join = self._told(row, Field.JOINED)[0]
        read = self._read(join)
        return join if read is not None and read.clock_only else leave

    def _local_day(self, read: Written) -> date | None:
        known = local_in(read, self._options.zone)
        return known.local.date() if known else None

    def _read(self, text: str) -> Written | None:
        read = read_written(text, self._options.order, self._options.excel_dates)
        return read if isinstance(read, Written) else None

    def _cells(self, row: CsvRow, kind: Field) -> list[tuple[str, int]]:
        """Give what stands in the columns of a field, and their places."""
        found = ((_first(row.cells, (place,))[0], place) for place in self._columns.fields.get(kind, ()))
        return [(text, place) for text, place in found if text not in NOTHING]

    def _time(self, row: CsvRow, draft: Draft, kinds: tuple[Field, ...], *, days: bool = False) -> int | None:
        """Read the first time that is there; a fault is noted, and the text kept to be shown and mended."""
        options = self._options
        for kind in kinds:
            text, column, beside = self._told(row, kind)
            if not text:
                continue  # “Registered: Yes” has its time in another column
            zone = self._columns.zones.get(column) or behind(self._text(row, Field.ZONE) or self._zone)
            day = beside or (
                options.day if days else self._day_of(self._join_of(row, text) if kind is Field.LEFT else text)
            )
            if isinstance(day, TimeFault):
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
        return _at(row.line, self._columns.title(what), reason)

    def _text(self, row: CsvRow, what: Field) -> str:
        places = self._columns.fields.get(what)
        return _first(row.cells, places)[0] if places else ""


def refused_row(row: CsvRow, titles: tuple[str, ...], *reasons: Reason) -> RejectedRow:
    """Refuse a row whose cells cannot be told apart."""
    return RejectedRow(row.line, reasons, as_json(row.cells), titles, ((row.line, row.cells),))


def as_json(value: object) -> bytes:
    """Write JSON; what orjson cannot write (half of a surrogate pair, a very long number) is escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def _at(line: int, name: str, reason: Reason) -> Reason:
    """Say where a reason stands in the words of the file."""
    return type(reason)(f"line {line}, {shown(name)}" if name else f"line {line}", reason.what, reason.right)


def _first(cells: list[str], places: tuple[int, ...]) -> tuple[str, int]:
    """Give the first text in these columns and its column; nothing and -1 where all are empty."""
    for column in places:
        if column < len(cells) and (text := cells[column].strip()):
            return text, column
    return "", -1
