"""What a process looks at when it starts: what stops it, what it waits for, and what it only warns of.

`findings` is the list for whoever shows it (`turnout status`, `turnout doctor`); `start` acts on it.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, Final

import redis
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from worker.database import is_away, reason
from worker.encryption import check_key, fingerprint_key
from worker.finding import Finding, Level
from worker.log import LoggableError, get_logger
from worker.schema import needed, read_schema
from worker.setting_sources import SettingsError
from worker.settings import Settings
from worker.stream import connect

log = get_logger(__name__)

PAUSE: Final = 1.0
"""Seconds between two looks at what is waited for."""
SCHEMA: Final = "schema"
KEY: Final = "secret key"
"""What findings are about, beside services."""
OLDEST: Final = 140_000
"""The oldest PostgreSQL that works, as `server_version_num`."""


class Service(StrEnum):
    """What a process can need."""

    POSTGRESQL = "PostgreSQL"
    REDIS = "Redis"


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


def of_tables(engine: Engine) -> list[Finding]:
    """Look whether PostgreSQL answers, takes writes, and has a schema that this release can work on."""
    return _look(engine, _of_server, _of_schema)


def _look(engine: Engine, *looks: Callable[[Connection], list[Finding]]) -> list[Finding]:
    """Look at one after the other, until something is found that stops a start."""
    found: list[Finding] = []
    try:
        with engine.connect() as connection:
            for look in looks:
                found += look(connection)
                if any(one.stops for one in found):
                    break
    except DBAPIError as error:
        if not is_away(error):
            what = f"PostgreSQL refuses ({reason(error)})"
            todo = "see TURNOUT_DATABASE_URL and its role"
            return [*found, Finding(Level.ATTENTION, Service.POSTGRESQL, what, todo, may_pass=True)]
        return [*found, _away(Service.POSTGRESQL, reason(error), "TURNOUT_DATABASE_URL", ACCEPTED)]
    return found


_SERVER: Final = text("""
SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS name,
       pg_is_in_recovery() AS standby, current_setting('transaction_read_only')::bool AS read_only""")


def _of_server(connection: Connection) -> list[Finding]:
    server = connection.execute(_SERVER).one()
    if server.version < OLDEST:
        what = f"PostgreSQL is {server.name}, which is too old"
        return [Finding(Level.ATTENTION, Service.POSTGRESQL, what, "use PostgreSQL 14 or newer")]
    if server.standby or server.read_only:
        why = "it is a standby" if server.standby else "default_transaction_read_only is on"
        todo = "TURNOUT_DATABASE_URL must lead to the primary" if server.standby else "turn it off when it is writable"
        what = f"PostgreSQL takes no writes ({why})"
        return [Finding(Level.ATTENTION, Service.POSTGRESQL, what, todo, may_pass=True)]
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
    return [Finding(Level.ATTENTION, SCHEMA, what, todo)]


def _of_key(settings: Settings, connection: Connection) -> list[Finding]:
    try:
        check_key(connection, settings)
    except SettingsError as error:
        what, _, todo = str(error).partition(": ")
        return [Finding(Level.ATTENTION, KEY, what, todo)]
    return []


def of_redis(settings: Settings) -> list[Finding]:
    """Look at the Redis of stream and limiter, and at the broker's where that is another."""
    return [*_of_redis(settings.stream_url, setting_of_redis(settings)), *of_brokers_redis(settings)]


def of_brokers_redis(settings: Settings) -> list[Finding]:
    """Look at the broker where it is a Redis of its own: only what stops a start; whether it answers Celery knows."""
    broker = settings.broker_url
    if not broker.startswith("redis") or broker == settings.stream_url:
        return []
    return [one for one in _of_redis(broker, "TURNOUT_BROKER_URL") if one.stops]


def setting_of_redis(settings: Settings) -> str:
    """Name the setting that says where stream and limiter are."""
    return "TURNOUT_REDIS_URL" if settings.redis_url else "TURNOUT_BROKER_URL"


def _of_redis(url: str, setting: str) -> list[Finding]:
    try:
        with connect(url) as client:
            return judge_redis(read_redis(client), setting)
    except NO_REDIS as error:
        return [redis_away(error, setting)]


