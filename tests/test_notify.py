"""Webhooks are told: of the first failure, and when no record waits any more; at least once, each time the same."""

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, func, select, update

import models.backoff
from hubspot_api.response import NoResponse, Response
from models.tables import Key, Notification
from models.words import Door, Role
from tests.support.api import running_api
from tests.support.fixtures import Submit, Turnout
from tests.support.ledger import (
    Ledger,
    deliver_all,
    do,
    given_up,
    idle_transactions,
    message,
    people,
    settled,
    spanned,
    taken,
)
from tests.support.shop import Shop
from tests.support.webhook_receiver import Receiver
from tests.support.worker_processes import running_workers, until
from worker.auth import keys
from worker.context import Context
from worker.intake.accept import Inbound, accept
from worker.queries.person import find_submission
from worker.queries.status import read_status
from worker.settings import Settings
from worker.webhooks import endpoint, notify as notifying
from worker.webhooks.news import look
from worker.webhooks.notify import claim, is_due, notify, settle


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_private": True})


@pytest.fixture
def shop(context: Context, receiver: Receiver) -> Shop:
    return Shop(context, receiver)


def row(engine: Engine) -> Notification:
    (one,) = Ledger(engine).all(Notification)
    return one


def come_due(engine: Engine) -> None:
    """Let whatever waits be due, webhooks that failed too."""
    do(engine, update(Notification).values(due_at=func.least(Notification.due_at, func.now())))
    do(engine, update(Key).values(webhook_due_at=None))


def run(context: Context) -> None:
    come_due(context.engine)
    notify(context)


# What is told, and when


def test_a_finished_submission_is_told_once_with_its_counts(shop: Shop, engine: Engine, context: Context) -> None:
    submission = shop.submit(*people(3))
    notify(context)
    assert not shop.told(), "it waits for its answer"
    deliver_all(engine)
    for _ in range(3):
        run(context)
    (said,) = shop.told()
    page = (Path(__file__).parent.parent / "docs" / "webhooks.md").read_text()
    assert said.keys() == json.loads(page[page.index('{"type"') : page.index("}\n```") + 1]).keys()
    assert datetime.fromisoformat(said.pop("occurred_at")).tzinfo is not None
    assert said == {
        "type": "submission.finished",
        "id": f"{submission}_finished",
        "submission": str(submission),
        "accepted": 3,
        "refused": 0,
        "duplicates": 0,
        "outcomes": {"delivered": 3},
        "link": f"/submissions/{submission}",
    }
    assert (row(engine).stage, row(engine).body, is_due(engine)) == ("told", None, False)


def test_the_first_failure_is_told_at_once_and_the_end_at_the_end(shop: Shop, engine: Engine, context: Context) -> None:
    shop.submit(*people(3), batch_size=1)
    settled(engine, taken(engine), rejected=[0])
    for _ in range(3):
        run(context)
    given_up(engine, taken(engine))
    run(context)
    assert shop.types() == ["failing"]
    deliver_all(engine)
    run(context)
    first, last = shop.told()
    assert (first["type"], first["outcomes"]) == ("submission.failing", {"pending": 2, "rejected": 1})
    assert (last["type"], last["outcomes"]) == ("submission.finished", {"delivered": 1, "failed": 1, "rejected": 1})
    assert first["id"] != last["id"]
    assert first.keys() == last.keys()


def test_a_submission_that_fails_as_a_whole_is_told_of_once(shop: Shop, engine: Engine, context: Context) -> None:
    shop.submit(*people(3))
    given_up(engine, taken(engine))
    run(context)
    assert [(said["type"], said["outcomes"]) for said in shop.told()] == [("submission.finished", {"failed": 3})]


def test_what_was_never_to_be_sent_is_finished_at_once(shop: Shop, engine: Engine, context: Context) -> None:
    shop.submit("a@x.org")
    deliver_all(engine)
    run(context)
    shop.submit("a@x.org")
    shop.submit("nobody")
    run(context)
    counts = sorted((said["accepted"], said["duplicates"], said["refused"]) for said in shop.told())
    assert counts == [(0, 0, 1), (0, 1, 0), (1, 0, 0)]


