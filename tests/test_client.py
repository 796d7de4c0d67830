"""The client against real sockets: servers that answer in every wrong way a network knows."""

import gc
import gzip
import socket
import socketserver
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests.adapters

from hubspot_api import transport
from hubspot_api.address import attendance_path
from hubspot_api.client import get, post
from hubspot_api.egress import Egress
from hubspot_api.response import NoResponse, Response
from hubspot_api.transport import LONGEST_ANSWER
from models.message import Address
from models.words import Identity, State
from tests.support.certificate import certificate_for, served_with
from tests.support.deadlines import out_of_time

TOKEN = "pat-eu1-secret"
BODY = b'{"inputs": []}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Connection:
    """The server's side of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.file = sock.makefile("rb")

    def request(self) -> bytes:
        """Read one request whole; nothing where the client has closed."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            if not line:
                return b""
            head += line
        named = (line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        return head + self.file.read(int(next(named, b"content-length: 0")[15:]))

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, pause: float = 0.02) -> None:
        for byte in data:
            self.send(bytes([byte]))
            time.sleep(pause)


Behave = Callable[["Server", Connection], None]


@dataclass
class Server:
    """A server whose every connection behaves as the test says."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    socks: list[socket.socket] = field(default_factory=list)


@contextmanager
def serving(behave: Behave, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}")
    threads = []

    def talk(sock: socket.socket) -> None:
        with suppress(OSError), sock, tls.wrap_socket(sock, server_side=True) if tls else sock as wrapped:
            server.socks.append(wrapped)
            connection = Connection(wrapped)
            with connection.file:
                behave(server, connection)  # until the client has gone

    def listen() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            sock.settimeout(60)
            threads.append(thread := threading.Thread(target=talk, args=(sock,), daemon=True))
            thread.start()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for sock in server.socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(1)


def once(data: bytes) -> Behave:
    """Answer one request with these bytes and close."""

    def behave(server: Server, connection: Connection) -> None:
        server.requests.append(connection.request())
        connection.send(data)

    return behave


def always(data: bytes) -> Behave:
    """Answer every request on the connection, and keep it."""

    def behave(server: Server, connection: Connection) -> None:
        while request := connection.request():
            server.requests.append(request)
            connection.send(data)

    return behave


def send(server: Server, timeout: float = 60, body: bytes = BODY) -> Response | NoResponse:
    return post(f"{server.url}/x", TOKEN, body, timeout)


def answered(response: Response | NoResponse) -> tuple[int, bytes]:
    assert isinstance(response, Response), response
    return response.status, response.body


# What is sent


def test_the_request_carries_the_token_the_length_and_the_body_as_it_is() -> None:
    with serving(once(OK)) as server:
        assert answered(send(server)) == (200, b"{}")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /x HTTP/1.1"
    assert {b"Authorization: Bearer " + TOKEN.encode(), b"Content-Type: application/json", b"Content-Length: 14"} <= {
        *lines
    }
    assert body == BODY


def test_the_request_line_is_the_path_as_it_was_encoded() -> None:
    path = attendance_path("v3", Address(None, "ev 1/../x", "é&"), State.ATTEND, Identity.EMAIL)
    with serving(once(OK)) as server:
        post(f"{server.url}{path}", TOKEN, BODY, 5)
    assert server.requests[0].startswith(f"POST {path} HTTP/1.1\r\n".encode())


def test_a_proxy_or_a_netrc_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(once(OK)) as server:
        assert answered(send(server)) == (200, b"{}")
    assert b"Bearer " + TOKEN.encode() in server.requests[0]


def test_a_long_body_arrives_whole() -> None:
    body = b'"' + b"x" * 3_000_000 + b'"'
    with serving(once(OK)) as server:
        assert answered(send(server, body=body)) == (200, b"{}")
    assert server.requests[0].endswith(b"\r\n\r\n" + body)


# What comes back whole


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (OK, 200, b"{}"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", 200, b"{}"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", 200, b"{}"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 200, b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 13\r\n\r\n<html></html>", 502, b"<html></html>"),
        (b"HTTP/1.1 477 Moving\r\nContent-Length: 0\r\n\r\n", 477, b""),
    ],
    ids=["length", "until closed", "http 1.0", "chunked", "after 100", "no content", "empty", "html", "odd status"],
)
def test_an_answer_is_read_whole(data: bytes, status: int, body: bytes) -> None:
    with serving(once(data)) as server:
        assert answered(send(server)) == (status, body)


def test_gzip_is_unpacked() -> None:
    packed = gzip.compress(b'{"results": []}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with serving(once(head + packed)) as server:
        assert answered(send(server)) == (200, b'{"results": []}')


def test_headers_ignore_case() -> None:
    with serving(once(b"HTTP/1.1 429 Slow\r\nretry-AFTER: 7\r\nContent-Length: 0\r\n\r\n")) as server:
        response = send(server)
    assert isinstance(response, Response)
    assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with serving(always(OK)) as elsewhere:
        data = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere.url}/y\r\nContent-Length: 0\r\n\r\n"
        with serving(once(data.encode())) as server:
            assert answered(send(server)) == (status, b"")
    assert elsewhere.connections == 0


def test_an_endless_answer_is_cut_at_the_bound_and_its_connection_closed() -> None:
    gone = threading.Event()

    def behave(server: Server, connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while not server.over.is_set():
                connection.send(b"x" * 100_000)
        finally:
            gone.set()

    with serving(behave) as server:
        status, body = answered(send(server))
        assert (status, len(body)) == (200, LONGEST_ANSWER)
        assert gone.wait(30)


def test_what_unpacks_to_more_than_the_bound_is_cut_too() -> None:
    packed = gzip.compress(b"x" * (3 * LONGEST_ANSWER))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with serving(once(head + packed)) as server:
        assert len(answered(send(server))[1]) == LONGEST_ANSWER


def test_a_get_carries_the_token_and_no_body_over_the_same_connection() -> None:
    with serving(always(OK)) as server:
        send(server)
        path = "/p/a%2Fb%40c/breakdown?limit=100&after=x%26y"
        assert answered(get(f"{server.url}{path}", TOKEN, 5)) == (200, b"{}")
        assert server.connections == 1
    head, _, body = server.requests[1].partition(b"\r\n\r\n")
    assert head.startswith(f"GET {path} HTTP/1.1\r\n".encode())
    assert f"Authorization: Bearer {TOKEN}".encode() in head
    assert b"content-type" not in head.lower()
    assert body == b""


# The deadline. None of these servers ends a call within minutes: a deadline that does not hold is a test's time-out.


def dripping_headers(_: Server, connection: Connection) -> None:
    connection.request()
    connection.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Wait: a little more\r\n" * 1000)


def dripping_body(_: Server, connection: Connection) -> None:
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    connection.drip(b"x" * 100_000)


def dripping_chunks(_: Server, connection: Connection) -> None:
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.drip(b"1\r\nx\r\n" * 10_000)


def dripping_until_closed(_: Server, connection: Connection) -> None:
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    connection.drip(b"x" * 100_000)


def always_continuing(_: Server, connection: Connection) -> None:
    connection.request()
    while True:
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.02)


def silent(server: Server, connection: Connection) -> None:
    connection.request()
    server.over.wait()


def reading_nothing(server: Server, _: Connection) -> None:
    server.over.wait()


@pytest.mark.parametrize(
    "behave",
    [
        dripping_headers,
        dripping_body,
        dripping_chunks,
        dripping_until_closed,
        always_continuing,
        silent,
        reading_nothing,
    ],
)
def test_the_deadline_holds_for_the_whole_call(behave: Behave) -> None:
    body = b"x" * 8_000_000 if behave is reading_nothing else BODY
    with serving(behave) as server:
        response = out_of_time(lambda seconds: send(server, timeout=seconds, body=body))
    assert isinstance(response, NoResponse)
    assert (response.because, response.sent) == ("no whole answer in time", True)
    assert response.duration > 0.15


def test_a_deadline_that_has_passed_sends_nothing() -> None:
    with serving(always(OK)) as server:
        response = send(server, timeout=1e-9)
        assert isinstance(response, NoResponse)
        assert not response.sent
    assert server.requests == []


def test_a_deadline_of_one_call_says_nothing_about_the_next_on_the_same_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(always(OK)) as server:
        assert answered(send(server, timeout=60)) == (200, b"{}")
        monkeypatch.setattr(transport, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 61))
        assert answered(send(server, timeout=60)) == (200, b"{}")
        assert server.connections == 1


# What breaks


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "RemoteDisconnected"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}", "IncompleteRead"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "error"),
    ],
    ids=["closed at once", "cut", "cut inside a chunk", "no http", "no gzip"],
)
def test_a_broken_answer_is_none_and_may_have_been_applied(data: bytes, words: str) -> None:
    with serving(once(data)) as server:
        response = send(server)
    assert isinstance(response, NoResponse)
    assert (response.because, response.sent) == (f"no whole answer: {words}", True)


def test_a_connection_that_is_reset_may_have_been_applied() -> None:
    def behave(_: Server, connection: Connection) -> None:
        connection.request()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    with serving(behave) as server:
        response = send(server)
    assert isinstance(response, NoResponse)
    assert response.sent


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_refused_connection_has_sent_nothing() -> None:
    response = post(free_address(), TOKEN, BODY, 5)
    assert isinstance(response, NoResponse)
    assert (response.because, response.sent) == ("nothing could be sent: Connection refused", False)


def test_a_name_that_nobody_knows_has_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    response = post("http://hubspot.example/", TOKEN, BODY, 5)
    assert isinstance(response, NoResponse)
    assert (response.because, response.sent) == ("nothing could be sent: Name or service not known", False)


def test_a_server_that_refuses_a_body_before_it_has_read_it_is_heard() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"

    def behave(server: Server, connection: Connection) -> None:
        connection.send(refusal)
        connection.sock.shutdown(socket.SHUT_WR)
        server.over.wait(0.2)

    with serving(behave) as server:
        assert answered(send(server, body=b"x" * 8_000_000)) == (413, b"{}")


@pytest.mark.parametrize(
    ("url", "token"),
    [("http://[/", TOKEN), ("gopher://127.0.0.1/", TOKEN), ("", TOKEN), ("http://127.0.0.1:9/", f"{TOKEN}\n")],
)
def test_settings_that_make_no_request_are_an_answer_without_the_token(url: str, token: str) -> None:
    response = post(url, token, BODY, 5)
    assert isinstance(response, NoResponse)
    assert not response.sent
    assert TOKEN not in repr(response)


# Connections


@pytest.mark.parametrize(
    "data",
    [
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["length", "chunked", "404", "204", "empty 500"],
)
def test_a_connection_is_used_again(data: bytes) -> None:
    with serving(always(data)) as server:
        for _ in range(4):
            assert isinstance(send(server), Response)
        assert (server.connections, len(server.requests)) == (1, 4)


def test_a_kept_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    closed = threading.Semaphore(0)

    def behave(server: Server, connection: Connection) -> None:
        server.requests.append(connection.request())
        connection.send(OK)
        connection.sock.shutdown(socket.SHUT_RDWR)
        closed.release()

    with serving(behave) as server:
        for _ in range(3):
            assert answered(send(server)) == (200, b"{}")
            assert closed.acquire(timeout=30)
        assert (server.connections, len(server.requests)) == (3, 3)


def test_a_kept_connection_that_closes_on_the_next_request_is_an_honest_no_answer() -> None:
    """Not sent again at once: the permit is for one call, and the batch is sent again from SQL a moment later."""

    def behave(server: Server, connection: Connection) -> None:
        server.requests.append(connection.request())
        connection.send(OK)
        server.requests.append(connection.request())

    with serving(behave) as server:
        assert answered(send(server)) == (200, b"{}")
        response = send(server)
        assert isinstance(response, NoResponse)
        assert (response.because, response.sent) == ("no whole answer: RemoteDisconnected", True)
        assert (server.connections, len(server.requests)) == (1, 2)
        assert answered(send(server)) == (200, b"{}")


def test_after_a_broken_answer_the_next_call_is_not_confused_by_its_rest() -> None:
    given_up, sent_late = threading.Event(), threading.Event()

    def behave(server: Server, connection: Connection) -> None:
        connection.request()
        number = server.connections
        if number == 1:
            given_up.wait()
        with suppress(OSError):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        sent_late.set()

    with serving(behave) as server:
        assert isinstance(send(server, timeout=0.2), NoResponse)
        given_up.set()
        assert sent_late.wait(30)
        assert answered(send(server)) == (200, b"2")


def test_no_socket_is_left_open_whatever_happened() -> None:
    def in_a_thread() -> None:
        for data in (OK, b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", b"HTTP/1.0 200 OK\r\n\r\n{}"):
            with serving(once(data)) as server:
                send(server, timeout=1)
        with serving(dripping_body) as server:
            send(server, timeout=0.1)
        with serving(always(OK)) as server:
            send(server)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        thread = threading.Thread(target=in_a_thread)
        thread.start()
        thread.join()
        gc.collect()
    assert [str(one.message) for one in warned] == []


def test_threads_keep_their_deadlines_apart() -> None:
    given_up = threading.Event()

    def behave(_: Server, connection: Connection) -> None:
        connection.request()
        given_up.wait()
        connection.send(OK)

    with serving(behave) as server, ThreadPoolExecutor(2) as two:
        patient = two.submit(send, server, timeout=60)
        assert isinstance(two.submit(send, server, timeout=0.2).result(), NoResponse)
        assert not patient.done()
        given_up.set()
        assert answered(patient.result()) == (200, b"{}")


# The token


def test_the_token_is_taken_out_of_whatever_echoes_it() -> None:
    def behave(_: Server, connection: Connection) -> None:
        request = connection.request()
        head = f"HTTP/1.1 401 No\r\nX-Echo: Bearer {TOKEN}\r\nContent-Length: {len(request)}\r\n\r\n"
        connection.send(head.encode() + request)

    with serving(behave) as server:
        response = send(server)
    assert isinstance(response, Response)
    assert b"Authorization: Bearer [token]" in response.body
    assert response.headers["x-echo"] == "Bearer [token]"
    assert TOKEN not in repr(response)


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_for("127.0.0.1", tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    return served_with(certificate)


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(certificate))


@pytest.mark.usefixtures("trusted")
def test_over_tls_a_connection_is_used_again_and_a_long_body_arrives(tls: ssl.SSLContext) -> None:
    with serving(always(OK), tls) as server:
        assert answered(send(server)) == (200, b"{}")
        assert answered(send(server, body=b"x" * 1_000_000)) == (200, b"{}")
        assert server.connections == 1
    assert server.requests[1].endswith(b"x" * 1_000_000)


@pytest.mark.usefixtures("trusted")
def test_over_tls_an_answer_that_ends_with_its_connection_is_read_whole(tls: ssl.SSLContext) -> None:
    with serving(once(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}"), tls) as server:
        assert answered(send(server)) == (200, b"{}")


def reading_slowly(server: Server, connection: Connection) -> None:
    """About 0.3 MB a second: no single write waits long."""
    while not server.over.is_set():
        connection.sock.recv(16_384)
        time.sleep(0.05)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("behave", [dripping_headers, dripping_body, silent, reading_slowly])
def test_over_tls_the_deadline_holds_for_the_whole_call(tls: ssl.SSLContext, behave: Behave) -> None:
    body = b"x" * 80_000_000 if behave is reading_slowly else BODY
    with serving(behave, tls) as server:
        response = out_of_time(lambda seconds: send(server, timeout=seconds, body=body))
    assert isinstance(response, NoResponse)
    assert (response.because, response.sent) == ("no whole answer in time", True)


def test_a_certificate_that_nobody_vouches_for_gets_no_token(tls: ssl.SSLContext) -> None:
    with serving(always(OK), tls) as server:
        response = send(server)
        assert isinstance(response, NoResponse)
        assert not response.sent
        assert "certificate verify failed" in response.because
    assert server.requests == []


def test_a_server_that_never_shakes_hands_has_got_nothing() -> None:
    with serving(reading_nothing) as server:
        response = post(server.url.replace("http:", "https:"), TOKEN, BODY, 0.3)
    assert isinstance(response, NoResponse)
    assert not response.sent


class ConnectProxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy on loopback: it connects whoever asks to one server, whatever host is named, or refuses."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, target: int, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        super().__init__(("127.0.0.1", 0), _ConnectProxied)
        self.target, self.answer = target, answer
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _ConnectProxied(socketserver.StreamRequestHandler):
    server: ConnectProxy

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline().decode().strip())
        while self.rfile.readline().strip():
            pass
        self.wfile.write(self.server.answer)
        if b" 200 " not in self.server.answer:
            return
        with socket.create_connection(("127.0.0.1", self.server.target)) as far:
            threading.Thread(target=self._copy, args=(far, self.connection), daemon=True).start()
            self._copy(self.connection, far)

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxying(target: int, *answer: bytes) -> Iterator[ConnectProxy]:
    with ConnectProxy(target, *answer) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        yield proxy
        proxy.shutdown()


def taking(_: Server, connection: Connection) -> None:
    connection.request()
    connection.send(OK)


def secure(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    certificate = certificate_for("api.example.com", tmp_path)
    return certificate, served_with(certificate)


def test_a_call_goes_by_the_proxy_and_trusts_the_authority_that_the_settings_name(tmp_path: Path) -> None:
    certificate, context = secure(tmp_path)
    with (
        serving(taking, context) as server,
        proxying(int(server.url.rpartition(":")[2])) as proxy,
    ):
        answer = post("https://api.example.com/x", TOKEN, BODY, 5, Egress(proxy.url, str(certificate)))
    assert isinstance(answer, Response), answer
    assert answer.status == 200
    assert [line.rpartition(" HTTP/")[0] for line in proxy.asked] == ["CONNECT api.example.com:443"]


def test_a_word_that_stands_for_a_token_beside_a_test_server_is_left_in_the_answer() -> None:
    with serving(lambda _, connection: connection.send(OK[:-2] + b"company@example.com")) as server:
        answer = post(server.url, "any", BODY, 5)
    assert isinstance(answer, Response)
    assert b"[token]" not in answer.body


def test_an_authority_that_nobody_named_is_not_trusted_and_nothing_was_sent(tmp_path: Path) -> None:
    _, context = secure(tmp_path)
    with (
        serving(taking, context) as server,
        proxying(int(server.url.rpartition(":")[2])) as proxy,
    ):
        answer = post("https://api.example.com/x", TOKEN, BODY, 5, Egress(proxy.url))
    assert isinstance(answer, NoResponse)
    assert not answer.sent


def test_of_a_call_that_a_proxy_refuses_nothing_was_sent() -> None:
    with proxying(1, b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as proxy:
        answer = post("https://api.example.com/x", TOKEN, BODY, 5, Egress(proxy.url))
    assert isinstance(answer, NoResponse)
    assert not answer.sent
    assert TOKEN not in answer.because
