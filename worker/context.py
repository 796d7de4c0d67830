"""What one worker process holds: settings, engine, Redis, limiters. Made when first asked for, never at import."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from threading import BoundedSemaphore, Event
from typing import Any, Final, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry
from sqlalchemy import Engine, Float, bindparam, case, cast, func, or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import aliased

from hubspot_api.limiter import UNLIMITED, Limiter, Limits
from hubspot_api.reaction import Bounds
from models.accept_rules import Rules
from models.tables import Attempt, seconds
from worker.accounts.destination import Destination, destination
from worker.database import is_away, make_engine
from worker.encryption import fingerprint_key
from worker.outage import CALM, Outage
from worker.settings import Settings, load_settings
from worker.stream import Stream, connect, is_redis_away

T = TypeVar("T")

GRACE: Final = 5.0
"""Seconds from a permit's grant within which its call must begin."""
WAITERS: Final = 4
"""Threads of a process, half of them, that may wait for a permit at once: an account at its limit took them all, and
another's batch, which had one, waited a second for a thread (median, at a sixth of that alone)."""
REMEMBERED: Final = 5.0
"""Seconds that what is known of an account is used before it is looked up again."""


@dataclass
class Context:
    """The machinery of a process; its threads share it."""

    settings: Settings
    stopping: Event = field(default_factory=Event)
    """Set when the process is asked to stop: loops end after what they are at."""
    waiters: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(WAITERS))
    """Who waits for a permit holds one."""
    broker: Outage = field(
        default_factory=lambda: Outage("the broker", "no wake-ups are sent; workers look for due work themselves")
    )
    redis_outage: Outage = field(default_factory=lambda: Outage("Redis", "nothing is delivered meanwhile", CALM))
    database_outage: Outage = field(
        default_factory=lambda: Outage("PostgreSQL", "nothing is accepted or delivered meanwhile", CALM)
    )
    """Noted by the engine of a process that serves or works: see `worker.process_start`."""
    _destinations: dict[str, tuple[Destination, float]] = field(default_factory=dict, repr=False)
    _limiters: dict[int, tuple[Destination, Limiter]] = field(default_factory=dict, repr=False)
    _looked: dict[str, tuple[Any, float]] = field(default_factory=dict, repr=False)

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
    def note_time(self) -> Script:
        """Note a time at which an account is to be woken."""
        return self.redis.register_script((files("worker") / "lua" / "note_time.lua").read_text())

    @cached_property
    def rules(self) -> Rules:
        """What accepting needs of the settings."""
        return rules_of(self.engine, self.settings)

    @cached_property
    def limiter_redis(self) -> Redis:
        """Redis for permits: whoever waits for one must not wait long for Redis."""
        return Redis.from_url(
            self.settings.stream_url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1)
        )

    def is_outage(self, error: BaseException) -> bool:
        """Say whether an outage of PostgreSQL or Redis is to blame, which needs no line of its own in the log."""
        if is_redis_away(error):
            self.redis_outage.failed(error)
            return True
        return isinstance(error, DBAPIError) and is_away(error)

    def destination(self, account: str) -> Destination:
        """Look an account up, at most every few seconds.

        Raises:
            NoDestination: where nobody added it, or it has no token to send with.

        """
        known, until = self._destinations.get(account, (None, 0.0))
        if known is None or time.monotonic() > until:
            known = destination(self.engine, self.settings, account)
            self._destinations[account] = (known, time.monotonic() + REMEMBERED)
        return known

    def forget(self, account: str) -> None:
        """Look an account up anew the next time: its token is refused."""
        self._destinations.pop(account, None)

    def lately(self, what: str, look: Callable[[], T]) -> T:
        """Give what a look found within the last few seconds, or look: for pages that are loaded again and again."""
        found, until = self._looked.get(what, (None, 0.0))
        if time.monotonic() > until:
            found = look()
            self._looked[what] = (found, time.monotonic() + REMEMBERED)
        return found  # type: ignore[no-any-return]

    def limiter(self, to: Destination) -> Limiter:
        """Give the permits of an account: the same limiter while nothing of the account changes."""
        known, limiter = self._limiters.get(to.account_id, (None, None))
        if limiter is None or known != to:
            limiter = self._make_limiter(to)
            self._limiters[to.account_id] = to, limiter
        return limiter

    def _make_limiter(self, to: Destination) -> Limiter:
        limits = Limits(
            burst=to.burst_limit,
            window=to.burst_seconds,
            daily=to.daily_limit or UNLIMITED,
            reserve=self.settings.daily_reserve,
            time_zone=to.time_zone,
            most=to.most_burst or UNLIMITED,
        )
        deadline = self.settings.timeout + GRACE

        def recall() -> float:
            return still_counting(self.engine, to.account_id, self.settings.timeout, to.burst_seconds)

        return Limiter(self.limiter_redis, to.account, limits, deadline, recall=recall)

    @property
    def bounds(self) -> Bounds:
        """How long a batch is tried."""
        return Bounds(self.settings.max_attempts, self.settings.max_age)


def rules_of(engine: Engine, settings: Settings) -> Rules:
    """Give what accepting needs of the settings."""
    return Rules(fingerprint_key(engine, settings), settings.batch_size, settings.linger)


LATELY: Final = 50_000
Lately: Final = aliased(Attempt, select(Attempt).order_by(Attempt.id.desc()).limit(LATELY).subquery("lately"))
"""The newest attempts of all accounts, among which are those of calls under way: at most so many are looked at.

Where others made more calls than this of late, an account that Redis does not know waits until all of these have ended,
up to half a minute. To read them takes some ten milliseconds.
"""
_ENDS: Final = Lately.started_at + seconds("timeout")
_COUNTS_UNTIL: Final = func.greatest(
    func.max(func.coalesce(Lately.finished_at, _ENDS)).filter(
        or_(Lately.account_id == bindparam("account"), Lately.account_id.is_(None))
    ),
    case((func.count() == LATELY, func.min(_ENDS))),
)
STILL_COUNTING: Final = select(cast(func.extract("epoch", _COUNTS_UNTIL + seconds("window") - func.now()), Float))


def still_counting(engine: Engine, account_id: int, timeout: float, window: float) -> float:
    """Give the seconds for which a call of before may still count at HubSpot: one window after the last has ended.

    Read when Redis has forgotten its slots; a call that nobody completed ends `timeout` seconds after it was begun,
    and that is up to GRACE after its attempt was noted. Where there are more of late than are looked at, the
    account's own last may be older than all of these, and still under way.
    """
    facts = {"account": account_id, "timeout": timeout + GRACE, "window": window}
    with engine.connect() as connection:
        left = connection.execute(STILL_COUNTING, facts).scalar()
    return max(0.0, left or 0.0)


@cache
def current() -> Context:
    """Give this process's machinery.

    Raises:
        SettingsError: where the settings are not usable.

    """
    return Context(load_settings())
