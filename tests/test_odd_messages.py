"""The broker: no message that cannot be read ends a worker, comes again, or is logged with what it holds."""

import json
import re
from collections.abc import Callable, Set as AbstractSet
from pathlib import Path
from typing import Final

import pytest
import redis
from kombu.connection import Connection
from kombu.entity import Exchange, Queue

from tests.support.contexts import open_context
from tests.support.odd_messages import NAME, PUBLISHED, PUSHED, item
from tests.support.proxy import Proxy
from tests.support.services import Valkey
from tests.support.worker_processes import Workers, until
from worker import heartbeat, unreadable
from worker.celery import configuration
from worker.finding import Level
from worker.queries.attention import findings
from worker.queries.status import read_status
from worker.settings import Settings
from worker.task_names import ACCEPT, DELIVER, SWEEP, TASKS

NAMES: Final = ("quillfeather", "zora")


def started(settings: Settings, home: Path) -> Workers:
    workers = Workers(in_json(settings), home)
    workers.start("delivery", "housekeeping")
    logs = [home / f"{name}.log" for name in ("delivery", "housekeeping")]
    until(lambda: all('"worker ready"' in log.read_text() for log in logs), 60, workers.logs)  # its queues are there
    return workers


def in_json(settings: Settings) -> Settings:
    changed = settings.model_copy(update={"log_format": "json"})
    changed.model_fields_set.add("log_format")
    return changed


KEPT_OF_PUSHED: Final = frozenset(
    {
        *("no headers", "no content type", "a body that is half a letter", "a body that is cut"),
        *("a body that is text", "a body that is an object of JSON", "a body of two parts", "a body nested too deep"),
        *("an unknown content type", "a delivery tag that is a list", "arguments that are no list", "a pickle", "yaml"),
        *("keywords that are a list", "an unknown encoding"),
    }
)
KEPT_OF_PUBLISHED: Final = frozenset(
    {
        *("no headers, no type", "an object", "text", "a number", "an object as the body of a task", "two parts"),
        *("text as the body of a task", "null as the body of a task", "bytes that are no text", "nested too deep"),
        *("arguments that are no list", "keywords that are a list", "an unknown encoding", "an unknown type"),
        *("no type", "cut", "a pickle", "yaml", "a first protocol without a task", "huge"),
        "a first protocol with odd arguments",
    }
)
"""Those that hold something which can be read, and so become messages that are not accepted."""


def lives_on(
    settings: Settings,
    workers: Workers,
    home: Path,
    put: Callable[[str, str], None],
    lost: AbstractSet[str],
    kept: AbstractSet[str],
) -> None:
    """Put one of each kind into every queue; then each worker still works, and what is not kept was counted."""
    log = {name: home / f"{name}.log" for name in ("delivery", "housekeeping")}
    with redis.Redis.from_url(settings.stream_url) as client:
        dropped = dict.fromkeys(TASKS, 0)
        for queue in TASKS:
            for kind in sorted(lost | kept):
                put(queue, kind)

        def all_are_dropped() -> bool:
            nonlocal dropped
            dropped = {one.queue: one.number for one in unreadable.lately(client)}
            return sum(dropped.values()) == len(TASKS) * len(lost)

        until(all_are_dropped, 60, lambda: f"{dropped}; {workers.logs()}")
        assert dropped == dict.fromkeys(TASKS, len(lost))
        client.delete(heartbeat.TICK)
        send(settings, SWEEP)
        until(lambda: heartbeat.ticking(client), 30, workers.logs)  # the sweep behind them all is worked on
    assert workers.alive("delivery")
    assert workers.alive("housekeeping")
    written = "".join(path.read_text() for path in log.values())
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line for line in lines if line["event"] == "message not readable"]
    assert [line for line in lines if line["event"].startswith(("worker ready", "consumer:"))] == [
        line for line in lines if line["event"] == "worker ready"
    ], "no connection was taken for lost"
    assert len([line for line in lines if line["event"] == "worker ready"]) == 2
    assert not [name for name in NAMES if name in written.lower()]


