"""Wake-ups: Celery messages that carry no data. Lose any of them: the sweep sends another a moment later.

At most so many per name and account are outstanding; each takes a place in Redis when it is sent and leaves it when
it is received, or after a while by itself, where it was lost.
"""

import logging
from typing import Final

import redis

from worker.celery import app
from worker.context import Context

log = logging.getLogger(__name__)

LOST_AFTER_MS: Final = 15_000
"""A wake-up that was not received by then is taken for lost."""


def wake(process: Context, task: str, places: int = 1, **facts: str) -> int:
    """Send the task's outstanding wake-ups up to `places`, and give how many were sent; never raises.

    While the broker is away only one caller at a time tries it: a publish to a broker that is silent or blocked
    takes seconds to fail.
    """
    if not process.broker.may_try():
        return 0
    sent = 0
    try:
        for place in range(places):
            key = ":".join(["turnout:wake", task, *facts.values(), str(place)])
            if process.redis.set(key, 1, nx=True, px=LOST_AFTER_MS):
                if not _publish(process, task, key, facts):
                    break
                sent += 1
    except redis.RedisError as error:
        log.debug("%s was not woken: %s", task, type(error).__name__)  # the sweep says that Redis is away
    return sent


def _publish(process: Context, task: str, key: str, facts: dict[str, str]) -> bool:
    """Publish a wake-up; where that fails, its place is free again."""
    try:
        app.send_task(task, kwargs={**facts, "place": key})
    except Exception as error:  # noqa: BLE001 - transports raise errors of no common class
        process.broker.failed(error)
        process.redis.delete(key)
        return False
    process.broker.answered()
    return True


def received(process: Context, place: str) -> None:
    """Leave the place that a wake-up took."""
    if place:
        try:
            process.redis.delete(place)
        except redis.RedisError:
            log.debug("a place is left by itself, Redis is out of reach")
