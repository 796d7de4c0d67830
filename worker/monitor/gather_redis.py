"""What beat reads from Redis for a scrape: the stream, the heartbeats, the limits in use, and the last audit."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import redis

from hubspot_api.limiter import Limiter, Limits, day_of
from worker import failures, heartbeat
from worker.accounts.registry import ListedAccount
from worker.context import Context
from worker.metrics import definitions as metrics
from worker.monitor.samples import Sample
from worker.queries import last_audit
from worker.task_names import TASKS

HOUR: float = 3600.0


def gather(process: Context) -> list[Sample]:
    """Read what Redis knows beside the accounts.

    Raises:
        redis.RedisError, StreamUnavailable: where it does not answer.

    """
    client = process.redis
    samples = [
        Sample(metrics.STREAM, process.stream.waiting()),
        Sample(metrics.STREAM_AGE, process.stream.waits_for() or 0),
        *_heartbeats(client),
        *_of_itself(client),
    ]
    failing = Counter(one.verb for one in failures.last(client))
    samples += [Sample(metrics.VERBS_FAILING, failing[verb.value], (verb.value,)) for verb in failures.Verb]
    audited = last_audit.recall(client)
    if audited is not None:
        samples += [
            Sample(metrics.BOOKS, float(audited.balanced)),
            Sample(metrics.BOOKS_CHECKED, audited.at),
        ]
    return samples


def _heartbeats(client: redis.Redis) -> Iterator[Sample]:
    alive = heartbeat.alive(client)
    readers = Counter(queue for worker in alive for queue in worker.queues)
    yield Sample(metrics.WORKERS, len(alive))
    yield from (Sample(metrics.QUEUE_WORKERS, readers[queue], (queue,)) for queue in TASKS)
    yield Sample(metrics.BEAT, float(heartbeat.ticking(client)))
    lag = heartbeat.sweep_lag(client)
    if lag is not None:
        yield Sample(metrics.SWEEP_LAG, lag)


def _of_itself(client: redis.Redis) -> Iterator[Sample]:
    try:
        said: Mapping[str, Any] = client.info()
    except redis.ResponseError:
        return  # a provider's, which may not say
    if "used_memory" in said:
        yield Sample(metrics.REDIS_MEMORY, said["used_memory"])
    if said.get("maxmemory"):
        yield Sample(metrics.REDIS_MEMORY_LIMIT, said["maxmemory"])
    writes = [said.get(name, "ok") for name in ("aof_last_write_status", "rdb_last_bgsave_status")]
    yield Sample(metrics.REDIS_PERSISTS, float(all(one == "ok" for one in writes)))


def of_limits(process: Context, accounts: list[tuple[ListedAccount, float]]) -> Iterator[Sample]:
    """Say what is used of each account's limits now, and of the day's at its end if it goes on as in the last hour.

    With each account comes how many calls it made in that hour.

    Raises:
        redis.RedisError: where Redis does not answer.

    """
    seconds, _ = process.limiter_redis.time()
    for one, an_hour in accounts:
        limits = Limits(one.burst_limit, one.burst_seconds, time_zone=one.time_zone)
        window, today = Limiter(process.limiter_redis, one.name, limits, 0.0).used()
        left = day_of(seconds * 1000, one.time_zone).ends / 1000 - seconds
        labels = (one.name,)
        yield Sample(metrics.BURST, window, labels)
        yield Sample(metrics.DAILY, today, labels)
        yield Sample(metrics.DAILY_FORECAST, today + an_hour * left / HOUR, labels)
