"""What a process looks at when it starts: what stops it, what it waits for, and what it only warns of.

`findings` is the list for whoever shows it (`turnout status`, `turnout doctor`); `start` acts on it.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final, cast

import redis
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from worker.database import is_away, reason
from worker.encryption import check_key, fingerprint_key
from worker.log import LoggableError, get_logger
from worker.schema import needed, read_schema
from worker.settings import Settings, SettingsError
from worker.stream import connect

log = get_logger(__name__)

PAUSE: Final = 1.0
"""Seconds between two looks at what is waited for."""
OLDEST: Final = 140_000
"""The oldest PostgreSQL that works, as `server_version_num`."""


class Severity(StrEnum):
    """What a finding means for a process that starts."""

    STOPS = "stops"
    """Time does not mend it."""
    WAITS = "waits"
    """It is waited for."""
    WARNS = "warns"


class Service(StrEnum):
    """What a finding is about."""

    POSTGRESQL = "PostgreSQL"
    REDIS = "Redis"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: a sentence, and what to do."""

    severity: Severity
    service: Service
    what: str
    todo: str

    def __str__(self) -> str:
        """Say both in one line."""
        return f"{self.what}: {self.todo}"


class CannotStart(LoggableError):  # noqa: N818 - it is a state of the world
    """The process cannot work as things are; the message says why, and what to do."""


def findings(settings: Settings, engine: Engine) -> list[Finding]:
    """Look at PostgreSQL (reach, schema, key) and at Redis (reach, kind, eviction, persistence); it never raises."""
    return [*of_database(settings, engine), *of_redis(settings)]


def of_database(settings: Settings, engine: Engine) -> list[Finding]:
    """Look at PostgreSQL: whether it answers, its version, its schema and whether the secret key is its own."""
    return _look(engine, _of_server, _of_schema, partial(_of_key, settings))


def of_schema(engine: Engine) -> list[Finding]:
    """Look at PostgreSQL's schema alone."""
    return _look(engine, _of_schema)


def of_reach(engine: Engine) -> list[Finding]:
    """Look whether PostgreSQL answers and takes writes, whatever its schema."""
    return _look(engine, _of_server)


def _look(engine: Engine, *looks: Callable[[Connection], list[Finding]]) -> list[Finding]:
    """Look at one after the other, until one finds something."""
    try:
        with engine.connect() as connection:
            return next((found for look in looks if (found := look(connection))), [])
    except DBAPIError as error:
        return [_away(Service.POSTGRESQL, reason(error), "is it running, and TURNOUT_DATABASE_URL right?")]


_SERVER: Final = text("""
SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS name,
       pg_is_in_recovery() AS standby, current_setting('transaction_read_only')::bool AS read_only""")


def _of_server(connection: Connection) -> list[Finding]:
    server = connection.execute(_SERVER).one()
    if server.version < OLDEST:
        what = f"PostgreSQL is {server.name}, which is too old"
        return [Finding(Severity.STOPS, Service.POSTGRESQL, what, "use PostgreSQL 14 or newer")]
    if server.standby or server.read_only:
        why = "it is a standby" if server.standby else "default_transaction_read_only is on"
        todo = "TURNOUT_DATABASE_URL must lead to the primary" if server.standby else "turn it off when it is writable"
        return [Finding(Severity.WAITS, Service.POSTGRESQL, f"PostgreSQL takes no writes ({why})", todo)]
    return []


def _of_schema(connection: Connection) -> list[Finding]:
    schema = read_schema(connection)
    if schema.fits:
        return []
    if schema.revision is None:
        what, todo = "the database has no tables of Turnout", "run `turnout db upgrade`"
    elif schema.is_newer:
        what = (
            f"the database's schema is {schema.revision}, newer than this Turnout's {needed()}, and does not name it as"
            " compatible"
        )
        todo = "install the Turnout that upgraded it"
    else:
        what = f"the database's schema is {schema.revision}, older than this Turnout's {needed()}"
        todo = "run `turnout db upgrade`"
    return [Finding(Severity.STOPS, Service.POSTGRESQL, what, todo)]


def _of_key(settings: Settings, connection: Connection) -> list[Finding]:
    try:
        check_key(connection, settings)
    except SettingsError as error:
        what, _, todo = str(error).partition(": ")
        return [Finding(Severity.STOPS, Service.POSTGRESQL, what, todo)]
    return []


