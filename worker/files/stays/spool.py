"""A file's rows on disk until the whole file has been read: only then its occurrences and shared addresses are known.

Rows to be merged are kept as drafts, and whole inputs (lines of JSON) as the records that they are.

SQLite keeps them in a file without a name, which goes when the process does; memory stays bounded.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from models.input_check import Candidate, Reason
from models.message import Address
from models.words import Identity, State
from worker.files.clocks import Moment
from worker.files.columns.known_titles import Field
from worker.files.people import name_in, name_in_properties
from worker.files.rows import Draft, FileRecord, RejectedRow, as_json
from worker.files.stays.shared_addresses import RowSaid
from worker.files.times import read_time
from worker.files.where import Where

if TYPE_CHECKING:
    from worker.files.columns.header import Columns

CACHE_KIB: Final = 16 * 1024
"""Memory that SQLite may use; the rest is on disk."""
AT_ONCE: Final = 200

_TABLES: Final = """
CREATE TABLE rows (
    place INTEGER PRIMARY KEY, event BLOB, person BLOB, joined INTEGER, left INTEGER,
    name TEXT NOT NULL DEFAULT '', cells INTEGER, item BLOB NOT NULL
);
CREATE TABLE starts (event BLOB, start INTEGER, PRIMARY KEY (event, start)) WITHOUT ROWID;
CREATE TABLE undone (person BLOB PRIMARY KEY, line INTEGER, time INTEGER) WITHOUT ROWID;
CREATE TABLE shared (person BLOB PRIMARY KEY) WITHOUT ROWID;
"""
_STORED: Final = """
SELECT person, CASE WHEN starts > 1 THEN start END AS start, starts > 1, person IN (SELECT person FROM shared), item
FROM (
    SELECT person, place, item,
        (SELECT max(start) FROM starts WHERE starts.event = rows.event AND start <= joined) AS start,
        (SELECT count(*) FROM (SELECT 1 FROM starts WHERE starts.event = rows.event LIMIT 2)) AS starts
    FROM rows)
"""


class Stored(NamedTuple):
    """A row as it comes back: whose it is, and in which of its event's occurrences, where these are several."""

    person: bytes | None
    start: int | None
    is_of_several: bool
    is_shared: bool
    item: Draft | FileRecord | RejectedRow


