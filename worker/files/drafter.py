"""A row's cells to a draft of an input: whom it names, whether it counts, and its times."""

from dataclasses import replace
from itertools import chain
from typing import Final

from models.input_check import Reason, shown
from models.words import State
from worker.files.columns.header import Columns, columns_before
from worker.files.columns.known_titles import TITLES, Field, compact
from worker.files.columns.map_option import answer_of
from worker.files.columns.status_values import STATES, Standing, standing_of
from worker.files.columns.who_counts import NO_VALUE
from worker.files.csv_rows import CsvRow
from worker.files.not_addresses import address_in, not_taken
from worker.files.not_people import LeftOut, not_a_person
from worker.files.options import Options
from worker.files.row_times import RowTimes
from worker.files.rows import Draft, RejectedRow, first_of, placed_at, refused_row, text_of
from worker.files.verdicts import ABSENT, NOT_CANCELED, Judge
from worker.files.where import Where, missing, place

_STATES: Final = {standing: state for state, standing in STATES.items()}
_KNOWN_STATES: Final = frozenset(State)
_UNDECODED: Final = "\ufffd"


class Drafter:
    """Reads rows under one header."""

    def __init__(self, columns: Columns, options: Options, judge: Judge, zone: str = "") -> None:
        """Read rows under a header, above which the file may name the zone of its times."""
        self.judge = judge
        self._columns = columns
        self._options = options
        self._times = RowTimes(columns, options, zone)

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
                row.line, f"{columns.title(Field.STATE)} “{shown(text_of(columns, row, Field.STATE))}” ({state.value})"
            )
        where = place(
            self._options,
            account=text_of(columns, row, Field.ACCOUNT),
            object_id=text_of(columns, row, Field.OBJECT_ID),
            event=text_of(columns, row, Field.EVENT),
            external_account=text_of(columns, row, Field.EXTERNAL_ACCOUNT),
            state=state,
        )
        if state in _KNOWN_STATES and (out := self.judged(row, State(state))) is not None:
            return self._undoing(row, out, where) if isinstance(out, LeftOut) else out
        contact = self._contact(row)
        if (nobody := not_a_person(columns, row)) is not None:
            return nobody
        draft = Draft(where, columns, [(row.line, row.cells)], contact)
        named = tuple(columns.name(column) for column in columns.asked.get(Field.EVENT, ()))
        draft.faults += (placed_at(row.line, reason.where, reason) for reason in missing(where, named))
        if str(contact.get("email", "")).count("@") > 1:
            many = Reason("", f"{shown(str(contact['email']))} are several addresses", "the person's own address alone")
            draft.faults.append(placed_at(row.line, columns.title(Field.EMAIL), many))
        if not draft.contact:
            draft.faults += (placed_at(row.line, reason.where, reason) for reason in not_taken(columns, row.cells))
        if state == State.ATTEND:
            self._times.read_stay(row, draft)
        else:
            kinds = (Field.TIME, Field.CANCELED if state == State.CANCEL else Field.REGISTERED, Field.DATE)
            draft.time = self._times.read(row, draft, kinds, days=True)
        return draft

    def _undecoded(self, row: CsvRow) -> Reason | None:
        """Say which cell that is read holds a character that could not be decoded."""
        columns = self._columns
        if not any(_UNDECODED in cell for cell in row.cells):
            return None
        for at in chain.from_iterable((*columns.fields.values(), *columns.properties.values())):
            if at < len(row.cells) and _UNDECODED in row.cells[at]:
                what = f"{shown(row.cells[at])} holds a character that could not be read"
                right = "the text as it was written, or --encoding (windows-1252 is usual)"
                return placed_at(row.line, columns.name(at), Reason("", what, right))
        return None

    def _state(self, row: CsvRow) -> str | Standing | None:
        """Give the state that the row's own column names, else the one that was said; or why the row has none."""
        text = text_of(self._columns, row, Field.STATE)
        if not text:
            return self._options.state
        place = self._columns.fields[Field.STATE][0]
        standing = answer_of(self._columns.answers.get(place, {}), text) or standing_of(text)
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

    def _undoing(self, row: CsvRow, out: LeftOut, where: Where) -> LeftOut:
        """Say of a row of a log whose it is and when it was: the same person's other row may be of before or after.

        Where the time is that of a registration, each row is of a registration of its own.
        """
        columns = self._columns
        is_log = not {Field.REGISTERED, Field.CANCELED} & columns.fields.keys()
        undoes = {State.REGISTER: out.option == "--state cancel", State.CANCEL: out.why.endswith(f"({NOT_CANCELED})")}
        contact = self._contact(row) if where.state and is_log and undoes.get(State(where.state)) else {}
        if not contact:
            return out
        draft = Draft(where, columns, [(row.line, row.cells)], contact)
        time = self._times.read(row, draft, (Field.TIME, Field.DATE), days=True)
        return replace(out, person=draft.person, time=time)

    def _contact(self, row: CsvRow) -> dict[str, object]:
        """Name the contact, by e-mail where there is one; only then HubSpot takes the contact's properties."""
        email = self._named(row, Field.EMAIL)
        if not email:
            vid = self._named(row, Field.VID)
            return {"vid": vid} if vid else {}
        properties = {
            name: text for name, places in self._columns.properties.items() if (text := first_of(row.cells, places)[0])
        }
        return {"email": email, "contactProperties": properties}

    def _named(self, row: CsvRow, what: Field) -> str:
        text = text_of(self._columns, row, what)
        return address_in(text) if text not in NO_VALUE else ""
