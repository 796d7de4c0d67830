"""The refused rows as a file: the reason, the line and the row as it was, to be mended and handed in again."""

import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from worker.files.columns.header import REFUSED
from worker.files.lines import FileError
from worker.files.rows import RejectedRow
from worker.files.sheet import Sheet


class RefusedFile:
    """Written only where something is refused. An existing file is never written over: it may hold mended rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = False
        self._file: IO[str] | None = None
        self._titles: tuple[str, ...] | None = None

    @classmethod
    def beside(cls, name: str, said: Path | None) -> Self:
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
        return cls(path)

    def add(self, refused: RejectedRow) -> None:
        """Write a row, or the rows of a person, each with the reason; a header before the first of its table."""
        if self._file is None:
            self._file = self.path.open("x", encoding="utf-8-sig", errors="backslashreplace", newline="")
            self.written = True
        sheet = Sheet(self._file)
        if refused.titles != self._titles:
            self._titles = refused.titles
            sheet.add([*REFUSED, *refused.titles])
        reason = "; ".join(map(str, refused.reasons))
        for line, cells in refused.rows:
            sheet.add([reason, line, *cells])

    def __enter__(self) -> Self:
        """Write nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what was written, whatever happened."""
        if self._file is not None:
            self._file.close()
