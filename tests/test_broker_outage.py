"""What brokers do while tasks are in flight: they go, go silent, block, lose hosts. Everything goes on by itself."""

import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import redis
from kombu.connection import Connection
from kombu.entity import Queue
from sqlalchemy import Engine

from tests.support.accounted import enqueue, everything_is_accounted_for, left
from tests.support.proxy import Proxy
from tests.support.rabbitmq import rabbitmqctl
from tests.support.sandbox_server import running_sandbox
from tests.support.services import Valkey
from tests.support.worker_processes import SHORT, Workers, running_workers, told, until
from worker.context import Context
from worker.queries.machinery import CELERYS_OWN, broker_facts, unread
from worker.settings import Settings
from worker.task_names import DELIVER, TASKS

pytestmark = pytest.mark.long
OUTAGE = 15.0


def recovers(workers: Workers, sandbox: object, engine: Engine, handed: int) -> None:
    stream = Context(workers.settings).stream
    until(
        lambda: not stream.waiting() and not left(engine), 60, lambda: f"{left(engine)} batches wait: {workers.logs()}"
    )
    assert all(workers.alive(name) for name in ("delivery", "housekeeping", "beat")), workers.logs()
    everything_is_accounted_for(engine, sandbox, handed)


@pytest.fixture
def broken_valkey(settings: Settings, tmp_path: Path) -> Iterator[tuple[Settings, Valkey]]:
    valkey = Valkey(tmp_path)
    yield told(settings, broker_url=valkey.url, linger=0.2, burst_limit=40, burst_seconds=2.0, **SHORT), valkey
    valkey.stop()


def test_valkey_gone_for_fifteen_seconds(
    broken_valkey: tuple[Settings, Valkey], engine: Engine, tmp_path: Path
) -> None:
    settings, valkey = broken_valkey
    with running_sandbox(burst_limit=100_000, latency=0.3) as sandbox:
        settings = told(settings, hubspot_url=sandbox.url)
        with running_workers(settings, tmp_path) as workers:
            stream, chance = Context(settings).stream, random.Random(1)
            handed = enqueue(stream, chance, 1, 100)
            until(lambda: not stream.waiting(), 30, workers.logs)  # what waited would be lost without persistence
            valkey.kill()
            time.sleep(OUTAGE)
            valkey.start()
            handed += enqueue(stream, chance, 2, 100)
            recovers(workers, sandbox, engine, handed)


def test_a_valkey_that_is_full_when_it_comes_back_ends_no_worker(
    broken_valkey: tuple[Settings, Valkey], engine: Engine, tmp_path: Path
) -> None:
    settings, valkey = broken_valkey
    with running_sandbox(burst_limit=100_000) as sandbox:
        settings = told(settings, hubspot_url=sandbox.url)
        with running_workers(settings, tmp_path) as workers, redis.Redis.from_url(valkey.url) as client:
            valkey.kill()
            valkey.start(maxmemory="1")
            until(lambda: refused_writes(client) > 5, 30, workers.logs)
            time.sleep(5)  # and others
            client.config_set("maxmemory", "0")
            stream = Context(settings).stream
            recovers(workers, sandbox, engine, enqueue(stream, random.Random(2), 1, 20))
            assert "Traceback" not in workers.logs()


def refused_writes(client: redis.Redis) -> int:
    """Count what a Valkey refused since it started because it was full."""
    found = client.info("errorstats").get("errorstat_OOM", {"count": 0})
    return int(found["count"])


class Story:
    """Workers between RabbitMQ and a sandbox, and what was submitted to them."""

    def __init__(self, workers: Workers, sandbox: object, engine: Engine) -> None:
        self.workers, self._sandbox, self._engine = workers, sandbox, engine
        self._stream, self._chance = Context(workers.settings).stream, random.Random(uuid.uuid4().int)
        self._serial = self._submitted = 0

    def submit(self, messages: int = 100) -> None:
        self._serial += 1
        self._submitted += enqueue(self._stream, self._chance, self._serial, messages)

    def begins(self) -> None:
        """Submit, and wait until workers are at it."""
        self.submit()
        until(lambda: left(self._engine) > 0, 30, self.workers.logs)

    def recovers(self) -> None:
        recovers(self.workers, self._sandbox, self._engine, self._submitted)


