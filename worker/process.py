"""What one worker process holds: settings, engine, Redis, limiters. Made when first asked for, never at import."""

from dataclasses import dataclass, field
from functools import cache, cached_property
from threading import Event

import redis
from sqlalchemy import Engine

from hubspot.limiter import Limiter
from hubspot.reaction import Bounds
from worker.accept import Rules
from worker.database import make_engine
from worker.secrets import fingerprint_key
from worker.settings import Settings, load_settings
from worker.stream import Stream, connect

GRACE = 5.0
"""Seconds from a permit's grant within which its call must begin."""


@dataclass
class Process:
    """The machinery of a process; its threads share it."""

    settings: Settings
    stopping: Event = field(default_factory=Event)
    """Set when the process is asked to stop: loops end after what they are at."""

    @cached_property
    def engine(self) -> Engine:
        """The database."""
        return make_engine(self.settings)

    @cached_property
    def redis(self) -> redis.Redis:
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
    def limiter(self) -> Limiter:
        """The permits of the account `default`."""
        settings = self.settings
        client = redis.Redis.from_url(settings.stream_url, socket_timeout=1, socket_connect_timeout=1)
        return Limiter(client, "default", settings.burst_limit, settings.burst_seconds, settings.timeout + GRACE)

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
