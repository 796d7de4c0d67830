"""A file to records, refused rows and rows left out, in one pass and bounded memory."""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import BinaryIO, Final, NamedTuple, TypeVar

from models.preflight import Reason, shown
from models.words import State
from worker.files import jsonl
from worker.files.cells import Row, split_rows
from worker.files.closing import Facts
from worker.files.columns import Columns, check_mapping, recognise
from worker.files.drafts import Draft, Drafter, LeftOut, Record, Refused, refused_row
from worker.files.joins import gather
from worker.files.lines import FileError, Line, Lines
from worker.files.names import Field
from worker.files.options import MissingOption, Options

DELIMITERS: Final = (",", ";", "\t", "|")
LOOKED_AT: Final = 200
"""Rows in which a header is looked for: reports begin with a summary, and some with the hosts."""
AHEAD: Final = 100
"""Rows read ahead: where each lacks the same option, the option is forgotten, not the rows wrong."""

TITLES_OF_A_HEADER: Final = 3
"""Known titles in one row that make it a header, whatever else it lacks: no row of data has as many."""

Item = Record | Refused | LeftOut
T = TypeVar("T")


class _Table(NamedTuple):
    """One of a file's tables; without a drafter where it `lacks` what every record needs."""

    drafter: Drafter | None
    columns: Columns
    title: str = ""
    lacks: str = ""


