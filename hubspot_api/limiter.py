"""Permits for calls to HubSpot, shared by every worker on every host: a rolling window and a day, kept in Redis.

A slot is held from its grant until one window after the response: a call arrives between the two, so no window at
the server can hold more arrivals than there are slots (simulated: 98.3 % of the limit used, not one 429; libraries
that count at the grant let jitter push arrivals together). A holder that died gives its slot back by itself, one
window after its deadline. Who must wait stands in line: the n-th in line is told when the n-th slot ends, so one
freed slot calls one of them. What HubSpot's headers say of its own count is believed. The clock is Redis'.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import redis

LEARNED: Final = 600_000
"""Milliseconds that a maximum out of HubSpot's headers holds after it was last seen."""
UNLIMITED: Final = 10**12
"""Calls: more than anybody makes."""
SKEW: Final = 300_000
"""Milliseconds for which HubSpot's count may still be that of the day before, where its clock is behind Redis'."""
READ_BACK_SHARE: Final = 10
"""Read-backs hold at most one slot in so many."""

_NOW: Final = """
local now = tonumber(ARGV[1])
if now == 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
local function known(name) return tonumber(redis.call('HGET', KEYS[1], name) or 0) end
local function whole(number) return string.format('%.0f', number) end
local function learned(name, otherwise) return known(name .. '_until') > now and known(name) or tonumber(otherwise) end
"""
_ACQUIRE: Final = (
    _NOW
    + """
local slots, line, present, reads = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, use, patience = ARGV[2], ARGV[3], tonumber(ARGV[4])
local limit = math.min(learned('max', ARGV[5]), tonumber(ARGV[13]))
local window, deadline = learned('window', ARGV[6]), tonumber(ARGV[7])
local day, day_ends, daily, reserve = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
if redis.call('HEXISTS', KEYS[1], 'begun') == 0 then return {'forgotten', 0} end
if now >= day_ends then return {'yesterday', now} end
local function leave(who) redis.call('ZREM', line, who); redis.call('ZREM', present, who) end
local function wait(ms)
  ms = math.max(1, math.ceil(ms))
  if patience >= ms then
    if not redis.call('ZSCORE', line, id) then
      redis.call('ZADD', line, redis.call('HINCRBY', KEYS[1], 'arrivals', 1), id)
    end
    redis.call('ZADD', present, whole(now + ms + 1000), id)
  else leave(id) end
  return {'wait', ms}
end
if redis.call('HGET', KEYS[1], 'day') ~= day then
  redis.call('HSET', KEYS[1], 'day', day, 'day_used', 0); redis.call('HDEL', KEYS[1], 'day_limit')
end
local quota = redis.call('HEXISTS', KEYS[1], 'day_limit') == 1 and known('day_limit') or daily
if known('day_used') >= quota then leave(id); return {'spent', day_ends - now} end
local later = known('day_used') < quota * (1 - reserve)
if use ~= 'live' and not later then leave(id); return {'spent', day_ends - now} end
if known('blocked') > now then return wait(known('blocked') - now) end
redis.call('ZREMRANGEBYSCORE', slots, '-inf', '(' .. whole(now - deadline))
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', present, '-inf', whole(now))) do leave(gone) end
if use == 'read-back' then
  redis.call('ZREMRANGEBYSCORE', reads, '-inf', '(' .. whole(now))
  if redis.call('ZCARD', reads) >= math.max(1, math.floor(limit / tonumber(ARGV[12]))) then
    return wait(math.min(window, tonumber(redis.call('ZRANGE', reads, 0, 0, 'WITHSCORES')[2]) - now))
  end
end
local held = redis.call('ZCOUNT', slots, whole(now), '+inf')
local room = math.max(1, limit - learned('others', 0)) - held
local ahead = redis.call('ZRANK', line, id) or redis.call('ZCARD', line)
if room > ahead then
  leave(id)
  redis.call('ZADD', slots, whole(now + deadline + window), id)
  if use == 'read-back' then redis.call('ZADD', reads, whole(now + deadline + window), id) end
  redis.call('HINCRBY', KEYS[1], 'day_used', 1)
  return {'granted', later and 1 or 0}
end
local nth = ahead - math.min(room, ahead)
local ends = redis.call('ZRANGE', slots, whole(now), '+inf', 'BYSCORE', 'LIMIT', nth, 1, 'WITHSCORES')
return wait(math.min(window, (tonumber(ends[2]) or now + window) - now))
"""
)
_RELEASE: Final = (
    _NOW
    + """
local slots, reads, id, took = KEYS[2], KEYS[5], ARGV[2], tonumber(ARGV[3])
local max, remaining, interval = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local daily, daily_remaining, day, day_is_sure = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[11], tonumber(ARGV[12])
if max and max > 0 then redis.call('HSET', KEYS[1], 'max', max, 'max_until', whole(now + tonumber(ARGV[10]))) end
if interval and interval > 0 then
  redis.call('HSET', KEYS[1], 'window', interval, 'window_until', whole(now + tonumber(ARGV[10])))
end
local window = learned('window', ARGV[4])
local remembered = redis.call('ZSCORE', slots, id)
-- Also a call that Redis forgot when it lost everything counts at HubSpot until one window from now.
redis.call('ZADD', slots, whole(now + window), id)
redis.call('ZADD', reads, 'XX', whole(now + window), id)
-- Where it is forgotten so are those beside it: they are ours, and nobody else's.
if remembered and max and remaining then
  -- Whatever of ours HubSpot can have counted still had its slot when this call arrived; the rest is somebody else's.
  -- That is a lower bound (ours under way may not have arrived), so a higher one of lately fades and is not dropped.
  local others = math.max(0, max - remaining - redis.call('ZCOUNT', slots, whole(now - took), '+inf'))
  others = math.max(others, math.floor(learned('others', 0) * 0.95))
  redis.call('HSET', KEYS[1], 'others', others, 'others_until', whole(now + tonumber(ARGV[10])))
end
-- An answer that comes after midnight to a call of before tells of the day that is over.
if daily and daily_remaining and now >= day_is_sure and redis.call('HGET', KEYS[1], 'day') == day then
  redis.call('HSET', KEYS[1], 'day_limit', daily, 'day_used', math.max(known('day_used'), daily - daily_remaining))
end
"""
)
_GIVE_BACK: Final = (
    _NOW
    + """
redis.call('ZREM', KEYS[5], ARGV[2])
if redis.call('ZREM', KEYS[2], ARGV[2]) == 1 then redis.call('HINCRBY', KEYS[1], 'day_used', -1) end
"""
)
_BEGIN: Final = (
    _NOW
    + """
if redis.call('HSETNX', KEYS[1], 'begun', 1) == 1 then
  redis.call('HSET', KEYS[1], 'blocked', whole(now + tonumber(ARGV[2])))
end
"""
)
_BLOCK: Final = (
    _NOW
    + """
redis.call('HSET', KEYS[1], 'begun', 1, 'blocked', whole(math.max(now + tonumber(ARGV[2]), known('blocked'))))
"""
)


