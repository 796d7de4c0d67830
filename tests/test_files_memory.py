import io
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from models.words import State
from worker.files.messages import Chunker
from worker.files.options import Options, SharedAddress
from worker.files.reader import Reading
from worker.files.rows import FileRecord

ROWS = 6_000
FEW = ROWS // 4
MOST = 4 * 1024 * 1024
"""Kept as records, `ROWS` would take twice this."""
MOST_MORE = 1024 * 1024
"""Kept as records, those beyond `FEW` would take six times this."""


class Generated(io.RawIOBase):
    """A file that is never whole in memory: its rows are made as they are read."""

    def __init__(self, rows: Iterator[str]) -> None:
        self._rows = rows
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while len(self._rest) < len(buffer) and (row := next(self._rows, None)) is not None:
            self._rest += row.encode()
        given, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(given)] = given
        return len(given)


def attendees(rows: int) -> Iterator[str]:
    yield "Email,First Name,Join Time,Leave Time\n"
    for n in range(rows):
        yield f"p{n % (rows // 2)}@example.com,Ada,2026-03-01T10:{n % 60:02}:00Z,2026-03-01T12:00:00Z\n"


def weekly(rows: int) -> Iterator[str]:
    """Write rows of many days."""
    yield "Email,First Name,Join Time,Leave Time\n"
    for n in range(rows):
        day = f"2026-{n % 12 + 1:02}-{n % 4 * 7 + 1:02}"
        yield f"p{n}@example.com,Ada,{day}T10:{n % 60:02}:00Z,{day}T12:00:00Z\n"


def bookings(rows: int) -> Iterator[str]:
    """Write rows of two people under each address."""
    yield "Email,First Name,Last Name,Registration Date\n"
    for n in range(rows):
        yield f"p{n // 2}@example.com,{'Ada' if n % 2 else 'Bob'},N{'x' * (n % 2)}{n},2026-03-01T10:00:00Z\n"


def cancellations(rows: int) -> Iterator[str]:
    for n in range(rows):
        yield f'{{"email":"p{n}@example.com","interactionDateTime":{1772359200000 + n}}}\n'


@pytest.mark.long
@pytest.mark.parametrize(
    ("written", "state", "rows_of_a_record"),
    [
        (attendees, State.ATTEND, 2),
        (weekly, State.ATTEND, 1),
        (attendees, None, 1),
        (bookings, State.REGISTER, 1),
        (cancellations, State.CANCEL, 1),
    ],
    ids=["gathered", "occurrences", "csv", "shared", "json"],
)
def test_a_large_file_needs_no_more_memory_than_a_small_one(
    written: Callable[[int], Iterator[str]], state: State | None, rows_of_a_record: int
) -> None:
    said = Options(
        state=state or State.REGISTER,
        object_id="7",
        mapping=() if state else (("Join Time", "time"),),
        occurrence="all",
        shared_address=SharedAddress.ONE_PERSON,
    )
    peak_of(cancellations(2), replace(said, state=State.CANCEL, mapping=()), 2)  # what is loaded once
    few = peak_of(written(FEW), said, FEW // rows_of_a_record)
    many = peak_of(written(ROWS), said, ROWS // rows_of_a_record)
    assert many < MOST
    assert many - few < MOST_MORE


def peak_of(rows: Iterator[str], said: Options, records: int) -> int:
    """Give the most bytes that Python held while a file was read, and see that it gave so many records."""
    count = 0

    def counted(items: Iterator[object]) -> Iterator[FileRecord]:
        nonlocal count
        for item in items:
            assert isinstance(item, FileRecord)
            count += 1
            yield item

    tracemalloc.start()
    try:
        reading = Reading(io.BufferedReader(Generated(rows)), said)
        parts = sum(1 for _ in Chunker(UUID(int=1)).messages(counted(reading.items())))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count, parts) == (records, -(-records // 1000))
    return peak
