"""What Redis holds of a person beside the database: messages that wait, and Valkey's file of what was there before.

Nothing of it is changed by force: what waits is accepted first, and then erased. Only the append-only file of `turnout
up`'s own Valkey is written anew; another Redis is its owner's.
"""

import base64
import binascii
import time
from collections.abc import Iterator
from typing import Any, Final, cast

import redis

from models.counted import counted
from models.erasure import Person
from models.message import loads
from worker.context import Context
from worker.data_dir import valkey_home
from worker.log import get_logger
from worker.stream import connect
from worker.task_names import TASKS

log = get_logger(__name__)

REWRITING: Final = 30.0
"""Seconds for which the append-only file is waited for."""
PAGE: Final = 50


def waiting(process: Context, person: Person) -> list[str]:
    """Say which messages of theirs wait to be accepted: in the stream, and in Celery's queues if Redis has them."""
    try:
        number = sum(person.left_of(raw) != raw for raw in process.stream.messages())
        said = [f"waiting in the stream to be accepted: {counted(number, 'message')} of theirs"] if number else []
        return said + _in_queues(process, person)
    except redis.RedisError:
        return ["Redis is out of reach: whether a message of theirs waits there is not known"]


def _in_queues(process: Context, person: Person) -> list[str]:
    url = process.settings.broker_url
    if not url.startswith("redis"):
        return []
    with connect(url) as client:
        waits = {queue: sum(map(person.is_said_in, _bodies(client, queue))) for queue in TASKS}
    return [
        f"waiting in the queue {queue}: {counted(number, 'message')} of theirs"
        for queue, number in waits.items()
        if number
    ]


def _bodies(client: redis.Redis, queue: str) -> Iterator[bytes]:
    """Give what each message of a queue holds; of one that is none of Celery's all of it."""
    start = 0
    while items := cast("list[bytes]", client.lrange(queue, start, start + PAGE - 1)):
        for item in items:
            yield item + b"\n" + _decoded(item)
        start += PAGE


def _decoded(item: bytes) -> bytes:
    try:
        envelope: Any = loads(item)
        return base64.b64decode(envelope["body"])
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        return b""


def forget(process: Context) -> list[str]:
    """Have our own Valkey write its append-only file anew, without what is gone; say so where that failed."""
    client = process.redis
    try:
        if client.config_get("dir").get("dir") != str(valkey_home(process.settings.data_dir)):
            return []
    except redis.RedisError:
        return []  # it is another's, who does not tell
    until = time.monotonic() + REWRITING
    try:
        _rewritten(client, until)  # one that is under way may have begun before
        client.bgrewriteaof()
        if _rewritten(client, until):
            return []
    except redis.RedisError as error:
        log.warning("append-only file not rewritten", error=type(error).__name__)
    return ["Valkey's append-only file could not be written anew: it may still name them"]


def _rewritten(client: redis.Redis, until: float) -> bool:
    """Wait for the end of what is under way, until then at most, and say whether it went well."""
    while (now := client.info("persistence"))["aof_rewrite_in_progress"] or now["aof_rewrite_scheduled"]:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return bool(now["aof_last_bgrewrite_status"] == "ok")
