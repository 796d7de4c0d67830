"""One HTTP call within one deadline, and what came back: a response or none, never an exception.

A time-out of requests is per write and per read of the socket, which a dripping server outlasts; so every write and
read is given only what is left of the whole, and after the deadline nothing is sent. (Only finding a host's
addresses and trying one after the other can take longer, before anything is sent.)
"""

import http.client
import io
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from hubspot_api.egress import DIRECT, Egress
from hubspot_api.response import NoResponse, Response

LONGEST_ANSWER: Final = 8 * 1024 * 1024
"""Bytes of an answer that are read; what is longer is cut, and its connection closed."""
SHORTEST_TOKEN: Final = 8
"""Letters of an access token, at least; HubSpot's have more than thirty."""
CONNECT: Final = 5.0
"""Seconds for a connection, at most."""


class _Call(threading.local):
    """This thread's call: when it must be over, whether any of it has left; and the session it goes through."""

    deadline = 0.0
    sent = False
    session: requests.Session | None = None

    def left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left


_call = _Call()


class _Remaining(io.RawIOBase):
    """A socket's reading side, each read bounded by what is left of the deadline."""

    def __init__(self, sock: socket.socket, held: io.BufferedReader) -> None:
        self._sock = sock
        self._held = held  # keeps the socket open until the answer is read, also where the connection ends with it

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - the type is the interpreter's
        self._sock.settimeout(_call.left())
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

    def send(self, data: Any) -> None:  # noqa: ANN401 - http.client's own signature
        if self.sock is None:
            self.connect()
        self.sock.settimeout(_call.left())  # for all of the data, over TLS too
        _call.sent = True
        self.sock.sendall(data)


class _SecureConnection(_Connection, HTTPSConnection):
    def _tunnel(self) -> None:
        """Ask a proxy for a way to the host; of the request itself nothing is sent by that."""
        try:
            super()._tunnel()
        finally:
            _call.sent = False


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS: Final[dict[str, type[HTTPConnectionPool]]] = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own signature
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:  # noqa: ANN401 - requests' own signature
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager


def _session() -> requests.Session:
    """Give this thread's session. It repeats nothing: a permit is for one call, and the next attempt is on record.

    A kept connection that HubSpot has closed meanwhile is noticed before it is used again (urllib3 looks).
    """
    if _call.session is None:
        _call.session = requests.Session()
        _call.session.trust_env = False  # no proxy, no .netrc: a token goes where the settings say
        adapter = _Adapter(max_retries=Retry(total=0, connect=0, read=0, redirect=0))
        _call.session.mount("http://", adapter)
        _call.session.mount("https://", adapter)
    return _call.session


def send(  # noqa: PLR0913
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: float,
    *,
    secret: str = "",
    egress: Egress = DIRECT,
    is_whole: bool = False,
) -> Response | NoResponse:
    """Send one request by this way out; `timeout` is in seconds, for everything together.

    Whatever echoes the `secret` is answered without it. A URL that `is_whole` was given as such, not put together of
    parts, of which one might be missing: it may end in a slash.
    """
    begun = time.monotonic()
    _call.deadline, _call.sent = begun + timeout, False
    try:
        request = _session().prepare_request(
            requests.Request(method, url, {"User-Agent": "turnout", **headers}, data=body)
        )
        if not _leads_where_it_says(url, request.path_url, is_whole=is_whole):
            return NoResponse("nothing could be sent: its path would lead elsewhere", 0.0, sent=False)
        with _session().send(
            request,
            timeout=(min(CONNECT, timeout), timeout),
            allow_redirects=False,
            stream=True,
            proxies={"http": egress.proxy, "https": egress.proxy} if egress.proxy else {},
            verify=egress.ca_bundle or True,
        ) as answer:
            content = answer.raw.read(LONGEST_ANSWER, decode_content=True)
            seen = {name: without(secret, value.encode()).decode() for name, value in answer.headers.items()}
            duration = time.monotonic() - begun
            return Response(answer.status_code, CaseInsensitiveDict(seen), without(secret, content), duration)
    except Exception as error:  # noqa: BLE001 - whatever breaks on the network, the outcome is unknown, not a crash
        return NoResponse(_because(error), time.monotonic() - begun, _call.sent)


def _leads_where_it_says(url: str, wire: str, *, is_whole: bool) -> bool:
    """Say whether what would go over the wire is the path that was put together: the last look before it is sent.

    requests and urllib3 rewrite a URL: they walk `.` and `..` (`%2e` too), decode and encode anew. A path that they
    would change, or that a server could walk, asks for something else than was meant, with the account's token.
    """
    target = "/" + url.partition("://")[2].partition("/")[2]
    _, *segments = map(unquote, target.partition("?")[0].split("/"))
    if segments[-1] == "" and (is_whole or len(segments) == 1):
        segments.pop()
    return target == wire and not {"", ".", ".."} & set(segments)


def post_to(  # noqa: PLR0913, PLR0917
    address: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float, longest: int
) -> Response | NoResponse:
    """POST to this address and no other, whatever the URL's name leads to; TLS is checked against the name.

    Nothing is followed; of the answer `longest` bytes are read, and less is enough: its status has come.
    """
    begun = time.monotonic()
    _call.deadline, _call.sent = begun + timeout, False
    try:
        to = urlsplit(url)
        with _pool_to(address, to) as pool:
            asked = pool.urlopen(
                "POST",
                f"{to.path or '/'}{'?' if to.query else ''}{to.query}",
                body,
                {"Host": to.netloc, "User-Agent": "turnout", **headers},
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=Timeout(connect=min(CONNECT, timeout), read=timeout),
            )
            with closing(asked) as answer:
                content = b""
                with suppress(Exception):
                    content = answer.read(longest, decode_content=False)
                return Response(answer.status, CaseInsensitiveDict(answer.headers), content, time.monotonic() - begun)
    except Exception as error:  # noqa: BLE001 - as above
        return NoResponse(_because(error), time.monotonic() - begun, _call.sent)


def _pool_to(address: str, to: SplitResult) -> HTTPConnectionPool:
    if to.scheme != "https":
        return _Pool(address, to.port or 80)
    bundle = requests.adapters.DEFAULT_CA_BUNDLE_PATH
    name = to.hostname
    return _SecurePool(address, to.port or 443, ca_certs=bundle, assert_hostname=name, server_hostname=name)


def without(token: str, content: bytes) -> bytes:
    """Take the token out of whatever echoes it.

    A short word that stands for one beside a test server is none: it may be part of a person's address.
    """
    return content.replace(token.encode(), b"[token]") if len(token) >= SHORTEST_TOKEN else content


def _because(error: BaseException) -> str:
    """Say why there is no answer, by the first cause: requests and urllib3 wrap a time-out as a broken connection.

    Only the system's words are quoted: those of requests may hold the token.
    """
    first = error
    while deeper := first.__cause__ or first.__context__:
        first = deeper
    words = (first.strerror if isinstance(first, OSError) else None) or type(first).__name__
    if not _call.sent:
        return f"nothing could be sent: {words}"
    return "no whole answer in time" if isinstance(first, TimeoutError) else f"no whole answer: {words}"
