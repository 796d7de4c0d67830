"""Workbooks (xlsx, xlsb, xls, ods), read by calamine: the sheet with the people, as rows on disk.

The other sheets are only looked at: a summary may name the event and its day. What cannot be told (which of two sheets,
whether rows that a filter hides count) is asked.
"""

import io
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, Final
from zipfile import ZipFile

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
from worker.files.formats import binary_records, packed_workbook
from worker.files.formats.cell_text import CellValue, cell_text
from worker.files.formats.kept_rows import KeptRows
from worker.files.formats.ole_stream import OleFile, made_anew
from worker.files.formats.workbook_bounds import MOST_BYTES, SMALLER, Measured
from worker.files.lines import FileError
from worker.files.options import HiddenRows, Options
from worker.files.questions import Choice, Question, as_argument

MOST_SHEETS: Final = 100
"""Sheets that are looked through for people."""
MOST_ASIDE: Final = 50
"""Rows of another sheet that are looked at."""
MOST_NAMED: Final = 5
"""Sheets or rows that an error or a question names."""


@dataclass(slots=True)
class WorkbookSheet:
    """The sheet that is read, and what must be known to read it."""

    name: str
    rows: KeptRows
    aside: list[CsvRow] = field(default_factory=list)
    """Rows of sheets without people, as they would stand above the table."""
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    is_1904: bool = False
    """Whether days that are numbers count from 1904."""


def read_workbook(source: BinaryIO, options: Options, packed: ZipFile | None) -> WorkbookSheet:
    """Read the sheet that holds the people; `packed` is the file opened as a zip, where it is one.

    Raises:
        FileError: where it cannot be opened, is too large, or has no such sheet.

    """
    start = source.tell()
    size = source.seek(0, 2) - start
    source.seek(start)
    if size > MOST_BYTES:
        raise FileError("the file", f"is a workbook of more than {MOST_BYTES >> 20} MiB", SMALLER)
    try:
        if packed:
            measured = packed_workbook.measure(packed)
            source.seek(start)
        else:
            measured, source = _xls(source)
        return _chosen(CalamineWorkbook.from_filelike(source), options, measured)
    except PasswordError:
        right = "a copy of it that is saved without a password"
        raise FileError("the file", "is a workbook that is protected by a password", right) from None
    except (CalamineError, OSError, struct.error, ValueError, IndexError) as error:
        raise _not_opened(error) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what calamine ends with where it did not expect the bytes
            raise
        raise _not_opened(error) from None


def _xls(source: BinaryIO) -> tuple[Measured, BinaryIO]:
    """Measure an xls, and give a file that holds nothing but its workbook."""
    measured, file = Measured(), OleFile(source)
    if file.stream("encryptedpackage"):
        raise PasswordError
    name = next((name for name in ("Workbook", "Book") if file.stream(name.lower())), None)
    if name is None:
        raise ValueError("it holds no workbook")
    data = file.stream(name.lower())
    binary_records.measure_xls(data, measured)
    return measured, io.BytesIO(made_anew(data, name))


def _not_opened(error: BaseException) -> FileError:
    what = f"is a workbook that cannot be opened ({shown(str(error))})"
    return FileError("the file", what, "the workbook saved again as .xlsx")


def _chosen(book: CalamineWorkbook, options: Options, measured: Measured) -> WorkbookSheet:
    known = {one.name: place for place, one in enumerate(book.sheets_metadata) if one.typ == SheetTypeEnum.WorkSheet}
    shows = {one.name for one in book.sheets_metadata if one.visible == SheetVisibleEnum.Visible}
    visible, hidden = [name for name in known if name in shows], [name for name in known if name not in shows]
    if options.sheet is not None:
        name = next((one for one in known if one.casefold() == options.sheet.casefold()), None)
        if name is None:
            raise FileError(
                "--sheet", f"the workbook has no sheet “{shown(options.sheet)}”", f"one of {_listed(known)}"
            )
        visible = [name, *(other for other in visible if other != name)][:MOST_SHEETS]
    elif len(visible) > MOST_SHEETS:
        what = f"is a workbook of {len(visible):,} sheets; at most {MOST_SHEETS} are looked through for people"
        raise FileError("the file", what, f"--sheet NAME, the sheet with the people: one of {_listed(visible)}")
    read = {name: _rows(book, name, measured.hidden(known[name])) for name in visible}
    people = [visible[0]] if options.sheet is not None else [name for name in visible if _people(read[name])]
    chosen = most_people(people, read) if people else (visible or hidden or [""])[0]
    if not chosen:
        raise FileError("the file", "is a workbook without a sheet", "a sheet with a row for each person")
    rows = read.get(chosen) or KeptRows()
    sheet = WorkbookSheet(chosen, rows, [row for name in visible if name != chosen for row in rows_aside(read[name])])
    if len(people) > 1:
        sheet.questions.append(which_sheet(people, chosen, read))
    sheet.is_1904 = measured.is_1904
    sheet.notes = [f"the sheet “{shown(name)}” is hidden, and was not read" for name in hidden if name != chosen]
    settle_hidden(sheet, options)
    return sheet


