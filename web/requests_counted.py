"""Requests are counted, by the path as the code names it: no id, no address and no key is in a label."""

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.metrics import count
from worker.metrics.definitions import OTHER

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Counting:
    """Stands right before the routes, where the one that answers is known."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and count the answer when it begins."""
        if scope["type"] != "http" or not count.is_on():
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        is_counted = False

        def counted(status: int) -> None:
            nonlocal is_counted
            is_counted = True
            method = scope["method"] if scope["method"] in METHODS else OTHER
            count.request(method, getattr(scope.get("route"), "path", OTHER), status, time.monotonic() - begun)

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                counted(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except Exception:
            if not is_counted:
                counted(500)  # what stands before this answers so
            raise
