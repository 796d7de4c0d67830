"""What `/metrics` says is held against what was done."""

import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import redis
import requests
from celery.exceptions import Reject
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

import worker.monitor.gather_database
import worker.queue.settle
from hubspot_api.response import NoResponse
from models.accept_rules import Rules
from models.words import Door
from tasks.deliver import deliver
from tests.support.api import BY_EMAIL, key_for, running_server
from tests.support.contexts import open_context
from tests.support.fixtures import Submit, Turnout
from tests.support.ledger import do, fail_all, message, people, taken
from tests.support.monitors import Metrics, gathered, open_monitor, scrape
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tests.support.shop import Shop
from tests.support.webhook_receiver import Receiver
from tests.support.worker_processes import environment
from worker import heartbeat, verb_task
from worker.accounts import state
from worker.celery import app
from worker.context import Context
from worker.intake import accept as accepting
from worker.intake.accept import Inbound, accept, refuse_whole, unstorable
from worker.intake.receipts import Part
from worker.local.services import free_port
from worker.metrics.definitions import MOST_ACCOUNTS, OTHER
from worker.monitor import gather_database, gathered as gathering
from worker.monitor.readiness import ProcessKind
from worker.settings import Settings
from worker.stream import Stream
from worker.webhooks import endpoint, notify

FINISHED = "turnout_records_finished_total"
Scrape = Callable[[], Metrics]


def wake_nobody(*_: object, **__: object) -> int:
    return 0


@pytest.fixture
def counted(settings: Settings) -> Iterator[Scrape]:
    """What a worker counts, from now on."""
    with open_monitor(settings, ProcessKind.WORKER) as url:
        yield lambda: scrape(url)


def deliver_due(context: Context) -> None:
    deliver(context, "default", wake_nobody)


def test_records_are_counted_by_what_they_come_to_and_a_message_that_comes_again_is_not(
    counted: Scrape, context: Context
) -> None:
    one = Inbound(Door.STREAM, "1-0", as_json(message("ada@example.com", "ada@example.com", "no address")))
    for _ in range(3):
        with context.engine.connect() as connection:
            accept(connection, [one], context.rules)
    with context.engine.connect() as connection:
        refuse_whole(connection, Inbound(Door.TASK, "2", b"?"), context.rules, unstorable("it is not"))
    assert counted().of("turnout_records_submitted_total") == {
        ("stream", "accepted"): 1,
        ("stream", "duplicate"): 1,
        ("stream", "refused"): 1,
        ("task", "accepted"): 0,
        ("task", "duplicate"): 0,
        ("task", "refused"): 1,
    }


def as_json(fields: dict[str, object]) -> bytes:
    return orjson.dumps(fields)


def test_a_delivery_is_counted_with_its_call_its_permit_and_its_time_since_acceptance(
    counted: Scrape, submit: Submit, sending: Context
) -> None:
    submit(message(*people(23)))
    do(sending.engine, "UPDATE submissions SET received_at = now() - interval '2 hours'")
    deliver_due(sending)
    found = counted()
    assert found.of(FINISHED) == {
        ("default", outcome): 23.0 * (outcome == "delivered")
        for outcome in ("delivered", "rejected", "unconfirmed", "failed")
    }
    assert found.of("turnout_attempts_total") == {("default", "settled", "post"): 1}
    assert found("turnout_attempt_duration_seconds_count", kind="post") == 1
    assert found("turnout_permits_total", account="default", result="granted") == 1
    assert found("turnout_permit_wait_seconds_count", account="default") == 1
    live = {"account": "default", "origin": "live"}
    assert found("turnout_delivery_duration_seconds_count", **live) == 23
    assert found("turnout_delivery_duration_seconds_bucket", le="3600.0", **live) == 0
    assert found("turnout_delivery_duration_seconds_bucket", le="14400.0", **live) == 23


def test_what_hubspot_rejects_is_counted_also_where_it_is_found_in_parts(
    counted: Scrape, submit: Submit, sending: Context, sandbox: RunningSandbox
) -> None:
    sandbox.fault(match="p1@example.com", status=400)
    submit(message(*people(4)))
    deliver_due(sending)
    found = counted()
    assert found(FINISHED, account="default", outcome="rejected") == 1
    assert found(FINISHED, account="default", outcome="delivered") == 3
    calls = found.of("turnout_attempts_total")
    assert calls["default", "refused whole", "post"] == 1
    assert sum(calls.values()) == sandbox.stats()["requests"] > 1
    assert {kind for _, _, kind in calls} == {"post", "part"}


