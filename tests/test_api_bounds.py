"""What the API does not let in: slow clients, large bodies, more at once than there is room for; and how it stops."""

import asyncio
import json
import select
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
import requests
import sqlalchemy.exc
from starlette.requests import Request

import web.limits
import web.long_poll
import web.server
import worker.queries.submissions
from models.message import MOST_BYTES
from tests.support import warm
from tests.support.api import BY_EMAIL, Api, Held, key_for
from tests.support.worker_processes import environment, until
from web.limits import MOST_BYTES_AT_ONCE, Admission
from web.server import ImpatientProtocol
from worker.auth.keys import ApiKey
from worker.context import Context
from worker.local.services import free_port
from worker.queries.reconciliation import audit
from worker.settings import Settings


def connected(api: Api) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), timeout=20)
    client.settimeout(20)
    return client


def held_by_server(client: socket.socket) -> bool:
    """Say whether the server, which is in this process too, still has its end of a connection."""
    return any(
        bool(one.raddr) and tuple(one.raddr) == client.getsockname() for one in psutil.Process().net_connections("tcp4")
    )


def head(api: Api, length: int) -> bytes:
    return (
        f"POST {BY_EMAIL} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[ImpatientProtocol]:
    """The server's ends of the connections, in the order in which they were opened."""
    opened: list[ImpatientProtocol] = []
    real = ImpatientProtocol.connection_made

    def noted(self: ImpatientProtocol, transport: asyncio.Transport) -> None:
        real(self, transport)
        opened.append(self)

    monkeypatch.setattr(ImpatientProtocol, "connection_made", noted)
    return opened


def not_found(client: socket.socket) -> None:
    """Take the answer to a request for what is not there."""
    answer = b""
    while not answer.endswith(b"}"):
        some = client.recv(10_000)
        assert some, "cut off"
        answer += some
    assert answer.startswith(b"HTTP/1.1 404 ")


def test_headers_that_do_not_come_end_the_connection(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.server, "SLOWEST", 0.5)
    for said in (b"", b"POST / HTTP/1.1\r\nHost: "):
        with connected(api) as client:
            begun = time.monotonic()
            client.sendall(said)
            assert client.recv(100) == b""
            assert time.monotonic() - begun > 0.25


def test_headers_of_a_second_request_that_do_not_come_end_the_connection(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(api) as client:
        client.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        not_found(client)
        monkeypatch.setattr(web.server, "SLOWEST", 0.5)
        client.sendall(b"GET /nothing HT")
        assert client.recv(100) == b""


def test_a_second_requests_headers_have_a_time_of_their_own(
    api: Api, connections: list[ImpatientProtocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.server, "SLOWEST", 300.0)
    with connected(api) as client:
        client.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        not_found(client)
        (connection,) = connections
        first = connection._slow  # noqa: SLF001 - when it rings is no matter of this test's speed
        begun = time.monotonic()  # the loop's clock
        client.sendall(b"GET /nothing HTTP/1.1\r\n")
        until(lambda: connection._slow is not first, 30, "its time is the connection's")  # noqa: SLF001
        own = connection._slow  # noqa: SLF001
        assert first is not None
        assert own is not None
        assert first.cancelled(), "the connection's time would cut it short"
        assert own.when() >= begun + 300
        client.sendall(b"Host: localhost\r\n\r\n")
        not_found(client)


def test_an_answer_that_is_not_taken_ends_the_connection(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.server, "UNREAD", 0.5)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.settimeout(20)
        client.connect(("127.0.0.1", int(api.url.rpartition(":")[2])))
        until(lambda: held_by_server(client), 30, "it was not accepted")
        # Together the answers are larger than what the kernel keeps for the client.
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        until(lambda: not held_by_server(client), 30, "it waits for ever")


def test_a_connection_that_is_idle_is_kept_for_the_next_request(
    api: Api, connections: list[ImpatientProtocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.server, "SLOWEST", 300.0)
    with connected(api) as client:
        for _ in range(3):
            client.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
            not_found(client)
            (connection,) = connections
            # Its time is over while nothing is asked.
            connection.loop.call_soon_threadsafe(connection._close_unless_asked)  # noqa: SLF001


def test_a_body_that_drips_is_cut_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.limits, "SLOWEST", 0.5)
    with connected(api) as client:
        client.sendall(head(api, 1_000) + b'{"inputs"')
        answer = client.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 408 ")
    monkeypatch.setattr(web.limits, "SLOWEST", 60.0)
    assert api.submit("ada@example.com").status_code == 200


def test_a_body_too_large_is_refused_before_it_has_come(api: Api) -> None:
    with connected(api) as client:
        client.sendall(head(api, 9_000_000))
        assert client.recv(10_000).startswith(b"HTTP/1.1 413 ")


def test_a_body_too_large_that_does_not_say_so_is_refused_where_it_is(api: Api) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 1
            yield b" " * 1_048_576

    with suppress(requests.ConnectionError):  # ended while it still sends
        answer = api.ask("POST", BY_EMAIL, data=chunks(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
    assert sent < 32


def test_no_connection_to_the_database_in_time_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise sqlalchemy.exc.TimeoutError

    monkeypatch.setattr(worker.queries.submissions, "summary", none)
    answer = api.ask("GET", "/submissions/018f0000-0000-4000-8000-000000000000")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_more_at_once_than_there_is_room_for_is_503_until_there_is_room_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.limits, "MOST_AT_ONCE", 2)
    let_in: list[Admission] = []
    read = Admission.read

    def noted(self: Admission, asked: Request, key: ApiKey, body: bytearray) -> Awaitable[None]:
        let_in.append(self)
        return read(self, asked, key, body)

    monkeypatch.setattr(Admission, "read", noted)
    half_said = [connected(api) for _ in range(2)]
    for client in half_said:
        client.sendall(head(api, 100) + b'{"inp')
    until(lambda: len(let_in) == 2, 10, "they were not let in")
    refused = api.submit("ada@example.com")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json()["category"] == "UNAVAILABLE"
    for client in half_said:
        client.close()
    until(lambda: api.submit("ada@example.com").status_code == 200, 10, "the room was not given back")


def test_more_bytes_at_once_than_there_is_room_for_are_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.limits, "MOST_BYTES_AT_ONCE", 100_000)
    let_in: list[bytearray] = []
    read = Admission.read

    def noted(self: Admission, asked: Request, key: ApiKey, body: bytearray) -> Awaitable[None]:
        let_in.append(body)
        return read(self, asked, key, body)

    monkeypatch.setattr(Admission, "read", noted)
    with connected(api) as client:
        client.sendall(head(api, 200_000) + b" " * 90_000)
        until(lambda: bool(let_in) and len(let_in[0]) == 90_000, 10, "it has not come")
        until(lambda: api.submit(*["a" * 50 + "@example.com"] * 200).status_code == 503, 10, "there is room")
        assert api.submit("ada@example.com").status_code == 200, "a small one has room"
    until(lambda: api.submit(*["a" * 50 + "@example.com"] * 200).status_code == 200, 10, "room was not given back")


def test_beyond_so_many_held_answers_the_next_gets_his_at_once(
    api: Api, held_long: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.long_poll, "MOST", 3)
    with ThreadPoolExecutor(3) as pool:
        held = [pool.submit(api.submit, f"p{number}@example.com", headers={"Prefer": "wait=60"}) for number in range(3)]
        try:
            until(lambda: len(held_long.asked) == 3, 30, "they are not held")
            answer = api.submit("ada@example.com", headers={"Prefer": "wait=60"})
            assert (answer.json()["status"], "Preference-Applied" in answer.headers) == ("PENDING", False)
            assert not any(one.done() for one in held)
        finally:
            held_long.let_go()
        assert [one.result().json()["status"] for one in held] == ["PENDING"] * 3


def test_two_hundred_held_answers_take_no_thread_from_the_others(
    api: Api, held_long: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.limits, "MOST_AT_ONCE_OF_KEY", 256)  # they come at once
    with ThreadPoolExecutor(200) as pool:
        held = [
            pool.submit(api.submit, f"p{number}@example.com", headers={"Prefer": "wait=60"}) for number in range(200)
        ]
        try:
            until(lambda: len(held_long.asked) == 200, 60, "they are not held")
            assert api.submit("ada@example.com").status_code == 200
            assert not any(one.done() for one in held), "it was answered only when they were"
        finally:
            held_long.let_go()
        assert {one.result().status_code for one in held} == {200}


def test_a_stop_answers_who_is_held_and_ends_well_and_no_key_is_in_the_log(
    settings: Settings, context: Context, tmp_path: Path
) -> None:
    key, port = key_for(context, "shop"), free_port()
    log = tmp_path / "web.log"
    command = [sys.executable, "-m", "cli", "serve", "--port", str(port)]
    served = warm.start(command, tmp_path, environment(settings), log)
    asked = Api(f"http://127.0.0.1:{port}", key, context)
    try:
        until(lambda: " serving " in log.read_text(), 30, log.read_text)
        asked.submit("bob@example.com", key=f"{key}x")
        before = audit(context.engine).accepted
        grown = memory_for_large_bodies(asked, served.pid)
        answers: list[requests.Response] = []
        waiting = threading.Thread(
            target=lambda: answers.append(asked.submit("ada@example.com", headers={"Prefer": "wait=60"}))
        )
        waiting.start()
        until(lambda: audit(context.engine).accepted == before + 1, 30, "it was not stored")
        served.terminate()
        assert served.wait(50) == 0, "it waited until the held answer's time was over"
        waiting.join(10)
    finally:
        served.kill()
        served.wait()
    assert grown < MOST_BYTES_AT_ONCE + 48 * 1_048_576
    assert [json.loads(answer.content)["status"] for answer in answers] == ["PENDING"]
    secret = key.rpartition("_")[2]
    assert secret not in log.read_text()
    assert "Bearer" not in log.read_text()


def test_a_stop_ends_a_connection_that_was_accepted_at_that_moment_too(
    context: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its client keeps it open for its next request: to wait for that takes until the time of the stop is over."""
    accepted: list[object] = []

    class Accepted(web.server.ImpatientProtocol):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            accepted.append(self)

    monkeypatch.setattr(web.server, "ImpatientProtocol", Accepted)
    server = web.server.Server(context, "127.0.0.1", port := free_port())

    async def stop_as_one_comes() -> None:
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup()
        with socket.create_connection(("127.0.0.1", port), 20) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not accepted:  # noqa: ASYNC110 - this is about the very next moment
                await asyncio.sleep(0)
            assert not server.server_state.connections, "this is not the moment that was meant"
            await server.shutdown()

    asyncio.run(stop_as_one_comes())
    assert "exceeded" not in caplog.text


def memory_for_large_bodies(api: Api, pid: int) -> int:
    """Begin sixty bodies of which three MiB come, and give the bytes by which the process has grown."""
    process = psutil.Process(pid)
    before = process.memory_info().rss
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(api)) for _ in range(60)]
        for client in clients:
            client.sendall(head(api, MOST_BYTES))
            client.settimeout(1)
            with suppress(TimeoutError, ConnectionError):
                client.sendall(b" " * 3 * 1_048_576)
        until(lambda: refusals(clients) >= 60 - MOST_BYTES_AT_ONCE // (3 * 1_048_576) - 1, 20, "too much was let in")
        return process.memory_info().rss - before


def refusals(clients: list[socket.socket]) -> int:
    """Count those that were answered already, all that a body which goes on can be answered."""
    answered, _, _ = select.select(clients, [], [], 0)
    return len(answered)
