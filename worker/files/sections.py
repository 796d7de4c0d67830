"""The tables of a file: where the header is, what stands above it, and the sections that its rows stand in."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, takewhile
from typing import Final, NamedTuple

from models.input_check import shown
from models.words import State
from worker.files.columns.deciding_titles import DecidingKind
from worker.files.columns.header import (
    MOST_COLUMNS,
    NONE,
    Columns,
    check_mapping,
    columns_before,
    has_titles,
    recognise,
    recognised,
)
from worker.files.columns.hosts_and_attendees import EventRole, hints_at, section_of
from worker.files.columns.known_titles import Field, compact
from worker.files.columns.map_option import section_answers
from worker.files.columns.status_values import LEAVING, Standing, standing_of
from worker.files.csv_rows import CsvRow
from worker.files.event_facts import begins_report, read_facts, report_of
from worker.files.formats.content import Content
from worker.files.lines import FileError
from worker.files.options import Options
from worker.files.title_rows import ADDRESS, is_title, lone_text, name_hosts, title_of
from worker.files.written_zones import ZoneAbove, zone_above, zone_of_event, zone_of_units

LOOKED_AT: Final = 200
"""Rows in which a header is looked for: reports begin with a summary, and some with the hosts."""
TITLES_OF_A_HEADER: Final = 3
"""Known titles that a further header has at least, where it lacks what every record needs."""
MOST_OF_A_LINE: Final = 2
"""Cells of a line above the header that may say who stands below it."""
MOST_ABOVE: Final = 20
"""Rows that tell of the event above a further table."""
_OF_STATE: Final[dict[State | None, Standing]] = {State.CANCEL: Standing.CANCELED}

Mappings = tuple[tuple[str, str], ...]


class Table(NamedTuple):
    """A header with the section that its rows stand in; `lacks` says what every record needs and is not there."""

    line: int
    columns: Columns
    section: str = ""
    lacks: str = ""
    doubt: str = ""
    """What may name its section, and is asked about: a line above it, or the name of the sheet."""

    report: str = ""
    """The event that its report is about, where the lines above it name one."""

    def stands_in(self, mapping: Mappings) -> str:
        """Give the title of its section, or the report that is left out; also one that may be none, where answered."""
        answers = section_answers(mapping)
        if answers.get(compact(self.report)) is Standing.LEFT_OUT:
            return self.report
        return self.doubt if compact(self.doubt) in answers else self.section


class Tables:
    """The rows of a file, each with its table, once through.

    Raises `FileError` where no row names what is needed.
    """

    def __init__(self, content: Content, options: Options, promoted: Mapping[str, DecidingKind] = NONE) -> None:
        self._content = content
        self._options = options
        self._by_title = replace(
            options, mapping=tuple(pair for pair in options.mapping if not pair[0].startswith("#"))
        )
        """Without what is mapped by its place: every row has a third cell, and is no header for that."""
        self._promoted = promoted
        self._header, self._delimiter, self.first = self._find_header()
        self.above: list[CsvRow] = list(content.aside)
        """The rows above the header, and those of other sheets."""
        self.hosts: frozenset[str] = frozenset()
        """The addresses that the rows above the header name: those of the host."""
        self.zone: ZoneAbove | None = None
        """The time zone that they name, or the row of units under the header."""
        self.below: ZoneAbove | None = None
        """The time zone that a line below the table names; known once all rows were given."""
        self._report = ""
        """The event that the lines above the table at hand name."""

    def rows(self) -> Iterator[tuple[Table, CsvRow | None]]:
        """Give each row with its table; each table once alone, before its first row.

        A line with one cell before a further header is that table's title, and anywhere the title of a section if it
        names one; else it is a row, and in doubt the title of the people below it.
        """
        rows = self._content.rows.rows(self._delimiter)
        above = [row for row in takewhile(lambda row: row.line != self._header, rows) if any(map(str.strip, row.cells))]
        self.above = [*self._content.aside, *above]
        title, people, lines = self._above(above)
        yield from people
        self._report = report_of(above)
        self.zone = self.zone or zone_of_event(read_facts(above))
        table = self._named(title, lines)._replace(report=self._report)
        yield table, None
        held: CsvRow | None = None
        texts = _Lines()
        last = self._header
        for row in self._without_reports(rows):
            is_apart = held is not None or row.line > last + 1
            last = row.line
            if not any(map(str.strip, row.cells)):
                last -= 1  # what follows stands apart
                continue
            has_address = row.has_at
            if not has_address:
                units = zone_of_units(table.columns, row.cells)
                self.zone = self.zone or units
                self.below = self.below or zone_above(row.cells, ())
                if units is not None and held is None:  # it says nothing of who stands below it
                    yield table, row
                    continue
            header = None if has_address else self._as_header(row, table.columns, is_apart=is_apart)
            if header is not None:
                doubt = "" if held else texts.text
                section = title_of(held) if held else ""
                table = header._replace(section=section, doubt=doubt, report=self._report)
                held, texts = None, _Lines()
                yield table, None
                continue
            if held is not None:
                is_row, table = texts.add(held, table)
                yield table, held if is_row else None
                held = None
            if is_title(row):
                held = row
                continue
            if (below := texts.see(row, table)) is not table:
                table = below
                yield table, None
            yield table, row
        if held is not None:
            yield table, held

    def _without_reports(self, rows: Iterable[CsvRow]) -> Iterator[CsvRow]:
        """Take out what stands above a further table and tells of its event, and note which that is."""
        above: list[CsvRow] = []
        for row in rows:
            if above and self._as_header(row, self.first, is_apart=True) is not None:
                self._report = report_of(above) or self._report
                yield from (title for title in above if is_title(title) and not begins_report(title))
                yield row
                above = []
            elif above or begins_report(row):
                above.append(row)
                if len(above) > MOST_ABOVE:
                    yield from above
                    above = []
            else:
                yield row
        yield from above

    def _named(self, title: str, lines: list[str]) -> Table:
        """Give the first table with its title, or with what may be one: a line above it, or the name of the sheet."""
        sheet = "" if columns_before(self.first.titles) else self._content.title
        if not title and self._options.sheet is None and section_of(sheet) in {EventRole.STAFF, *LEAVING}:
            title = sheet
        fits = {None, _OF_STATE.get(self._options.state)}
        doubts = chain(
            (line for line in (title, *lines) if hints_at(line) not in fits),
            [sheet] if hints_at(sheet) not in fits | {EventRole.STAFF} else [],  # who chose a sheet of staff meant it
        )
        is_known = section_of(title) not in {None, EventRole.ATTENDEE}
        return Table(self._header, self.first, title, doubt="" if is_known else next(doubts, ""))

    def _as_header(self, row: CsvRow, columns: Columns, *, is_apart: bool = False) -> Table | None:
        """Read a row as a further header, also one of a table that nobody's contact stands in.

        Where a row stands apart from those above it, a title for addresses is enough.
        """
        if row.fault or len(row.cells) > MOST_COLUMNS or row.has_at:
            return None
        if tuple(row.cells) == columns.titles:  # such as files put one behind the other
            return Table(row.line, columns)
        if not has_titles(row.cells, self._by_title):
            return None
        named = recognise(row.cells, self._by_title, self._promoted)
        titles = named.known - len(named.deciding)  # “Approved” and “Attended” are values as well
        has_address = Field.EMAIL in named.fields and (titles > 1 or is_apart)
        are_titles = (
            Field.EMAIL in named.fields and not named.unread and sum(1 for cell in row.cells if cell.strip()) > 1
        )
        few = (
            titles < TITLES_OF_A_HEADER
            and not (has_address and len(row.cells) >= TITLES_OF_A_HEADER)
            and not are_titles
        )
        if named.missing(_state(named, self._options)) is not None and few:
            return None
        found = recognise(row.cells, self._options, self._promoted)
        return Table(row.line, found, lacks=found.missing(_state(found, self._options)) or "")

    def _above(self, rows: list[CsvRow]) -> tuple[str, list[tuple[Table, CsvRow | None]], list[str]]:
        """Read what stands above the header: its title, the host's address, the people of sections before it, lines."""
        people: list[tuple[Table, CsvRow | None]] = []
        lines: list[str] = []
        title, table = "", None
        named: dict[str, bool] = {}
        last: CsvRow | None = None
        was_count = False
        for row in rows:
            self.zone = self.zone or zone_above(row.cells, last.cells if last else ())
            filled = [cell.strip() for cell in row.cells if cell.strip()]
            is_count = len(filled) == MOST_OF_A_LINE and filled[-1].isdecimal()
            if table is None and len(filled) <= MOST_OF_A_LINE and not any(map(standing_of, filled[:-1])):
                lines.append(filled[-1])  # a title, or a label and its value
            if is_title(row) and not (is_count and was_count):  # counts one below the other are a summary
                title, table = title_of(row), None
            elif table is not None:
                people.append((table, row))
            elif (
                title
                and section_of(title) is not None
                and (header := self._as_header(row, Columns((), {}))) is not None
            ):
                table = header._replace(section=title)
                people.append((table, None))
            else:
                title = ""
                name_hosts(row, last, named)
            last, was_count = row, is_count
        self.hosts = frozenset(address for address, host in named.items() if host or len(named) == 1)
        return (title if table is None else ""), people, lines

    def before_header(self) -> list[CsvRow]:
        """Give the rows above the header, and those of other sheets."""
        rows = takewhile(lambda row: row.line != self._header, self._content.rows.rows(self._delimiter))
        return [*self._content.aside, *(row for row in rows if any(map(str.strip, row.cells)))]

    @property
    def delimiter(self) -> str:
        """Give what separates the cells; nothing where they come apart."""
        return self._delimiter

    def _find_header(self) -> tuple[int, str, Columns]:
        """Find the first row that names what is needed, and what separates its cells."""
        best: tuple[int, Columns] | None = None
        widest: CsvRow | None = None
        found: list[tuple[int, int, str, Columns]] = []
        promoted = tuple(self._promoted.items())
        for delimiter, rows in self._content.rows.first_rows(LOOKED_AT):
            for row in rows:
                if any(ADDRESS.fullmatch(cell.strip()) for cell in row.cells):
                    continue  # a person's row, also where columns are named by their place
                if len(row.cells) > MOST_COLUMNS:
                    widest = row if has_titles(row.cells[:MOST_COLUMNS], self._by_title) else widest
                    continue
                columns = recognised(tuple(row.cells), self._options, promoted)
                if best is None or columns.known > best[1].known:
                    best = (row.line, columns)
                if columns.missing(_state(columns, self._options)) is None:
                    found.append((row.line, -columns.known, delimiter, columns))
                    break
        if found:
            line, _, delimiter, columns = min(found, key=lambda header: header[:2])
            return line, delimiter, columns
        if widest is not None:
            right = f"at most {MOST_COLUMNS:,}: the report without the columns that are not needed"
            raise FileError(f"line {widest.line}", f"has {len(widest.cells):,} columns", right)
        raise NoHeaderError(best, self._options)


