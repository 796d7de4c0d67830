"""Heartbeats of worker processes, kept in Redis every two seconds with what each was started with; and beat's ticks.

What a command or page reads in its own settings may differ from what the workers work with: theirs decides.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Final, cast
from urllib.parse import urlsplit

import redis

from worker.context import Context, current
from worker.log import get_logger
from worker.settings import Settings
from worker.version import version

log = get_logger(__name__)

WORKERS: Final = "turnout:alive:workers"
FACTS: Final = "turnout:alive:facts:"
"""Followed by a process's name."""
TICK: Final = "turnout:alive:tick"
SWEPT: Final = "turnout:swept:last"
FORGOTTEN_MS: Final = 7 * 86_400_000
"""After so long without a sweep it is not known when the last one was."""
EVERY: Final = 2.0
"""Seconds between two heartbeats."""
GONE: Final = 10.0
"""Seconds without one after which a process is taken for gone."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process, and what it was started with; never a secret."""

    name: str
    host: str
    version: str = "?"
    queues: Sequence[str] = ()
    hubspot_url: str = ""
    hubspot_version: str = ""
    broker: str = ""
    finds_work_itself: bool = False
    """The broker brings it nothing, although work is due."""


def begin(queues: Sequence[str], finds_work_itself: Callable[[], bool]) -> None:
    """Begin to give heartbeats, as long as this process runs, also while its broker is away."""
    process = current()
    threading.Thread(target=_beat, args=(process, queues, finds_work_itself), name="alive", daemon=True).start()


def _beat(process: Context, queues: Sequence[str], finds_work_itself: Callable[[], bool]) -> None:
    while not process.stopping.is_set():
        try:
            note(process, started_with(process.settings, queues, finds_work_itself=finds_work_itself()))
        except redis.RedisError as error:
            process.redis_outage.failed(error)
        else:
            process.redis_outage.answered()
        process.stopping.wait(EVERY)


def started_with(settings: Settings, queues: Sequence[str], *, finds_work_itself: bool = False) -> Worker:
    """Say what this process was started with."""
    host = socket.gethostname()
    return Worker(
        name=f"{host}:{os.getpid()}",
        host=host,
        version=version(),
        queues=sorted(queues),
        hubspot_url=without_secrets(settings.hubspot_url),
        hubspot_version=settings.hubspot_version,
        broker=without_secrets(settings.broker_url),
        finds_work_itself=finds_work_itself,
    )


def note(process: Context, worker: Worker) -> None:
    """Note that a process is there.

    Raises:
        redis.RedisError: where Redis is out of reach.

    """
    seconds, _ = process.redis.time()
    with process.redis.pipeline() as pipeline:
        pipeline.set(f"{FACTS}{worker.name}", json.dumps(asdict(worker)), px=int(60 * GONE * 1000))
        pipeline.zadd(WORKERS, {worker.name: seconds})
        pipeline.zremrangebyscore(WORKERS, "-inf", seconds - 60 * GONE)
        pipeline.execute()


def without_secrets(url: str) -> str:
    """Give scheme, host, port and path of a URL, or of several: nothing else of it is shown."""
    return ";".join(_shown(each.strip()) for each in url.split(";"))


def _shown(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "?"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    is_plain = "://" in url and "@" not in parts.path  # else a part of a password may be taken for something else
    return f"{parts.scheme}://{host}{port}{parts.path}" if is_plain else "?"


def ticked(process: Context) -> None:
    """Note that a tick of beat was worked on."""
    try:
        process.redis.set(TICK, int(time.time()), px=int(GONE * 1000))
    except redis.RedisError as error:
        log.debug("tick not noted", error=type(error).__name__)


def swept(process: Context) -> None:
    """Note that a sweep ended; Redis counts the time since."""
    try:
        process.redis.set(SWEPT, 1, px=FORGOTTEN_MS)
    except redis.RedisError as error:
        log.debug("sweep not noted", error=type(error).__name__)


def sweep_lag(client: redis.Redis) -> float | None:
    """Give the seconds since the last sweep ended; None where that is not known."""
    left = client.pttl(SWEPT)
    return (FORGOTTEN_MS - left) / 1000 if left > 0 else None


def workers(client: redis.Redis) -> int:
    """Count the worker processes that gave a heartbeat lately."""
    return len(_names(client))


def alive(client: redis.Redis) -> list[Worker]:
    """List the worker processes that gave a heartbeat lately, with what each was started with."""
    names = _names(client)
    kept = cast("list[bytes | None]", client.mget([f"{FACTS}{name}" for name in names])) if names else []
    return [_read(name, facts) for name, facts in zip(names, kept, strict=True)]


def _read(name: str, facts: bytes | None) -> Worker:
    """Read what a process says of itself; one of another release may say more, or nothing."""
    known = {one.name for one in fields(Worker)}
    said = {key: value for key, value in json.loads(facts or b"{}").items() if key in known}
    return Worker(**{"name": name, "host": name.rpartition(":")[0], **said})


def _names(client: redis.Redis) -> list[str]:
    seconds, _ = client.time()
    return [name.decode() for name in cast("list[bytes]", client.zrangebyscore(WORKERS, seconds - GONE, "+inf"))]


def is_here(client: redis.Redis) -> bool:
    """Say whether a worker process of this host gave a heartbeat lately: its container's health check."""
    return any(name.startswith(f"{socket.gethostname()}:") for name in _names(client))


def ticking(client: redis.Redis) -> bool:
    """Say whether beat's ticks run."""
    return bool(client.exists(TICK))
