"""How far a file is read, submitted and accepted."""

import os
import stat
import time
from typing import TYPE_CHECKING, BinaryIO, Final

from cli.output import Bar, complain
from models.counted import counted

if TYPE_CHECKING:
    from worker.files.reader import Reading
    from worker.submission.submit import Progress

STALLED: Final = 20
"""Seconds without anything accepted after which the command says what may be the matter."""


def _size(source: BinaryIO) -> int | None:
    """Give a file's length in bytes; a pipe has none that is known."""
    try:
        about = os.fstat(source.fileno())
    except OSError:
        return None
    return about.st_size if stat.S_ISREG(about.st_mode) else None


class FileBar(Bar):
    """The progress of the command, on a terminal; elsewhere only what the user must know."""

    def __init__(self, source: BinaryIO, *, shown: bool) -> None:
        super().__init__("reading", _size(source), shown=shown)
        self._began = time.monotonic()
        self._moved = (self._began, -1)
        self._warned = False
        self.reading: Reading | None = None

    def read(self, position: int) -> None:
        """Show how far the file is read, in rows a second."""
        rows = self.reading.facts.rows if self.reading else 0
        rate = f"{counted(rows, 'row')}, {rows / max(time.monotonic() - self._began, 0.001):,.0f}/s"
        self.show(beside=rate, done=position)

    def tell(self, step: "Progress") -> None:
        """Show what is submitted and accepted; where nothing moves, say once what may be the matter."""
        from worker.submission.submit import Phase

        match step.phase:
            case Phase.SENDING:
                self.show("submitting", counted(step.done, "message"))  # the file is read to its end by now
            case Phase.FULL:
                self.show(f"waiting to be accepted: {counted(step.done, 'message')}")
            case Phase.ACCEPTING:
                done = f"{step.done:,} of {counted(step.total, 'part')}"
                self.show("accepting", done, done=step.done, of=step.total)
        now = time.monotonic()
        if step.phase is Phase.SENDING or step.done != self._moved[1]:
            self._moved = (now, step.done)
        elif now - self._moved[0] > STALLED and not self._warned:
            self._warned = True
            complain("Nothing is accepted at the moment: is `turnout up` running? Still waiting.")
