"""What one worker process holds: settings, engine, Redis, limiters. Made when first asked for, never at import."""

import time
from dataclasses import dataclass, field
from functools import cache, cached_property
from threading import Event
from typing import Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Engine

from hubspot.limiter import Limiter
from hubspot.reaction import Bounds
from worker.accept import Rules
from worker.database import make_engine
from worker.destination import Destination, destination
from worker.secrets import fingerprint_key
from worker.settings import Settings, load_settings
from worker.stream import Stream, connect

GRACE: Final = 5.0
"""Seconds from a permit's grant within which its call must begin."""
REMEMBERED: Final = 5.0
"""Seconds that what is known of an account is used before it is looked up again."""


@dataclass
class Process:
    """The machinery of a process; its threads share it."""

    settings: Settings
    stopping: Event = field(default_factory=Event)
    """Set when the process is asked to stop: loops end after what they are at."""
    _destinations: dict[str, tuple[Destination, float]] = field(default_factory=dict, repr=False)

    @cached_property
    def engine(self) -> Engine:
        """The database."""
        return make_engine(self.settings)

    @cached_property
    def redis(self) -> Redis:
        """Redis for the stream and for wake-ups."""
        return connect(self.settings.stream_url)

    @cached_property
    def stream(self) -> Stream:
        """The intake stream."""
        return Stream(self.redis)

    @cached_property
    def rules(self) -> Rules:
        """What accepting needs of the settings."""
        settings = self.settings
        return Rules(fingerprint_key(self.engine, settings), settings.batch_size, settings.linger)

    @cached_property
    def limiter_redis(self) -> Redis:
        """Redis for permits: whoever waits for one must not wait long for Redis."""
        return Redis.from_url(
            self.settings.stream_url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1)
        )

    def destination(self, account: str) -> Destination:
        """Look an account up, at most every few seconds.

        Raises:
            UnknownAccount: where nobody added it.

        """
        known, until = self._destinations.get(account, (None, 0.0))
        if known is None or time.monotonic() > until:
            known = destination(self.engine, self.settings, account)
            self._destinations[account] = (known, time.monotonic() + REMEMBERED)
        return known

    def limiter(self, to: Destination) -> Limiter:
        """Give the permits of an account."""
        deadline = self.settings.timeout + GRACE
        return Limiter(self.limiter_redis, to.account, to.burst_limit, to.burst_seconds, deadline)

    @property
    def bounds(self) -> Bounds:
        """How long a batch is tried."""
        return Bounds(self.settings.max_attempts, self.settings.max_age)


@cache
def current() -> Process:
    """Give this process's machinery.

    Raises:
        SettingsError: where the settings are not usable.

    """
    return Process(load_settings())
