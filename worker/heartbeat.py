"""Signs of life: each worker process notes in Redis every two seconds that it is there, beat's ticks that they run."""

import os
import socket
import threading
import time
from typing import Final, cast

import redis

from worker.context import Context, current
from worker.log import get_logger

log = get_logger(__name__)

WORKERS: Final = "turnout:alive:workers"
TICK: Final = "turnout:alive:tick"
EVERY: Final = 2.0
"""Seconds between two signs of life."""
GONE: Final = 10.0
"""Seconds without one after which a process is taken for gone."""


def begin() -> None:
    """Begin to give signs of life, as long as this process runs."""
    threading.Thread(target=_beat, name="alive", daemon=True).start()


def _beat() -> None:
    name = f"{socket.gethostname()}:{os.getpid()}"
    process = current()
    while not process.stopping.is_set():
        try:
            seconds, _ = process.redis.time()
            process.redis.zadd(WORKERS, {name: seconds})
            process.redis.zremrangebyscore(WORKERS, "-inf", seconds - 60 * GONE)
        except redis.RedisError as error:
            log.debug("heartbeat not written", error=type(error).__name__)
        process.stopping.wait(EVERY)


def ticked(process: Context) -> None:
    """Note that a tick of beat was worked on."""
    try:
        process.redis.set(TICK, int(time.time()), px=int(GONE * 1000))
    except redis.RedisError as error:
        log.debug("tick not noted", error=type(error).__name__)


def workers(client: redis.Redis) -> int:
    """Count the worker processes that gave a sign of life lately."""
    seconds, _ = client.time()
    return int(client.zcount(WORKERS, seconds - GONE, "+inf"))


def is_here(client: redis.Redis) -> bool:
    """Say whether a worker process of this host gave a sign of life lately: its container's health check."""
    seconds, _ = client.time()
    names = cast("list[bytes]", client.zrangebyscore(WORKERS, seconds - GONE, "+inf"))
    return any(name.startswith(f"{socket.gethostname()}:".encode()) for name in names)


def ticking(client: redis.Redis) -> bool:
    """Say whether beat's ticks run."""
    return bool(client.exists(TICK))
