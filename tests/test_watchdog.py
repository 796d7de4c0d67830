"""A process that takes nothing although messages wait ends itself; an idle or a busy one does not."""

import threading
from collections.abc import Callable

import pytest

from tests.support.services import Valkey
from worker import heartbeat
from worker.celery import app
from worker.context import Context
from worker.settings import Settings
from worker.task_names import DELIVER
from worker.watchdog import STATUS, Activity, watch, watch_ticks


@pytest.fixture
def watched(settings: Settings) -> Callable[..., list[int]]:
    """Watch the queue of `deliver`, where `messages` wait, for a second; give the statuses it ended with."""

    def run(messages: int, work: Activity) -> list[int]:
        app.conf.update(broker_url=settings.broker_url)
        for _ in range(messages):
            app.send_task(DELIVER, kwargs={"account": "default"})
        ended: list[int] = []
        thread = threading.Thread(target=watch, args=([DELIVER], work, ended.append, 0.05, 0.3), daemon=True)
        thread.start()
        thread.join(1.5)
        work.changed(1)  # whatever still watches sees a busy process from now on
        return list(ended)

    return run


def test_messages_that_nobody_takes_end_the_process(watched: Callable[..., list[int]]) -> None:
    assert watched(1, Activity()) == [STATUS]


def test_due_work_that_no_wake_up_brought_ends_the_process(watched: Callable[..., list[int]]) -> None:
    class Finding(Activity):
        def take_found(self) -> int:
            return 1

    assert watched(0, Finding()) == [STATUS]


@pytest.fixture
def beat(context: Context, settings: Settings) -> Callable[[], list[int]]:
    """Watch beat for a second; give the statuses it ended with."""

    def run() -> list[int]:
        app.conf.update(broker_url=settings.broker_url)
        ended: list[int] = []
        thread = threading.Thread(target=watch_ticks, args=(context, ended.append, 0.05, 0.3), daemon=True)
        thread.start()
        thread.join(1.5)
        heartbeat.ticked(context)  # whatever still watches sees ticks from now on
        return list(ended)

    return run


def lives(context: Context) -> None:
    context.redis.zadd(heartbeat.WORKERS, {"here:1": context.redis.time()[0]})


def test_beat_whose_ticks_reach_no_worker_ends(context: Context, beat: Callable[[], list[int]]) -> None:
    lives(context)
    assert beat() == [STATUS]


def test_beat_goes_on_while_its_ticks_are_worked_on(context: Context, beat: Callable[[], list[int]]) -> None:
    lives(context)
    heartbeat.ticked(context)
    assert beat() == []


def test_beat_goes_on_while_there_is_no_worker(beat: Callable[[], list[int]]) -> None:
    assert beat() == []


def test_without_messages_it_goes_on(watched: Callable[..., list[int]]) -> None:
    assert watched(0, Activity()) == []


def test_while_a_task_runs_it_goes_on(watched: Callable[..., list[int]]) -> None:
    work = Activity()
    work.changed(1)
    assert watched(1, work) == []


def test_while_the_broker_is_away_it_goes_on(valkey: Valkey, watched: Callable[..., list[int]]) -> None:
    valkey.process.kill()
    valkey.process.wait()
    try:
        assert watched(0, Activity()) == []
    finally:
        valkey.start()
