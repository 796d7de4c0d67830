"""What a corrected file corrects: named by its rows, and closed once the file was accepted.

A row that is still not accepted stands for what it was to correct: it is kept anew, and the old one is closed too.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Engine, Integer, Text, any_, bindparam, func, select, update

from models.tables import Refused, Submission, fixed
from models.words import Closing, Door
from worker.database import repeat
from worker.queries.rows import count

AT_ONCE: Final = 1000
"""Refused rows stored in one transaction, as one part of their submission; or closed in one."""


def bundle_of(number: int) -> str:
    """Name the part in which a file's refused row of this number is stored."""
    return f"refused {(number - 1) // AT_ONCE + 1}"


@dataclass(frozen=True, slots=True)
class ClosedByFile:
    """What a corrected file came to: what it closed, and how many of the same files are still open, up to a bound."""

    closed: int
    still_open: int


_PLACE: Final = Refused.source["place"].as_integer()
_OF: Final = Submission.submission == bindparam("submission")
_THESE: Final = (
    select(Refused.id)
    .join(Submission, Submission.id == Refused.submission_id)
    .where(
        _OF,
        Submission.part == any_(bindparam("parts", type_=ARRAY(Text))),
        Submission.door == fixed(Door.FILE),
        any_(bindparam("places", type_=ARRAY(Integer))) == _PLACE,
        Refused.is_open(),
    )
)
_CLOSE: Final = (
    update(Refused)
    .where(Refused.id.in_(_THESE), Refused.closed_at.is_(None))
    .values(
        closed_at=func.now(),
        closing=Closing.CORRECTED,
        closed_by=bindparam("by"),
        closed_because=bindparam("because"),
        draft=None,
    )
)
_OPEN: Final = select(Refused.id).join(Submission, Submission.id == Refused.submission_id).where(_OF, Refused.is_open())


class Corrections:
    """The names of what a file corrects, kept on disk until the whole file was accepted: memory stays bounded."""

    def __init__(self) -> None:
        self._disk: sqlite3.Connection | None = None

    def add(self, names: Iterable[str]) -> None:
        """Note what a record's rows correct; what is no name of ours is passed over."""
        known = [name for name in map(_read, names) if name is not None]
        if not known:
            return
        if self._disk is None:
            self._disk = sqlite3.connect("")
            self._disk.execute("CREATE TABLE named (submission TEXT, place INTEGER, PRIMARY KEY (submission, place))")
        self._disk.executemany("INSERT OR IGNORE INTO named VALUES (?, ?)", known)

    def __bool__(self) -> bool:
        """Say whether the file's rows name anything that they correct."""
        return self._disk is not None

    def close(self, engine: Engine, by: str, submission: UUID) -> ClosedByFile:
        """Close what is named and open, a bounded number at once, because of the submission that corrects it."""
        closed = still_open = 0
        named: list[UUID] = []
        for of, places in self._taken():
            facts = {"submission": of, "parts": sorted({bundle_of(place) for place in places}), "places": places}
            closed += repeat(lambda facts=facts: _close(engine, {**facts, "by": by, "because": str(submission)}))  # type: ignore[misc]
            if of not in named:
                named.append(of)
        with engine.connect() as connection:
            for of in {*named, submission}:
                still_open += count(connection, _OPEN.params(submission=of))
        return ClosedByFile(closed, still_open)

    def _taken(self) -> Iterator[tuple[UUID, list[int]]]:
        """Give what is named by submission, a bounded number at once; then nothing is left."""
        if self._disk is None:
            return
        rows = self._disk.execute("SELECT submission, place FROM named ORDER BY submission, place")
        for (of, _), some in groupby(rows, key=lambda row: (row[0], (row[1] - 1) // AT_ONCE)):
            yield UUID(of), [place for _, place in some]
        self._disk.close()
        self._disk = None


def _read(name: str) -> tuple[str, int] | None:
    """Read a name as a file of refused rows has it."""
    of, slash, number = name.partition("/")
    if not (slash and number.isascii() and number.isdecimal() and 0 < len(number) <= 9):  # noqa: PLR2004 - an integer
        return None
    try:
        return str(UUID(of)), max(1, int(number))
    except ValueError:
        return None


def _close(engine: Engine, facts: dict[str, object]) -> int:
    with engine.begin() as connection:
        return connection.execute(_CLOSE, facts).rowcount