def test_what_is_given_up_is_counted_once_as_failed(
    counted: Scrape, submit: Submit, settings: Settings, sandbox: RunningSandbox
) -> None:
    sandbox.fault(match="p0@example.com", status=503)
    submit(message(*people(2)))
    with open_context(settings, hubspot_url=sandbox.url, max_attempts=2) as context:
        for _ in range(2):
            do(context.engine, "UPDATE batches SET due_at = now()")
            do(context.engine, "UPDATE lanes SET due_at = now(), ready = true")
            deliver_due(context)
    found = counted()
    assert found(FINISHED, account="default", outcome="failed") == 2
    assert found("turnout_attempts_total", account="default", kind="post", answer="ambiguous") == 2


def test_a_batch_that_another_worker_took_over_is_not_counted(
    counted: Scrape, submit: Submit, sending: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message(*people(2)))
    monkeypatch.setattr(worker.queue.settle, "settle", lambda *_: False)
    deliver_due(sending)
    assert not any(counted().of(FINISHED).values())


def test_permits_that_are_not_there_are_counted(counted: Scrape, submit: Submit, settings: Settings) -> None:
    submit(message(*people(3), event="1"), message(*people(3), event="2"))
    with (
        running_sandbox(burst_limit=1, burst_seconds=60.0) as sandbox,
        open_context(settings, hubspot_url=sandbox.url, burst_limit=1, burst_seconds=60.0) as context,
    ):
        deliver_due(context)
    assert counted()("turnout_permits_total", account="default", result="wait") == 1
    with open_context(settings, redis_url="redis://127.0.0.1:1/0") as context:
        deliver_due(context)
    assert counted()("turnout_permits_total", account="default", result="unavailable") == 1


