"""Wrong keys at the console's sign-in, counted in Redis: after many, from one address or from all, nobody signs in.

A key has 256 random bits, so this slows down what could not succeed anyway; where Redis is out of reach nothing is
counted, and operators still get in. An address from which somebody signed in of late is spared what others do: else
anybody could lock the operators out.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Final

import redis

from worker.log import get_logger

log = get_logger(__name__)

MOST: Final = 10
"""Wrong keys from one address (of IPv6: one network of 64 bits) within the time."""
MOST_OF_ALL: Final = 100
"""Wrong keys from all addresses together."""
SECONDS: Final = 900
"""From the first wrong key on: the time within which they count, and at which a lock-out ends."""
KNOWN: Final = 30 * 86_400
"""Seconds for which an address is remembered from which somebody signed in."""
_WRONG: Final = "turnout:signin:wrong"


def locked_until(client: redis.Redis, address: str) -> datetime | None:
    """Count an attempt to sign in as a wrong one, until it is `forgiven`; where there were too many, say until when.

    Counted first: whoever tries many keys at once is stopped as well.
    """
    place = _place(address)
    try:
        ends = [_counted(client, f"{_WRONG}:{place}", MOST)]
        if not client.exists(f"turnout:signin:known:{place}"):
            ends.append(_counted(client, _WRONG, MOST_OF_ALL))
    except redis.RedisError as error:
        log.warning("wrong keys not counted", error=type(error).__name__)
        return None
    left = max(ends)
    return datetime.now(UTC) + timedelta(seconds=left) if left else None


def forgive(client: redis.Redis, address: str) -> None:
    """Note that the key was good: it was no wrong one, and the address is one of ours."""
    place = _place(address)
    try:
        client.delete(f"{_WRONG}:{place}")
        if client.set(f"turnout:signin:known:{place}", 1, ex=KNOWN, get=True) is None:
            client.decr(_WRONG)
    except redis.RedisError as error:
        log.warning("sign-in not noted", error=type(error).__name__)


def _counted(client: redis.Redis, name: str, most: int) -> int:
    """Count one more; give the seconds for which there are too many."""
    with client.pipeline() as pipe:
        pipe.incr(name)
        pipe.expire(name, SECONDS, nx=True)
        pipe.ttl(name)
        number, _, left = pipe.execute()
    return int(left) if number > most else 0


def _place(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if known.version == 4 else str(ipaddress.ip_network((known, 64), strict=False))  # noqa: PLR2004
