"""The intake stream in Redis: data waits here safely until it is accepted.

One group with one consumer name: a dead reader's entries need no take-over time, the next one reads them first.
Exactly the entries that were accepted are acknowledged and deleted; the stream is never trimmed by length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

KEY: Final = "turnout:intake"
GROUP: Final = "turnout"
CONSUMER: Final = "intake"
FIELD: Final = b"message"
TRACEPARENT: Final = b"traceparent"
MOST_ENTRIES: Final = 500
"""Of one read."""
BYTES_AT_ONCE: Final = 256 * 1024
"""Of one read, and at least one message: some two thousand records. Delivery begins with the first of many while the
rest are accepted; with larger reads one of the two waits for the other."""
MOST_BYTES: Final = 32 * 1024 * 1024
"""Of what a message that cannot be read holds, so that it is kept whole; and of what is looked through at once."""
PAGE: Final = 50


REFUSALS: Final = ("MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN")
"""What Redis answers where it takes no writes for now, of which redis-py makes no class of its own."""


class StreamUnavailable(Exception):  # noqa: N818 - it is a state of the world
    """Redis does not answer; nothing was added."""


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """An entry of the stream; `raw` is its field `message`, or all its fields where it has none."""

    id: str
    raw: bytes
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of one read, within its bounds; `again` where it is one that was read before and never acknowledged."""

    entries: list[StreamEntry]
    again: bool


def is_redis_away(error: BaseException | None) -> bool:
    """Say whether Redis is to blame: out of reach, loading, full, or taking no writes."""
    if isinstance(error, StreamUnavailable):
        return is_redis_away(error.__cause__)
    away = (
        redis.ConnectionError,
        redis.TimeoutError,
        redis.exceptions.OutOfMemoryError,
        redis.exceptions.ReadOnlyError,
    )
    return isinstance(error, away) or (isinstance(error, redis.ResponseError) and str(error).startswith(REFUSALS))


def connect(url: str) -> redis.Redis:
    """Make a client that notices within two seconds when Redis is out of reach."""
    return redis.Redis.from_url(
        url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=10, retry=Retry(NoBackoff(), 1)
    )


class Stream:
    """Both ends of the intake stream."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._read = client.register_script((files("worker") / "lua" / "read.lua").read_text())

    def add(self, message: bytes) -> str:
        """Add a message and give its entry's id.

        Raises:
            StreamUnavailable: where Redis is out of reach.

        """
        try:
            return cast("bytes", self._client.xadd(KEY, {FIELD: message})).decode()
        except redis.RedisError as error:
            raise StreamUnavailable(str(error)) from error

    def waiting(self) -> int:
        """Count the messages that are not accepted yet.

        Raises:
            StreamUnavailable: where Redis is out of reach.

        """
        try:
            return int(self._client.xlen(KEY))
        except redis.RedisError as error:
            raise StreamUnavailable(str(error)) from error

    def await_message(self, seconds: float) -> bool:
        """Wait until a message is there, at most so long; say whether one is. The client's time-out must be longer."""
        last = self._last_id()  # read first: what is added from here on ends the wait
        if self._client.xlen(KEY):
            return True
        return bool(self._client.xread({KEY: last}, count=1, block=int(seconds * 1000)))

    def _last_id(self) -> str:
        try:
            told = cast("dict[str, bytes]", self._client.xinfo_stream(KEY))
        except redis.ResponseError as error:
            if "no such key" not in str(error):
                raise
            return "0"
        return told["last-generated-id"].decode()

    def waits_for(self) -> int | None:
        """Give the seconds for which the oldest message waits; none where none does."""
        seconds, _ = self._client.time()
        oldest = cast("list[tuple[bytes, dict[bytes, bytes]]]", self._client.xrange(KEY, "-", "+", 1))
        return max(0, seconds - int(oldest[0][0].partition(b"-")[0]) // 1000) if oldest else None

    def messages(self) -> Iterator[bytes]:
        """Read every message that is not accepted yet, as it stands."""
        after = "-"
        while found := cast("list[tuple[bytes, dict[bytes, bytes]]]", self._client.xrange(KEY, after, "+", PAGE)):
            yield from (fields.get(FIELD, b" ".join(fields.values())) for _, fields in found)
            after = f"({found[-1][0].decode()}"

    def join(self) -> None:
        """Make the group, at the stream's beginning, where it is gone: nothing that waits is passed over."""
        try:
            self._client.xgroup_create(KEY, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def read(self) -> Entries:
        """Read the oldest entry that was read before and never acknowledged, or else the next that nobody read."""
        bounds = (GROUP, CONSUMER, MOST_ENTRIES, BYTES_AT_ONCE)
        try:
            again, entries = self._read(keys=[KEY], args=bounds)
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            self.join()  # Redis is new, or was flushed since the last read
            again, entries = self._read(keys=[KEY], args=bounds)
        return Entries(
            [_entry(id_, fields) for id_, fields in entries],
            again=bool(again),
        )

    def done(self, entries: list[StreamEntry]) -> None:
        """Acknowledge and delete exactly these."""
        if entries:
            ids = [entry.id for entry in entries]
            with self._client.pipeline() as pipeline:
                pipeline.xack(KEY, GROUP, *ids)
                pipeline.xdel(KEY, *ids)
                pipeline.hdel(f"{KEY}:alone", *ids)
                pipeline.execute()

    def begin_alone(self, entry: StreamEntry) -> int:
        """Note that a message is about to be accepted alone; give how often that was begun and never ended."""
        return int(self._client.hincrby(f"{KEY}:alone", entry.id, 1))

    def ended_alone(self, entry: StreamEntry) -> None:
        """Note that the process survived it, whatever it came to."""
        self._client.hdel(f"{KEY}:alone", entry.id)


def _entry(id_: bytes, fields: list[bytes]) -> StreamEntry:
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    traceparent = named.get(TRACEPARENT, b"").decode("ascii", "replace")
    return StreamEntry(id_.decode(), named.get(FIELD, b" ".join(fields)), traceparent)
