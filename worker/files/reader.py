"""A file to records, refused rows and rows left out, in bounded memory: read once for its questions, then once more."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import BinaryIO, Final, TypeVar

from models.input_check import Reason, shown
from models.words import State
from worker.files import jsonl
from worker.files.columns.header import Columns, columns_before, corrected
from worker.files.columns.known_titles import Field
from worker.files.csv_rows import CsvRow
from worker.files.drafter import Drafter
from worker.files.facts import FileFacts
from worker.files.formats.content import Content, open_content
from worker.files.interview import interview
from worker.files.lines import FileError, Line
from worker.files.not_people import LeftOut
from worker.files.options import MissingOption, Options
from worker.files.questions import QuestionsError
from worker.files.rows import Draft, FileRecord, RejectedRow, refused_row
from worker.files.sections import Table
from worker.files.stays.gather import gather, questions
from worker.files.verdicts import Judge
from worker.files.written_zones import is_used

AHEAD: Final = 100
"""Rows read ahead: where each lacks the same option, the option is forgotten, not the rows wrong."""

Item = FileRecord | RejectedRow | LeftOut
T = TypeVar("T")


class Reading:
    """A file as it is read; `facts` grows with it, and `tick` is told how many bytes have been read.

    Raises `FileError`, here or at the first item, where the file or its options cannot be used.
    """

    def __init__(self, source: BinaryIO, options: Options, tick: Callable[[int], None] = lambda _: None) -> None:
        content = open_content(source, options, tick)
        self.content = content
        self.options = self.settled = options
        self.facts = FileFacts(encoding=content.encoding, kind=content.kind)
        columns = Columns(jsonl.TITLES, {})
        if content.lines is None:
            columns = self._prepare(content)
        elif content.questions:
            raise QuestionsError(content.questions)
        self.gathers = options.state is State.ATTEND and not (
            {Field.STATE, Field.TIME, Field.JSON} & set(columns.fields) or content.lines is not None
        )
        """Whether the rows of a person become one record: a report of who came, a row for each join."""

    def _prepare(self, content: Content) -> Columns:
        """Find the table of people; stop with everything that must be answered."""
        found = interview(content, self.options)
        self.settled, self._tables = found.settled, found.tables
        self.facts.notes += found.notes
        content.delimiter = found.tables.delimiter
        asked = [*content.questions, *found.questions]
        if asked:
            # what the rows ask next, should the first answers be given
            later = [] if found.is_last else questions(self._from_rows(), self.settled)
            raise QuestionsError([*asked, *later])
        return self._tables.first

    def items(self) -> Iterator[FileRecord | RejectedRow]:
        """Give every record and every refused row."""
        for item in self._judged():
            self.facts.saw(item)
            if not isinstance(item, LeftOut):
                yield item

    def _judged(self) -> Iterator[Item]:
        lines = self.content.lines
        rows = self._from_json(lines()) if lines is not None else self._from_rows()
        for item in gather(_looked_ahead(rows), self.settled, merges=self.gathers, note=self.facts.saw_shared):
            if isinstance(item, Draft):
                self.facts.days_only += item.day_only
                if self.gathers and item.contact:
                    self.facts.saw_person(item.contact, len(item.rows))
            yield item.finish() if isinstance(item, Draft) else item

    def _from_json(self, lines: Iterator[Line]) -> Iterator[Item]:
        for line in lines:
            if line.fault:
                self.facts.rows += 1
                yield refused_row(CsvRow(line.number, [line.text]), jsonl.TITLES, line.fault)
            elif line.text.strip():
                for item in jsonl.read_line(line.number, line.text.lstrip("\ufeff"), self.options):
                    self.facts.rows += 1
                    yield item

    def _from_rows(self) -> Iterator[Draft | Item]:
        drafter: Drafter | None = None
        for table, row in self._tables.rows():
            if row is None or drafter is None:
                section = table.stands_in(self.settled.mapping)
                judge = Judge(table.columns, self.settled, section, self._tables.hosts)
                zone = self._tables.zone
                used = zone is not None and is_used(zone.title, self.settled.mapping)
                drafter = Drafter(table.columns, self.settled, judge, zone.text if zone and used else "")
                if not table.lacks:
                    self.facts.saw_header(table.line, table.columns)
            if row is not None:
                self.facts.rows += 1
                yield from self._row(row, table, drafter)

    def _row(self, row: CsvRow, table: Table, drafter: Drafter) -> Iterator[Draft | Item]:
        json_at = table.columns.fields.get(Field.JSON)
        if (out := drafter.judge.whole) is not None:
            yield LeftOut(row.line, *out)
        elif table.lacks:
            named = f"“{shown(table.section)}”" if table.section else f"from line {table.line} on"
            yield LeftOut(row.line, f"the table {named} has {table.lacks}")
        elif json_at and not row.fault and len(row.cells) > json_at[0]:
            for item in jsonl.read_line(row.line, row.cells[json_at[0]], self.options):
                if isinstance(item, FileRecord):
                    corrects = corrected(table.columns.titles, [(row.line, row.cells)])
                    yield drafter.judged(row, item.state) or replace(item, corrects=corrects)
                else:
                    yield _under(table.columns.titles, row, item)
        else:
            yield drafter.read(row)


def _under(titles: tuple[str, ...], row: CsvRow, item: RejectedRow | LeftOut) -> RejectedRow | LeftOut:
    """Give what was refused of a cell of JSON with the row that it stands in, as the file of refused rows has it."""
    if not isinstance(item, RejectedRow) or not columns_before(titles):
        return item
    start = columns_before(titles)
    (_, own), *_ = item.rows
    return replace(item, titles=(*titles[:start], *item.titles), rows=((row.line, [*row.cells[:start], *own]),))


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
    reasons = item.faults if isinstance(item, Draft) else item.reasons if isinstance(item, RejectedRow) else ()
    return next((reason for reason in reasons if isinstance(reason, MissingOption)), None)