def test_notifications_and_tasks_are_counted(
    counted: Scrape, settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_context(settings, webhook_private=True) as context:
        shop = Shop(context, receiver)
        shop.submit(*people(1))
        fail_all(context.engine)
        notify.notify(context)
        monkeypatch.setattr(endpoint, "send", lambda *_, **__: NoResponse("away", 0.0))
        shop.submit(*people(1, 5))
        fail_all(context.engine)
        notify.notify(context)
    posts = counted().of("turnout_webhook_posts_total")
    assert posts[("taken",)] >= 1
    assert posts[("unanswered",)] == 1

    class Task(verb_task.VerbTask):
        name = "attendance.sweep"

        def run(self, error: Exception | None = None) -> int:
            if error is not None:
                raise error
            return 7

    Task.bind(app)
    monkeypatch.setattr(verb_task, "current", lambda: context)
    assert Task()() == 7
    with pytest.raises(ZeroDivisionError):
        Task()(ZeroDivisionError())
    Task()(redis.ConnectionError("away"))
    with pytest.raises(Reject):
        Task()(Reject(reason="shutting down", requeue=True))
    assert counted().of("turnout_tasks_total") == {
        (result, "attendance.sweep"): number for result, number in (("succeeded", 1), ("failed", 1), ("outage", 2))
    }


def test_what_was_committed_before_a_transaction_that_fails_is_counted(
    counted: Scrape, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "MOST_INPUTS", 1)  # a transaction for each message
    work = accepting._accept  # noqa: SLF001 - what does one transaction

    def fail_second(connection: Connection, few: Sequence[Inbound], rules: Rules) -> list[Part]:
        if few[0].part == "2-0":
            raise OperationalError("SELECT 1", {}, psycopg.OperationalError("away"))
        return work(connection, few, rules)

    monkeypatch.setattr(accepting, "_accept", fail_second)
    read = [Inbound(Door.STREAM, f"{n}-0", as_json(message(f"p{n}@example.com"))) for n in (1, 2)]
    with context.engine.connect() as connection, pytest.raises(OperationalError):
        accept(connection, read, context.rules)
    assert counted().of("turnout_records_submitted_total")["stream", "accepted"] == 1


def test_requests_are_counted_by_path_and_answer(settings: Settings) -> None:
    with open_context(settings) as context, open_monitor(settings, ProcessKind.SERVE) as monitor:
        key = key_for(context, "shop")
        with running_server(context) as url:
            signed = {"Authorization": f"Bearer {key}"}
            body = {"inputs": [{"email": "ada@example.com", "interactionDateTime": 1_767_225_600_000}]}
            requests.post(url + BY_EMAIL, json=body, headers=signed, timeout=60)
            for _ in range(2):
                requests.get(f"{url}/submissions/{uuid.uuid4()}", headers=signed, timeout=60)
            requests.get(f"{url}/nowhere/ada@example.com", timeout=60)
            requests.get(f"{url}/healthz", timeout=60)
            found = scrape(monitor)
    asked = found.of("turnout_http_requests_total")
    posted = "/marketing/v3/marketing-events/attendance/{externalEventId}/{subscriberState}/email-create"
    assert asked == {
        ("POST", posted, "200"): 1,
        ("GET", "/submissions/{submission}", "404"): 2,
        ("GET", OTHER, "404"): 1,
    }
    assert found("turnout_http_request_duration_seconds_count", route=posted) == 1
    assert found("turnout_records_submitted_total", door="http", result="accepted") == 1


# What beat gathers


def test_the_backlog_is_by_account_and_reason_and_tells_how_old_it_is(
    settings: Settings, submit: Submit, engine: Engine
) -> None:
    submit(message(*people(3), event="due"))
    submit(message(*people(2), event="postponed"), message(*people(2), event="postponed", state="cancel"))
    do(engine, "UPDATE batches SET created_at = now() - interval '1 hour', due_at = now() - interval '10 min'")
    of = "event_id = (SELECT id FROM events WHERE object_id = 'postponed') AND state = 'register'"
    do(engine, f"UPDATE batches SET due_at = now() + interval '1 h', postponed_because = 'HTTP 503' WHERE {of}")
    submit(message(*people(1), event="gathering"))
    of = "event_id = (SELECT id FROM events WHERE object_id = 'gathering')"
    do(engine, f"UPDATE batches SET due_at = now() + interval '1 h' WHERE {of}")
    found = gathered(settings)
    assert found.of("turnout_backlog_records") == {
        ("default", "due"): 3,
        ("default", "postponed"): 2,
        ("default", "earlier_batches"): 2,
        ("default", "gathering"): 1,
    }
    assert found("turnout_backlog_batches", account="default", reason="due") == 1
    assert found("turnout_backlog_is_cut") == 0
    assert 3_600 <= (found("turnout_oldest_waiting_record_age_seconds", account="default") or 0) < 4_000
    assert 600 <= (found("turnout_oldest_due_record_age_seconds", account="default") or 0) < 1_000
    assert found("turnout_account_paused", account="default") == 0
    taken(engine)
    assert gathered(settings)("turnout_backlog_records", account="default", reason="sending") == 3
    state.pause(engine, 1, "because")
    paused = gathered(settings)
    assert paused("turnout_account_paused", account="default") == 1
    assert paused("turnout_oldest_due_record_age_seconds", account="default") == 0
    assert (paused("turnout_oldest_waiting_record_age_seconds", account="default") or 0) >= 3_600
    assert paused("turnout_backlog_records", account="default", reason="account_paused") == 5


def test_a_backlog_beyond_what_is_looked_at_is_said_to_be_cut(
    settings: Settings, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.monitor.gather_database, "AT_MOST", 2)
    submit(message(*people(1), event="1"), message(*people(1), event="2"))
    assert gathered(settings)("turnout_backlog_is_cut") == 1


def test_many_accounts_become_few_labels(settings: Settings, engine: Engine) -> None:
    number = MOST_ACCOUNTS + 5
    do(engine, "INSERT INTO accounts (name, paused_at) SELECT 'z' || n, now() FROM generate_series(1, :n) n", n=number)
    paused = gathered(settings).of("turnout_account_paused")
    assert len(paused) == MOST_ACCOUNTS + 1
    assert paused[(OTHER,)] == number + 1 - MOST_ACCOUNTS
    assert sum(paused.values()) == number


def test_errors_refusals_jobs_and_webhooks_are_counted(
    settings: Settings, submit: Submit, engine: Engine, context: Context, receiver: Receiver
) -> None:
    submit(message(*people(3)), message("no address"))
    fail_all(engine, rejected=True)
    shop = Shop(context, receiver)
    shop.submit(*people(2, 10))
    fail_all(engine)
    values = "(1, 'retry', '{}', 0, true, ''), (2, 'retry', '{}', 0, true, ''), (3, 'retry', '{}', 0, false, 'no')"
    do(engine, f"INSERT INTO jobs (id, action, params, until, on_hold, last_error) VALUES {values}")
    found = gathered(settings)
    assert found.of("turnout_errors_open")[("rejected",)] == 3
    assert found("turnout_refused_open") == 1
    assert found.of("turnout_jobs") == {("running",): 0, ("queued",): 0, ("failing",): 1, ("on_hold",): 2}
    assert found.of("turnout_webhooks") == {("working",): 1, ("failing",): 0, ("off",): 0}
    do(engine, "UPDATE keys SET webhook_url = NULL, webhook_error = 'HTTP 410' WHERE name = 'shop'")
    assert gathered(settings).of("turnout_webhooks")[("off",)] == 1
    assert (found("turnout_database_size_bytes") or 0) > 1_000_000


def test_limits_are_told_with_what_is_used_and_a_forecast(
    settings: Settings, engine: Engine, submit: Submit, sandbox: RunningSandbox
) -> None:
    submit(*(message(*people(1), event=str(number)) for number in range(4)))
    with open_context(settings, hubspot_url=sandbox.url) as context:
        deliver_due(context)
        insert = "INSERT INTO throughput_by_account VALUES (1, date_bin('10 min', now(), 'epoch'), 600, 0, 0, 0)"
        do(engine, insert)
        found = gathered(context.settings)
    account = {"account": "default"}
    assert (found("turnout_burst_calls", **account), found("turnout_burst_calls_limit", **account)) == (4, 100)
    assert (found("turnout_daily_calls", **account), found("turnout_daily_calls_limit", **account)) == (4, 250_000)
    forecast = found("turnout_daily_calls_forecast", **account)
    assert forecast is not None
    assert 4 <= forecast <= 4 + 600 * 24


def test_the_stream_the_heartbeats_and_the_last_audit_are_told(
    settings: Settings, context: Context, turnout: Turnout
) -> None:
    Stream(context.redis).add(b"{}")
    heartbeat.note(context, heartbeat.started_with(settings, ["attendance.deliver"]))
    heartbeat.ticked(context)
    heartbeat.swept(context)
    before = gathered(settings)
    assert before("turnout_books_balanced") is None
    assert before("turnout_stream_messages") == 1
    assert before.of("turnout_queue_workers")[("attendance.deliver",)] == 1
    assert before("turnout_workers") == before("turnout_beat_ticking") == before("turnout_redis_persists") == 1
    assert 0 <= (before("turnout_sweep_lag_seconds") or 0) < 60
    turnout("audit")
    after = gathered(settings)
    assert after("turnout_books_balanced") == 1
    assert (after("turnout_books_checked_timestamp_seconds") or 0) > 1_700_000_000
    with context.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO submissions (id, submission, part, door, producer, accepted, duplicates, refused, repeats)"
            " VALUES (1, gen_random_uuid(), '', 'stream', '', 3, 0, 0, '{}')"
        )
    turnout("audit", status=1)
    assert gathered(settings)("turnout_books_balanced") == 0


