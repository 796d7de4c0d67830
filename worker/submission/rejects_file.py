"""The refused rows as a file: the reason, the line, its name and the row as it was, to be fixed and submitted again.

It has the format of the file that was read, and its titles: text with the same separator, JSON with an object on each
line, a workbook for workbooks and web pages, with the problem at its cell. Its name, in the column `refused`, says what
a row corrects, whatever a spreadsheet does to the rest: so the corrected file closes what it corrects. What does not
fit into a workbook (a long text, or a row after the last one) is in a text beside it.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Protocol, Self
from uuid import UUID

import orjson

from worker.files import jsonl
from worker.files.columns.header import REFUSED
from worker.files.formats.content import Content
from worker.files.lines import FileError
from worker.files.rows import RejectedRow, as_json
from worker.files.sheet import Sheet

_SUFFIXES: Final = {"text": ".csv", "sheet": ".xlsx", "json": ".jsonl"}
_BY_SUFFIX: Final = {".csv": "text", ".tsv": "text", ".txt": "text", ".xlsx": "sheet", ".jsonl": "json"}
OWN: Final = "row."
"""In a line of JSON: before the row's own fields that are called as those before them are."""
MOST_NOTES: Final = 10_000
"""Notes at cells: a workbook keeps them in memory until it is closed."""
MOST_ROWS: Final = 1_048_576
MOST_COLUMNS: Final = 16_384
LONGEST_CELL: Final = 32_767
"""UTF-16 code units; these three are the limits of Excel."""


class _Writer(Protocol):
    def add(self, refused: RejectedRow, name: str) -> bool:
        """Write what was refused, or nothing of it where it does not fit."""

    def close(self) -> None: ...


class RefusedFile:
    """Written only where something is refused. An existing file is never written over: it may hold corrected rows."""

    def __init__(
        self,
        path: Path,
        submission: UUID | None = None,
        delimiter: str = ",",
        encoding: str = "",
        *,
        from_1904: bool = False,
    ) -> None:
        self.path = path
        self.submission = submission
        self._delimiter = delimiter
        self._encoding = "utf-16" if encoding.startswith("utf-16") else "utf-8-sig"
        self._from_1904 = from_1904
        self._number = 0
        self._writers: dict[Path, _Writer] = {}

    @property
    def written(self) -> tuple[Path, ...]:
        """Name the files that hold what was refused."""
        return tuple(self._writers)

    @classmethod
    def beside(cls, name: str, said: Path | None, content: Content, submission: UUID | None = None) -> Self:
        """Choose where it will be: where it was said, else beside the file of that name (`-`: in this directory).

        Raises:
            FileError: where it could not be written, before anything is handed in.

        """
        if said is not None:
            if said.exists():
                raise FileError("--refused", f"{said} is there already", "a name that is free")
            path = said
        else:
            source = Path("stdin" if name == "-" else name)
            path = _free(source.with_name(f"{source.name}.refused{_SUFFIXES[content.written_as]}"))
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise FileError(
                str(path.parent), "cannot be written to", "--refused FILE, for the rows that are not accepted"
            )
        delimiter = content.delimiter or ","
        return cls(path, submission, delimiter, content.encoding, from_1904=content.excel_dates == "1904")

    def add(self, refused: RejectedRow) -> None:
        """Write a row, or the rows of a person, each with the reason; a header before the first of its table."""
        self._number += 1
        name = f"{self.submission}/{self._number}" if self.submission else ""
        if not self._writers:
            self._writers[self.path] = self._open(self.path)
        if any(writer.add(refused, name) for writer in self._writers.values()):
            return
        beside = _free(self.path.with_suffix(".csv"))
        self._writers[beside] = self._open(beside)
        self._writers[beside].add(refused, name)

    def _open(self, path: Path) -> _Writer:
        match _BY_SUFFIX.get(path.suffix.lower(), "text"):
            case "sheet":
                return _Workbook(path, from_1904=self._from_1904)
            case "json":
                return _Lines(path)
            case _:
                return _Text(path, self._delimiter, self._encoding)

    def __enter__(self) -> Self:
        """Write nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what was written, whatever happened."""
        for writer in self._writers.values():
            writer.close()


