"""The examples of proxies, in nginx and Caddy: TLS, path, client's address, slow bodies, live pages, long polls."""

import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.poolmanager import PoolManager

from models.tables import Event
from models.words import Role
from tests.support.api import WHEN, Asking, key_for, running_server
from tests.support.background import beside
from tests.support.certificate import certificate_for
from tests.support.console import Visitor
from tests.support.contexts import open_context
from tests.support.databases import Databases
from tests.support.ledger import Ledger
from tests.support.proxies import KINDS, running_proxy
from tests.support.proxy import Proxy
from tests.support.services import Valkey
from tests.support.worker_processes import until
from worker.auth.signin_limit import place_of
from worker.context import Context
from worker.local.services import free_port
from worker.settings import Settings

CLIENT = "127.0.0.2"
"""Another address of the loopback: the proxy's own is trusted."""

PATH = "/turnout/marketing/v3/marketing-events/4711/attendance/register/email-create"


class FromClient(HTTPAdapter):
    """Connects from the client's address."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        self.poolmanager = PoolManager(*args, source_address=(CLIENT, 0), **more)


@dataclass(frozen=True)
class Outside:
    """Turnout as a client sees it: through the proxy, at its address from outside."""

    url: str
    plain: int
    certificate: Path
    context: Context
    between: Proxy
    key: str

    def session(self) -> requests.Session:
        session = requests.Session()
        session.mount("https://", FromClient())
        session.verify = str(self.certificate)
        session.trust_env = False  # it would name other certificates
        return session

    def connected(self) -> ssl.SSLSocket:
        """Connect, to say HTTP by hand."""
        tls = ssl.create_default_context(cafile=str(self.certificate))
        plain = socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), 30)
        return tls.wrap_socket(plain, server_hostname="127.0.0.1")

    def submit(self, path: str = "/4711/attendance/register/email-create", **more: Unpack[Asking]) -> requests.Response:
        signed = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        more["headers"] = {**signed, **more.get("headers", {})}
        more.setdefault("data", b'{"inputs": [{"email": "ada@example.com", "interactionDateTime": %d}]}' % WHEN)
        url = f"{self.url}/turnout/marketing/v3/marketing-events{path}"
        return self.session().request("POST", url, timeout=60, **more)


@pytest.fixture(scope="module", params=KINDS)
def outside(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outside]:
    port, plain = free_port(), free_port()
    certificate = certificate_for("127.0.0.1", tmp_path_factory.mktemp("certificate"))
    name = databases.take()
    with ExitStack() as stack:
        valkey = Valkey(tmp_path_factory.mktemp("valkey"))
        stack.callback(valkey.stop)
        settings = Settings(
            _env_file=None,
            database_url=databases.url_of(name),
            broker_url=valkey.url,
            secret_key="a key of the tests",
            public_url=f"https://127.0.0.1:{port}/turnout",
            trusted_proxies="127.0.0.1",
        )
        context = stack.enter_context(open_context(settings))
        inside = stack.enter_context(running_server(context))
        between = Proxy(int(inside.rpartition(":")[2]))
        stack.callback(between.cut)
        url = stack.enter_context(running_proxy(request.param, certificate, port, plain, between.port))
        yield Outside(url, plain, certificate, context, between, key_for(context, "shop"))
    databases.give_back(name)


def test_pages_come_by_tls_under_the_path(outside: Outside) -> None:
    page = outside.session().get(f"{outside.url}/turnout/sign-in", timeout=30)
    assert page.status_code == 200
    assert page.headers["Strict-Transport-Security"].startswith("max-age=")
    addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text)
    assert len(addresses) >= 3
    assert all(address.startswith("/turnout/") for address in addresses)
    script = next(address for address in addresses if address.startswith("/turnout/static/"))
    assert outside.session().get(outside.url + script, timeout=30).status_code == 200
    bare = outside.session().get(f"{outside.url}/turnout", allow_redirects=False, timeout=30)
    assert (bare.status_code // 100, bare.headers["Location"].removeprefix(outside.url)) == (3, "/turnout/")


def test_plain_http_is_led_to_https(outside: Outside) -> None:
    answer = requests.get(f"http://127.0.0.1:{outside.plain}/turnout/", allow_redirects=False, timeout=30)
    assert answer.status_code in {301, 308}
    assert answer.headers["Location"].startswith("https://127.0.0.1")


def test_wrong_keys_count_for_the_client_and_not_for_whom_he_says_he_is(outside: Outside) -> None:
    visitor = Visitor(f"{outside.url}/turnout", outside.session())
    visitor.http.headers["X-Forwarded-For"] = "203.0.113.9"
    shown = visitor.get("/sign-in").text
    (form,) = set(re.findall(r'name="form" value="([0-9a-f]{64})"', shown))
    answer = visitor.post("/sign-in", {"form": form, "key": "turnout_wrong"}, headers={"Origin": outside.url})
    assert answer.status_code == 403
    counted = b" ".join(outside.context.redis.scan_iter("*")).decode()
    assert place_of(CLIENT) in counted
    assert "203.0.113" not in counted


def test_an_operator_signs_in_and_a_live_page_comes_as_it_is_made(outside: Outside) -> None:
    visitor = Visitor(f"{outside.url}/turnout", outside.session())
    form = visitor.token()
    key = key_for(outside.context, f"olga-{time.monotonic_ns()}", Role.OPERATOR)
    answer = visitor.post("/sign-in", {"form": form, "key": key}, headers={"Origin": outside.url})
    assert (answer.status_code, answer.url) == (200, f"{outside.url}/turnout/")
    headers = {"Accept": "text/event-stream"}
    with visitor.get("/batches", headers=headers, stream=True) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        # The stream does not end by itself for minutes; what it has said so far is here.
        first = next(line for line in stream.iter_lines(chunk_size=1) if line.startswith(b"data: "))
    assert b"<main" in first


def test_an_answer_that_is_held_is_waited_for(outside: Outside) -> None:
    begun = time.monotonic()
    answer = outside.submit(headers={"Prefer": "wait=4"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["preference-applied"] == "wait=4"
    assert answer.json()["links"]["submission"].startswith(f"{outside.url}/turnout/submissions/")
    assert time.monotonic() - begun > 2


def test_a_path_goes_on_as_it_came(outside: Outside) -> None:
    answer = outside.submit("/attendance/web%2Finar%20%C3%BC/register/email-create?externalAccountId=ac%2Fme")
    assert answer.status_code == 200, answer.text
    events = Ledger(outside.context.engine).all(Event)
    assert ("ac/me", "web/inar ü") in [(event.external_account_id, event.external_event_id) for event in events]


def test_a_body_that_is_too_large_is_answered_with_what_to_do(outside: Outside) -> None:
    """It asks first, as curl does, and sends nothing of it: a client that goes on sending may miss the answer."""
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {outside.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 8388609\r\nExpect: 100-continue\r\n\r\n"
    )
    with outside.connected() as client:
        client.sendall(head.encode())
        answer = client.recv(65_536).decode()
        while "several requests" not in answer and (more := client.recv(65_536)):
            answer += more.decode()
    assert answer.startswith("HTTP/1.1 413"), answer
    assert "Content-Type: application/json" in answer
    assert "Send its inputs in several requests." in answer


def test_a_body_that_comes_slowly_is_taken_whole(outside: Outside, request: pytest.FixtureRequest) -> None:
    body = b'{"inputs": [{"email": "grace@example.com", "interactionDateTime": %d}]}' % WHEN
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {outside.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    outside.between.cut()
    outside.between.restore()  # no connection is kept
    with outside.connected() as client:
        client.sendall(head + body[:20])
        time.sleep(1)
        if "nginx" in request.node.name:
            assert outside.between.connected == 0, "a slow body holds a place of Turnout's"
        for at in range(20, len(body)):
            client.sendall(body[at : at + 1])
        answer = b""
        while more := client.recv(65_536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 200"), answer


def test_behind_nginx_one_of_two_is_restarted_after_the_other_and_no_request_fails(
    settings: Settings, tmp_path: Path
) -> None:
    """The second goes as soon as the first is ready again, as the lines of the page have it."""
    port, plain, ports = free_port(), free_port(), (free_port(), free_port())
    certificate = certificate_for("127.0.0.1", tmp_path)
    public = {"public_url": f"https://127.0.0.1:{port}/turnout", "trusted_proxies": "127.0.0.1"}
    answers: list[int] = []
    with ExitStack() as stack:
        context = stack.enter_context(open_context(settings, **public))
        headers = {"Authorization": f"Bearer {key_for(context, 'shop')}"}
        body = {"inputs": [{"email": "ada@example.com", "interactionDateTime": WHEN}]}
        running = [stack.enter_context(ExitStack()) for _ in ports]
        for process, at in zip(running, ports, strict=True):
            process.enter_context(running_server(context, at))
        url = stack.enter_context(running_proxy("nginx", certificate, port, plain, *ports))

        def submit(_: object) -> None:
            answer = requests.post(url + PATH, json=body, headers=headers, verify=str(certificate), timeout=60)
            answers.append(answer.status_code)

        def a_dozen_more() -> None:
            so_far = len(answers)
            until(lambda: len(answers) >= so_far + 12, 60, "requests are not answered")

        stack.enter_context(beside(submit, 0, "submitting"))
        a_dozen_more()
        for process, at in zip(running, ports, strict=True):
            process.close()
            a_dozen_more()
            process.enter_context(running_server(context, at))
        a_dozen_more()
    assert set(answers) == {200}