def test_the_same_request_again_is_told_of_once(engine: Engine, context: Context, receiver: Receiver) -> None:
    with running_api(context) as api:
        shop = Shop(context, receiver)
        for _ in range(2):
            assert api.submit("a@x.org", headers={"Idempotency-Key": "one"}).status_code == 200
    deliver_all(engine)
    run(context)
    run(context)
    assert shop.types() == ["finished"]


def test_other_doors_and_keys_without_a_webhook_are_told_nothing(
    shop: Shop, engine: Engine, ledger: Ledger, submit: Submit
) -> None:
    submit(message("a@x.org"))
    endpoint.turn_off(engine, "shop")
    shop.submit("b@x.org")
    assert not ledger.all(Notification)


def test_what_waits_long_is_looked_at_seldom(shop: Shop, engine: Engine, context: Context) -> None:
    shop.submit("a@x.org")
    for age, wait in ((0, 1), (10, 2), (60, 12), (3_600, 600)):
        with spanned(engine) as span:
            do(engine, "UPDATE notifications SET created_at = now() - :age * interval '1 s', due_at = now()", age=age)
            notify(context)
        older = (span.ended - span.begun) / 5  # what has waited longer meanwhile is looked at later
        due = row(engine).due_at - timedelta(seconds=wait)
        assert span.begun <= due <= span.ended + older


def test_a_look_and_a_claim_go_by_their_indexes(shop: Shop, engine: Engine) -> None:
    do(
        engine,
        "INSERT INTO notifications (key_id, submission, stage)"
        " SELECT :key, gen_random_uuid(), 'told' FROM generate_series(1, 5000)",
        key=shop.key_id,
    )
    do(engine, "ANALYZE notifications")
    for condition, index in ((Notification.is_to_look_at(), "looked"), (Notification.is_to_post(), "posted")):
        statement = select(Notification.id).where(Notification.key_id == shop.key_id, condition)
        compiled = statement.order_by(Notification.due_at).limit(1).compile(engine)
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN {compiled}", compiled.params).scalars().all()
        assert f"ix_notifications_{index}" in str(plan)


# What is not taken


def test_two_500s_then_200_is_the_same_message_three_times(shop: Shop, engine: Engine, context: Context) -> None:
    shop.receiver.answers = [(500, {}, b"oh\nno"), (302, {"Location": "/else"}, b"")]
    shop.submit("a@x.org")
    deliver_all(engine)
    with spanned(engine) as span:
        run(context)
    assert (row(engine).stage, row(engine).attempts, row(engine).last_error) == ("finished", 1, "HTTP 500: ohno")
    assert span.begun <= row(engine).due_at <= span.ended + timedelta(seconds=4)
    (failing,) = read_status(engine, context.settings).webhooks
    assert {name: getattr(failing, name) for name in ("name", "off", "failures", "error", "waiting")} == {
        "name": "shop",
        "off": False,
        "failures": 1,
        "error": "HTTP 500: ohno",
        "waiting": 1,
    }
    run(context)
    assert row(engine).attempts == 2
    run(context)
    assert row(engine).stage == "told"
    assert len({body for _, _, body in shop.receiver.got}) == 1
    assert len(shop.told()) == 3
    assert read_status(engine, context.settings).webhooks == []


