"""Redis, the broker and the workers: whether each answers and why not, and what each worker was started with."""

import base64
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final, cast

import redis
from kombu.connection import Connection

from worker import failures, heartbeat, startup, unreadable
from worker.broker import closed_after, connecting
from worker.failures import VerbFailure, first_line
from worker.finding import Finding
from worker.heartbeat import Worker
from worker.settings import Settings
from worker.stream import KEY, MOST_BYTES, Stream, StreamUnavailable, connect
from worker.task_names import DELIVER, TASKS
from worker.unreadable import UnreadableMessages

CELERYS_OWN: Final = "celery"
"""Where a task lands that is sent without `queue=`: none of our workers reads it."""
SAFE: Final = "noeviction"
UNKNOWN: Final = "no setting says where it is"
ALIKE: Final = 0.75
"""How alike a name must be to one of ours to be taken for a mistyped one."""
ROUNDS: Final = 20
KEYS: Final = 1_000
"""Of Redis' keys so many times so many are looked at for queues of other names."""
LISTS: Final = 100
"""Lists of other names of which one message is looked at."""


@dataclass(frozen=True)
class RedisFacts:
    """What Redis says of itself, of the stream and of the workers; what it does not say is none."""

    redis: str = "out of reach"
    redis_error: str = ""
    redis_found: Sequence[Finding] = ()
    """What is not as it must be."""
    redis_evicts: str | None = None
    """The policy by which it removes keys when it is full; none where it removes nothing."""
    stream_waiting: int | None = None
    stream_waits_for: int | None = None
    """Seconds for which the oldest message waits."""
    other_streams: Mapping[str, int] = field(default_factory=dict)
    """Streams whose name is nearly the intake stream's, which is not read, with their messages."""
    workers: int | None = None
    processes: Sequence[Worker] = ()
    beat: bool | None = None
    failures: Sequence[VerbFailure] = ()
    """Of verbs that have not succeeded since."""
    unreadable: Sequence[UnreadableMessages] = ()
    """By queue, what the broker brought within a day that no worker could read."""


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """Whether the broker answers here, and how many messages lie in which queue."""

    url: str
    reachable: bool = True
    error: str = ""
    messages: Mapping[str, int] = field(default_factory=dict)


def redis_facts(settings: Settings) -> RedisFacts:
    """Ask the Redis of stream and limiter; and the broker's, where that is another, for what stops a start."""
    if not settings.stream_url:
        return RedisFacts(redis_error=UNKNOWN)
    setting = startup.setting_of_redis(settings)
    try:
        with connect(settings.stream_url) as client:
            facts = _redis_facts(client, setting)
    except (*startup.NO_REDIS, StreamUnavailable) as error:
        away = startup.redis_away(error, setting)
        return RedisFacts(redis_error=first_line(error), redis_found=[away])
    return replace(facts, redis_found=[*facts.redis_found, *startup.of_brokers_redis(settings)])


def _redis_facts(client: redis.Redis, setting: str) -> RedisFacts:
    said = startup.read_redis(client)
    persistent = bool(said["aof_enabled"]) if "aof_enabled" in said else None
    policy = str(said.get("maxmemory_policy", SAFE))
    processes = heartbeat.alive(client)
    return RedisFacts(
        redis="persistent" if persistent else "NOT persistent" if persistent is not None else "does not say",
        redis_evicts=None if policy == SAFE else policy,
        redis_found=startup.judge_redis(said, setting),
        stream_waiting=Stream(client).waiting(),
        stream_waits_for=Stream(client).waits_for(),
        other_streams=_other_streams(client),
        workers=len(processes),
        processes=processes,
        beat=heartbeat.ticking(client),
        failures=failures.last(client),
        unreadable=unreadable.lately(client),
    )


def _other_streams(client: redis.Redis) -> dict[str, int]:
    """Count the messages in streams whose name is nearly the intake stream's."""
    return {name: int(client.xlen(name)) for name in _keys(client, "stream") if name != KEY and _is_like(name, [KEY])}


