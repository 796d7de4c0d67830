"""The reference: every example is run as it is shown, every error is provoked, and the page needs nothing else."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any, Literal

import jsonschema_rs
import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

import web.attendance
from hubspot_api.limiter import Use
from models.message import MOST_BYTES
from models.tables import Submission
from models.words import Role
from tests.support.api import BY_EMAIL, Api, delivering, key_for, running_server
from tests.support.browser import browser
from tests.support.contexts import open_context
from tests.support.ledger import Ledger, deliver_all, settled, taken
from tests.support.sandbox_server import RunningSandbox
from tests.support.webhook_receiver import Receiver
from web.limits import SLOWEST
from web.reference import calls, webhooks
from web.reference.answers import SUBMISSION
from web.reference.calls import EXAMPLES, READS, SDK_CLIENT, V3, WRITES
from web.reference.document import DATED
from web.reference.failures import FAILURES, Failure
from web.reference.page import MEANINGS
from worker.context import Context
from worker.delivery import permits
from worker.settings import Settings
from worker.webhooks import endpoint
from worker.webhooks.notify import notify

__all__ = ["browser"]
BASH, CURL = shutil.which("bash"), shutil.which("curl")
MADE_UP = re.compile(
    r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00))"
    r"|(?P<host>https?://[\w.:-]+)"
)
"""What an example cannot know: ids of submissions, when it is run, and where."""


@pytest.fixture
def context(settings: Settings, sandbox: RunningSandbox) -> Iterator[Context]:
    """A context whose records go to the test server."""
    sandbox.fault(match="103", status=400)
    with open_context(settings, hubspot_url=sandbox.url, burst_limit=1_000) as context:
        yield context


@pytest.fixture
def openapi(api: Api) -> Any:
    return api.ask("GET", "/openapi.json").json()


def known(answer: object) -> object:
    """Give an answer with a word in the place of what an example cannot know."""
    text = MADE_UP.sub(lambda found: f"({found.lastgroup})", json.dumps(answer))
    return json.loads(text)


def run(api: Api, command: str, flag: str, shown: str, after: str = "") -> str:
    """Run an example as it is shown; the submission that it asks about is the one that another example made."""
    if SUBMISSION in shown:
        (made,) = Ledger(api.context.engine).all(Submission, Submission.refused == 1)
        shown = shown.replace(SUBMISSION, str(made.submission))
    env = {"PATH": os.environ["PATH"], "TURNOUT_URL": api.url, "TURNOUT_KEY": api.key}
    done = subprocess.run(
        [command, flag, shown + after], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{shown}\n{done.stderr}"
    return done.stdout


def stored(api: Api) -> list[tuple[Any, ...]]:
    kept = Ledger(api.context.engine).stored()
    return [(event, batch.state, record.contact, record.input) for record, batch, event in kept]


AS_SHOWN = [
    ("acme-events/spring-summit-2026", "register", "ada@example.com"),
    ("4711", "cancel", "grace@example.com"),
    ("4711", "attend", "101"),
    ("acme-events/spring-summit-2026", "register", "102"),
    ("acme-events/spring-summit-2026", "register", "103"),
]


# Examples of calls


@pytest.mark.skipif("CI" not in os.environ and not (BASH and CURL), reason="needs bash and curl")
def test_each_command_is_answered_as_shown(api: Api) -> None:
    with delivering(api.context):
        for example in EXAMPLES:
            said = json.loads(run(api, BASH or "bash", "-c", example.curl))
            assert known(said) == known(example.answer), example.title
    assert [row[:3] for row in stored(api)] == AS_SHOWN
    assert [row[3] for row in stored(api)] == [
        one for example in WRITES for one in example.inputs if one.get("email") != "alan@@example.com"
    ]


def test_each_program_prints_what_it_says_and_stores_what_the_command_stores(api: Api) -> None:
    with delivering(api.context):
        for example in EXAMPLES:
            (printed,) = re.findall(r"^print\(.*\)  # (.*)\Z", example.sdk, re.MULTILINE)
            said = run(api, sys.executable, "-c", f"{SDK_CLIENT}\n\n{example.sdk}\n")
            assert said.strip() == printed, example.title
    assert [row[:3] for row in stored(api)] == AS_SHOWN
    assert [row[3] for row in stored(api)] == [
        one for example in WRITES for one in example.inputs if one.get("email") != "alan@@example.com"
    ]


def test_every_call_has_its_example_and_the_dated_paths_have_the_same(openapi: dict[str, Any]) -> None:
    paths = {path for path in openapi["paths"] if not path.startswith(DATED)}
    assert {example.path for example in EXAMPLES} == paths
    dated = {path.replace(DATED, V3) for path in openapi["paths"] if path.startswith(DATED)}
    assert dated == {example.path for example in WRITES + READS}
    for path in dated:
        (v3,), (other,) = (openapi["paths"][one].values() for one in (path, path.replace(V3, DATED)))
        parameters = [one for one in other["parameters"] if one["name"] != "version"]
        same = {"operationId": v3["operationId"], "parameters": parameters}
        assert other | same == v3, path


# Webhooks


@pytest.mark.parametrize("settings", [{"webhook_private": True, "batch_size": 1}], indirect=True)
def test_webhooks_are_sent_as_shown_and_verified_as_shown(api: Api, receiver: Receiver) -> None:
    context = api.context
    secret = endpoint.point(context.engine, context.settings, "shop", f"http://127.0.0.1:{receiver.port}/")
    api.submit("ada@example.com", "grace@example.com", "alan@example.com", "nobody")
    settled(context.engine, taken(context.engine), rejected=[0])
    look(context)
    deliver_all(context.engine)
    look(context)
    assert [known(json.loads(body)) for _, _, body in receiver.got] == [
        known(one) for one in webhooks.MESSAGES.values()
    ]
    program: dict[str, Any] = {}
    exec(webhooks.VERIFY, program)  # as a reader would
    verify = program["is_from_turnout"]
    for _, headers, body in receiver.got:
        assert webhooks.HEADERS.keys() <= headers.keys()
        assert headers["webhook-id"] == json.loads(body)["id"]
        assert verify(secret, headers, body)
        assert not verify(secret, headers, body + b" ")
        assert not verify(secret, headers | {"webhook-id": "another"}, body)
        assert not verify(secret, headers | {"webhook-timestamp": str(int(time.time()) - 1_000)}, body)
        assert not verify("whsec_" + "A" * 44, headers, body)


def look(context: Context) -> None:
    """Let the webhooks be told what there is to tell."""
    with context.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE notifications SET due_at = least(due_at, now())")
    notify(context)


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return settings.model_copy(update=getattr(request, "param", {}))


# Errors


def refused_by_role(api: Api) -> requests.Response:
    return api.submit("ada@example.com", key=key_for(api.context, "auditor", Role.VIEWER))


def repeated_otherwise(api: Api) -> requests.Response:
    api.submit("ada@example.com", headers={"Idempotency-Key": "one"})
    return api.submit("grace@example.com", headers={"Idempotency-Key": "one"})


def without_a_permit(api: Api) -> requests.Response:
    to = api.context.destination("default")
    while permits.permit(api.context, to, Use.READ_BACK, patience=0):
        pass
    return api.ask("GET", f"{V3}/participations/4711")


def without_hubspot(api: Api) -> requests.Response:
    object.__setattr__(api.context.destination("default"), "url", "http://127.0.0.1:9")
    return api.ask("GET", f"{V3}/participations/4711")


def too_slow(api: Api) -> requests.Response:
    real = asyncio.timeout

    def body() -> Iterator[bytes]:
        yield b"{"
        time.sleep(1)
        yield b"}"

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asyncio, "timeout", lambda seconds: real(0.3 if seconds == SLOWEST else seconds))
        return api.ask("POST", BY_EMAIL, data=body(), headers={"Content-Type": "application/json"})


def with_a_bug(api: Api) -> requests.Response:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(web.attendance, "may", None)
        return api.submit("ada@example.com")


def without_a_database(api: Api) -> requests.Response:
    away = Context(api.context.settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/nowhere"}))
    with running_server(away) as url:
        return Api(url, api.key, away).submit("ada@example.com")


PROVOKED: dict[tuple[int, str], Callable[[Api], requests.Response]] = {
    (400, "VALIDATION_ERROR"): lambda api: api.submit("ada@example.com", path=BY_EMAIL.partition("?")[0]),
    (401, "INVALID_AUTHENTICATION"): lambda api: api.submit("ada@example.com", key="turnout_1_mistyped"),
    (403, "MISSING_SCOPES"): refused_by_role,
    (403, "FORBIDDEN"): lambda api: api.submit("ada@example.com", headers={"Turnout-Account": "other"}),
    (404, "OBJECT_NOT_FOUND"): lambda api: api.ask("GET", f"/submissions/{SUBMISSION}"),
    (405, "METHOD_NOT_ALLOWED"): lambda api: api.ask("GET", BY_EMAIL),
    (408, "REQUEST_TIMEOUT"): too_slow,
    (409, "VALIDATION_ERROR"): repeated_otherwise,
    (413, "VALIDATION_ERROR"): lambda api: api.ask(
        "POST", BY_EMAIL, data=b" " * (MOST_BYTES + 1), headers={"Content-Type": "application/json"}
    ),
    (415, "VALIDATION_ERROR"): lambda api: api.ask(
        "POST", BY_EMAIL, data=b"{}", headers={"Content-Type": "text/plain"}
    ),
    (421, "MISDIRECTED_REQUEST"): lambda api: api.submit("ada@example.com", headers={"Host": "turnout.example.com"}),
    (429, "RATE_LIMITS"): without_a_permit,
    (500, "INTERNAL_ERROR"): with_a_bug,
    (502, "BAD_GATEWAY"): without_hubspot,
    (503, "UNAVAILABLE"): without_a_database,
}


@pytest.mark.parametrize("failure", FAILURES, ids=lambda one: f"{one.status} {one.category}")
def test_each_error_is_answered_as_shown(api: Api, failure: Failure) -> None:
    answer = PROVOKED[failure.status, failure.category](api)
    body = answer.json()
    assert (answer.status_code, body["category"], body["message"]) == (
        failure.status,
        failure.category,
        failure.message,
    )
    assert known({**body, "errors": None}) == known({**failure.body, "errors": None})
    named = [name for name in ("Retry-After", "WWW-Authenticate", "Allow") if name in answer.headers]
    assert named == ([failure.header] if failure.header else [])


def test_every_error_that_the_document_names_is_explained(openapi: dict[str, Any]) -> None:
    named = {
        int(status)
        for operations in openapi["paths"].values()
        for operation in operations.values()
        for status in operation["responses"]
        if status.isdecimal() and status >= "400"
    }
    assert named <= {one.status for one in FAILURES}
    assert {(one.status, one.category) for one in FAILURES} == PROVOKED.keys()


# The OpenAPI document


def test_every_example_of_the_document_is_as_its_schema_says(openapi: dict[str, Any]) -> None:
    said = set()
    for where, content in contents(openapi):
        schema = {**content["schema"], "components": openapi["components"]}
        validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        for example in content["examples"].values():
            said |= {f"{where}: {error.message}" for error in validator.iter_errors(example["value"])}
    assert not said


def contents(openapi: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give each body that the document describes; all have an example."""
    for path, operations in [*openapi["paths"].items(), *openapi["webhooks"].items()]:
        for operation in operations.values():
            for answer in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in answer.get("content", {}).values():
                    yield f"{path} {answer.get('description', 'request')}", content


