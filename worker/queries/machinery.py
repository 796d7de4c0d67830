"""Redis, the broker and the workers: whether each answers and why not, and what each worker was started with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from worker import failures, heartbeat
from worker.celery import DELIVER, TASKS, app
from worker.failures import VerbFailure, first_line
from worker.heartbeat import Worker
from worker.settings import Settings
from worker.stream import Stream, StreamUnavailable, connect

CELERYS_OWN: Final = "celery"
"""Where a task lands that is sent without `queue=`: none of our workers reads it."""
SAFE: Final = "noeviction"
HELLO: Final = "HELLO must be called with the client already authenticated"
"""What Redis says, at length, to a client that gives no password."""
NO_PASSWORD: Final = "it asks for a password, and the URL has none"  # noqa: S105 - a sentence


@dataclass(frozen=True)
class RedisFacts:
    """What Redis says of itself, of the stream and of the workers; what it does not say is none."""

    redis: str = "out of reach"
    redis_error: str = ""
    redis_evicts: str | None = None
    """The policy by which it removes keys when it is full; none where it removes nothing."""
    stream_waiting: int | None = None
    stream_waits_for: int | None = None
    """Seconds for which the oldest message waits."""
    workers: int | None = None
    processes: Sequence[Worker] = ()
    beat: bool | None = None
    failures: Sequence[VerbFailure] = ()
    """Of verbs that have not succeeded since."""


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """Whether the broker answers here, and how many messages lie in which queue."""

    url: str
    reachable: bool = True
    error: str = ""
    messages: Mapping[str, int] = field(default_factory=dict)


def redis_facts(settings: Settings) -> RedisFacts:
    """Ask Redis."""
    try:
        client = connect(settings.stream_url)
        with client:
            return _redis_facts(client)
    except (redis.RedisError, StreamUnavailable, OSError, ValueError) as error:
        line = first_line(error)
        return RedisFacts(redis_error=NO_PASSWORD if line.startswith(HELLO) else line)


def _redis_facts(client: redis.Redis) -> RedisFacts:
    client.ping()
    persistent, evicts = _keeps(client)
    processes = heartbeat.alive(client)
    return RedisFacts(
        redis="persistent" if persistent else "NOT persistent" if persistent is not None else "does not say",
        redis_evicts=evicts,
        stream_waiting=Stream(client).waiting(),
        stream_waits_for=Stream(client).waits_for(),
        workers=len(processes),
        processes=processes,
        beat=heartbeat.ticking(client),
        failures=failures.last(client),
    )


def _keeps(client: redis.Redis) -> tuple[bool | None, str | None]:
    """Say whether Redis keeps what it holds on disk, and by which policy it removes some of it when it is full."""
    try:
        said: Mapping[str, object] = client.info("persistence") | client.info("memory")
    except redis.ResponseError:
        return None, None  # a provider's Redis may not say
    persistent = bool(said["aof_enabled"]) if "aof_enabled" in said else None
    policy = str(said.get("maxmemory_policy", SAFE))
    return persistent, None if policy == SAFE else policy


def broker_facts(settings: Settings) -> BrokerFacts:
    """Ask the broker, which takes some seconds where it is silent."""
    url = heartbeat.without_secrets(settings.broker_url)
    try:
        with app.connection_for_read(settings.broker_url) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            return BrokerFacts(url, messages={name: _messages(connection, name) for name in (*TASKS, CELERYS_OWN)})
    except Exception as error:  # noqa: BLE001 - transports raise errors of no common class
        return BrokerFacts(url, reachable=False, error=first_line(error))


def _messages(connection: Any, queue: str) -> int:  # noqa: ANN401 - kombu carries no types
    channel = connection.channel()  # one that named no queue is closed by that
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return 0  # a queue that nobody sent to yet is not there
    finally:
        channel.close()


def unread(processes: Collection[Worker], messages: Mapping[str, int]) -> dict[str, int]:
    """Give the queues that no worker reads, with their messages: those of ours, and others where messages lie."""
    read = {queue for worker in processes for queue in worker.queues}
    named = dict.fromkeys(TASKS, 0) | dict(messages)
    return {queue: number for queue, number in named.items() if queue not in read and (number or queue in TASKS)}


def deliver_to(processes: Collection[Worker]) -> dict[str, list[str]]:
    """Give the URLs that workers deliver to, each with the workers that do."""
    found: dict[str, list[str]] = {}
    for worker in processes:
        if DELIVER in worker.queues and worker.hubspot_url:
            found.setdefault(worker.hubspot_url, []).append(worker.name)
    return found
