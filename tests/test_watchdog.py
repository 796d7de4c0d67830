"""A process that takes nothing although messages wait ends itself; an idle or a busy one does not."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Protocol

import pytest

import worker.watchdog
from tests.support.services import Valkey
from tests.support.worker_processes import PATIENCE
from worker import heartbeat
from worker.celery import app
from worker.context import Context
from worker.settings import Settings
from worker.task_names import DELIVER
from worker.watchdog import STATUS, Activity, watch, watch_ticks

A_SECOND = 1.5
"""What would end has ended by then, where the machine is not busy; where it is, what goes on is looked at less."""


class Over(Exception):  # noqa: N818 - no error
    """A thread that looks again and again ends."""


Look = Callable[[Callable[[], None], float], None]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """Let something look again and again in a thread, at most so long; then its thread ends."""
    over = threading.Event()

    def sleep(seconds: float) -> None:
        if over.wait(seconds):
            raise Over

    monkeypatch.setattr(worker.watchdog, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))

    def looking(watch: Callable[[], None], seconds: float) -> None:
        def run() -> None:
            with suppress(Over):
                watch()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(seconds)
        over.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()

    return looking


class Watched(Protocol):
    """Watches the queue of `deliver`, where `messages` wait, at most so long; gives the statuses it ended with."""

    def __call__(self, messages: int, work: Activity, seconds: float = A_SECOND) -> list[int]: ...


@pytest.fixture
def watched(settings: Settings, look: Look) -> Watched:
    def run(messages: int, work: Activity, seconds: float = A_SECOND) -> list[int]:
        app.conf.update(broker_url=settings.broker_url)
        for _ in range(messages):
            app.send_task(DELIVER, kwargs={"account": "default"})
        ended: list[int] = []
        look(partial(watch, [DELIVER], work, ended.append, 0.05, 0.3), seconds)
        return ended

    return run


def test_messages_that_nobody_takes_end_the_process(watched: Watched) -> None:
    assert watched(1, Activity(), PATIENCE) == [STATUS]


def test_due_work_that_no_wake_up_brought_ends_the_process(watched: Watched) -> None:
    class Finding(Activity):
        def take_found(self) -> int:
            return 1

    assert watched(0, Finding(), PATIENCE) == [STATUS]


class Beat(Protocol):
    """Watches beat, at most so long; gives the statuses it ended with."""

    def __call__(self, seconds: float = A_SECOND) -> list[int]: ...


@pytest.fixture
def beat(context: Context, settings: Settings, look: Look) -> Beat:
    def run(seconds: float = A_SECOND) -> list[int]:
        app.conf.update(broker_url=settings.broker_url)
        ended: list[int] = []
        look(partial(watch_ticks, context, ended.append, 0.05, 0.3), seconds)
        return ended

    return run


def lives(context: Context) -> None:
    context.redis.zadd(heartbeat.WORKERS, {"here:1": context.redis.time()[0]})


def test_beat_whose_ticks_reach_no_worker_ends(context: Context, beat: Beat) -> None:
    lives(context)
    assert beat(PATIENCE) == [STATUS]


def test_beat_goes_on_while_its_ticks_are_worked_on(context: Context, beat: Beat) -> None:
    lives(context)
    heartbeat.ticked(context)
    assert beat() == []


def test_beat_goes_on_while_there_is_no_worker(beat: Beat) -> None:
    assert beat() == []


def test_without_messages_it_goes_on(watched: Watched) -> None:
    assert watched(0, Activity()) == []


def test_while_a_task_runs_it_goes_on(watched: Watched) -> None:
    work = Activity()
    work.changed(1)
    assert watched(1, work) == []


def test_while_the_broker_is_away_it_goes_on(valkey: Valkey, watched: Watched) -> None:
    valkey.process.kill()
    valkey.process.wait()
    try:
        assert watched(0, Activity()) == []
    finally:
        valkey.start()