def send(settings: Settings, task: str) -> None:
    from worker.celery import app

    with Connection(settings.broker_url) as connection:  # type: ignore[no-untyped-call]
        app.send_task(task, connection=connection)


@pytest.mark.usefixtures("engine")
@pytest.mark.timeout(400)
def test_no_item_of_redis_ends_a_worker(settings: Settings, tmp_path: Path) -> None:
    workers = started(settings, tmp_path)
    try:
        with redis.Redis.from_url(settings.broker_url) as client:
            put = lambda queue, kind: client.lpush(queue, PUSHED[kind])  # noqa: E731
            lives_on(settings, workers, tmp_path, put, PUSHED.keys() - KEPT_OF_PUSHED, KEPT_OF_PUSHED)
            assert [client.llen(queue) for queue in TASKS] == [0] * len(TASKS)
    finally:
        workers.stop()


@pytest.mark.parametrize("channels", [1, 2])
def test_an_item_that_comes_while_a_worker_stops_goes_back_to_its_queue(settings: Settings, channels: int) -> None:
    """The request for it was under way when the worker ceased to consume."""
    transport = configuration(settings)["broker_transport"]
    call = item(properties={**item()["properties"], "delivery_info": {"exchange": "turnout", "routing_key": ACCEPT}})
    with (
        redis.Redis.from_url(settings.broker_url) as client,
        Connection(settings.broker_url, transport=transport) as connection,  # type: ignore[no-untyped-call]
    ):
        others = [connection.channel() for _ in range(channels - 1)]
        queue = Queue(ACCEPT, Exchange("turnout"), routing_key=ACCEPT)  # type: ignore[no-untyped-call]
        consumer = connection.Consumer([queue], callbacks=[lambda *_: pytest.fail("it was taken")])
        consumer.consume()
        channel = consumer.channel
        channel.connection.cycle._register_BRPOP(channel)  # noqa: SLF001 - as a worker's loop asks for the next item
        consumer.cancel()
        client.lpush(ACCEPT, json.dumps(call))
        channel.close()
        assert [json.loads(each)["body"] for each in client.lrange(ACCEPT, 0, -1)] == [call["body"]]
        assert unreadable.lately(client) == []
        for each in others:
            each.close()


@pytest.mark.usefixtures("engine")
@pytest.mark.timeout(400)
def test_no_message_of_rabbitmq_ends_a_worker(
    settings: Settings, valkey: Valkey, rabbitmq: Proxy, virtual_host: Callable[..., str], tmp_path: Path
) -> None:
    url = f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}/{virtual_host()}"
    settings = settings.model_copy(update={"broker_url": url, "redis_url": valkey.url})
    settings.model_fields_set.update({"broker_url", "redis_url"})
    workers = started(settings, tmp_path)
    try:
        with Connection(url) as connection:  # type: ignore[no-untyped-call]
            producer = connection.Producer()

            def put(queue: str, kind: str) -> None:
                body, headers, how = PUBLISHED[kind]
                producer.publish(body, exchange="turnout", routing_key=queue, headers=headers, **how)

            lives_on(settings, workers, tmp_path, put, PUBLISHED.keys() - KEPT_OF_PUBLISHED, KEPT_OF_PUBLISHED)
            channel = connection.channel()
            for queue in TASKS:
                assert channel.queue_declare(queue, passive=True).message_count == 0
    finally:
        workers.stop()


def test_status_says_what_was_dropped(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_context(settings) as context:
        monkeypatch.setattr(unreadable, "current", lambda: context)
        unreadable.note(DELIVER, "it is not JSON")
        unreadable.note(DELIVER, "it is not JSON")
        said = next(one for one in findings(read_status(context.engine, settings)) if "could not be read" in one.text)
    assert said.level is Level.WARNING
    told = rf"2 messages in the queue {DELIVER} could not be read and so dropped; the last \d+ s ago"
    assert re.match(told, said.text)
    assert NAME not in said.text