def _keys(client: redis.Redis, kind: str) -> Iterator[str]:
    """Name the keys of one type, as far as that many are looked at."""
    cursor = 0
    for _ in range(ROUNDS):
        cursor, found = cast("tuple[int, list[bytes]]", client.scan(cursor, count=KEYS, _type=kind))
        yield from (name.decode(errors="replace") for name in found)
        if not cursor:
            return


def _is_like(name: str, ours: Collection[str]) -> bool:
    return bool(get_close_matches(name.lower(), ours, 1, ALIKE))


def broker_facts(settings: Settings) -> BrokerFacts:
    """Ask the broker, which takes some seconds where it is silent."""
    url = heartbeat.without_secrets(settings.broker_url)
    if not settings.broker_url:
        return BrokerFacts("", reachable=False, error=UNKNOWN)
    try:
        looked = Connection(settings.broker_url, **connecting(settings))  # type: ignore[no-untyped-call]
        with closed_after(looked) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            messages = {name: _messages(connection, name) for name in (*TASKS, CELERYS_OWN)}
            if settings.broker_url.startswith("redis"):
                client = connection.default_channel.client
                messages |= {CELERYS_OWN: _ours_in(client, CELERYS_OWN), **_other_lists(client)}
            return BrokerFacts(url, messages=messages)
    except Exception as error:  # noqa: BLE001 - transports raise errors of no common class
        return BrokerFacts(url, reachable=False, error=first_line(error))


def _messages(connection: Any, queue: str) -> int:  # noqa: ANN401 - kombu carries no types
    """Count the messages of a queue; none where it is Celery's own, which another program may share, and is read.

    RabbitMQ shows no message without giving it out, so there it is not known whose the others are.
    """
    try:
        # One that names no queue closes its channel on RabbitMQ; this one is opened again by itself.
        declared = connection.default_channel.queue_declare(queue, passive=True)
    except connection.channel_errors:
        return 0  # a queue to which nothing was sent yet is not there
    return 0 if queue not in TASKS and declared.consumer_count else int(declared.message_count)


def _other_lists(client: redis.Redis) -> dict[str, int]:
    """Count the messages in lists of other names: nearly one of ours, or with a task of ours in them.

    RabbitMQ names its queues by its management API alone, so there none of these are found.
    """
    known = {*TASKS, CELERYS_OWN}
    names = (name.partition(PRIORITY)[0] for name in _keys(client, "list"))
    others = islice((name for name in dict.fromkeys(names) if name not in known), LISTS)
    return {name: int(client.llen(name)) for name in others if _is_like(name, known) or _holds_ours(client, name)}


PRIORITY: Final = "\x06\x16"
"""Stands in a list's name between a queue's name and a priority (kombu)."""


def _holds_ours(client: redis.Redis, name: str) -> bool:
    """Say whether the oldest message of a list is for a task of ours."""
    return _is_ours(cast("bytes | None", client.lindex(name, -1)))


def _ours_in(client: redis.Redis, name: str) -> int:
    """Count the messages for tasks of ours among the oldest of a list, which other programs may share."""
    number = size = 0
    for last in range(0, LOOKED_AT, AT_ONCE):
        found = cast("list[bytes]", client.lrange(name, -last - AT_ONCE, -last - 1))
        number += sum(map(_is_ours, found))
        size += sum(map(len, found))
        if len(found) < AT_ONCE or size > MOST_BYTES:
            break
    return number


def _is_ours(message: bytes | None) -> bool:
    """Say whether a message of Redis is for a task of ours, or for one that is named nearly so."""
    try:
        read = json.loads(message or b"{}")
        task = read["headers"].get("task") or json.loads(base64.b64decode(read["body"]))["task"]  # first protocol
        return str(task).startswith(OURS) or _is_like(str(task), TASKS)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


OURS: Final = "attendance."
"""How the names of our tasks begin."""
LOOKED_AT: Final = 1_000
"""Messages of Celery's own queue that are looked at, so many at once; of large ones fewer."""
AT_ONCE: Final = 50


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
