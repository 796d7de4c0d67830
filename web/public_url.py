"""The address under which console and API are found from outside, where a proxy serves them under another or a path."""

import re
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ROOTED: Final = re.compile(rb'\b(href|action|src|data-root)="/(?!/)')
"""An address of ours in a page; what others wrote has no such quotes, since it is escaped."""


def public_base(request: Request) -> str:
    """Give what the addresses that an answer names begin with, without a slash at its end."""
    return str(request.scope.get("public_url") or str(request.base_url).rstrip("/"))


class PublicUrl:
    """Puts a request where the proxy has it from, and the path before every address in the answer."""

    def __init__(self, app: ASGIApp, url: str) -> None:
        """Take the address from the settings; empty: requests are as they come."""
        self._app = app
        self._url = url
        parts = urlsplit(url)
        self._scheme, self._host, self._path = parts.scheme, parts.netloc.encode(), parts.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on as asked for from outside; the proxy may have taken the path off, or not."""
        if scope["type"] != "http" or not self._url:
            await self._app(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
        raw = scope["raw_path"]
        prefix = self._path.encode()
        if prefix and (raw == prefix or raw.startswith(prefix + b"/")):
            raw = raw[len(prefix) :] or b"/"
        inside = {
            **scope,
            "scheme": self._scheme,
            "headers": [*headers, (b"host", self._host)],
            "raw_path": raw,
            "public_url": self._url,
        }
        await self._app(inside, receive, _Prefixed(send, self._path) if self._path else send)


class _Prefixed:
    """Sends an answer on, with the path before its addresses; a page is held until it is whole."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._path = path
        self._page: Message | None = None
        self._is_live = False
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            location = headers.get("location", "")
            if location.startswith("/") and not location.startswith("//"):
                headers["location"] = self._path + location
            self._is_live = headers.get("content-type", "").startswith("text/event-stream")
            if headers.get("content-type", "").startswith("text/html"):
                self._page = message
                return
        elif self._is_live:
            message = {**message, "body": self._with_path(message.get("body", b""))}
        elif self._page is not None:
            self._parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            page, self._page = self._page, None
            body = self._with_path(b"".join(self._parts))
            MutableHeaders(raw=page["headers"])["content-length"] = str(len(body))
            await self._send(page)
            message = {**message, "body": body}
        await self._send(message)

    def _with_path(self, html: bytes) -> bytes:
        return _ROOTED.sub(rb'\1="' + self._path.encode() + b"/", html)
