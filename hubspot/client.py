"""One POST to HubSpot within one deadline, and what came back: an answer or none, never an exception.

A time-out of requests is per read of the socket, which a dripping server outlasts; so the response is read through
a file that gives each read only what is left of the whole.
"""

import http.client
import io
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection

LONGEST_ANSWER: Final = 8 * 1024 * 1024
CONNECT: Final = 5.0
"""Seconds for a connection, at most."""

_local = threading.local()


@dataclass(frozen=True, slots=True)
class Response:
    """What HubSpot answered. `headers` ignores case; `duration` is in seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    duration: float


@dataclass(frozen=True, slots=True)
class NoResponse:
    """That no answer came, and why. `sent` says whether HubSpot may have got the request."""

    because: str
    duration: float
    sent: bool = True


class _Remaining(io.RawIOBase):
    """A socket's reading side, each read bounded by what is left of the deadline."""

    def __init__(self, sock: socket.socket, held: io.BufferedReader) -> None:
        self._sock = sock
        self._held = held  # keeps the socket open until the answer is read, also where the connection ends with it

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - the type is the interpreter's
        left = _local.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not end in time")
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        self._held.close()
        super().close()


class _Bounded(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Remaining(sock, self.fp))


class _Connection(HTTPConnection):
    response_class = _Bounded


class _SecureConnection(HTTPSConnection):
    response_class = _Bounded


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own signature
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def _session() -> requests.Session:
    """Give this thread's session. Nothing is repeated but a connection that could not be made."""
    session: requests.Session | None = getattr(_local, "session", None)
    if session is None:
        session = requests.Session()
        session.trust_env = False  # no proxy, no .netrc: a token goes where the settings say
        adapter = _Adapter(max_retries=Retry(total=0, connect=0, read=0, redirect=0))
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        _local.session = session
    return session


def post(url: str, token: str, body: bytes, timeout: float) -> Response | NoResponse:
    """POST a JSON body; `timeout` is in seconds, for everything together."""
    begun = time.monotonic()
    _local.deadline = begun + timeout
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "turnout",
    }
    try:
        with _session().post(
            url,
            data=body,
            headers=headers,
            timeout=(min(CONNECT, timeout), timeout),
            allow_redirects=False,
            stream=True,
        ) as answer:
            content = answer.raw.read(LONGEST_ANSWER, decode_content=True)
            headers_seen = requests.structures.CaseInsensitiveDict(answer.headers)
            if answer.raw.read(1):
                answer.raw.close()
            return Response(answer.status_code, headers_seen, without(token, content), time.monotonic() - begun)
    except requests.exceptions.ConnectionError as error:
        reached = not isinstance(error, requests.exceptions.ConnectTimeout) and "NewConnectionError" not in repr(error)
        because = "the connection broke" if reached else "no connection could be made"
        return NoResponse(because, time.monotonic() - begun, reached)
    except Exception as error:  # noqa: BLE001 - whatever breaks on the network, the outcome is unknown, not a crash
        kind = "time-out" if isinstance(error, TimeoutError | requests.Timeout) else type(error).__name__
        return NoResponse(f"no whole answer: {kind}", time.monotonic() - begun)


def without(token: str, content: bytes) -> bytes:
    """Take the token out of whatever echoes it."""
    return content.replace(token.encode(), b"[token]") if token else content
