"""The tables of a file: where the header is, what stands above it, and the sections that its rows stand in."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice, takewhile
from typing import Final, NamedTuple

from models.input_check import comparable, shown
from models.words import State
from worker.files.columns.deciding_titles import DecidingKind
from worker.files.columns.header import NONE, REFUSED, Columns, check_mapping, has_titles, is_address, recognise
from worker.files.columns.hosts_and_attendees import EventRole, role_of, section_of
from worker.files.columns.known_titles import Field, compact
from worker.files.columns.repeated import MEETING
from worker.files.csv_rows import CsvRow, split_rows
from worker.files.lines import FileError, Line, Lines
from worker.files.options import Options
from worker.files.sheet import unguarded
from worker.files.written_zones import ZoneAbove, zone_above

DELIMITERS: Final = (",", ";", "\t", "|")
LOOKED_AT: Final = 200
"""Rows in which a header is looked for: reports begin with a summary, and some with the hosts."""
TITLES_OF_A_HEADER: Final = 3
"""Known titles that a further header has at least, where it lacks what every record needs."""
_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"“”=]+@[^\s<>()\[\],;:\"“”=]+\.[^\s<>()\[\],;:\"“”=]+")


class Table(NamedTuple):
    """A header with the section that its rows stand in; `lacks` says what every record needs and is not there."""

    line: int
    columns: Columns
    section: str = ""
    lacks: str = ""


class Tables:
    """The rows of a file, each with its table, once through.

    Raises `FileError` where no row names what is needed.
    """

    def __init__(self, lines: Lines, options: Options, promoted: Mapping[str, DecidingKind] = NONE) -> None:
        self._lines = lines
        self._options = options
        self._by_title = replace(
            options, mapping=tuple(pair for pair in options.mapping if not pair[0].startswith("#"))
        )
        """Without what is mapped by its place: every row has a third cell, and is no header for that."""
        self._promoted = promoted
        sample = lines.sample.decode(lines.encoding, "replace").lstrip("\ufeff")
        self._header, self._delimiter, self.first = self._find_header(sample)
        self.hosts: frozenset[str] = frozenset()
        """The addresses that the rows above the header name: those of the host."""
        self.zone: ZoneAbove | None = None
        """The time zone that they name."""

    def rows(self) -> Iterator[tuple[Table, CsvRow | None]]:
        """Give each row with its table; each table once alone, before its first row.

        A line with one cell before a further header is that table's title, and anywhere the title of a section if it
        names one; else it is a broken row.
        """
        rows = _rows(iter(self._lines), self._delimiter)
        above = [row for row in takewhile(lambda row: row.line != self._header, rows) if any(map(str.strip, row.cells))]
        title, people = self._above(above)
        yield from people
        table = Table(self._header, self.first, title)
        yield table, None
        held: CsvRow | None = None
        for row in rows:
            if not any(cell.strip() for cell in row.cells):
                continue
            if (header := self._as_header(row, table.columns)) is not None:
                table = header._replace(section=_title(held) if held else "")
                held = None
                yield table, None
                continue
            if held is not None:
                if section_of(_title(held)) is None:
                    yield table, held
                else:
                    table = table._replace(section=_title(held))
                    yield table, None
                held = None
            if _is_title(row):
                held = row
            else:
                yield table, row
        if held is not None:
            yield table, held

    def _as_header(self, row: CsvRow, columns: Columns) -> Table | None:
        """Read a row as a further header, also one of a table that nobody's contact stands in."""
        if row.fault or any("@" in cell for cell in row.cells):
            return None
        if tuple(row.cells) == columns.titles:  # such as files put one behind the other
            return Table(row.line, columns)
        if not has_titles(row.cells, self._by_title):
            return None
        named = recognise(row.cells, self._by_title, self._promoted)
        titles = named.known - len(named.deciding)  # “Approved” and “Attended” are values as well
        if named.missing(_state(named, self._options)) is not None and titles < TITLES_OF_A_HEADER:
            return None
        found = recognise(row.cells, self._options, self._promoted)
        return Table(row.line, found, lacks=found.missing(_state(found, self._options)) or "")

    def _above(self, rows: list[CsvRow]) -> tuple[str, list[tuple[Table, CsvRow | None]]]:
        """Read what stands above the header: its title, the host's address, and the people of sections before it."""
        people: list[tuple[Table, CsvRow | None]] = []
        title, table = "", None
        named: dict[str, bool] = {}
        last: CsvRow | None = None
        for row in rows:
            self.zone = self.zone or zone_above(row.cells, last.cells if last else ())
            if _is_title(row):
                title, table = _title(row), None
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
                _name_hosts(row, last, named)
            last = row
        self.hosts = frozenset(address for address, host in named.items() if host or len(named) == 1)
        return (title if table is None else ""), people

    def _find_header(self, sample: str) -> tuple[int, str, Columns]:
        """Find the first row that names what is needed, and what separates its cells."""
        lines = [Line(number, text.removesuffix("\r")) for number, text in enumerate(self._lines.split(sample), 1)]
        best: tuple[int, Columns] | None = None
        found: list[tuple[int, int, str, Columns]] = []
        for delimiter in DELIMITERS:
            for row in islice(_rows(iter(lines), delimiter), LOOKED_AT):
                columns = recognise(row.cells, self._options, self._promoted)
                if best is None or columns.known > best[1].known:
                    best = (row.line, columns)
                if columns.missing(_state(columns, self._options)) is None:
                    found.append((row.line, -columns.known, delimiter, columns))
                    break
        if found:
            line, _, delimiter, columns = min(found, key=lambda header: header[:2])
            return line, delimiter, columns
        if best is None or not best[1].known:
            what = "has no row of column names that are known here in its first lines"
            raise FileError(
                "the file", what, 'a header such as Email,Join Time,Leave Time; or --map "Their column=email"'
            )
        check_mapping(best[1], self._options)
        there = ", ".join(shown(title.strip()) for title in best[1].titles if title.strip())
        state = _state(best[1], self._options)
        what = f"looks like the header ({there}) and has {best[1].missing(state)}"
        named = f'--map "Their column={best[1].wanted(state)}", with that column\'s title'
        raise FileError(f"line {best[0]}", what, named)


