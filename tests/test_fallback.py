"""The broker never decides whether work goes on: workers to which it brings nothing find due work themselves."""

import random
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tasks import fallback as fallbacks
from tasks.fallback import THREADS, Fallback
from tests.support.accounted import enqueue, everything_is_accounted_for, left
from tests.support.fixtures import Submit
from tests.support.ledger import message, outcomes
from tests.support.sandbox_server import running_sandbox
from tests.support.services import Valkey
from tests.support.worker_processes import running_workers, until
from worker.context import Context
from worker.settings import Settings
from worker.task_names import DELIVER, DELIVERY_QUEUES, HOUSEKEEPING_QUEUES, INTAKE, PURGE, SWEEP
from worker.watchdog import Activity


class Ran:
    """The tasks that were run in place of the real ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tasks: list[tuple[str, dict[str, str]]] = []
        verbs = {name: partial(self._run, name) for name in fallbacks.VERBS}
        monkeypatch.setattr(fallbacks, "VERBS", verbs)

    def _run(self, name: str, _: Context, **facts: str) -> None:
        self.tasks.append((name, facts))

    def all(self, number: int) -> list[tuple[str, dict[str, str]]]:
        until(lambda: len(self.tasks) >= number, 10, lambda: f"only {self.tasks}")
        return sorted(self.tasks, key=lambda one: one[0])


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    return Ran(monkeypatch)


def test_a_delivery_worker_finds_the_accounts_that_are_due(context: Context, submit: Submit, ran: Ran) -> None:
    submit(message("ada@example.com"))
    assert Fallback(context, [DELIVERY_QUEUES], Activity()).look() == THREADS
    assert ran.all(THREADS) == [(DELIVER, {"account": "default"})] * THREADS


def test_a_housekeeping_worker_finds_what_waits_in_the_stream_and_leaves_deliveries_to_others(
    context: Context, submit: Submit, ran: Ran
) -> None:
    submit(message("ada@example.com"))
    context.stream.add(b"{}")
    assert Fallback(context, HOUSEKEEPING_QUEUES.split(","), Activity()).look() == 2
    assert ran.all(2) == [(INTAKE, {}), (PURGE, {})]


def test_what_runs_still_is_not_begun_again(context: Context, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(fallbacks, "VERBS", {DELIVER: lambda *_, **__: goes_on.wait(20)})
    submit(message("ada@example.com"))
    fallback = Fallback(context, [DELIVERY_QUEUES], Activity())
    assert [fallback.look(), fallback.look()] == [THREADS, 0]
    goes_on.set()


def test_a_process_that_gets_its_tasks_looks_for_nothing(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallbacks, "EVERY", 0.01)
    looks: list[int] = []
    activity = Activity()
    activity.changed(1)
    fallback = Fallback(context, [SWEEP], activity)
    monkeypatch.setattr(fallback, "look", lambda: looks.append(1))
    fallback.begin()
    time.sleep(0.1)
    assert not looks
    activity.changed(-1)
    activity.last -= fallbacks.QUIET
    until(lambda: bool(looks), 10, "it did not look")
    context.stopping.set()


def test_an_error_while_looking_ends_nothing(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallbacks, "EVERY", 0.01)
    activity = Activity()
    activity.last -= fallbacks.QUIET
    fallback = Fallback(context, [SWEEP], activity)
    looks: list[int] = []

    def fail() -> int:
        looks.append(1)
        raise RuntimeError

    monkeypatch.setattr(fallback, "look", fail)
    fallback.begin()
    until(lambda: len(looks) > 2, 10, "the thread ended")
    context.stopping.set()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Valkey]:
    """A broker apart from the Redis of stream and limiter."""
    server = Valkey(tmp_path)
    yield server
    server.stop()


def test_without_a_broker_and_beat_everything_is_accepted_and_delivered(
    settings: Settings, valkey: Valkey, broker: Valkey, engine: Engine, tmp_path: Path
) -> None:
    with running_sandbox(burst_limit=100_000) as sandbox:
        told = settings.model_copy(
            update={"broker_url": broker.url, "redis_url": valkey.url, "hubspot_url": sandbox.url, "linger": 0.2}
        )
        told.model_fields_set.update({"broker_url", "redis_url", "hubspot_url", "linger"})
        with running_workers(told, tmp_path) as workers:
            broker.kill()
            stream = Context(told).stream
            handed = enqueue(stream, random.Random(7), 1, 20)
            until(
                lambda: not stream.waiting() and not left(engine) and outcomes(engine).get("delivered") == handed,
                90,
                lambda: f"{stream.waiting()} messages and {left(engine)} batches wait: {workers.logs()}",
            )
            everything_is_accounted_for(engine, sandbox, handed)
            broker.start()
        logs = {name: (tmp_path / f"{name}.log").read_text() for name in ("beat", "delivery", "housekeeping")}
        for text in logs.values():
            assert "Traceback" not in text
            assert text.count("out of reach ") <= 1
            assert text.count("Cannot connect") <= 1
        assert "out of reach " in logs["beat"]
