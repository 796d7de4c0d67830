"""A message that arrives wakes who drains the stream at once; a batch wakes who delivers when it is due."""

import json
import threading
import time
from collections.abc import Callable
from unittest.mock import patch

import pytest
import redis

import tasks.deliver
from models.accept_rules import Rules
from models.words import Door
from tasks.deliver import deliver
from tests.support.ledger import let_pass, message
from worker.celery import app
from worker.context import Context
from worker.delivery.permits import DUES, FIRST, await_earlier, wake_due, wake_when_due
from worker.intake.accept import Inbound, accept
from worker.intake.arrivals import PAUSE, wake_intake
from worker.intake.wakes import due_of, wake_delivery
from worker.queue.claim import next_due
from worker.stream import Stream
from worker.task_names import DELIVER, INTAKE
from worker.wake import received

ADA = json.dumps(message("ada@example.com")).encode()
Woken = list[tuple[str, dict[str, str]]]


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> Woken:
    """What was sent to the broker."""
    sent: Woken = []
    monkeypatch.setattr(app, "send_task", lambda task, kwargs: sent.append((task, kwargs)))
    return sent


def awaited(context: Context, then: Callable[[], object]) -> list[bool]:
    """Wait for a message, and do something while that waits; give what the waiting said."""
    told: list[bool] = []
    with redis.Redis.from_url(context.settings.stream_url, socket_timeout=90) as patient:
        thread = threading.Thread(target=lambda: told.append(Stream(patient).await_message(60.0)))
        thread.start()
        time.sleep(0.2)  # it may also find the message at its first look: the answer is the same
        then()
        thread.join(90)
    return told


def test_a_message_ends_the_wait_for_one(context: Context) -> None:
    assert awaited(context, lambda: context.stream.add(ADA)) == [True], "there was no stream"
    assert context.stream.await_message(0.01), "it still waits to be accepted"
    context.stream.done(context.stream.read().entries)
    assert not context.stream.await_message(0.01), "what was accepted is no arrival"
    assert awaited(context, lambda: context.stream.add(ADA)) == [True]


def test_intake_is_woken_when_a_message_comes_and_ever_less_often_while_it_is_not_drained(
    context: Context, woken: Woken
) -> None:
    assert wake_intake(context, PAUSE, longest=0.01) == 0, "nothing came"
    assert woken == []
    context.stream.add(ADA)
    pauses = [PAUSE]
    for _ in range(6):
        pauses.append(wake_intake(context, pauses[-1]))
        received(context, woken[-1][1]["place"])
    assert [task for task, _ in woken] == [INTAKE] * 6
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    context.stream.done(context.stream.read().entries)
    assert wake_intake(context, pauses[-1], longest=0.01) == 0, "it was drained"


def test_an_account_is_woken_when_its_next_batch_is_due(sending: Context, rules: Rules, woken: Woken) -> None:
    account_id = sending.destination("default").account_id
    lingering = Rules(rules.key, rules.batch_size, linger=30)
    with sending.engine.connect() as connection:
        accept(connection, [Inbound(Door.STREAM, "1-1", ADA)], lingering)
    assert deliver(sending, "default") == 0, "it lingers"
    assert 0 < (next_due(sending.engine, account_id) or 0) <= lingering.linger
    assert wake_due(sending) > 0
    assert woken == []

    let_pass(sending.engine, lingering.linger)
    assert sending.redis.zadd(DUES, {"default": 0}, xx=True, ch=True) == 1, "the time was noted; now it has come"
    assert wake_due(sending) == 0
    assert [(task, facts["account"]) for task, facts in woken] == [(DELIVER, "default")], "once"
    assert deliver(sending, "default") == 1
    assert next_due(sending.engine, account_id) is None


def test_a_task_that_has_nothing_to_send_takes_no_permit(sending: Context, rules: Rules) -> None:
    with sending.engine.connect() as connection:
        accept(connection, [Inbound(Door.STREAM, "1-1", ADA)], Rules(rules.key, rules.batch_size, linger=30))
    with patch.object(tasks.deliver, "permit", side_effect=AssertionError("a permit was taken")):
        assert deliver(sending, "default") == 0
    assert sending.redis.zrange(DUES, 0, -1) == [b"default"], "it is woken when its batch is due"


def test_who_waits_for_a_time_is_told_of_an_earlier_one(context: Context) -> None:
    wake_when_due(context, "default", 30)
    assert await_earlier(context, 4.0), "the first of all"
    for account, seconds in (("acme", 40), ("default", 50)):
        wake_when_due(context, account, seconds)
        assert context.redis.llen(FIRST) == 0, "a later one changes nothing"
    wake_when_due(context, "acme", 20)
    assert await_earlier(context, 4.0)
    assert context.redis.zrange(DUES, 0, -1) == [b"acme", b"default"]


def test_what_is_accepted_wakes_delivery_at_once_only_where_a_batch_is_due(
    context: Context, rules: Rules, woken: Woken
) -> None:
    lingering = Context(context.settings.model_copy(update={"linger": 30.0}))
    few = Rules(rules.key, batch_size=2, linger=30)
    for number, addresses in enumerate((["ada@example.com"], ["bob@example.com"]), 1):
        with lingering.engine.connect() as connection:
            raw = json.dumps(message(*addresses)).encode()
            wake_delivery(lingering, due_of(accept(connection, [Inbound(Door.STREAM, f"1-{number}", raw)], few)))
        assert [task for task, _ in woken] == [DELIVER] * (number - 1), "the second one fills the batch"
    assert lingering.redis.zrange(DUES, 0, -1) == [b"default"]
    received(lingering, woken.pop()[1]["place"])
    late = Rules(rules.key, batch_size=9, linger=0)
    for number, address in enumerate(("eve@example.com", "dan@example.com"), 3):
        with lingering.engine.connect() as connection:
            raw = json.dumps(message(address, event="late")).encode()
            wake_delivery(lingering, due_of(accept(connection, [Inbound(Door.STREAM, f"1-{number}", raw)], late)))
        assert [task for task, _ in woken] == [DELIVER], "what it joined is due, and not full"
        received(lingering, woken.pop()[1]["place"])
    lingering.engine.dispose()
    lingering.redis.close()
