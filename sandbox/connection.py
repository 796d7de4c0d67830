"""Breaking a connection for real: ASGI has no word for it, uvicorn's transport has.

`BreakableProtocol` puts a function into the scope's extensions; `hang_up` calls it. An app that merely stopped
answering would be helped out by uvicorn with a neat 500, and a client would be tested against nothing.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_CLOSE = "sandbox.close"


class BreakableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, telling the app how to close its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the app for this one connection."""
        super().connection_made(transport)
        self.app = _closable(cast("ASGIApp", self.app), transport.close)


def _closable(app: ASGIApp, close: Callable[[], None]) -> ASGIApp:
    async def closable(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[_CLOSE] = close
        await app(scope, receive, send)

    return closable


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection; what was sent before still goes out. The request's body must have been read."""
    close: Callable[[], None] = scope["extensions"][_CLOSE]
    close()
    await gone(receive)


async def gone(receive: Receive) -> None:
    """Wait until the connection is closed, whoever closed it."""
    while (await receive())["type"] != "http.disconnect":
        pass