class Spool:
    """The rows, and what was found out about them."""

    def __init__(self, disk: sqlite3.Connection) -> None:
        self._disk = disk
        self._headers: list[Columns] = []
        self._undone = False
        self._waiting: list[tuple[object, ...]] = []

    def add(self, item: Draft | FileRecord | RejectedRow) -> None:
        """Keep a row."""
        match item:
            case Draft():
                packed = self._packed(item)
            case FileRecord():
                packed = _packed_record(item)
            case RejectedRow():
                packed = _packed_refused(item)
        self._waiting.append(packed)
        if len(self._waiting) >= AT_ONCE:
            self._store()

    def note_undone(self, person: bytes, line: int, time: int | None) -> None:
        """Keep the latest row that may undo another of its person; one whose time is not known before all others."""
        self._undone = True
        self._disk.execute(
            """
            INSERT INTO undone VALUES (?, ?, ?) ON CONFLICT (person)
            DO UPDATE SET line = excluded.line, time = excluded.time
            WHERE time IS NOT NULL AND (excluded.time IS NULL OR excluded.time > time)""",
            (person, line, time),
        )

    def undone(self, person: bytes | None) -> tuple[int, int | None] | None:
        """Give the line and the time of the latest row that may undo those of a person."""
        if not self._undone or person is None:
            return None
        found: tuple[int, int | None] | None = self._disk.execute(
            "SELECT line, time FROM undone WHERE person = ?", (person,)
        ).fetchone()
        return found

    def complete(self) -> None:
        """Note that every row is there."""
        self._store()
        self._disk.execute("CREATE INDEX people ON rows (person, joined)")

    def joins(self) -> Iterator[tuple[bytes, int, int | None, bytes]]:
        """Give each event's joins in the order of time, each with its leave and whose it is."""
        return self._disk.execute(
            "SELECT event, joined, left, person FROM rows WHERE joined IS NOT NULL ORDER BY event, joined"
        )

    def note_starts(self, starts: Iterator[tuple[bytes, int]]) -> None:
        """Keep when each event's occurrences begin."""
        self._disk.executemany("INSERT INTO starts VALUES (?, ?)", starts)

    def events(self) -> Iterator[tuple[bytes, int]]:
        """Give each event that has occurrences, and how many."""
        return self._disk.execute("SELECT event, count(*) FROM starts GROUP BY event ORDER BY event")

    def occurrences(self, event: bytes, most: int) -> Iterator[tuple[int, int, int]]:
        """Give the first join, the last leave and the number of people of an event's first occurrences."""
        return self._disk.execute(
            """
            SELECT start, max(coalesce(max(left, joined), joined)), count(DISTINCT person) FROM (
                SELECT person, joined, left,
                    (SELECT max(start) FROM starts WHERE starts.event = rows.event AND start <= joined) AS start
                FROM rows WHERE event = ? AND joined IS NOT NULL)
            GROUP BY start ORDER BY start LIMIT ?""",
            (event, most),
        )

    def starts(self, event: bytes) -> Iterator[int]:
        """Give when an event's occurrences begin."""
        return (start for (start,) in self._disk.execute("SELECT start FROM starts WHERE event = ?", (event,)))

    def people(self) -> Iterator[tuple[bytes, Iterator[RowSaid]]]:
        """Give everyone of more than one row, and what the rows say."""
        rows = self._disk.execute(
            """
            SELECT person, joined, left, cells, name FROM rows
            WHERE person IN (SELECT person FROM rows WHERE person IS NOT NULL GROUP BY person HAVING count(*) > 1)
            ORDER BY person, joined"""
        )
        for person, said in groupby(rows, key=lambda row: row[0]):
            yield person, (RowSaid(*row[1:]) for row in said)

    def note_shared(self, person: bytes) -> None:
        """Keep that many people share a person's address."""
        self._disk.execute("INSERT INTO shared VALUES (?)", (person,))

    def count(self) -> int:
        """Count the rows."""
        return int(self._disk.execute("SELECT count(*) FROM rows").fetchone()[0])

    def stored(self, *, by_person: bool) -> Iterator[Stored]:
        """Give the rows back: each person's together, by occurrence, or all as they stand in the file."""
        order = "person, CASE WHEN starts > 1 THEN start END, place" if by_person else "place"
        for person, start, several, is_shared, packed in self._disk.execute(f"{_STORED} ORDER BY {order}"):
            yield Stored(person, start, bool(several), bool(is_shared), self._unpacked(packed))

    def _store(self) -> None:
        self._disk.executemany(
            "INSERT INTO rows (event, person, joined, left, name, cells, item) VALUES (?, ?, ?, ?, ?, ?, ?)",
            self._waiting,
        )
        self._waiting.clear()

    def _packed(self, draft: Draft) -> tuple[object, ...]:
        if not self._headers or self._headers[-1] is not draft.columns:
            self._headers.append(draft.columns)
        faults = [[reason.where, reason.what, reason.right] for reason in draft.faults]
        times = [draft.time, draft.joined, draft.left]
        values = [len(self._headers) - 1, [*draft.where], draft.rows, draft.input, *times, draft.day_only]
        told = [*values, draft.stay, draft.added, draft.reckoned, faults]
        event = person = joined = left = None
        if contact := draft.contact:
            event, person = as_json([*draft.where]), as_json([*draft.where, contact])
            if draft.where.state == State.ATTEND:
                joined, left = draft.joined, draft.left
        name = name_in(draft.columns.titles, draft.rows[0][1], draft.input)
        return event, person, joined, left, name, hash(tuple(draft.rows[0][1])), as_json(told)

    def _unpacked(self, packed: bytes) -> Draft | FileRecord | RejectedRow:
        values = _loads(packed)
        if len(values) == _OF_RECORD:
            line, account, address, state, (identity, contact), at, known, corrects = values
            candidate = Candidate(Identity(identity), contact, at, known)
            return FileRecord(line, account, Address(*address), State(state), candidate, tuple(corrects))
        if len(values) == _OF_REFUSED:
            line, reasons, raw, titles, rows = values
            known = tuple(Reason(*reason) for reason in reasons)
            return RejectedRow(line, known, raw.encode(), tuple(titles), tuple((at, cells) for at, cells in rows))
        header, where, rows, known, time, joined, left, day_only, stay, added, reckoned, faults = values
        columns, own = self._headers[header], [(line, cells) for line, cells in rows]
        told = [Reason(*fault) for fault in faults]
        lengths = (stay, added, reckoned)
        return Draft(Where(*where), columns, own, known, time, joined, left, day_only, *lengths, told)


@contextmanager
def spool() -> Iterator[Spool]:
    """Open an empty spool.

    Raises:
        sqlite3.Error: where the disk is full.

    """
    with closing(sqlite3.connect("")) as disk:
        disk.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        disk.execute("PRAGMA temp_store = FILE")
        disk.execute("PRAGMA journal_mode = OFF")
        disk.executescript(_TABLES)
        yield Spool(disk)


_OF_REFUSED: Final = 5
_OF_RECORD: Final = 8
"""Values of a refused row and of a record; a draft has more."""


def _packed_record(record: FileRecord) -> tuple[object, ...]:
    candidate, address = record.candidate, record.address
    known = candidate.input
    around = [address.object_id, address.external_event_id, address.external_account_id]
    values = [record.line, record.account, around, record.state]
    who = [candidate.identity, candidate.contact]
    values += [who, candidate.interaction_date_time, known, record.corrects]
    event = [record.account, *around, record.state]
    joined = left = None
    if record.state is State.ATTEND:
        joined, left = (_instant(known, name) for name in (Field.JOINED, Field.LEFT))
    written = as_json(known)
    person = as_json(["whole", *event, candidate.contact])  # never merged with the rows of a report
    return as_json(event), person, joined, left, name_in_properties(known), hash(written), as_json(values)


def _instant(known: dict[str, object], name: str) -> int | None:
    """Give a time of an input's properties, which is checked by now."""
    properties = known.get("properties")
    moment = read_time(str(properties.get(name, ""))) if isinstance(properties, dict) else None
    return moment.ms if isinstance(moment, Moment) else None


def _packed_refused(refused: RejectedRow) -> tuple[object, ...]:
    reasons = [[reason.where, reason.what, reason.right] for reason in refused.reasons]
    values = [refused.line, reasons, refused.raw.decode(), refused.titles, refused.rows]
    return None, None, None, None, "", 0, as_json(values)


def _loads(packed: bytes) -> list[Any]:
    """Read what was packed; what orjson will not read (half of a surrogate pair in a refused row) is read slowly."""
    try:
        values: list[Any] = orjson.loads(packed)
    except orjson.JSONDecodeError:
        values = json.loads(packed)
    return values