def _free(path: Path) -> Path:
    """Give a path under which there is no file yet."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


class _Text:
    def __init__(self, path: Path, delimiter: str, encoding: str) -> None:
        self._file: IO[str] = path.open("x", encoding=encoding, errors="backslashreplace", newline="")
        self._sheet = Sheet(self._file, delimiter)
        self._titles: tuple[str, ...] | None = None

    def add(self, refused: RejectedRow, name: str) -> bool:
        if refused.titles != self._titles:
            self._titles = refused.titles
            self._sheet.add([*REFUSED, *refused.own_titles])
        for cells in refused.lines(name):
            self._sheet.add(cells)
        return True

    def close(self) -> None:
        self._file.close()


class _Lines:
    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")

    def add(self, refused: RejectedRow, name: str) -> bool:
        for reason, line, own, *cells in refused.lines(name):
            fields: dict[str, object] = dict(zip(refused.own_titles, cells, strict=False))
            if refused.own_titles == jsonl.TITLES:
                parsed = _parsed(cells[0])
                fields = parsed if parsed is not None and parsed.keys().isdisjoint(REFUSED) else fields
            fields = {f"{OWN}{name}" if name in REFUSED else name: value for name, value in fields.items()}
            self._file.write(as_json({**dict(zip(REFUSED, (reason, line, own), strict=True)), **fields}) + b"\n")
        return True

    def close(self) -> None:
        self._file.close()


def _parsed(text: str) -> dict[str, object] | None:
    try:
        one = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return one if isinstance(one, dict) else None


class _Workbook:
    """Cells are written as text, so that nothing in them is run; the problem is a note at its cell."""

    def __init__(self, path: Path, *, from_1904: bool) -> None:
        import xlsxwriter  # most files are no workbooks, and of most nothing is refused

        with path.open("xb"):
            pass  # never over a file that is there
        # numbers that are days stay right only if they count from the same year
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True, "date_1904": from_1904})
        self._sheet = self._book.add_worksheet("not accepted")
        self._wrong = self._book.add_format({"bg_color": "#FFD9D9"})
        self._titles: tuple[str, ...] | None = None
        self._row = self._notes = 0

    def add(self, refused: RejectedRow, name: str) -> bool:
        header = [[*REFUSED, *refused.own_titles]] if refused.titles != self._titles else []
        rows = refused.lines(name)
        if self._row + len(header) + len(rows) > MOST_ROWS or not all(map(_fits, [*header, *rows])):
            return False
        self._titles = refused.titles
        for cells in header:
            self._write(cells, {})
        for (line, _), cells in zip(refused.own_rows, rows, strict=True):
            self._write(cells, _problems(refused, line))
        return True

    def _write(self, cells: list[str], problems: dict[int, str]) -> None:
        for place, cell in enumerate(cells):
            problem, text = problems.get(place), cell.encode(errors="backslashreplace").decode()
            self._sheet.write_string(self._row, place, text, self._wrong if problem else None)
            if problem and self._notes < MOST_NOTES:
                self._notes += 1
                self._sheet.write_comment(self._row, place, problem)
        self._row += 1

    def close(self) -> None:
        self._book.close()


def _fits(cells: list[str]) -> bool:
    """Say whether a row of a workbook can hold these cells."""
    longest = max(cells, key=len, default="")
    if len(cells) > MOST_COLUMNS or len(longest) > LONGEST_CELL:
        return False
    return 2 * len(longest) <= LONGEST_CELL or all(
        len(cell.encode("utf-16-le", "replace")) // 2 <= LONGEST_CELL for cell in cells
    )


def _problems(refused: RejectedRow, line: int) -> dict[int, str]:
    """Give what is wrong with the cells of a row, by their places in the file of refused rows."""
    titles = [title.strip() for title in refused.own_titles]
    found: dict[int, str] = {}
    for reason in refused.reasons:
        at, _, title = reason.where.partition(", ")
        if at == f"line {line}" and title in titles:
            found.setdefault(len(REFUSED) + titles.index(title), f"{reason.what}; expected {reason.right}")
    return found
