"""Messages of the broker that no worker can read: dropped, and counted by queue for a day, so that `status` says so.

What such a message holds is neither kept nor logged: it may name people.
"""

from dataclasses import dataclass
from typing import Final, cast

import redis

from worker.context import current
from worker.log import get_logger

log = get_logger(__name__)

COUNTED: Final = "turnout:unreadable"
"""By queue, how many; and when the last came."""
KEPT: Final = 86_400
"""Seconds after the last one for which they are counted."""


@dataclass(frozen=True, slots=True)
class UnreadableMessages:
    """How many messages of a queue could not be read lately, and when the last was."""

    queue: str
    number: int
    seconds_ago: int


def note(queue: str, reason: str) -> None:
    """Log and count a message; never raises. The reason is ours, and quotes nothing of it."""
    log.error("message not readable", queue=queue, reason=reason)
    client = current().redis
    try:
        seconds, _ = client.time()
        with client.pipeline() as pipeline:
            pipeline.hincrby(COUNTED, queue, 1)
            pipeline.hset(COUNTED, f"{queue} at", seconds)
            pipeline.expire(COUNTED, KEPT)
            pipeline.execute()
    except redis.RedisError as away:
        log.debug("unreadable message not counted", error=type(away).__name__)


def lately(client: redis.Redis) -> list[UnreadableMessages]:
    """List the queues of which messages could not be read, by name."""
    now, _ = client.time()
    kept = {name.decode(): int(value) for name, value in cast("dict[bytes, bytes]", client.hgetall(COUNTED)).items()}
    return [
        UnreadableMessages(queue, number, max(0, now - kept.get(f"{queue} at", now)))
        for queue, number in sorted(kept.items())
        if not queue.endswith(" at")
    ]