class _Lines:
    """The lines of text since the last person, which may be the title of the people below them."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._says_who = False
        """Whether one of them names people who do not count."""

    @property
    def text(self) -> str:
        """Give them as one title; nothing where one of them is a section's own."""
        return "" if self._says_who else " / ".join(self._texts)

    def add(self, row: CsvRow, table: Table) -> tuple[bool, Table]:
        """Take in a line of one cell; say whether it is a row, and give the table with the section that it names."""
        if (stands := section_of(title_of(row))) is None:
            self._texts += filter(None, [lone_text(row, table.columns)])
            return True, table
        self._texts, self._says_who = [], stands is not EventRole.ATTENDEE
        return False, table._replace(section=title_of(row), doubt="")

    def see(self, row: CsvRow, table: Table) -> Table:
        """Take in any other row; where it is a person's, the table is given with what may be its title."""
        if text := lone_text(row, table.columns):
            self._texts.append(text)
        elif row.has_at:
            text = self.text
            self._texts, self._says_who = [], False
            return table._replace(section="", doubt=text) if text else table
        return table


class NoHeaderError(FileError):
    """No row names what every record needs; the one that comes nearest, where there is one that is like a header."""

    def __init__(self, best: tuple[int, Columns] | None, options: Options) -> None:
        self.columns = best[1] if best and best[1].known else None
        if best is None or self.columns is None:
            what = "has no row of column names that are known here in its first lines"
            right = 'a header such as Email,Join Time,Leave Time; or --map "Their column=email"'
            super().__init__("the file", what, right)
            return
        check_mapping(self.columns, options)
        there = ", ".join(shown(title.strip()) for title in self.columns.titles if title.strip())
        state = _state(self.columns, options)
        what = f"looks like the header ({there}) and has {self.columns.missing(state)}"
        named = f'--map "Their column={self.columns.wanted(state)}", with that column\'s title'
        super().__init__(f"line {best[0]}" if best[0] else "the fields", what, named)


def _state(columns: Columns, options: Options) -> State | None:
    return None if Field.STATE in columns.fields else options.state
