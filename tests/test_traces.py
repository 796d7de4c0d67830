"""Traces: from a producer's span to the POST of the batch that holds its records, and nothing where they are off."""

import gzip
import json
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy.exc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr
from sqlalchemy import Connection, event as sql_event
from sqlalchemy.engine.interfaces import ExecutionContext

import worker
import worker.queue.claim
from models.tables import Submission, Trace
from tasks import accept as accept_task
from tasks.deliver import deliver
from tasks.intake import intake
from tests.support.api import running_api
from tests.support.contexts import open_context
from tests.support.ledger import Ledger, do, make_due, message
from tests.support.sandbox_server import RunningSandbox
from tests.support.webhook_receiver import Receiver
from tests.support.worker_processes import running_workers, until
from worker import process_start, tracing, tracing_setup
from worker.celery import app
from worker.context import Context
from worker.logging_setup import _as_json, _Line
from worker.queue import traces
from worker.retention.purge import purge
from worker.setting_sources import SettingsError
from worker.settings import Settings
from worker.stream import KEY
from worker.task_names import ACCEPT
from worker.trip import TRIP

WAYS: Final = ("stream", "http", "celery")
INVALID: Final = (
    "",
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "ada@example.com",
    "\N{SNOWMAN}\ufffd",
    "0" * 100_000,
)