def _rows(lines: Iterator[Line], delimiter: str) -> Iterator[CsvRow]:
    """Split lines into rows; from the header of a sheet of ours on, cells are as they were before it was written."""
    is_ours = False
    for row in split_rows(lines, delimiter):
        is_ours = is_ours or tuple(compact(cell) for cell in row.cells[: len(REFUSED)]) == REFUSED
        yield row._replace(cells=[unguarded(cell) for cell in row.cells]) if is_ours else row


def _state(columns: Columns, options: Options) -> State | None:
    return None if Field.STATE in columns.fields else options.state


def _is_title(row: CsvRow) -> bool:
    """Say whether a row may be a title: one cell alone, or a known section beside a number of people."""
    if row.fault or not row.cells[0].strip():
        return False
    rest = [cell.strip() for cell in row.cells[1:] if cell.strip()]
    return not rest or (len(rest) == 1 and rest[0].isdecimal() and section_of(_title(row)) is not None)


def _title(row: CsvRow) -> str:
    return row.cells[0].strip().rstrip(":").strip()


def _name_hosts(row: CsvRow, above: CsvRow | None, named: dict[str, bool]) -> None:
    """Note the addresses in a row above the header, and whether a title beside or above says they are the host's."""
    label = _about_host(row.cells[0])
    for place, cell in enumerate(row.cells):
        titles = above.cells if above is not None else []
        over = place < len(titles) and (_about_host(titles[place]) or is_address(titles[place]))
        described = over and not MEETING.isdisjoint(compact(title) for title in titles)
        for address in _ADDRESS.findall(cell):
            key = comparable(address)
            named[key] = named.get(key, False) or described or label


def _about_host(title: str) -> bool:
    return any(role_of(word) is EventRole.STAFF for word in re.findall(r"[^\W\d_]+", title))
