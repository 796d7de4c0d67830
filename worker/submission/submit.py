"""Messages to the stream and refused rows to the books, no faster than they are accepted; then the receipt.

A part that is handed in twice changes no count, so whatever was interrupted may simply be repeated.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Engine

from worker.files.messages import Chunker
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow
from worker.files.source import Source
from worker.files.where import PRODUCER
from worker.intake.receipts import NewRefusal, Receipt, receipt, refuse
from worker.stream import Stream, StreamUnavailable
from worker.submission.corrections import AT_ONCE, Corrections, bundle_of
from worker.submission.rejects_file import RefusedFile

MOST_WAITING: Final = 1000
"""Messages in the stream that nobody accepted yet: what waits there is only as safe as Redis."""
BETWEEN_LOOKS: Final = 100
"""Messages added between two looks at how many wait."""
PAUSE: Final = 0.2
"""Seconds between two looks at what is accepted, at most."""
SHORTEST_PAUSE: Final = 0.01
TRIES: Final = 5


class Phase(StrEnum):
    """What the hand-in is doing."""

    SENDING = "sending"
    FULL = "full"
    """As many messages wait as may: it goes on when some are accepted."""
    ACCEPTING = "accepting"


class Progress(NamedTuple):
    """How far it is: messages handed in while sending, parts accepted of `total` after that."""

    phase: Phase
    done: int
    total: int = 0


@dataclass(slots=True)
class HandIn:
    """One file on its way in, under one submission."""

    submission: UUID
    stream: Stream
    engine: Engine
    refused_file: RefusedFile
    tell: Callable[[Progress], None] = lambda _: None
    producer: str = PRODUCER
    """Whose file it is: the key of this name may ask what became of it."""
    parts: int = 0
    """Parts handed in so far: messages, and bundles of refused rows."""
    complete: bool = False
    """Whether every part of the file has been handed in."""
    corrections: Corrections = field(default_factory=Corrections)
    """What the file's rows correct."""
    _refused: list[NewRefusal] = field(default_factory=list)
    _number: int = 0
    """Of what was refused of it so far."""
    _bundles: int = 0

    def send(self, reading: Reading) -> None:
        """Hand in the whole file.

        Raises:
            FileError: where it cannot be used; nothing was handed in then.
            StreamUnavailable, DBAPIError: what was handed in until then stays so.

        """
        receipt(self.engine, self.submission)  # what is out of reach is found before anything is sent
        chunker, room = Chunker(self.submission, self.producer), self._room()
        for message in chunker.messages(self._records(reading)):
            if not room:
                room = self._room()
            self._add(message)
            room -= 1
            self.parts = chunker.parts + self._bundles
            self.tell(Progress(Phase.SENDING, chunker.parts))
        self._store_refused()
        self.parts = chunker.parts + self._bundles
        self.complete = True

    def wait(self) -> Receipt:
        """Wait until every part has its receipt; it is noticed after at most a twentieth of the time that it took."""
        began = time.monotonic()
        while (now := receipt(self.engine, self.submission)).parts < self.parts:
            self.tell(Progress(Phase.ACCEPTING, now.parts, self.parts))
            time.sleep(min(PAUSE, max(SHORTEST_PAUSE, (time.monotonic() - began) / 20)))
        self.tell(Progress(Phase.ACCEPTING, now.parts, self.parts))
        return now

    def _records(self, reading: Reading) -> Iterator[FileRecord]:
        for item in reading.items():
            self.corrections.add(item.corrects)
            if isinstance(item, RejectedRow):
                self.refused_file.add(item)
                self._number += 1
                source = Source.of(item, reading.settled, self._number)
                self._refused.append(NewRefusal(item.raw, item.reasons, source=source.written))
                if len(self._refused) >= AT_ONCE:
                    self._store_refused()
            else:
                yield item

    def _store_refused(self) -> None:
        if self._refused:
            part = bundle_of(self._bundles * AT_ONCE + 1)
            refuse(self.engine, self.submission, part, self.producer, self._refused)
            self._bundles += 1
            self._refused = []

    def _room(self) -> int:
        """Wait until messages may be added, and say how many before the next look."""
        while (waiting := self.stream.waiting()) >= MOST_WAITING:
            self.tell(Progress(Phase.FULL, waiting))
            time.sleep(PAUSE)
        return min(BETWEEN_LOOKS, MOST_WAITING - waiting)

    def _add(self, message: bytes) -> None:
        """Add a message; a moment's interruption is sat out."""
        for left in reversed(range(TRIES)):
            try:
                self.stream.add(message)
            except StreamUnavailable:
                if not left:
                    raise
                time.sleep(PAUSE * 5)
            else:
                return