@pytest.fixture
def story(
    rabbitmq: Proxy, settings: Settings, valkey: Valkey, engine: Engine, tmp_path: Path
) -> Callable[..., AbstractContextManager[Story]]:
    """Begin a story on a virtual host."""

    @contextmanager
    def begun(virtual_host: str = "/", **more: object) -> Iterator[Story]:
        with running_sandbox(burst_limit=100_000, latency=0.3) as sandbox:
            here = told(
                settings,
                broker_url=f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}/{virtual_host}",
                redis_url=valkey.url,
                hubspot_url=sandbox.url,
                linger=0.2,
                burst_limit=40,
                burst_seconds=2.0,
                **SHORT,
                **more,
            )
            with running_workers(here, tmp_path) as workers:
                yield Story(workers, sandbox, engine)

    return begun


def test_rabbitmq_gone_for_fifteen_seconds(
    rabbitmq: Proxy, story: Callable[..., AbstractContextManager[Story]]
) -> None:
    with story() as here:
        here.begins()
        rabbitmq.cut()
        time.sleep(OUTAGE)
        rabbitmq.restore()
        here.submit()
        here.recovers()


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_connections_that_go_silent_and_are_never_closed(
    rabbitmq: Proxy,
    story: Callable[..., AbstractContextManager[Story]],
    virtual_host: Callable[..., str],
    queue_type: str,
) -> None:
    with story(virtual_host(), queue_type=queue_type) as here:
        here.begins()
        rabbitmq.silence()
        here.submit()
        here.recovers()


def test_a_host_that_vanishes_locks_no_workers_name(
    rabbitmq: Proxy, story: Callable[..., AbstractContextManager[Story]]
) -> None:
    with story() as here:
        here.begins()
        rabbitmq.hold()
        here.workers.kill("delivery")
        here.workers.start("delivery")
        here.submit()
        here.recovers()


def test_delivery_goes_on_while_rabbitmq_blocks_publishers(
    story: Callable[..., AbstractContextManager[Story]],
) -> None:
    with story() as here:
        here.begins()
        rabbitmqctl("set_vm_memory_high_watermark", "0")
        try:
            here.submit()
            here.recovers()
        finally:
            rabbitmqctl("set_vm_memory_high_watermark", "0.4")


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_a_virtual_host_whose_queues_are_quorum_queues_by_default(
    story: Callable[..., AbstractContextManager[Story]], virtual_host: Callable[..., str], queue_type: str
) -> None:
    with story(virtual_host("--default-queue-type", "quorum"), queue_type=queue_type) as here:
        here.begins()
        here.recovers()


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_messages_that_are_not_read_are_counted(
    rabbitmq: Proxy, virtual_host: Callable[..., str], settings: Settings, queue_type: str
) -> None:
    here = told(settings, broker_url=f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}/{virtual_host()}")
    assert set(broker_facts(here).messages.values()) == {0}  # no queue is there yet
    with Connection(here.broker_url, transport_options={"confirm_publish": True}) as connection:  # type: ignore[no-untyped-call]
        for name, number in ((DELIVER, 3), (CELERYS_OWN, 2)):
            queue = Queue(name, queue_arguments={"x-queue-type": queue_type})  # type: ignore[no-untyped-call]
            for _ in range(number):
                connection.Producer().publish("x", routing_key=name, declare=[queue])
        until(lambda: sum(broker_facts(here).messages.values()) == 5, 20, lambda: str(broker_facts(here)))
        found = broker_facts(here).messages
        assert {name: number for name, number in found.items() if number} == {DELIVER: 3, CELERYS_OWN: 2}
        assert unread([], found) == dict.fromkeys(TASKS, 0) | {DELIVER: 3, CELERYS_OWN: 2}
        own = Queue(CELERYS_OWN, no_declare=True)  # type: ignore[no-untyped-call]
        with connection.Consumer([own], callbacks=[lambda *_: None], prefetch_count=1):
            assert broker_facts(here).messages[CELERYS_OWN] == 0  # another program, which shares the host, reads it
    assert not broker_facts(told(here, broker_url=f"{here.broker_url}-none")).reachable