def _listed(names: Collection[str]) -> str:
    return ", ".join(shown(name) for name in islice(names, MOST_NAMED)) + (" …" if len(names) > MOST_NAMED else "")


def _rows(book: CalamineWorkbook, name: str, hidden: frozenset[int]) -> KeptRows:
    """Keep a sheet's rows under their numbers; a value that several rows share stands in each of them."""
    sheet = book.get_sheet_by_name(name)
    kept = KeptRows()
    if sheet.start is None:
        return kept
    row, column = sheet.start
    merged = _merged(sheet)
    before = [""] * column
    shared: dict[int, tuple[int, str]] = {}
    for number, cells in enumerate(_texts(sheet), row):
        texts = [*before, *cells]
        for place, (until, text) in list(shared.items()):
            texts[place] = texts[place] or text
            if until == number:
                del shared[place]
        for place, until in merged.get(number, ()):
            if place < len(texts) and texts[place]:
                shared[place] = until, texts[place]
        kept.add(number + 1, texts, hidden=number + 1 in hidden)
    return kept


def _texts(sheet: CalamineSheet) -> Iterator[list[str]]:
    row: Sequence[CellValue]
    for row in sheet.iter_rows():
        yield [cell if type(cell) is str else cell_text(cell) for cell in row]


def _merged(sheet: CalamineSheet) -> dict[int, list[tuple[int, int]]]:
    """Give by the row where it begins: the column of a cell that goes down over several rows, and its last row."""
    found: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, _) in sheet.merged_cell_ranges or ():
        if top < bottom <= top + 10_000:  # as many rows as one person may have
            found.setdefault(top, []).append((left, bottom))
    return found


def rows_aside(rows: KeptRows) -> list[CsvRow]:
    """Give the first rows of a sheet without people, as they would stand above the table."""
    return [row for _, row in zip(range(MOST_ASIDE), rows, strict=False)] if not _people(rows) else []


def _people(rows: KeptRows) -> int:
    return rows.addresses + rows.hidden_addresses


def most_people(names: Sequence[str], read: dict[str, KeptRows]) -> str:
    """Name the sheet with the most addresses, of those whose names do not say that their people do not count."""
    return max(names, key=lambda name: (section_of(name) not in {EventRole.STAFF, *LEAVING}, _people(read[name])))


def which_sheet(names: Sequence[str], first: str, read: dict[str, KeptRows]) -> Question:
    """Ask which of several sheets is meant."""
    ordered = sorted(names, key=lambda name: name != first)
    choices = tuple(
        Choice(f"--sheet {as_argument(name)}", f"{counted(_people(read[name]), 'row')} with an e-mail address")
        for name in ordered
    )
    return Question("--sheet", "the workbook", "has several sheets with e-mail addresses. Which one is it?", choices)


def settle_hidden(sheet: WorkbookSheet, options: Options) -> None:
    """Read the rows that a sheet does not show as the options say, or ask whether they count.

    It is proposed that they do where no row that is shown has an address.
    """
    rows, said = sheet.rows, options.hidden_rows
    if not rows.hidden:
        return
    rows.gives_hidden = said is HiddenRows.KEEP or (said is None and not rows.addresses)
    if said is not None:
        were = f"{'was' if len(rows.hidden) == 1 else 'were'} {'' if rows.gives_hidden else 'not '}read"
        sheet.notes.append(f"{counted(len(rows.hidden), 'hidden or struck-out row')} of the sheet {were}")
        return
    listed = ", ".join(map(str, rows.hidden[:MOST_NAMED])) + (" …" if len(rows.hidden) > MOST_NAMED else "")
    named = counted(len(rows.hidden), "hidden or struck-out row")
    what = f"has {named} ({listed}; a filter hides rows). Do they count?"
    choices = [
        Choice(
            f"--hidden-rows {HiddenRows.LEAVE_OUT}", "no: only what the sheet shows, and is not struck out, is read"
        ),
        Choice(f"--hidden-rows {HiddenRows.KEEP}", "yes: they are read as the others are"),
    ]
    if rows.gives_hidden:
        choices.reverse()
    where = f"the sheet “{shown(sheet.name or 'table')}”"
    sheet.questions.append(Question("--hidden-rows", where, what, tuple(choices)))