def of_redis(settings: Settings) -> list[Finding]:
    """Look at the Redis of stream and limiter, and at the broker's where that is another."""
    found = list(_of_redis(settings.stream_url, "TURNOUT_REDIS_URL" if settings.redis_url else "TURNOUT_BROKER_URL"))
    broker = settings.model_copy(update={"redis_url": ""}).stream_url
    if broker and broker != settings.stream_url:
        # The broker's reach is Celery's business, and whether it keeps its wake-ups matters to nobody.
        found += [one for one in _of_redis(broker, "TURNOUT_BROKER_URL") if one.severity is Severity.STOPS]
    return found


def _of_redis(url: str, setting: str) -> Iterator[Finding]:
    try:
        with connect(url) as client:
            facts = cast("Mapping[str, object]", client.info())
    except redis.exceptions.NoPermissionError:
        return  # a provider's Redis may not say
    except (redis.RedisError, ValueError, OSError) as error:
        said = str(error).strip() or type(error).__name__
        yield _away(Service.REDIS, said.splitlines()[0], f"is it running, and {setting} right?")
        return
    if facts.get("cluster_enabled") or facts.get("redis_mode") == "cluster":
        todo = f"set {setting} to a single Redis, with replicas or without"
        yield Finding(
            Severity.STOPS, Service.REDIS, "Redis is a cluster, over which no stream and lock is shared", todo
        )
    policy = str(facts.get("maxmemory_policy", ""))
    if policy.startswith("allkeys"):
        what = f"Redis evicts what never expires (maxmemory-policy {policy}), the stream too"
        yield Finding(Severity.STOPS, Service.REDIS, what, "set maxmemory-policy to noeviction")
    if facts.get("loading"):
        yield _away(Service.REDIS, "it loads its data", "it answers when that is done")
    elif facts.get("role") == "slave":
        todo = f"{setting} must lead to the primary"
        yield Finding(Severity.WAITS, Service.REDIS, "Redis takes no writes (it is a replica)", todo)
    if facts.get("aof_enabled") == 0:
        what = "Redis is not persistent, so what waits in the stream would be lost with it"
        yield Finding(Severity.WARNS, Service.REDIS, what, "set appendonly to yes")


def _away(service: Service, why: str, todo: str) -> Finding:
    return Finding(Severity.WAITS, service, f"{service} is out of reach ({why})", todo)


def wait(
    look: Callable[[], list[Finding]],
    say: Callable[[str], None],
    stopped: Callable[[], bool],
    needs: Collection[Service] = tuple(Service),
) -> list[Finding]:
    """Look until nothing that is needed is waited for, a line per change; give what was found then."""
    told: dict[Service, str] = {}
    while True:
        found = look()
        away = {one.service: one for one in found if one.severity is Severity.WAITS}
        for service, one in away.items():
            if told.get(service) != one.what:
                say(f"{one}; waiting" if service in needs else str(one))
        for service in told.keys() - away.keys():
            say(f"{service} answers")
        told = {service: one.what for service, one in away.items()}
        if stopped() or not set(away) & set(needs) or any(one.severity is Severity.STOPS for one in found):
            return found
        time.sleep(PAUSE)


def _say(finding: str) -> None:
    log.warning("found at start", finding=finding)


def start(
    settings: Settings,
    engine: Engine,
    say: Callable[[str], None] = _say,
    stopped: Callable[[], bool] = lambda: False,
    needs: Collection[Service] = tuple(Service),
) -> None:
    """Wait for what a process needs; warn of what is amiss.

    Raises:
        CannotStart: where something is wrong that waiting does not mend.

    """
    while True:
        found = wait(lambda: findings(settings, engine), say, stopped, needs)
        stop_at_first(found)
        if stopped() or _made_key(settings, engine):
            break
    for one in found:
        if one.severity is Severity.WARNS:
            say(str(one))


def stop_at_first(found: Iterable[Finding]) -> None:
    """Refuse to start where something is wrong that waiting does not mend.

    Raises:
        CannotStart: says what.

    """
    for one in found:
        if one.severity is Severity.STOPS:
            raise CannotStart(str(one))


def _made_key(settings: Settings, engine: Engine) -> bool:
    """Have the fingerprints' key made by whoever starts first; say whether it is there."""
    try:
        fingerprint_key(engine, settings)
    except SettingsError as error:
        raise CannotStart(str(error)) from None
    except DBAPIError as error:
        if not is_away(error):
            raise
        return False
    return True
