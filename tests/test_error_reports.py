"""Error reports to Sentry: each byte that is sent is looked at, and names nobody."""

import gzip
import json
import logging
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
import sentry_sdk
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.support.webhook_receiver import Receiver
from worker import process_start
from worker.context import Context
from worker.log import get_logger
from worker.setting_sources import SettingsError
from worker.settings import Settings, read_settings

log = get_logger("worker.somewhere")

ADDRESS: Final = "Zora.Quillfeather@example.com"
TOKEN: Final = "pat-na1-8c1f5e0d-secret"
"""Invented; neither may be sent."""
KEY: Final = "0123456789abcdef0123456789abcdef"
NAMES: Final = ("quillfeather", "zora", TOKEN, "8675309")


@pytest.fixture
def reported(receiver: Receiver, settings: Settings) -> Iterator[Receiver]:
    """Report errors to a server on loopback, as a process does that starts with a DSN."""
    dsn = f"http://{KEY}@127.0.0.1:{receiver.port}/7"
    given = Settings(_env_file=None, **settings.model_dump(exclude={"sentry_dsn"}), sentry_dsn=dsn)
    process_start.begin_reports(given, "worker of attendance.deliver")
    yield receiver
    sentry_sdk.get_client().close(timeout=5)
    sentry_sdk.get_global_scope().set_client(None)
    sentry_sdk.get_global_scope().clear()


def events_of(receiver: Receiver) -> list[dict[str, Any]]:
    """Give the events that came, once all are sent; nothing of what came names anybody, headers and envelopes too."""
    sentry_sdk.flush(timeout=30)
    found = []
    for path, headers, body in receiver.got:
        sent = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        whole = f"{path} {headers} {sent.decode()}".lower()
        assert not [name for name in NAMES if name.lower() in whole], whole
        for part in sent.decode().splitlines():
            line = json.loads(part)
            if "event_id" in line and "level" in line:
                found.append(line)
    return found


def fail_about_somebody() -> None:
    whose = {"email": ADDRESS, "token": TOKEN, "vid": 8675309}
    try:
        raise ValueError(f"{whose['email']} has no right to {TOKEN}")  # noqa: TRY301 - what is logged
    except ValueError as error:
        raise RuntimeError(f"message of {whose} not accepted") from error


def test_an_error_is_reported_with_its_kind_and_place_and_names_nobody(reported: Receiver) -> None:
    try:
        fail_about_somebody()
    except RuntimeError:
        log.exception("message not accepted", batch=17)
    (event,) = events_of(reported)
    assert (event["level"], event["logger"]) == ("error", "worker.somewhere")
    assert event["logentry"]["formatted"] == "message not accepted"
    assert event["extra"] == {"batch": "17"}
    assert event["tags"] == {"process": "worker of attendance.deliver"}
    first, last = event["exception"]["values"]
    assert [(one["type"], one["value"]) for one in (first, last)] == [
        ("ValueError", "ValueError"),
        ("RuntimeError", "RuntimeError"),
    ]
    assert last["stacktrace"]["frames"][-1]["function"] == "fail_about_somebody"
    assert not {"server_name", "user", "request", "breadcrumbs", "modules", "contexts", "threads"} & set(event)


def test_what_libraries_quote_is_not_sent(reported: Receiver, context: Context) -> None:
    logging.getLogger("celery.app.trace").error(
        "Task %(name)s[%(id)s] %(description)s: %(exc)s",
        {"name": "attendance.accept", "id": ADDRESS, "description": "raised unexpected", "exc": f"{TOKEN} {ADDRESS}"},
        extra={"data": {"args": [ADDRESS], "kwargs": {"token": TOKEN}}},
    )
    logging.getLogger("kombu").critical("cannot read %r", {"email": ADDRESS})
    logging.getLogger("uvicorn.error").error(f"Exception about {ADDRESS}\n")  # noqa: G004 - as libraries do
    with context.engine.connect() as connection, pytest.raises(DBAPIError) as failed:
        connection.execute(text("SELECT CAST(:whose AS integer)"), {"whose": ADDRESS})
    log.error("task failed", exc_info=failed.value)
    events = events_of(reported)
    assert [event["logentry"]["formatted"] for event in events] == [
        "task raised unexpected",
        "cannot read {'email': …}",
        "…",
        "task failed",
    ]
    assert events[0]["extra"]["task"] == "attendance.accept"
    assert events[3]["exception"]["values"][-1]["value"] == "sqlalchemy.exc.DataError (SQLSTATE 22P02)"


def test_a_group_of_errors_is_sent_without_their_texts(reported: Receiver) -> None:
    try:
        raise ExceptionGroup(ADDRESS, [KeyError(ADDRESS), OSError(2, TOKEN, ADDRESS)])  # noqa: TRY301 - what is logged
    except ExceptionGroup:
        log.critical("thread ended by an error", exc_info=sys.exc_info()[1])
    (event,) = events_of(reported)
    assert {one["type"] for one in event["exception"]["values"]} == {"ExceptionGroup", "KeyError", "FileNotFoundError"}
    assert event["level"] == "fatal"


def test_only_errors_are_sent(reported: Receiver) -> None:
    log.warning("out of reach", service="Redis")
    log.info("attempt")
    sentry_sdk.capture_message(f"what comes from no line of the log: {ADDRESS}", level="error")
    assert events_of(reported) == []


def test_a_server_that_does_not_answer_holds_nothing_up(reported: Receiver) -> None:
    reported.slow = 1.5
    began = time.monotonic()
    for number in range(200):
        log.error("many errors", number=number)
    assert time.monotonic() - began < 60
    reported.slow = 0


@pytest.mark.parametrize(
    "wrong", ["sentry.example.com/1", "https://sentry.example.com/1", f"https://{KEY}@sentry.example.com", "https://"]
)
def test_a_dsn_that_is_none_is_refused_without_showing_its_key(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_SENTRY_DSN", wrong)
    with pytest.raises(SettingsError, match="TURNOUT_SENTRY_DSN is not a DSN") as refused:
        read_settings()
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("right", [f"https://{KEY}@o1.ingest.sentry.io/4507", f"http://{KEY}@10.0.0.7:9000/a/b/2"])
def test_a_dsn_is_read_and_never_shown(right: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_SENTRY_DSN", right)
    settings = read_settings()
    assert settings.sentry_dsn.get_secret_value() == right
    assert KEY not in repr(settings)