def test_the_document_names_where_it_is_served_and_its_webhooks(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"].startswith("3.1")
    assert [one["url"] for one in openapi["servers"]] == ["/"]
    assert openapi["webhooks"].keys() == {"submission.failing", "submission.finished"}
    for one in openapi["webhooks"].values():
        assert {each["name"] for each in one["post"]["parameters"]} == webhooks.HEADERS.keys()
        assert one["post"]["security"] == []


# The page


def test_every_word_of_a_closed_list_is_explained(openapi: dict[str, Any]) -> None:
    lists = {name: schema["enum"] for name, schema in openapi["components"]["schemas"].items() if "enum" in schema}
    assert lists == {name: list(words) for name, words in MEANINGS.items()}


def test_the_page_shows_every_example_error_and_shape_and_each_path_once(api: Api, openapi: dict[str, Any]) -> None:
    html = api.ask("GET", "/reference").text
    text = unescape(re.sub(r"<[^>]+>", "", html))
    for example in EXAMPLES:
        assert html.count(f"<code>{example.path}</code>") == 1
        for shown in (example.curl, example.sdk):
            assert shown in text, shown
    assert [one for one in openapi["components"]["schemas"] if f'id="{one}"' not in html] == []
    for shown in (SDK_CLIENT, webhooks.VERIFY, f"export TURNOUT_URL={api.url}", *webhooks.WHEN, *webhooks.HEADERS):
        assert shown in text, shown
    for failure in FAILURES:
        assert f"{failure.status}{failure.category}" in text
    assert calls.HOST not in text, "examples name the address that the page was asked at"
    assert "`" not in re.sub(r"(?s)<pre>.*?</pre>", "", html), "code that is not shown as code"
    assert set(re.findall(r'href="#(\w+)"', html)) <= set(re.findall(r'id="(\w+)"', html))


@pytest.mark.parametrize("host", ["turnout.example.com", 'a"><script>alert(1)</script>', "x;rm -rf ~"])
def test_the_page_is_not_written_by_whoever_names_the_host(api: Api, host: str) -> None:
    with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), 10) as client:
        client.sendall(f"GET /reference HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65_536), b"")).decode()
    assert "<script" not in answer
    assert answer.startswith("HTTP/1.1 421 ")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_the_page_is_readable_without_a_script_and_loads_nothing_from_outside(
    browser: Browser, api: Api, width: int, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{api.url}/reference")
    page.get_by_role("link", name="Webhooks", exact=True).click()
    assert page.url.endswith("#webhooks")
    assert all(one.startswith(api.url) for one in asked), asked
    assert any(one.endswith(".css") or ".css?" in one for one in asked)
    context.close()
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{api.url}/reference")
    found = [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:200]}"
        for one in Axe().run(page).response["violations"]
    ]
    assert not found, "\n".join(found)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "it is wider than the screen"
    page.get_by_role("link", name="Back to the console").first.click()
    page.wait_for_url(f"{api.url}/sign-in*")
    context.close()