class Producer:
    """A producer with a trace of its own, and a record to submit."""

    def __init__(self, *, sampled: bool = True) -> None:
        self.trace_id, self.span_id = uuid.uuid4().hex, uuid.uuid4().hex[:16]
        self.traceparent = f"00-{self.trace_id}-{self.span_id}-{'01' if sampled else '00'}"
        self.email = f"{uuid.uuid4().hex}@example.com"


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    """Trace into memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.begin(provider.get_tracer("tests"))
    yield exporter
    tracing.begin(None)
    provider.shutdown()


@pytest.fixture
def context(sending: Context, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setattr(accept_task, "current", lambda: sending)
    monkeypatch.setattr(accept_task, "wake_delivery", lambda *_: None)
    return sending


SubmitBy = Callable[[str, str, str], None]


@pytest.fixture
def submit_by(context: Context, request: pytest.FixtureRequest) -> SubmitBy:
    """Submit one record as a producer does: the way, an address, a traceparent."""

    def submitted(way: str, email: str, traceparent: str) -> None:
        if way == "stream":
            add(context, email, traceparent=traceparent)
            assert take(context) == 1
        elif way == "http":  # no server reads a header of 100,000 letters, and no client writes one beyond Latin-1
            sent = traceparent.encode("ascii", "replace").decode()[:1_000]
            answer = request.getfixturevalue("api").submit(email, headers={"traceparent": sent})
            assert answer.status_code == 200, answer.text
        else:
            accept_task.accept.push_request(id=str(uuid.uuid4()), traceparent=traceparent)
            try:
                accept_task.accept.run(**message(email))
            finally:
                accept_task.accept.pop_request()

    return submitted


def add(context: Context, *emails: str, traceparent: str) -> None:
    fields: dict[Any, Any] = {"message": json.dumps(message(*emails)), "traceparent": traceparent}
    context.redis.xadd(KEY, fields)


def take(context: Context) -> int:
    return intake(context, lambda *_, **__: 1)


def named(spans: Sequence[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def links_of(span: ReadableSpan) -> set[tuple[str, str]]:
    return {(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in span.links}


def parent_of(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


@pytest.mark.parametrize("way", WAYS)
def test_a_record_is_followed_from_its_producer_to_the_settled_batch(
    way: str, context: Context, submit_by: SubmitBy, exported: InMemorySpanExporter
) -> None:
    producer = Producer()
    submit_by(way, producer.email, producer.traceparent)
    make_due(context.engine)
    assert deliver(context, "default") == 1
    spans = exported.get_finished_spans()
    (accepted,) = named(spans, "accept")
    assert (f"{accepted.context.trace_id:032x}", f"{parent_of(accepted):016x}") == (producer.trace_id, producer.span_id)
    assert accepted.attributes is not None
    assert (accepted.attributes["turnout.accepted"], accepted.attributes["turnout.door"]) == (
        1,
        "task" if way == "celery" else way,
    )
    (batch,), (claim,), (post,), (settle,) = (named(spans, name) for name in ("deliver", "claim", "POST", "settle"))
    assert batch.parent is None
    assert {parent_of(span) for span in (claim, post, settle)} == {batch.context.span_id}
    assert links_of(batch) == links_of(post) == {(producer.trace_id, producer.span_id)}
    assert (claim.start_time or 0) <= (claim.end_time or 0) <= (post.start_time or 0) <= (post.end_time or 0)
    assert (post.end_time or 0) <= (settle.start_time or 0)
    assert post.attributes is not None
    assert post.attributes["http.response.status_code"] == 200
    assert producer.email not in "".join(span.to_json() for span in spans)


def test_a_batch_is_linked_to_each_producer_of_its_records(context: Context, exported: InMemorySpanExporter) -> None:
    producers = [Producer() for _ in range(3)]
    for producer in producers:
        add(context, producer.email, traceparent=producer.traceparent)
    take(context)
    make_due(context.engine)
    assert deliver(context, "default") == 1
    (post,) = named(exported.get_finished_spans(), "POST")
    assert links_of(post) == {(producer.trace_id, producer.span_id) for producer in producers}
    assert len(named(exported.get_finished_spans(), "accept")) == len(producers)


@pytest.mark.parametrize("way", WAYS)
def test_an_invalid_traceparent_is_ignored_and_no_record_is_refused_for_it(
    way: str, context: Context, submit_by: SubmitBy, exported: InMemorySpanExporter
) -> None:
    for traceparent in INVALID:
        submit_by(way, Producer().email, traceparent)
    assert all(span.parent is None for span in named(exported.get_finished_spans(), "accept"))
    assert Ledger(context.engine).all(Trace) == []
    receipts = Ledger(context.engine).all(Submission)
    assert [(row.accepted, row.refused) for row in receipts] == [(1, 0)] * len(INVALID)


def test_a_producers_span_that_is_not_sampled_leaves_no_span_and_no_row(
    context: Context, submit_by: SubmitBy, exported: InMemorySpanExporter
) -> None:
    submit_by("stream", "ada@example.com", Producer(sampled=False).traceparent)
    assert named(exported.get_finished_spans(), "accept") == []
    assert Ledger(context.engine).all(Trace) == []


@pytest.mark.usefixtures("exported")
def test_what_is_submitted_twice_has_the_links_of_the_first_time(context: Context, submit_by: SubmitBy) -> None:
    first, second = Producer(), Producer()
    for producer in (first, second):
        submit_by("stream", "ada@example.com", producer.traceparent)
    assert [row.traceparent for row in Ledger(context.engine).all(Trace)] == [first.traceparent]


def test_a_call_that_fails_is_a_failed_span_with_the_kind_of_answer(
    context: Context, submit_by: SubmitBy, sandbox: RunningSandbox, exported: InMemorySpanExporter
) -> None:
    sandbox.fault(status=500, applied=False)
    submit_by("stream", "ada@example.com", Producer().traceparent)
    make_due(context.engine)
    deliver(context, "default")
    post = named(exported.get_finished_spans(), "POST")[0]
    assert post.status.description == post.attributes["turnout.answer"]  # type: ignore[index]
    assert not post.status.is_ok


def test_the_parts_of_a_search_are_calls_of_one_trace(
    context: Context, sandbox: RunningSandbox, exported: InMemorySpanExporter
) -> None:
    sandbox.fault(match="bob@example.com", status=400, body="{}", applied=False)
    producer = Producer()
    add(context, "ada@example.com", "bob@example.com", traceparent=producer.traceparent)
    take(context)
    make_due(context.engine)
    deliver(context, "default")
    posts = named(exported.get_finished_spans(), "POST")
    assert len(posts) > 1
    assert len({post.context.trace_id for post in posts}) == 1
    assert all(links_of(post) == {(producer.trace_id, producer.span_id)} for post in posts)


def test_log_lines_carry_the_ids_of_the_open_span_and_none_where_traces_are_off(
    context: Context, submit_by: SubmitBy, exported: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "worker")
    caplog.handler.setFormatter(_Line(_as_json))
    submit_by("stream", "ada@example.com", Producer().traceparent)
    make_due(context.engine)
    deliver(context, "default")
    lines = [json.loads(one) for one in caplog.text.splitlines() if '"attempt"' in one]
    (batch,) = named(exported.get_finished_spans(), "deliver")
    assert [one["trace_id"] for one in lines] == [f"{batch.context.trace_id:032x}"]
    tracing.begin(None)
    assert tracing.ids() == {}


def test_a_producers_span_goes_with_its_receipt(
    context: Context, submit_by: SubmitBy, exported: InMemorySpanExporter
) -> None:
    assert not exported.get_finished_spans()
    submit_by("stream", "ada@example.com", Producer().traceparent)
    make_due(context.engine)
    deliver(context, "default")
    assert len(Ledger(context.engine).all(Trace)) == 1
    do(context.engine, "UPDATE submissions SET received_at = now() - interval '400 days'")
    do(context.engine, "UPDATE batches SET settled_at = now() - interval '400 days'")
    purge(context.engine, 90)
    assert Ledger(context.engine).all(Trace) == []


# Off


def statements_of(context: Context, traceparent: str) -> Counter[str]:
    """Count the statements that it takes to accept and deliver a record."""
    run: Counter[str] = Counter()

    def note(_: Connection, __: object, said: str, ___: object, made: ExecutionContext, ____: bool) -> None:  # noqa: FBT001 - SQLAlchemy's signature
        trip = made.execution_options.get(TRIP)
        run.update([str(one.statement) for one in trip.asked] if trip else [said])

    sql_event.listen(context.engine, "before_cursor_execute", note)
    try:
        add(context, Producer().email, traceparent=traceparent)
        take(context)
        make_due(context.engine)
        assert deliver(context, "default") == 1
    finally:
        sql_event.remove(context.engine, "before_cursor_execute", note)
    return run


@pytest.mark.usefixtures("live_first")
def test_off_a_traceparent_costs_no_statement_and_leaves_no_row(context: Context) -> None:
    statements_of(context, "")  # the event's row, and what is looked up once
    assert statements_of(context, Producer().traceparent) == statements_of(context, "")
    assert Ledger(context.engine).all(Trace) == []


@pytest.mark.usefixtures("live_first")
def test_on_a_message_costs_one_statement_more_and_a_batch_one(
    context: Context, exported: InMemorySpanExporter
) -> None:
    statements_of(context, "")
    with_one = statements_of(context, Producer().traceparent)
    assert exported.get_finished_spans()
    tracing.begin(None)
    more = with_one - statements_of(context, "")
    assert sorted(one.split()[0] for one in more.elements()) == ["BEGIN;", "INSERT", "ROLLBACK", "SELECT"]


def test_a_process_without_the_packages_starts_where_nothing_asks_for_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("worker.tracing_setup", "worker.error_reports"):
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.delattr(worker, module.partition(".")[2], raising=False)
    process_start.begin_reports(settings, "worker")
    asked: tuple[dict[str, Any], ...] = (
        {"tracing": True},
        {"sentry_dsn": SecretStr("https://key@sentry.example.com/1")},
    )
    for extra, one in zip(("tracing", "sentry"), asked, strict=True):
        with pytest.raises(SettingsError, match=rf"install turnout\[{extra}\]"):
            process_start.begin_reports(settings.model_copy(update=one), "worker")


# Processes


@pytest.fixture
def collector() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def spans_of(collector: Receiver) -> list[tuple[str, Any]]:
    """Give the spans that a collector was sent, each with the kind of process that it is of."""
    found = []
    for path, _, body in collector.got:
        assert path == "/v1/traces"
        for of_process in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {one.key: one.value.string_value for one in of_process.resource.attributes}
            assert resource["service.name"] == "attendance"
            found += [(resource["turnout.process"], span) for scope in of_process.scope_spans for span in scope.spans]
    return found


def test_processes_send_their_spans_and_their_errors_and_nobodys_address(
    settings: Settings,
    sandbox: RunningSandbox,
    collector: Receiver,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "attendance")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    dsn = f"http://0123abcd@127.0.0.1:{receiver.port}/7"
    changed = {"tracing": True, "sentry_dsn": SecretStr(dsn), "hubspot_url": sandbox.url, "log_format": "json"}
    told = settings.model_copy(update=changed)
    told.model_fields_set.update(changed)
    by_stream, by_celery, by_http = (Producer() for _ in WAYS)
    with open_context(told) as context, running_workers(told, tmp_path) as workers:
        provider = tracing_setup.set_up("turnout serve")  # the API runs in this process
        add(context, by_stream.email, traceparent=by_stream.traceparent)
        with app.connection_for_write(told.broker_url) as connection:
            app.send_task(
                *(ACCEPT, (), message(by_celery.email)),
                queue=ACCEPT,
                headers={"traceparent": by_celery.traceparent},
                connection=connection,
            )
        with running_api(context) as api:
            api.submit(by_http.email, headers={"traceparent": by_http.traceparent})
        provider.force_flush()
        tracing.begin(None)

        def linked() -> set[bytes]:
            return {link.trace_id for _, span in spans_of(collector) if span.name == "POST" for link in span.links}

        wanted = {bytes.fromhex(one.trace_id) for one in (by_stream, by_celery, by_http)}
        until(lambda: linked() == wanted, 60, workers.logs)
        do(context.engine, "ALTER TABLE records RENAME TO records_away")
        add(context, "zora@example.com", traceparent="")
        until(lambda: bool(receiver.got), 60, workers.logs)
        do(context.engine, "ALTER TABLE records_away RENAME TO records")
        until(lambda: len(Ledger(context.engine).records()) == 4, 60, workers.logs)
    provider.shutdown()
    accepted = {bytes(span.trace_id): process for process, span in spans_of(collector) if span.name == "accept"}
    assert {accepted[bytes.fromhex(one.trace_id)].split(" of ")[0] for one in (by_stream, by_celery)} == {"worker"}
    assert accepted[bytes.fromhex(by_http.trace_id)] == "turnout serve"
    assert "SQLSTATE 42P01" in "".join(sent_text(body) for _, __, body in receiver.got)
    sent = "".join(sent_text(body) for _, __, body in (*collector.got, *receiver.got)).lower()
    assert not [one for one in ("zora", by_stream.email, by_celery.email, by_http.email, "test-token") if one in sent]


def sent_text(body: bytes) -> str:
    return (gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body).decode("utf-8", "replace")


def test_a_collector_that_is_away_is_one_line_and_costs_no_record(
    context: Context, collector: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    collector.answers = [(400, {}, b"")] * 2
    caplog.set_level("INFO")
    provider = tracing_setup.set_up("worker")
    try:
        for number in range(3):
            add(context, f"p{number}@example.com", traceparent=Producer().traceparent)
            take(context)
            make_due(context.engine)
            assert deliver(context, "default") == 1
            provider.force_flush()
    finally:
        tracing.begin(None)
        provider.shutdown()
    events = [line.message for line in caplog.records if line.name.startswith(("opentelemetry", "worker.outage"))]
    assert events == ["out of reach", "back again"]


def test_a_variable_that_opentelemetry_refuses_stops_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "256")
    with pytest.raises(SettingsError, match="TURNOUT_TRACING: OpenTelemetry does not take its settings: max_export"):
        process_start.begin_reports(settings.model_copy(update={"tracing": True}), "beat")


def test_producers_that_cannot_be_read_hold_no_batch_up(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_connection_is_free(*_: object) -> None:
        raise sqlalchemy.exc.TimeoutError

    monkeypatch.setattr(context.engine, "connect", no_connection_is_free)
    assert traces.producers(context.engine, 1, 5) == ()
