"""Records to messages: chunks of one account, event and state, in an order that keeps each contact's.

The stream is accepted in order, so what one contact did at one event must be handed in in the order of the file.
A contact of an event is therefore in one open chunk at most: one that is in another state's chunk sends it off first.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import orjson

from models.message import Address
from models.words import Identity, State
from worker.files.rows import FileRecord, as_json
from worker.files.where import PRODUCER, Where

MOST_INPUTS: Final = 1000
"""In one message: a tenth of what a message may hold, so that accepting it stays a short transaction."""
MOST_BYTES: Final = 2 * 1024 * 1024
"""In one message: a quarter of what it may be long."""
MOST_OPEN: Final = 64
"""Chunks open at once: enough for a file that tells of many events in turn."""
MOST_OPEN_BYTES: Final = 16 * 1024 * 1024
_STATES: Final = tuple(State)


@dataclass(slots=True)
class Chunk:
    """A message as it grows."""

    account: str
    address: Address
    state: State
    inputs: int = 0
    written: bytearray = field(default_factory=bytearray)
    """The inputs one after the other: orjson gives each at least 4 KiB, which a list of them would keep."""
    contacts: set[tuple[Identity, str]] = field(default_factory=set)

    def has_room(self, more: int) -> bool:
        """Say whether another input of so many bytes fits."""
        return self.inputs < MOST_INPUTS and (not self.inputs or len(self.written) + more <= MOST_BYTES)

    def add(self, written: bytes, contact: tuple[Identity, str]) -> None:
        """Take an input in."""
        self.written += b"," + written if self.inputs else written
        self.inputs += 1
        self.contacts.add(contact)

    def message(self, submission: UUID, part: int, producer: str) -> bytes:
        """Write it as the stream takes it."""
        known = self.address
        where = Where(self.account, known.object_id, known.external_event_id, known.external_account_id, self.state)
        fields = {**where.fields(), "producer": producer, "submission_id": submission, "part": str(part)}
        head = orjson.dumps(fields)
        return b'%b,"inputs":[%b]}' % (head[:-1], bytes(self.written))


class Chunker:
    """Open chunks, bounded in number and bytes; where there are too many, the oldest goes."""

    def __init__(self, submission: UUID, producer: str = PRODUCER) -> None:
        self._submission, self._producer = submission, producer
        self._open: dict[tuple[str, Address, State], Chunk] = {}
        self._size = 0
        self.parts = 0
        """Messages given so far, which is also the last one's part."""

    def messages(self, records: Iterable[FileRecord]) -> Iterator[bytes]:
        """Give every record in a message, once."""
        for record in records:
            yield from self._add(record)
        for key in list(self._open):
            yield self._send(key)

    def _add(self, record: FileRecord) -> Iterator[bytes]:
        candidate, written = record.candidate, as_json(record.candidate.input)
        contact = (candidate.identity, candidate.contact)
        own = (record.account, record.address, record.state)
        for state in _STATES:
            key = (record.account, record.address, state)
            if (chunk := self._open.get(key)) is None:
                continue
            if contact in chunk.contacts if key != own else not chunk.has_room(len(written)):
                yield self._send(key)
        if own not in self._open and len(self._open) >= MOST_OPEN:
            yield self._send(next(iter(self._open)))
        chunk = self._open.setdefault(own, Chunk(*own))
        chunk.add(written, contact)
        self._size += len(written)
        while self._size > MOST_OPEN_BYTES:
            yield self._send(next(iter(self._open)))

    def _send(self, key: tuple[str, Address, State]) -> bytes:
        chunk = self._open.pop(key)
        self._size -= len(chunk.written) - chunk.inputs + 1
        self.parts += 1
        return chunk.message(self._submission, self.parts, self._producer)