# Where a service is away


def test_where_the_database_is_away_the_rest_is_told_and_that_it_is_away(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://u@127.0.0.1:1/d"})
    with open_monitor(away, ProcessKind.BEAT) as url:
        found = scrape(url)
    assert found.of("turnout_service_up") == {("postgresql",): 0, ("redis",): 1, ("broker",): 1}
    assert found("turnout_scrape_errors_total", service="postgresql") == 1
    assert found("turnout_stream_messages") == 0
    assert found("turnout_account_paused", account="default") is None
    assert found("turnout_build_info", process="beat", version="0.1.0") == 1


def test_where_redis_is_away_the_database_is_told(settings: Settings) -> None:
    found = gathered(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))
    assert found.of("turnout_service_up") == {("postgresql",): 1, ("redis",): 0, ("broker",): 1}
    assert found("turnout_account_paused", account="default") == 0
    assert found("turnout_stream_messages") is None
    assert found("turnout_daily_calls", account="default") is None


def test_a_database_that_is_silent_holds_no_scrape_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE", 0.5)
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d"
        found = gathered(settings.model_copy(update={"database_url": url}))
    assert found("turnout_service_up", service="postgresql") == 0


def test_a_table_that_is_locked_holds_no_scrape_up(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.monitor.gather_database, "LONGEST", "100ms")
    with engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE")
        assert gathered(settings)("turnout_service_up", service="postgresql") == 0
    assert gathered(settings)("turnout_service_up", service="postgresql") == 1


def test_those_who_scrape_at_once_share_one_read(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    read = gather_database.gather

    def gather(process: Context) -> Any:
        reads.append(1)
        return read(process)

    monkeypatch.setattr(gather_database, "gather", gather)
    with open_monitor(settings, ProcessKind.BEAT) as url:
        for _ in range(3):
            scrape(url)
    assert len(reads) == 1


@pytest.mark.parametrize("kind", [ProcessKind.SERVE, ProcessKind.WORKER])
def test_no_other_process_than_beat_reads_anything(kind: ProcessKind, settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://u@127.0.0.1:1/d"})
    with open_monitor(away, kind) as url:
        assert "turnout_service_up" not in scrape(url).text


def test_another_programs_directory_of_metrics_is_not_ours(settings: Settings, tmp_path: Path) -> None:
    code = """
from worker.metrics import count
from worker.monitor import start
from worker.monitor.readiness import ProcessKind
start.begin(ProcessKind.WORKER)
count.submitted("stream", {"accepted": 1})
print(count.is_on())
"""
    env = environment(settings) | {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "TURNOUT_MONITOR_PORT": str(free_port())
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["True"], done.stderr
    assert not list(tmp_path.iterdir())
