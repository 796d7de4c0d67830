import io
import tracemalloc
from collections.abc import Iterator
from uuid import UUID

import pytest

from models.words import State
from worker.files.messages import Chunker
from worker.files.options import Options, SharedAddress
from worker.files.reader import Reading
from worker.files.rows import FileRecord

ROWS = 6_000
MOST = 4 * 1024 * 1024
"""Kept as records, so many rows would take twice this."""


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


def attendees() -> Iterator[str]:
    yield "Email,First Name,Join Time,Leave Time\n"
    for n in range(ROWS):
        yield f"p{n % (ROWS // 2)}@example.com,Ada,2026-03-01T10:{n % 60:02}:00Z,2026-03-01T12:00:00Z\n"


def weekly() -> Iterator[str]:
    """Write rows of many days."""
    yield "Email,First Name,Join Time,Leave Time\n"
    for n in range(ROWS):
        day = f"2026-{n % 12 + 1:02}-{n % 4 * 7 + 1:02}"
        yield f"p{n}@example.com,Ada,{day}T10:{n % 60:02}:00Z,{day}T12:00:00Z\n"


def bookings() -> Iterator[str]:
    """Write rows of two people under each address."""
    yield "Email,First Name,Last Name,Registration Date\n"
    for n in range(ROWS):
        yield f"p{n // 2}@example.com,{'Ada' if n % 2 else 'Bob'},N{'x' * (n % 2)}{n},2026-03-01T10:00:00Z\n"


def cancellations() -> Iterator[str]:
    for n in range(ROWS):
        yield f'{{"email":"p{n}@example.com","interactionDateTime":{1772359200000 + n}}}\n'


@pytest.mark.long
@pytest.mark.parametrize(
    ("rows", "state", "records"),
    [
        (attendees(), State.ATTEND, ROWS // 2),
        (weekly(), State.ATTEND, ROWS),
        (attendees(), None, ROWS),
        (bookings(), State.REGISTER, ROWS),
        (cancellations(), State.CANCEL, ROWS),
    ],
    ids=["gathered", "occurrences", "csv", "shared", "json"],
)
def test_a_large_file_needs_no_more_memory_than_a_small_one(
    rows: Iterator[str], state: State | None, records: int
) -> None:
    mapping = () if state else (("Join Time", "time"),)
    said = Options(
        state=state or State.REGISTER,
        object_id="7",
        mapping=mapping,
        occurrence="all",
        shared_address=SharedAddress.ONE_PERSON,
    )
    count = 0

    def counted(items: Iterator[object]) -> Iterator[FileRecord]:
        nonlocal count
        for item in items:
            assert isinstance(item, FileRecord)
            count += 1
            yield item

    list(
        Reading(
            io.BytesIO(b"Email,Date\na@example.com,2026-03-01T10:00:00Z\n"), Options(state=State.CANCEL, object_id="7")
        ).items()
    )
    tracemalloc.start()
    try:
        reading = Reading(io.BufferedReader(Generated(rows)), said)
        parts = sum(1 for _ in Chunker(UUID(int=1)).messages(counted(reading.items())))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count, parts) == (records, records // 1000)
    assert peak < MOST
