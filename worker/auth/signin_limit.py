"""Wrong keys at the console's sign-in, counted in Redis by the address that they come from.

A key has 256 random bits, so nobody finds one by trying. A right key is therefore never refused: keys are verified
first, and only wrong ones are counted. After many, each further wrong one from that address waits for its answer.
Where Redis is out of reach nothing is counted.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Final

import redis

from worker.log import get_logger

log = get_logger(__name__)

MOST: Final = 10
"""Wrong keys from one address (of IPv6: one network of 64 bits) within the time."""
SECONDS: Final = 900
"""From the first wrong key on: the time within which they count."""
_WRONG: Final = "turnout:signin:wrong"


def slowed_until(client: redis.Redis, address: str) -> datetime | None:
    """Count a wrong key; where there were too many from this address, say until when they are slowed down."""
    name = f"{_WRONG}:{place_of(address)}"
    try:
        with client.pipeline() as pipe:
            pipe.incr(name)
            pipe.expire(name, SECONDS, nx=True)
            pipe.ttl(name)
            number, _, left = pipe.execute()
    except redis.RedisError as error:
        log.warning("wrong keys not counted", error=type(error).__name__)
        return None
    return datetime.now(UTC) + timedelta(seconds=int(left)) if number > MOST else None


def forgive(client: redis.Redis, address: str) -> None:
    """Forget the wrong keys of an address: a right one came from there."""
    try:
        client.delete(f"{_WRONG}:{place_of(address)}")
    except redis.RedisError as error:
        log.warning("sign-in not noted", error=type(error).__name__)


def place_of(address: str) -> str:
    """Name what counts as one: an IPv4 address, a network of IPv6, and all together that have no address."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is None:
            return str(ipaddress.ip_network((known, 64), strict=False))
        known = known.ipv4_mapped
    return str(known)
