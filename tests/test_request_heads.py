"""Heads of requests that a proxy may read otherwise than we do: refused, whatever they ask for."""

import socket
from typing import Any
from urllib.parse import urlsplit

import h11
import pytest

from tests.support.api import Api
from web.request_heads import ONCE, StrictBuffer

HOST = b"Host: localhost\r\n"
CHUNKS = b"0\r\n\r\n"
AMBIGUOUS = {
    "a length and chunks": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks and a length": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "chunks, no length": b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: CHUNKED\r\ncontent-length: 0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "the same length twice": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\ncontent-length: 5\r\n\r\n",
    "a list of lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 6\r\n\r\n",
    "a list of one length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5,5\r\n\r\n",
    "a signed length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -5\r\n\r\n",
    "a hexadecimal length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0x5\r\n\r\n",
    "a length with a blank": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5 5\r\n\r\n",
    "an empty length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length:\r\n\r\n",
    "an endless length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    "a blank before the colon": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\n",
    "chunks behind a tab": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding\t: chunked\r\n\r\n",
    "chunks behind a VT": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
    "chunks twice": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a list of chunks": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    "chunks and another": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "identity": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: identity\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n",
    "a bare LF behind the request line": b"GET / HTTP/1.1\n" + HOST + b"\r\n",
    "a bare LF behind a header": b"GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n",
    "a bare LF at the end": b"GET / HTTP/1.1\r\nHost: localhost\r\n\n",
    "bare LFs alone": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "a bare CR": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n",
    "a CR more": b"GET / HTTP/1.1\r\r\n" + HOST + b"\r\n",
    "a folded header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "a header folded by a tab": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n\tb\r\n\r\n",
    "a folded length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length:\r\n 5\r\n\r\n",
    "a header that begins folded": b"GET / HTTP/1.1\r\n " + HOST + b"\r\n",
    "a NUL": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "an empty name": b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\n" + HOST + b"x\r\n\r\n",
    "blanks in the request line": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "another protocol": b"GET / HTTPS/1.1\r\n" + HOST + b"\r\n",
    "a short version": b"GET / HTTP/1\r\n" + HOST + b"\r\n",
    **{
        f"{name.decode()} twice": b"GET / HTTP/1.1\r\n"
        + HOST * (name != b"host")
        + (name.title() + b": 1\r\n") * 2
        + b"\r\n"
        for name in sorted(ONCE)
    },
}
PLAIN = {
    "a length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nabcde",
    "chunks": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    "chunks and trailers": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "the same header twice": b"GET / HTTP/1.1\r\n" + HOST + b"Prefer: wait=1\r\nPrefer: respond-async\r\n\r\n",
    "a tab in a value": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\tb\r\n\r\n",
    "an empty value": b"GET / HTTP/1.1\r\n" + HOST + b"X:\r\n\r\n",
}


def events(sent: bytes, step: int) -> list[Any]:
    """Read what was sent, so many bytes at a time, as the server does."""
    connection = h11.Connection(h11.SERVER)
    connection._receive_buffer = StrictBuffer()  # noqa: SLF001 - as `web.server` does
    read: list[Any] = []
    for begin in range(0, len(sent), step):
        connection.receive_data(sent[begin : begin + step])
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if event is h11.PAUSED:
                return read
            read.append(event)
            if isinstance(event, h11.EndOfMessage):
                return read
    return read


@pytest.mark.parametrize("step", [1, 7, 1_000])
@pytest.mark.parametrize("head", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_two_could_read_in_two_ways_is_refused(head: bytes, step: int) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        events(head + CHUNKS, step)


@pytest.mark.parametrize("step", [1, 7, 1_000])
@pytest.mark.parametrize("sent", PLAIN.values(), ids=PLAIN)
def test_what_is_plain_is_read_however_it_comes(sent: bytes, step: int) -> None:
    read = events(sent, step)
    assert [type(one) for one in (read[0], read[-1])] == [h11.Request, h11.EndOfMessage]


@pytest.mark.parametrize("trailers", [b"X: a\n\r\n", b"X: a\r\n b\r\n\r\n", b"\n"])
def test_trailers_are_read_as_strictly(trailers: bytes) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        events(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + trailers, 1_000)


def test_the_server_answers_400_and_reads_nothing_behind_it(api: Api) -> None:
    smuggled = b"GET /reference HTTP/1.1\r\n" + HOST + b"\r\n"
    for name, head in AMBIGUOUS.items():
        with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), 10) as client:
            client.sendall(head + CHUNKS + smuggled)
            answer = b"".join(iter(lambda: client.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 400 "), name
        assert answer.count(b"HTTP/1.1 ") == 1, name
        assert b"nosniff" in answer, name


def test_a_chunk_that_is_none_ends_the_connection(api: Api) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), 10) as client:
        client.sendall(b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdeX\r\n")
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
