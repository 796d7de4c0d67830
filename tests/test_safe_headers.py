"""The headers of every answer, whoever gives it: each route, each method, each role, each way to fail."""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
import requests

import web.participations
import web.receipts
from hubspot_api.response import Response
from models.words import Role
from tests.support.api import Api, key_for
from tests.support.console import RunningConsole
from tests.support.routes import SAMPLES, routes_of
from web.app import create_app
from web.hubspot_format import JSON, Fault
from web.participations import passed_on

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
SUBMISSION = "/submissions/018f0000-0000-4000-8000-000000000000"


def unsafe(headers: Mapping[str, str], *, may_be_kept: bool = False) -> list[str]:
    """Say what an answer's headers lack."""
    policy = headers.get("Content-Security-Policy", "")
    held = {
        "nosniff": headers.get("X-Content-Type-Options") == "nosniff",
        "frames": "frame-ancestors 'none'" in policy and headers.get("X-Frame-Options") == "DENY",
        "policy": policy.startswith("default-src 'none'") and "base-uri 'none'" in policy and "unsafe" not in policy,
        "no-store": headers.get("Cache-Control") == "no-store" or may_be_kept,
        "referrer": headers.get("Referrer-Policy") in {"no-referrer", "same-origin"},
        "no software": not {"Server", "X-Powered-By"} & set(headers),
        "one of each": not any("," in headers.get(name, "") for name in ("X-Frame-Options", "Cache-Control"))
        or may_be_kept,
    }
    return [what for what, is_so in held.items() if not is_so]


def test_every_route_answers_every_method_safely(api: Api) -> None:
    paths = {path for _, path in routes_of(create_app(api.context).routes)} | {"/nothing/here", "/static/none"}
    keys = {role: key_for(api.context, role, role) for role in (Role.OPERATOR, Role.VIEWER)} | {Role.PRODUCER: api.key}
    assert len(paths) > 50
    seen: set[int] = set()
    for path in sorted(paths):
        for name, value in SAMPLES.items():
            path = path.replace(f"{{{name}}}", value)  # noqa: PLW2901 - filled in
        for method in METHODS:
            for key in ("", *(keys.values() if path.startswith(("/marketing", "/submissions")) else ())):
                for accept in ("application/json", "text/html"):
                    answer = api.ask(
                        method, path, key=key, headers={"Accept": accept}, allow_redirects=False, data=b"{}"
                    )
                    seen.add(answer.status_code)
                    may_be_kept = path == f"/static/{SAMPLES['name']}" and answer.status_code == 200
                    assert unsafe(answer.headers, may_be_kept=may_be_kept) == [], f"{method} {path}"
    assert {200, 303, 401, 403, 404, 405, 415} <= seen


def test_the_console_answers_safely_when_signed_in(console: RunningConsole) -> None:
    operator = console.of(Role.OPERATOR)
    for _, path in routes_of(create_app(console.context).routes):
        if path.startswith(("/marketing", "/sign-out", "/static")):
            continue
        for name, value in SAMPLES.items():
            path = path.replace(f"{{{name}}}", value)  # noqa: PLW2901 - filled in
        assert unsafe(operator.get(path, allow_redirects=False).headers) == [], path
        assert unsafe(operator.post(path, {"form": "x"}, allow_redirects=False).headers) == [], path
    with operator.get("/", headers={"Accept": "text/event-stream"}, stream=True) as stream:
        assert unsafe(stream.headers) == []


def test_what_is_stored_and_read_back_is_answered_safely(api: Api) -> None:
    stored = api.submit("ada@example.com", "nobody", headers={"Idempotency-Key": "one"})
    path = urlsplit(stored.json()["links"]["submission"]).path
    receipt = api.ask("GET", path)
    unchanged = api.ask("GET", path, headers={"If-None-Match": receipt.headers["ETag"]})
    conflict = api.submit("bob@example.com", headers={"Idempotency-Key": "one"})
    large = api.ask("POST", "/marketing/v3/marketing-events/7/attendance/register/create", data=b"x" * 9_000_000)
    found = {answer.status_code: unsafe(answer.headers) for answer in (stored, receipt, unchanged, conflict, large)}
    assert found == {200: [], 304: [], 409: [], 415: []}


def test_a_bug_a_host_of_others_and_what_is_not_http_are_answered_safely(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(web.receipts, "_page", broken)
    failed = api.ask("GET", SUBMISSION)
    elsewhere = requests.get(f"{api.url}/", headers={"Host": "evil.example"}, timeout=10)
    assert (failed.status_code, elsewhere.status_code) == (500, 421)
    assert unsafe(failed.headers) == unsafe(elsewhere.headers) == []
    with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        head = b"".join(iter(lambda: client.recv(65_536), b"")).decode().partition("\r\n\r\n")[0]
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    assert unsafe({name.title(): value for name, value in headers.items()} | {"X-Frame-Options": "DENY"}) == []


# Read-backs

HTML = b"<html><script>alert(1)</script></html>"


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500, 503])
@pytest.mark.parametrize("kind", ["text/html", "application/xml", "image/svg+xml", "application/json", ""])
def test_hubspots_json_is_passed_on_as_json_and_of_its_headers_only_how_long_to_wait(status: int, kind: str) -> None:
    theirs = {
        "Content-Type": kind,
        "Set-Cookie": "a=b",
        "Location": "https://evil.example",
        "Access-Control-Allow-Origin": "*",
        "Content-Encoding": "gzip",
        "Cache-Control": "public",
        "Content-Security-Policy": "",
        "Refresh": "0;url=https://evil.example",
        "Link": "<x>",
        "Retry-After": "7",
    }
    answer = passed_on(Response(status, theirs, b'{"results": []}', 0.1))
    assert (answer.status_code, answer.body) == (status, b'{"results": []}')
    assert dict(answer.headers) == {"content-type": JSON, "retry-after": "7", "content-length": "15"}


@pytest.mark.parametrize("wait", ["", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "7\r\nX: y", "9" * 40, "７"])
def test_a_time_to_wait_that_is_no_number_is_left_out(wait: str) -> None:
    assert "retry-after" not in passed_on(Response(200, {"Retry-After": wait}, b"{}", 0.1)).headers


@pytest.mark.parametrize(("body", "kind"), [(HTML, "text/html"), (b"", "text/plain"), (b"{", "application/json")])
@pytest.mark.parametrize(
    ("status", "ours"), [(200, 502), (204, 502), (301, 502), (304, 502), (404, 404), (429, 429), (503, 503), (999, 502)]
)
def test_what_is_no_json_is_not_passed_on(body: bytes, kind: str, status: int, ours: int) -> None:
    with pytest.raises(Fault) as told:
        passed_on(Response(status, {"Content-Type": kind}, body, 0.1))
    assert (told.value.status, told.value.category, "script" in told.value.message) == (ours, "BAD_GATEWAY", False)
