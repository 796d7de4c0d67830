"""The Celery way in: a call that is wrong in whatever way ends as not accepted, with the reason and what it held."""

import base64
import json
import time
import uuid
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest
from celery.worker.request import Request
from kombu.message import Message

import tasks.accept
import tasks.refuse
from models.words import Door
from tasks.accept import accept as accept_task
from tasks.refuse import refuse as refuse_task
from tests.support.ledger import Ledger
from tests.support.worker_processes import Workers, until
from tests.support.wrong_calls import BODIES, CALLS, RIGHT, RIGHT_BODIES, fields, send_all
from worker import unreadable
from worker.celery import app
from worker.consumer import drop_charset, fault_of, refused
from worker.context import Context
from worker.queries.attention import findings
from worker.queries.reconciliation import audit
from worker.queries.refusals import Refusal, RefusalFilter, waiting
from worker.queries.status import read_status
from worker.setting_sources import SettingsError
from worker.settings import Settings
from worker.task_names import ACCEPT

EVERY: Final = len(CALLS) + len(BODIES) + 1
"""With the call whose limit of time is a text."""


def kept(context: Context) -> list[Refusal]:
    return list(waiting(context.engine, RefusalFilter()))


def said(refusal: Refusal) -> str:
    return "; ".join(f"{one['where']}: {one['what']}; {one['right']}" for one in refusal.reasons)


def test_a_worker_keeps_every_call_that_is_not_accepted_with_its_reason(
    settings: Settings, context: Context, ledger: Ledger, tmp_path: Path
) -> None:
    send_all(settings.broker_url)
    workers = Workers(settings, tmp_path)
    workers.start("housekeeping")
    try:
        until(lambda: len(kept(context)) >= EVERY, 60, workers.logs)
        until(lambda: len(ledger.records()) >= len(RIGHT) + len(RIGHT_BODIES), 60, workers.logs)
    finally:
        workers.stop()
    refusals = kept(context)
    reasons = [said(one) for one in refusals]
    for name, call in CALLS.items():
        assert [one for one in reasons if call.said in one], name
    assert len(refusals) == EVERY
    assert [one for one in reasons if "timelimit: is not two numbers" in one]
    assert {one.door for one in refusals} == {Door.TASK}
    held = [one.raw for one in refusals]
    for name, (body, _) in BODIES.items():
        assert body in held, name
    whole = json.dumps(fields()).encode()
    assert len([raw for raw in held if raw == whole]) >= 12, "a call's own message, as it can be submitted"
    assert len(ledger.records()) == len(RIGHT) + len(RIGHT_BODIES)
    assert audit(context.engine).balanced
    assert [(one.queue, one.number) for one in unreadable.lately(context.redis)] == [(ACCEPT, 1)]
    said_of = [str(one) for one in findings(read_status(context.engine, settings)) if one.about == ACCEPT]
    assert any("1 message in the queue attendance.accept could not be read and so dropped" in one for one in said_of)
    assert "ada@example.com" not in "".join(path.read_text() for path in tmp_path.glob("*.log"))


class Call:
    """A message as kombu brings it, of which only this is looked at."""

    def __init__(self, args: object, kwargs: object, embedded: object = None, **headers: object) -> None:
        self.body = json.dumps([args, kwargs, embedded or {}])
        self.content_type, self.content_encoding = "application/json", "utf-8"
        self.headers = {"task": ACCEPT, "id": str(uuid.uuid4()), **headers}

    def decode(self) -> Any:
        return json.loads(self.body)


@pytest.mark.parametrize("task", ["attendance.sweep", "attendance.deliver", "attendance.job", "attendance.purge"])
def test_a_wake_up_is_let_through_and_a_message_for_its_task_is_not(task: str) -> None:
    assert fault_of(Call([], {}, task=task)) is None
    assert fault_of(Call([], {"account": "default", "place": "x"}, task=task)) is None
    fault = fault_of(Call([], fields(), task=task))
    assert fault is not None
    assert json.loads(fault.held) == fields()


def test_a_call_whose_args_are_null_is_kept_as_the_message_that_it_holds() -> None:
    fault = fault_of(Call(None, fields()))
    assert fault is not None
    assert str(fault.reason).startswith("args: is null; expected []")
    assert json.loads(fault.held) == fields(), "submitted again as it is, it is accepted"
    wake_up = fault_of(Call(None, {"account": "default"}, task="attendance.deliver"))
    assert wake_up is not None
    assert not wake_up.held


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "utf-8; x=y"])
def test_json_of_another_charset_is_not_read(charset: str) -> None:
    call = Call([], fields())
    call.content_type = f"application/json; charset={charset}"
    drop_charset(call)
    assert call.content_type == f"application/json; charset={charset}"


