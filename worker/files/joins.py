"""Many joins of a person, gathered to one stay: first join to last leave, on disk, in bounded memory.

An attendee report has a row for every time that somebody joined. HubSpot keeps one attendance per contact and
time, so each person becomes one record. A row that cannot be read holds back its person, and nobody else: half a
stay would be delivered as a wrong one, and the mended row would later make a second record of it.
"""

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from typing import Final

import orjson

from models.preflight import Reason
from worker.files.columns import Columns
from worker.files.drafts import Draft, LeftOut, Record, Refused, as_json
from worker.files.where import Where

CACHE_KIB: Final = 16 * 1024
"""Memory that SQLite may use; the rest is on disk, in a file without a name that goes when the process does."""
AT_ONCE: Final = 200
MOST_ROWS: Final = 10_000
"""Rows that one person's stay may have: more is an address that many share."""


def gather(items: Iterator[Draft | Record | Refused | LeftOut]) -> Iterator[Draft | Record | Refused | LeftOut]:
    """Give what is refused or left out at once, then each person as one draft.

    A draft that names nobody is given at once too. A person's rows are those of one account, event and state.

    Raises:
        sqlite3.Error: where the disk is full.

    """
    headers: list[Columns] = []
    waiting: list[tuple[bytes, bytes]] = []
    with sqlite3.connect("") as disk:
        disk.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        disk.execute("PRAGMA temp_store = FILE")
        disk.execute("PRAGMA journal_mode = OFF")
        disk.execute("CREATE TABLE joins (place INTEGER PRIMARY KEY, person BLOB, draft BLOB)")
        for item in items:
            if not isinstance(item, Draft) or not item.contact:
                yield item
                continue
            waiting.append(_packed(item, headers))
            if len(waiting) >= AT_ONCE:
                _store(disk, waiting)
        _store(disk, waiting)
        rows = disk.execute("SELECT person, draft FROM joins ORDER BY person, place")
        for _, person in groupby(rows, key=lambda row: row[0]):
            yield from _people(_unpacked(draft, headers) for _, draft in person)
    disk.close()


def merge(person: Draft, other: Draft) -> None:
    """Take another row of the same person into the first: the earliest join, the latest leave, what else is known."""
    person.rows += other.rows
    person.joined = _least(person.joined, other.joined)
    person.time = _least(person.time, other.time)
    person.left = _most(person.left, other.left)
    person.faults += (fault for fault in other.faults if fault not in person.faults)
    for name, value in other.input.items():
        known = person.input.setdefault(name, value)
        if isinstance(known, dict) and isinstance(value, dict):
            person.input[name] = {**value, **known}


def _people(drafts: Iterator[Draft]) -> Iterator[Draft]:
    """Merge one person's rows; give more than one draft only where the rows are too many to be one person's."""
    person = next(drafts)
    last_join, crowded = person.joined, False
    for draft in drafts:
        last_join = _most(last_join, draft.joined)
        if len(person.rows) >= MOST_ROWS:
            crowded = True
            yield _crowd(person)
            person = draft
        else:
            merge(person, draft)
    yield _crowd(person) if crowded else _settled(person, last_join)


def _crowd(person: Draft) -> Draft:
    what = f"stands in more than {MOST_ROWS:,} rows, so it is no one person's"
    person.faults.append(Reason(f"line {person.rows[0][0]}", what, "each person's own address"))
    return person


def _settled(person: Draft, last_join: int | None) -> Draft:
    """Let a stay whose last join has no leave end there at the earliest; without any leave it stays without."""
    if person.left is not None and len(person.rows) > 1:
        person.left = _most(person.left, last_join)
    return person


def _least(one: int | None, other: int | None) -> int | None:
    return min((ms for ms in (one, other) if ms is not None), default=None)


def _most(one: int | None, other: int | None) -> int | None:
    return max((ms for ms in (one, other) if ms is not None), default=None)


def _store(disk: sqlite3.Connection, waiting: list[tuple[bytes, bytes]]) -> None:
    disk.executemany("INSERT INTO joins (person, draft) VALUES (?, ?)", waiting)
    waiting.clear()


def _packed(draft: Draft, headers: list[Columns]) -> tuple[bytes, bytes]:
    if not headers or headers[-1] is not draft.columns:
        headers.append(draft.columns)
    faults = [[reason.where, reason.what, reason.right] for reason in draft.faults]
    values = [len(headers) - 1, [*draft.where], draft.rows, draft.input, draft.time, draft.joined, draft.left, faults]
    return as_json([*draft.where, draft.contact]), as_json(values)


def _unpacked(packed: bytes, headers: list[Columns]) -> Draft:
    header, where, rows, known, time, joined, left, faults = orjson.loads(packed)
    return Draft(
        Where(*where),
        headers[header],
        [(line, cells) for line, cells in rows],
        known,
        time,
        joined,
        left,
        faults=[Reason(*fault) for fault in faults],
    )
