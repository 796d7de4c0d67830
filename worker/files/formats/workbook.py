"""Workbooks (xlsx, xlsb, xls, ods), read by calamine: the sheet with the people, as rows on disk.

The other sheets are only looked at: a summary may name the event and its day. What cannot be told (which of two sheets,
whether rows that a filter hides count) is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from models.counted import counted
from models.input_check import shown
from worker.files.columns.hosts_and_attendees import EventRole, section_of
from worker.files.columns.status_values import LEAVING
from worker.files.csv_rows import CsvRow
from worker.files.formats.cell_text import CellValue, cell_text
from worker.files.formats.kept_rows import KeptRows
from worker.files.formats.workbook_bounds import MOST_BYTES, MOST_CELLS, SMALLER, Measured
from worker.files.lines import FileError
from worker.files.options import HiddenRows, Options
from worker.files.questions import Choice, Question, as_argument

MOST_SHEETS: Final = 100
MOST_ASIDE: Final = 50
"""Rows of another sheet that are looked at."""


@dataclass(slots=True)
class WorkbookSheet:
    """The sheet that is read, and what must be known to read it."""

    name: str
    rows: KeptRows
    aside: list[CsvRow] = field(default_factory=list)
    """Rows of sheets without people, as they would stand above the table."""
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)


def read_workbook(source: BinaryIO, options: Options, measured: Measured) -> WorkbookSheet:
    """Read the sheet that holds the people.

    Raises:
        FileError: where it cannot be opened, is too large, or has no such sheet.

    """
    start = source.tell()
    size = source.seek(0, 2) - start
    source.seek(start)
    if size > MOST_BYTES:
        raise FileError("the file", f"is a workbook of more than {MOST_BYTES >> 20} MiB", SMALLER)
    try:
        book = CalamineWorkbook.from_filelike(source)
        return _chosen(book, options, measured)
    except PasswordError:
        right = "a copy of it that is saved without a password"
        raise FileError("the file", "is a workbook that is protected by a password", right) from None
    except CalamineError as error:
        what = f"is a workbook that cannot be opened ({shown(str(error))})"
        raise FileError("the file", what, "the workbook saved again as .xlsx") from None


def _chosen(book: CalamineWorkbook, options: Options, measured: Measured) -> WorkbookSheet:
    known = [one for one in book.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet][:MOST_SHEETS]
    visible = [one.name for one in known if one.visible == SheetVisibleEnum.Visible]
    hidden = [one.name for one in known if one.name not in visible]
    if options.sheet is not None:
        name = next((one.name for one in known if one.name.casefold() == options.sheet.casefold()), None)
        if name is None:
            there = ", ".join(shown(one.name) for one in known)
            raise FileError("--sheet", f"the workbook has no sheet “{shown(options.sheet)}”", f"one of {there}")
        visible = [name, *(other for other in visible if other != name)]
    read = {name: _rows(book, name, measured, options) for name in visible}
    people = [options.sheet and visible[0]] if options.sheet else [name for name in visible if read[name].addresses]
    chosen = most_people(people, read) if people else (visible or hidden or [""])[0]
    if not chosen:
        raise FileError("the file", "is a workbook without a sheet", "a sheet with a row for each person")
    rows = read.get(chosen) or KeptRows()
    sheet = WorkbookSheet(chosen, rows, [row for name in visible if name != chosen for row in rows_aside(read[name])])
    if len(people) > 1:
        sheet.questions.append(which_sheet(people, chosen, read))
    sheet.notes = [f"the sheet “{shown(name)}” is hidden, and was not read" for name in hidden if name != chosen]
    out = sorted(measured.hidden.get(chosen, ()))
    if out and options.hidden_rows is None:
        sheet.questions.append(whether_hidden(chosen, out))
    elif out:
        said = "were read" if options.hidden_rows is HiddenRows.KEEP else "were not read"
        sheet.notes.append(f"{counted(len(out), 'hidden row')} of the sheet {said}")
    return sheet


def _rows(book: CalamineWorkbook, name: str, measured: Measured, options: Options) -> KeptRows:
    """Keep a sheet's rows under their numbers; a value that several rows share stands in each of them."""
    sheet = book.get_sheet_by_name(name)
    kept = KeptRows()
    if sheet.start is None:
        return kept
    if sheet.height * sheet.width > MOST_CELLS:
        raise FileError("the file", f"is a workbook whose sheet spans more than {MOST_CELLS:,} cells", SMALLER)
    skipped = measured.hidden.get(name, frozenset()) if options.hidden_rows is not HiddenRows.KEEP else frozenset()
    row, column = sheet.start
    merged = _merged(sheet)
    before = [""] * column
    shared: dict[int, list[tuple[int, str, int]]] = {}
    for number, cells in enumerate(_texts(sheet), row):
        texts = [*before, *cells]
        for place, until in merged.get(number, ()):
            text = texts[place] if place < len(texts) else ""
            for below in range(number + 1, until + 1) if text else ():
                shared.setdefault(below, []).append((place, text, until))
        for place, text, _ in shared.pop(number, ()):
            texts += [""] * (place + 1 - len(texts))
            texts[place] = texts[place] or text
        if number + 1 not in skipped:
            kept.add(number + 1, texts)
    return kept


def _texts(sheet: CalamineSheet) -> Iterator[list[str]]:
    row: Sequence[CellValue]
    for row in sheet.iter_rows():
        yield [cell_text(cell) for cell in row]


def _merged(sheet: CalamineSheet) -> dict[int, list[tuple[int, int]]]:
    """Give by the row where it begins: the column of a cell that goes down over several rows, and its last row."""
    found: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, _) in sheet.merged_cell_ranges or ():
        if top < bottom <= top + 10_000:  # as many rows as one person may have
            found.setdefault(top, []).append((left, bottom))
    return found


def rows_aside(rows: KeptRows) -> list[CsvRow]:
    """Give the first rows of a sheet without people, as they would stand above the table."""
    return [row for _, row in zip(range(MOST_ASIDE), rows, strict=False)] if not rows.addresses else []


def most_people(names: Sequence[str | None], read: dict[str, KeptRows]) -> str:
    """Name the sheet with the most addresses, of those whose names do not say that their people do not count."""
    there = [name for name in names if name is not None]
    return max(there, key=lambda name: (section_of(name) not in {EventRole.STAFF, *LEAVING}, read[name].addresses))


def which_sheet(names: Sequence[str | None], first: str, read: dict[str, KeptRows]) -> Question:
    """Ask which of several sheets is meant."""
    ordered = sorted((name for name in names if name is not None), key=lambda name: name != first)
    choices = tuple(
        Choice(f"--sheet {as_argument(name)}", f"{counted(read[name].addresses, 'row')} with an e-mail address")
        for name in ordered
    )
    return Question("--sheet", "the workbook", "has several sheets with e-mail addresses. Which one is it?", choices)


def whether_hidden(name: str, rows: list[int]) -> Question:
    """Ask whether rows that are not shown count."""
    listed = ", ".join(map(str, rows[:5])) + (" …" if len(rows) > 5 else "")  # noqa: PLR2004 - a line
    what = f"has {counted(len(rows), 'hidden row')} ({listed}; a filter hides rows). Do they count?"
    choices = (
        Choice(f"--hidden-rows {HiddenRows.LEAVE_OUT}", "no: only what the sheet shows is read"),
        Choice(f"--hidden-rows {HiddenRows.KEEP}", "yes: they are read as the others are"),
    )
    return Question("--hidden-rows", f"the sheet “{shown(name)}”", what, choices)
