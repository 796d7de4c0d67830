"""Wake-ups: nothing that a broker does raises here, keeps a place or fills the log."""

import logging
import time

import amqp
import pytest

from worker.celery import app
from worker.context import Context
from worker.outage import CALM, Outage
from worker.task_names import DELIVER
from worker.wake import received, wake

ERRORS = [
    amqp.exceptions.NotAllowed("vhost is gone"),
    amqp.exceptions.AccessRefused("no"),
    amqp.exceptions.ResourceLocked("locked"),
    TimeoutError("a confirmation did not come"),
    ConnectionResetError(),
    RuntimeError("whatever"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_wake_up_that_fails_raises_nothing_and_leaves_its_place(
    context: Context, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(app, "send_task", fail)
    assert wake(context, DELIVER, account="default") == 0
    assert not context.redis.keys("turnout:wake:*")


def test_no_more_wake_ups_are_outstanding_than_their_places(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda _, kwargs: sent.append(kwargs["place"]))
    assert [wake(context, DELIVER, places=2, account="default") for _ in range(3)] == [2, 0, 0]
    received(context, sent[0])
    assert wake(context, DELIVER, places=2, account="default") == 1
    assert wake(context, DELIVER, places=2, account="acme") == 2


def test_a_broker_that_is_away_is_tried_by_one_now_and_then(
    context: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    def fail(*_: object, **__: object) -> None:
        tries.append(1)
        raise ConnectionResetError

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(app, "send_task", fail)
    for _ in range(20):
        wake(context, DELIVER, places=8, account="default")
    assert len(tries) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]

    sent = []
    monkeypatch.setattr(app, "send_task", lambda *_, **__: sent.append(1))
    monkeypatch.setattr(context.broker, "_failed_at", -CALM)
    assert wake(context, DELIVER, places=8, account="default") == len(sent) == 8
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_while_a_service_is_away_one_caller_in_a_while_may_try(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    outage = Outage("it", "so")
    assert outage.may_try()
    assert outage.may_try()
    outage.failed(OSError())
    assert not outage.may_try()
    now[0] += CALM
    assert [outage.may_try(), outage.may_try()] == [True, False]
    outage.answered()
    assert outage.may_try()
