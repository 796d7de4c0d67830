"""What the last `turnout audit` found, kept in Redis: a recount takes too long to be made for each scrape."""

import json
from dataclasses import dataclass
from typing import Final, cast

import redis

from worker.log import get_logger
from worker.settings import Settings
from worker.stream import connect

log = get_logger(__name__)

KEY: Final = "turnout:audited"
KEPT: Final = 90 * 86_400
"""Seconds."""


@dataclass(frozen=True, slots=True)
class LastAudit:
    """Whether the books balanced, and when that was (Unix time, by Redis' clock)."""

    balanced: bool
    at: int


def keep(settings: Settings, *, balanced: bool) -> None:
    """Keep what an audit found; never raises."""
    if not settings.stream_url:
        return
    try:
        with connect(settings.stream_url) as client:
            seconds, _ = client.time()
            client.set(KEY, json.dumps({"balanced": balanced, "at": seconds}), ex=KEPT)
    except (redis.RedisError, ValueError, OSError) as error:
        log.warning("audit not kept", error=type(error).__name__, consequence="no metric tells of it")


def recall(client: redis.Redis) -> LastAudit | None:
    """Give what the last audit found; None where none is kept.

    Raises:
        redis.RedisError: where Redis does not answer.

    """
    kept = cast("bytes | None", client.get(KEY))
    if kept is None:
        return None
    found = json.loads(kept)
    return LastAudit(balanced=bool(found["balanced"]), at=int(found["at"]))
