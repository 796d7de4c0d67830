"""Permits as the verbs take them: a task waits only briefly; when an account may ask again is kept in Redis.

One thread a process sleeps until the earliest of these times, or until a batch is due, and wakes `deliver`: so nothing
polls, and the limit is used to the full although no task waits.
"""

import threading
import time
from collections.abc import Mapping
from math import ceil
from typing import Final, cast

import redis

from hubspot_api.limiter import Permit, Spent, Use, Wait
from worker.accounts import state
from worker.accounts.destination import Destination
from worker.context import Context, current
from worker.log import get_logger
from worker.metrics import count
from worker.task_names import DELIVER
from worker.wake import wake

log = get_logger(__name__)

ASKS: Final = "turnout:asks"
"""Accounts by the time, in milliseconds of Redis' clock, at which they may ask for a permit again."""
DUES: Final = "turnout:dues"
"""Accounts by the time at which their next batch is due."""
FIRST: Final = "turnout:first"
"""A list that tells, by an entry, that a time was noted before all others."""
SOON: Final = 60.0
"""Seconds within which a due time is worth a note; the sweep sees to what is due later."""
BRIEFLY: Final = 1.0
"""Seconds that a task waits for a permit, at most."""
LOOK: Final = 0.5
"""Seconds after which a sleeping thread looks whether another process noted an earlier time."""
LATE: Final = 0.1
"""Seconds by which Redis may end a wait late."""
RESULTS: Final[Mapping[type, str]] = {Permit: "granted", Wait: "wait", Spent: "spent"}
"""What came of asking for a permit, as it is counted."""
DELIVERIES: Final = 8
"""Wake-ups of `deliver` outstanding per account, at most."""


def permit(process: Context, to: Destination, use: Use = Use.LIVE, patience: float = BRIEFLY) -> Permit | None:
    """Take a permit for one call that begins now, or none: then the account is woken when it may ask again.

    Where others of this process wait already, it asks without waiting.
    """
    limiter = process.limiter(to)
    may_wait = process.waiters.acquire(blocking=False)
    begun, result = time.monotonic(), "unavailable"
    try:
        asked = limiter.acquire(use, patience if may_wait else 0.0, process.stopping.wait)
        result = RESULTS[type(asked)]
        if isinstance(asked, Wait) and use is Use.LIVE:
            _note(process, ASKS, to.account, asked.seconds)
    except redis.RedisError as error:
        process.redis_outage.failed(error)
        return None
    finally:
        if may_wait:
            process.waiters.release()
        count.permit(to.account, result, time.monotonic() - begun)
    if isinstance(asked, Spent) and use is Use.LIVE:
        state.park(process.engine, to.account_id, None, "the day's calls are spent")
    return asked if isinstance(asked, Permit) else None


def wake_when_due(process: Context, account: str, seconds: float) -> None:
    """Have an account woken after so many seconds, when its next batch is due; never raises."""
    if seconds < SOON:
        try:
            _note(process, DUES, account, seconds)
        except redis.RedisError as error:
            process.redis_outage.failed(error)
        else:
            process.redis_outage.answered()


def _note(process: Context, times: str, account: str, seconds: float) -> None:
    process.note_time(keys=[times, FIRST], args=[account, ceil(seconds * 1000)])


def release(process: Context, to: Destination, held: Permit, headers: Mapping[str, str] | None, took: float) -> None:
    """Say that the call has ended, and what its headers told; never raises."""
    try:
        process.limiter(to).release(held, headers, took)
    except redis.RedisError:
        log.debug("permit not released", account=to.account, consequence="it ends by itself")


def give_back(process: Context, to: Destination, held: Permit) -> None:
    """Say that nothing was sent; never raises."""
    try:
        process.limiter(to).give_back(held)
    except redis.RedisError:
        log.debug("permit not released", account=to.account, consequence="it ends by itself")


def block(process: Context, to: Destination, seconds: float) -> None:
    """Let nobody of the account send for so many seconds; never raises."""
    try:
        process.limiter(to).block(seconds)
    except redis.RedisError as error:
        process.redis_outage.failed(error)


def begin() -> None:
    """Begin to wake accounts when they may ask again, as long as this process runs."""
    threading.Thread(target=_wake, name="asks", daemon=True).start()


def _wake() -> None:
    process = current()
    while not process.stopping.is_set():
        try:
            await_earlier(process, wake_due(process))
        except Exception as error:  # the thread outlives any error: nothing else wakes them
            if not process.is_outage(error):
                log.exception("waking accounts failed")
            process.stopping.wait(LOOK)


def await_earlier(process: Context, seconds: float) -> bool:
    """Wait so long, or until a time is noted before all others; say whether one was.

    The end is waited for here: Redis ends a wait up to a tenth of a second late, and some versions never end one of
    less than a millisecond.
    """
    if seconds > 2 * LATE:
        if process.redis.blpop([FIRST], seconds - LATE) is not None:
            return True
        seconds = LATE
    process.stopping.wait(seconds)
    return False


def wake_due(process: Context) -> float:
    """Wake the accounts whose time has come; give the seconds until the next look."""
    return min(_wake_first(process, ASKS, DELIVERIES), _wake_first(process, DUES, 1))


def _wake_first(process: Context, key: str, places: int) -> float:
    """Wake the first account of these times if its time has come; give the seconds until the next look."""
    seconds, micros = process.redis.time()
    now = seconds * 1000 + micros / 1000
    earliest = cast("list[tuple[bytes, float]]", process.redis.zrange(key, 0, 0, withscores=True))
    if not earliest:
        return LOOK
    account, moment = earliest[0]
    if moment > now:
        return min(LOOK, (moment - now) / 1000)
    if process.redis.zrem(key, account):  # one process is the first
        wake(process, DELIVER, places=places, account=account.decode())
    return 0.0