class Use(StrEnum):
    """What a call is for: live records, what is not live, or reading back."""

    LIVE = "live"
    LATER = "later"
    READ_BACK = "read-back"


class Day(NamedTuple):
    """A day of a time zone: its name, and the milliseconds at which it begins and ends."""

    name: str
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave for one call, counted in a `day`; `later` where it may be spent on what is not live."""

    slot: str
    day: Day
    later: bool = True


@dataclass(frozen=True, slots=True)
class Wait:
    """No leave now; ask again after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Spent:
    """The day's calls are spent, or those that are left are kept for live records; so many seconds until midnight."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may call: `burst` calls in any `window` seconds, `daily` calls a day of its time zone.

    `reserve` is the share of the day's calls that is kept for live records. `most` holds whatever HubSpot's headers
    say: an operator who gives an account a limit of its own leaves the rest to another app.
    """

    burst: int
    window: float
    daily: int = UNLIMITED
    reserve: float = 0.0
    time_zone: str = "UTC"
    most: int = UNLIMITED


class Limiter:
    """The permits of one account. Each call is over within `deadline` seconds after its grant.

    `recall` says, when Redis has forgotten everything, for how many seconds calls of before may still count at
    HubSpot. `clock` gives milliseconds, for tests in virtual time.
    """

    def __init__(  # noqa: PLR0913
        self,
        client: redis.Redis,
        account: str,
        limits: Limits,
        deadline: float,
        *,
        recall: Callable[[], float] = lambda: 0.0,
        clock: Callable[[], int] = lambda: 0,
    ) -> None:
        names = ("known", "slots", "line", "present", "reads")
        self._keys = [f"turnout:limit:{{{account}}}:{name}" for name in names]
        self._client = client
        self._limits, self._deadline = limits, ceil(deadline * 1000)
        self._recall, self._clock = recall, clock
        self._acquire, self._release, self._give_back, self._begin, self._block = map(
            client.register_script, (_ACQUIRE, _RELEASE, _GIVE_BACK, _BEGIN, _BLOCK)
        )
        self._day = Day("", 0, 0)

    def acquire(
        self, use: Use = Use.LIVE, patience: float = 0.0, sleep: Callable[[float], object] = time.sleep
    ) -> Permit | Wait | Spent:
        """Ask for a permit for one call that begins now; stand in line for at most `patience` seconds.

        Raises:
            redis.RedisError: where Redis is out of reach; then nothing may be sent.

        """
        slot = uuid.uuid4().hex
        left = patience
        while True:
            answer = self.ask(slot, use, left)
            if not isinstance(answer, Wait) or answer.seconds > left:
                return answer
            sleep(answer.seconds)
            left -= answer.seconds

    def ask(self, slot: str, use: Use, patience: float) -> Permit | Wait | Spent:
        """Ask once; who has the patience for the wait he is told keeps his place in line by asking again as `slot`."""
        limits = self._limits
        while True:
            day = self._day
            word, number = self._run(
                self._acquire,
                slot,
                use.value,
                int(patience * 1000),  # who would be told to wait longer than he can keeps no place in line
                limits.burst,
                ceil(limits.window * 1000),
                self._deadline,
                day.name,
                day.ends,
                limits.daily,
                limits.reserve,
                READ_BACK_SHARE,
                limits.most,
            )
            match word.decode():
                case "granted":
                    return Permit(slot, day, later=bool(number))
                case "wait":
                    return Wait(number / 1000)
                case "spent":
                    return Spent(number / 1000)
                case "yesterday":
                    self._day = day_of(number, limits.time_zone)
                case _:
                    # Of those who recall at once the first is believed: a later one has met calls made since, which
                    # have their slots (seen: the first calls of all, under way, held everybody up for 40 s).
                    self._run(self._begin, ceil(self._recall() * 1000))

    def release(self, permit: Permit, headers: Mapping[str, str] | None = None, took: float = 0.0) -> None:
        """Say that a call was made and has ended, after `took` seconds: its slot is free one window from now.

        The answer's headers, where it had any, tell HubSpot's own count.
        """
        seen = headers or {}
        told = [
            seen.get(f"X-HubSpot-RateLimit-{name}", "")
            for name in ("Max", "Remaining", "Interval-Milliseconds", "Daily", "Daily-Remaining")
        ]
        numbers = [text if text.isdecimal() else "" for text in told]
        window = ceil(self._limits.window * 1000)
        day = permit.day
        self._run(self._release, permit.slot, ceil(took * 1000), window, *numbers, LEARNED, day.name, day.begins + SKEW)

    def give_back(self, permit: Permit) -> None:
        """Say that nothing was sent: the slot is free at once."""
        self._run(self._give_back, permit.slot)

    def block(self, seconds: float) -> None:
        """Let nobody of this account send for so many seconds."""
        self._run(self._block, ceil(seconds * 1000))

    def used(self) -> tuple[int, int]:
        """Say how many calls hold a slot of the window now, and how many were made today."""
        seconds, micros = self._client.time()
        now = self._clock() or seconds * 1000 + micros // 1000
        known, slots = self._keys[:2]
        day, today = self._client.hmget(known, "day", "day_used")
        is_today = day == day_of(now, self._limits.time_zone).name.encode()
        return int(self._client.zcount(slots, now, "+inf")), int(today or 0) if is_today else 0

    def _run(self, script: Any, *arguments: object) -> Any:  # noqa: ANN401 - redis-py's
        return script(keys=self._keys, args=[self._clock(), *arguments])


def day_of(moment: int, time_zone: str) -> Day:
    """Give the day of a moment (milliseconds) in a time zone."""
    zone = ZoneInfo(time_zone)
    here = datetime.fromtimestamp(moment / 1000, zone)
    begins = here.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    following = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return Day(f"{here:%Y-%m-%d}", *(ceil(one.timestamp() * 1000) for one in (begins, following)))
