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
from functools import cache
from importlib.resources import files
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

_LUA: Final = files("hubspot_api") / "lua"


@cache
def _script(name: str) -> str:
    """Read a script, behind what all of them begin with."""
    return "".join((_LUA / f"{file}.lua").read_text() for file in ("now", name))


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
            client.register_script, map(_script, ("acquire", "release", "give_back", "begin", "block"))
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