NO_REDIS: Final = (redis.RedisError, ValueError, OSError)
"""What comes of a Redis that does not answer, or of a URL that redis-py does not take."""


def read_redis(client: redis.Redis) -> Mapping[str, Any]:
    """Ask Redis for what it says of itself; nothing where it may not say, as a provider's.

    Raises:
        redis.RedisError: where it does not answer.

    """
    client.ping()
    try:
        return client.info()
    except redis.ResponseError:
        return {}


def judge_redis(facts: Mapping[str, Any], setting: str) -> list[Finding]:
    """Say what is not as it must be of what a Redis says of itself; `setting` says where it is."""
    found = []
    if facts.get("cluster_enabled") or facts.get("redis_mode") == "cluster":
        todo = f"set {setting} to a single Redis, with replicas or without"
        what = "Redis is a cluster, over which no stream and lock is shared"
        found.append(Finding(Level.ATTENTION, Service.REDIS, what, todo))
    policy = str(facts.get("maxmemory_policy", ""))
    if policy.startswith("allkeys"):
        what = f"Redis evicts what never expires (maxmemory-policy {policy}), the stream too"
        found.append(Finding(Level.ATTENTION, Service.REDIS, what, "set maxmemory-policy to noeviction"))
    elif policy not in {"", "noeviction"}:
        what = f"Redis evicts what expires (maxmemory-policy {policy}), what it knows of the rate limit too"
        found.append(Finding(Level.WARNING, Service.REDIS, what, "set maxmemory-policy to noeviction"))
    if facts.get("loading"):
        found.append(Finding(Level.OUT_OF_REACH, Service.REDIS, "Redis loads its data", "it answers when that is done"))
    elif facts.get("role") == "slave":
        what, todo = "Redis takes no writes (it is a replica)", f"{setting} must lead to the primary"
        found.append(Finding(Level.ATTENTION, Service.REDIS, what, todo, may_pass=True))
    if facts.get("aof_enabled") == 0:
        what = "Redis is not persistent, so what waits in the stream would be lost with it"
        found.append(Finding(Level.WARNING, Service.REDIS, what, "set appendonly to yes"))
    return found


def redis_away(error: BaseException, setting: str) -> Finding:
    """Say that a Redis does not answer, and why."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    why = NO_PASSWORD if said.startswith(HELLO) else said
    return _away(
        Service.REDIS, why, setting, "Nothing comes in by the stream and nothing is delivered until it is back"
    )


HELLO: Final = "HELLO must be called with the client already authenticated"
"""What Redis says, at length, to a client that gives no password."""
NO_PASSWORD: Final = "it asks for a password, and the URL has none"  # noqa: S105 - a sentence
ACCEPTED: Final = "Nothing is accepted or delivered until it is back"


def _away(service: Service, why: str, setting: str, meanwhile: str) -> Finding:
    todo = f"is it running, and {setting} right? {meanwhile}"
    return Finding(Level.OUT_OF_REACH, service, f"{service} is out of reach ({why})", todo)


def wait(
    look: Callable[[], list[Finding]],
    say: Callable[[str], None],
    stopped: Callable[[], bool],
    needs: Collection[Service] = tuple(Service),
) -> list[Finding]:
    """Look until nothing that is needed is waited for, a line per change; give what was found then."""
    told: dict[str, str] = {}
    while True:
        found = look()
        away = {one.about: one for one in found if one.waits}
        for service, one in away.items():
            if told.get(service) != one.text:
                say(f"{one}; waiting" if service in needs else str(one))
        for service in told.keys() - away.keys():
            say(f"{service} answers")
        told = {service: one.text for service, one in away.items()}
        if stopped() or not set(away) & set(needs) or any(one.stops for one in found):
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
        if one.level is Level.WARNING:
            say(str(one))


def stop_at_first(found: Iterable[Finding]) -> None:
    """Refuse to start where something is wrong that waiting does not mend.

    Raises:
        CannotStart: says what.

    """
    for one in found:
        if one.stops:
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