def test_a_webhook_that_fails_is_left_alone_as_a_whole_and_another_is_not(
    shop: Shop, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    monkeypatch.setattr(models.backoff, "FIRST", 400.0)  # its wait is not over by the time that it is looked at
    other = Shop(context, shop.receiver, "other")
    for index in range(3):
        shop.submit(f"a{index}@x.org")
        other.submit(f"b{index}@x.org")
    deliver_all(engine)
    do(engine, update(Key).where(Key.name == "shop").values(webhook_url="http://127.0.0.1:9/"))
    notify(context)
    assert other.types() == ["finished"] * 3
    assert sum(one.attempts for one in Ledger(engine).all(Notification)) == 1
    assert not is_due(engine)
    do(
        engine,
        update(Key).where(Key.name == "shop").values(webhook_url=f"http://127.0.0.1:{shop.receiver.port}/shop"),
    )
    run(context)
    assert shop.types() == ["finished"] * 3


def test_waits_grow_to_an_hour_and_after_a_day_it_is_given_up(
    shop: Shop, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    do(engine, update(Key).values(webhook_url="http://127.0.0.1:9/"))
    submission = shop.submit(*people(2), batch_size=1)
    settled(engine, taken(engine), rejected=[0])
    for wait in (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600):
        with spanned(engine) as span:
            run(context)
        assert span.has(row(engine).due_at, before=wait)
    do(engine, update(Notification).values(occurred_at=func.now() - timedelta(hours=25)))
    run(context)
    assert row(engine).stage == "warned", "the end is to be told all the same"
    deliver_all(engine)
    run(context)
    assert (row(engine).stage, row(engine).attempts) == ("finished", 1)
    do(engine, update(Notification).values(occurred_at=func.now() - timedelta(hours=25)))
    run(context)
    assert row(engine).stage == "given_up"
    assert "notification given up" in caplog.text
    shown = find_submission(engine, submission)
    assert shown is not None
    assert [(one.key, one.stage) for one in shown.webhooks] == [("shop", "given_up")]
    assert not is_due(engine)


def test_410_turns_the_webhook_off_and_what_waits_goes_to_its_next_url(
    shop: Shop, engine: Engine, context: Context, settings: Settings, turnout: Turnout
) -> None:
    shop.receiver.answers = [(410, {}, b"")]
    shop.submit("a@x.org")
    deliver_all(engine)
    run(context)
    run(context)
    assert len(shop.receiver.got) == 1
    shown = turnout("status")
    said = "webhook shop is OFF: HTTP 410 (1 times in a row; 1 to be told): `turnout keys webhook` sets another URL"
    assert said in " ".join(shown.stdout.split())
    (off,) = read_status(engine, settings).webhooks
    assert (off.name, off.off, off.error, off.waiting) == ("shop", True, "HTTP 410", 1)
    shop.receiver.got.clear()
    shop.secret = str(endpoint.point(engine, settings, "shop", f"http://127.0.0.1:{shop.receiver.port}/shop"))
    run(context)
    assert shop.types() == ["finished"]


def test_a_revoked_key_is_told_nothing_more(shop: Shop, engine: Engine, context: Context) -> None:
    shop.submit("a@x.org")
    deliver_all(engine)
    keys.revoke(engine, "shop")
    run(context)
    assert not shop.told()


def test_a_private_address_is_not_posted_to_without_the_setting(shop: Shop, engine: Engine, settings: Settings) -> None:
    context = Context(settings.model_copy(update={"webhook_private": False}))
    do(engine, update(Key).values(webhook_url=func.replace(Key.webhook_url, "http:", "https:")))
    shop.submit("a@x.org")
    deliver_all(engine)
    run(context)
    context.engine.dispose()
    assert "leads to the private address 127.0.0.1" in row(engine).last_error
    assert not shop.receiver.got


# At once, and after a kill


def test_eight_at_once_tell_each_submission_once(
    shop: Shop, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "_SLOTS", threading.BoundedSemaphore(8))
    submissions = [shop.submit(f"a{index}@x.org") for index in range(40)]
    deliver_all(engine)
    with ThreadPoolExecutor(8) as eight:
        list(eight.map(lambda _: notify(context), range(8)))
    notify(context)
    told = shop.told()
    assert sorted(said["submission"] for said in told) == sorted(map(str, submissions))
    assert {said["type"] for said in told} == {"submission.finished"}


def test_no_more_threads_notify_than_may(
    shop: Shop, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = threading.BoundedSemaphore(1)
    monkeypatch.setattr(notifying, "_SLOTS", slots)
    shop.submit("a@x.org")
    deliver_all(engine)
    with slots:
        notify(context)
        assert not shop.told()
    notify(context)
    assert shop.types() == ["finished"]


def test_what_a_dead_worker_had_is_told_by_another_and_the_dead_ones_word_counts_no_more(
    shop: Shop, engine: Engine, context: Context
) -> None:
    shop.submit("a@x.org")
    deliver_all(engine)
    look(engine)
    dead = claim(engine, shop.key_id)
    assert dead is not None
    notify(context)
    assert not shop.told(), "it has its lease still"
    assert claim(engine, shop.key_id) is None
    do(engine, update(Notification).values(due_at=Notification.due_at - timedelta(seconds=61)))
    notify(context)
    assert shop.types() == ["finished"]
    settle(engine, dead, NoResponse("late", 1))
    assert (row(engine).stage, row(engine).last_error) == ("told", "")
    assert read_status(engine, context.settings).webhooks == []


def test_the_word_of_a_lost_lease_changes_nothing_of_its_successors(shop: Shop, engine: Engine) -> None:
    shop.submit("a@x.org")
    deliver_all(engine)
    look(engine)
    dead = claim(engine, shop.key_id)
    do(engine, update(Notification).values(due_at=Notification.due_at - timedelta(seconds=61)))
    successor = claim(engine, shop.key_id)
    assert dead is not None
    assert successor is not None
    for answer in (NoResponse("late", 1), Response(200, {}, b"", 1)):
        settle(engine, dead, answer)
        said = row(engine)
        assert (said.stage, said.due_at, said.attempts) == ("finished", successor.due_at, 0)


def test_no_transaction_is_open_while_the_webhook_answers(shop: Shop, engine: Engine, context: Context) -> None:
    shop.receiver.slow = 1.0
    shop.submit("a@x.org")
    deliver_all(engine)
    with ThreadPoolExecutor(1) as one:
        notified = one.submit(notify, context)
        until(lambda: bool(shop.receiver.got), 5, "nothing was posted")
        assert not idle_transactions(engine)
        notified.result()


def test_a_worker_killed_while_it_posts_is_followed_by_another_that_tells(
    shop: Shop, engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    submission = shop.submit("a@x.org")
    deliver_all(engine)
    shop.receiver.slow = 5.0
    with running_workers(settings, tmp_path) as workers:
        until(lambda: bool(shop.receiver.got), 20, workers.logs)
        workers.kill("housekeeping")
        shop.receiver.slow = 0.0
        assert row(engine).stage == "finished"
        do(engine, update(Notification).values(due_at=Notification.due_at - timedelta(seconds=61)))
        workers.start("housekeeping")
        until(lambda: row(engine).stage == "told", 30, workers.logs)
    assert [said["id"] for said in shop.told()] == [f"{submission}_finished"] * 2


def by_stream(context: Context, door: Door, *contacts: str, **more: str) -> UUID:
    submission = uuid4()
    raw = json.dumps(message(*contacts) | {"submission_id": str(submission), **more}).encode()
    with context.engine.connect() as connection:
        accept(connection, [Inbound(door, "0-1", raw)], context.rules)
    return submission


@pytest.mark.parametrize("door", [Door.STREAM, Door.TASK, Door.FILE])
def test_a_submission_that_names_its_producer_is_told_of_whichever_way_it_came(
    shop: Shop, engine: Engine, context: Context, door: Door
) -> None:
    submission = by_stream(context, door, *people(2), producer="shop")
    by_stream(context, door, *people(1, 10), producer="another")
    by_stream(context, door, *people(1, 20))
    deliver_all(engine)
    run(context)
    assert [said["submission"] for said in shop.told()] == [str(submission)]


def test_a_submission_for_an_account_that_the_key_does_not_reach_is_not_told_of(
    shop: Shop, engine: Engine, context: Context
) -> None:
    do(engine, "INSERT INTO accounts (name) VALUES ('other')")
    by_stream(context, Door.STREAM, *people(2), producer="shop", account="other")
    keys.create(engine, "seer", Role.VIEWER, [])
    by_stream(context, Door.STREAM, *people(1, 10), producer="seer")
    deliver_all(engine)
    run(context)
    assert not shop.told()
    assert Ledger(engine).all(Notification) == []