def test_a_wake_up_of_another_release_holds_nothing_to_keep() -> None:
    fault = fault_of(Call([], {"account": "default"}, task="attendance.new"))
    assert fault is not None
    assert not fault.held


def test_what_was_sent_wrongly_is_accepted_when_it_is_sent_rightly_with_the_same_ids(
    context: Context, ledger: Ledger
) -> None:
    message = fields(submission_id=str(uuid.uuid4()), part="1")
    with patch.object(tasks.refuse, "current", lambda: context), patch.object(tasks.accept, "current", lambda: context):
        raw = base64.b64encode(json.dumps(message).encode()).decode()
        refuse_task.push_request(id=uuid.uuid4().hex)
        for _ in range(2):  # delivered twice
            refuse_task.run(raw, "task", "attendance.acept is not a task of Turnout", "the task attendance.accept")
        (refusal,) = kept(context)
        assert (str(refusal.submission), refusal.producer) == (message["submission_id"], "shop")
        accept_task.push_request(id=uuid.uuid4().hex)
        accept_task.run(**message)
    assert len(ledger.records()) == 1


def test_a_message_waits_where_the_secret_key_is_another_and_is_kept_where_accepting_fails(
    context: Context, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules, asked = context.rules, []

    class Process:
        engine, redis, stopping, broker = context.engine, context.redis, context.stopping, context.broker
        redis_outage = context.redis_outage

        @property
        def rules(self) -> Any:
            asked.append(1)
            if len(asked) == 1:
                raise SettingsError("TURNOUT_SECRET_KEY is not the key this database was set up with")
            return rules

    def fails(*_: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(tasks.accept, "PATIENCE", 0.01)
    monkeypatch.setattr(tasks.accept, "current", Process)
    accept_task.push_request(id=uuid.uuid4().hex)
    accept_task.run(**fields())
    assert len(asked) == 2
    assert len(ledger.records()) == 1
    monkeypatch.setattr(tasks.accept, "verb", fails)
    accept_task.push_request(id=uuid.uuid4().hex)
    accept_task.run(**fields("bob@example.com"))
    (refusal,) = kept(context)
    assert "TypeError" in said(refusal)
    assert json.loads(refusal.raw) == fields("bob@example.com")


@pytest.mark.parametrize("id_", ["a\0b", "\ud800", "x" * 256, 5, None, ["x"]])
def test_a_call_whose_id_cannot_be_stored_is_kept_under_one_that_can(id_: object) -> None:
    """The id names the part: with one that PostgreSQL does not take, the call would be tried for ever, or lost."""
    fault = fault_of(Call([], fields(), id=id_))
    assert fault is not None
    assert fault.reason.where == "id"
    calls = [refused(Call([], fields(), id=id_), fault) for _ in range(2)]
    assert calls[0].headers["id"] == calls[1].headers["id"], "the same each time the message comes"
    uuid.UUID(calls[0].headers["id"])


def test_a_refusal_that_a_worker_put_back_is_taken_as_it_is() -> None:
    call = Call(["ada"], {})
    fault = fault_of(call)
    assert fault is not None
    again = refused(call, fault)
    again.body = again.body.decode()
    assert fault_of(again) is None
    wrong = Call([], {"raw": "no base64!", "where": "", "what": "", "right": ""}, task="attendance.refuse")
    assert fault_of(wrong) is not None


def test_a_task_is_acknowledged_when_its_work_is_done() -> None:
    """So a broker that keeps what is not acknowledged, as RabbitMQ does, gives a killed worker's message to another."""
    sent = app.amqp.as_task_v2(str(uuid.uuid4()), ACCEPT, kwargs=fields())
    kind = {"content_type": "application/json", "content_encoding": "utf-8", "delivery_info": {}}
    message = Message(json.dumps(sent.body), headers=sent.headers, properties=sent.properties, **kind)  # type: ignore[no-untyped-call]
    acknowledged: list[object] = []
    request = Request(message, app=app, on_ack=lambda *_: acknowledged.append(message))
    request.on_accepted(1, time.monotonic())
    assert not acknowledged
    request.on_success((0, None, 0.1))
    assert acknowledged == [message]
