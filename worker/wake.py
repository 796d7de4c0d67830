"""Wake-ups: Celery messages that carry no data. Lose any of them: the sweep sends another a moment later.

At most so many per name and account are outstanding; each takes a place in Redis when it is sent and leaves it when
it is received, or after a while by itself, where it was lost.
"""

from typing import Final

import redis

from worker.celery import app
from worker.context import Context
from worker.log import get_logger

log = get_logger(__name__)

LOST_AFTER_MS: Final = 15_000
"""A wake-up that was not received by then is taken for lost."""


def wake(process: Context, task: str, places: int = 1, **facts: str) -> int:
    """Send the task's outstanding wake-ups up to `places`, and give how many were sent; never raises.

    While the broker is away only one caller at a time tries it: a publish to a broker that is silent or blocked
    takes seconds to fail.
    """
    sent = 0
    try:
        for place in range(places):
            key = ":".join(["turnout:wake", task, *facts.values(), str(place)])
            if process.redis.set(key, 1, nx=True, px=LOST_AFTER_MS):
                if not (process.broker.may_try() and _published(process, task, {**facts, "place": key})):
                    process.redis.delete(key)  # its place is free again
                    break
                sent += 1
    except redis.RedisError as error:
        process.redis_outage.failed(error)
    else:
        process.redis_outage.answered()
    return sent


def _published(process: Context, task: str, facts: dict[str, str]) -> bool:
    try:
        app.send_task(task, kwargs=facts)
    except Exception as error:  # noqa: BLE001 - transports raise errors of no common class
        process.broker.failed(error)
        return False
    process.broker.answered()
    return True


def received(process: Context, place: str) -> None:
    """Leave the place that a wake-up took."""
    if place:
        try:
            process.redis.delete(place)
        except redis.RedisError:
            log.debug("place not released", consequence="it ends by itself")
