"""The refused rows as a file: the reason, the line, its name and the row as it was, to be fixed and submitted again.

Its name, in the column `refused`, says what a row corrects, whatever a spreadsheet does to the rest: so the corrected
file closes what it corrects.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from uuid import UUID

from worker.files.columns.header import REFUSED
from worker.files.lines import FileError
from worker.files.rows import RejectedRow
from worker.files.sheet import Sheet


class RefusedFile:
    """Written only where something is refused. An existing file is never written over: it may hold corrected rows."""

    def __init__(self, path: Path, submission: UUID | None = None) -> None:
        self.path = path
        self.submission = submission
        self._number = 0
        self.written = False
        self._file: IO[str] | None = None
        self._titles: tuple[str, ...] | None = None

    @classmethod
    def beside(cls, name: str, said: Path | None, submission: UUID | None = None) -> Self:
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
            path = source.with_name(f"{source.name}.refused.csv")
            number = 1
            while path.exists():
                number += 1
                path = source.with_name(f"{source.name}.refused-{number}.csv")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise FileError(
                str(path.parent), "cannot be written to", "--refused FILE, for the rows that are not accepted"
            )
        return cls(path, submission)

    def add(self, refused: RejectedRow) -> None:
        """Write a row, or the rows of a person, each with the reason; a header before the first of its table."""
        if self._file is None:
            self._file = self.path.open("x", encoding="utf-8-sig", errors="backslashreplace", newline="")
            self.written = True
        sheet = Sheet(self._file)
        if refused.titles != self._titles:
            self._titles = refused.titles
            sheet.add([*REFUSED, *refused.own_titles])
        self._number += 1
        for cells in refused.lines(f"{self.submission}/{self._number}" if self.submission else ""):
            sheet.add(cells)

    def __enter__(self) -> Self:
        """Write nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what was written, whatever happened."""
        if self._file is not None:
            self._file.close()