class Reading:
    """A file as it is read; `facts` grows with it, and `tick` is told how many bytes have been read.

    Raises `FileError`, here or at the first item, where the file or its options cannot be used.
    """

    def __init__(self, source: BinaryIO, options: Options, tick: Callable[[int], None] = lambda _: None) -> None:
        self._lines = Lines(source, options.encoding, tick)
        self.options = options
        self.facts = Facts(encoding=self._lines.encoding)
        self._sample = self._lines.sample.decode(self._lines.encoding, "replace").lstrip("\ufeff")
        start = self._sample.lstrip()[:1]
        if start == "[":
            raise FileError("line 1", "begins a JSON list", "JSON Lines: one object on each line, no list around them")
        self.facts.kind = "JSON Lines" if start == "{" else "CSV"
        self._header, self._delimiter, columns = (
            (0, "", Columns(jsonl.TITLES, {})) if start == "{" else self._find_header()
        )
        self._first = columns
        self.gathers = options.state is State.ATTEND and not (
            {Field.STATE, Field.TIME, Field.JSON} & set(columns.fields) or start == "{"
        )
        """Whether the rows of a person become one record: a report of who came, a row for each join."""

    def items(self) -> Iterator[Record | Refused]:
        """Give every record and every refused row."""
        for item in self._judged():
            self.facts.saw(item)
            if not isinstance(item, LeftOut):
                yield item

    def _judged(self) -> Iterator[Item]:
        if self.facts.kind == "JSON Lines":
            yield from _looked_ahead(self._from_json(iter(self._lines)))
            return
        drafts = _looked_ahead(self._from_rows())
        for item in gather(drafts, self.options, merges=self.gathers, note=self.facts.saw_shared):
            if isinstance(item, Draft):
                self.facts.days_only += item.day_only
                if self.gathers and item.contact:
                    self.facts.saw_person(item.contact, len(item.rows))
            yield item.finish() if isinstance(item, Draft) else item

    def _from_json(self, lines: Iterator[Line]) -> Iterator[Record | Refused]:
        for line in lines:
            if line.fault:
                self.facts.rows += 1
                yield refused_row(Row(line.number, [line.text]), jsonl.TITLES, line.fault)
            elif line.text.strip():
                for item in jsonl.read_line(line.number, line.text.lstrip("\ufeff"), self.options):
                    self.facts.rows += 1
                    yield item

    def _from_rows(self) -> Iterator[Draft | Item]:
        """Read the rows below the header, and below every further one: reports have several tables.

        A line with one cell before a further header is that table's title; before anything else it is a broken row.
        """
        rows = split_rows(iter(self._lines), self._delimiter)
        for row in rows:
            if row.line == self._header:
                break
        table = _Table(self._saw_header(self._header, self._first), self._first)
        held: Row | None = None
        for row in rows:
            if not any(cell.strip() for cell in row.cells):
                continue
            if (header := self._as_header(row, table.columns)) is not None:
                table = header._replace(title=held.cells[0].strip() if held else "")
                held = None
                continue
            if held is not None:
                yield from self._row(held, table)
                held = None
            if not row.fault and row.cells[0].strip() and not any(cell.strip() for cell in row.cells[1:]):
                held = row
            else:
                yield from self._row(row, table)
        if held is not None:
            yield from self._row(held, table)

    def _as_header(self, row: Row, columns: Columns) -> _Table | None:
        """Read a row as a further header, also one of a table that nobody's contact stands in."""
        if row.fault or any("@" in cell for cell in row.cells):
            return None
        if tuple(row.cells) == columns.titles:  # such as files put one behind the other
            return _Table(Drafter(columns, self.options), columns)
        found = recognise(row.cells, self.options)
        lacks = found.missing(self._state(found))
        if lacks is None:
            return _Table(self._saw_header(row.line, found), found)
        return _Table(None, found, lacks=lacks) if found.known >= TITLES_OF_A_HEADER else None

    def _row(self, row: Row, table: _Table) -> Iterator[Draft | Item]:
        self.facts.rows += 1
        json_at = table.columns.fields.get(Field.JSON)
        if table.drafter is None:
            yield LeftOut(row.line, f"the table “{shown(table.title)}” has {table.lacks}")
        elif json_at and not row.fault and len(row.cells) > json_at[0]:
            yield from jsonl.read_line(row.line, row.cells[json_at[0]], self.options)
        else:
            yield table.drafter.read(row)

    def _saw_header(self, line: int, columns: Columns) -> Drafter:
        self.facts.saw_header(line, columns)
        return Drafter(columns, self.options)

    def _state(self, columns: Columns) -> State | None:
        return None if Field.STATE in columns.fields else self.options.state

    def _find_header(self) -> tuple[int, str, Columns]:
        """Find the first row that names what is needed, and what separates its cells."""
        lines = [
            Line(number, text.removesuffix("\r")) for number, text in enumerate(self._lines.split(self._sample), 1)
        ]
        best: tuple[int, Columns] | None = None
        found: list[tuple[int, int, str, Columns]] = []
        for delimiter in DELIMITERS:
            for row in islice(split_rows(iter(lines), delimiter), LOOKED_AT):
                columns = recognise(row.cells, self.options)
                if best is None or columns.known > best[1].known:
                    best = (row.line, columns)
                if columns.missing(self._state(columns)) is None:
                    found.append((row.line, -columns.known, delimiter, columns))
                    break
        if found:
            line, _, delimiter, columns = min(found, key=lambda header: header[:2])
            check_mapping(columns, self.options)
            return line, delimiter, columns
        if best is None or not best[1].known:
            what = "has no row of column names that are known here in its first lines"
            raise FileError(
                "the file", what, 'a header such as Email,Join Time,Leave Time; or --map "Their column=email"'
            )
        check_mapping(best[1], self.options)
        there = ", ".join(shown(title.strip()) for title in best[1].titles if title.strip())
        what = f"looks like the header ({there}) and has {best[1].missing(self._state(best[1]))}"
        raise FileError(f"line {best[0]}", what, 'that column named: --map "Their column=email" (or =time, =joined, …)')


def _looked_ahead(items: Iterator[T]) -> Iterator[T]:
    """Stop before anything is handed in where all the first rows lack an option."""
    ahead = list(islice(items, AHEAD))
    told = [_forgotten(item) for item in ahead if not isinstance(item, LeftOut)]
    if told and all(told):
        reason = next(reason for reason in told if reason)
        raise FileError(reason.where, reason.what, reason.right)
    yield from chain(ahead, items)


def _forgotten(item: object) -> Reason | None:
    """Give the reason that an option would mend, where there is one."""
    reasons = item.faults if isinstance(item, Draft) else item.reasons if isinstance(item, Refused) else ()
    return next((reason for reason in reasons if isinstance(reason, MissingOption)), None)
