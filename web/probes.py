"""Probes: `/healthz` (this process answers) and `/readyz` (it can take submissions), for everybody, by any name.

They stand before the list of hosts and before every key: an orchestrator asks a container by its address.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from web.hubspot_format import Fault
from worker.monitor.readiness import ALIVE, ProcessKind, Readiness, body
from worker.settings import Settings

METHODS: Final = ("GET", "HEAD")
Probe = Callable[[], Awaitable[Response]]


class Probes:
    """Answers the two paths, and hands everything else on."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._readiness = Readiness(settings, ProcessKind.SERVE)
        self._answers: dict[bytes, Probe] = {b"/healthz": self._alive, b"/readyz": self._ready}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        answer = self._answers.get(scope["raw_path"]) if scope["type"] == "http" else None
        if answer is None:
            await self._app(scope, receive, send)
        elif scope["method"] not in METHODS:
            allowed = {"Allow": ", ".join(METHODS)}
            message = f"This path takes GET and HEAD, not {scope['method']}."
            await Fault(405, "METHOD_NOT_ALLOWED", message, headers=allowed).response()(scope, receive, send)
        else:
            await (await answer())(scope, receive, send)

    async def _alive(self) -> Response:
        return JSONResponse(dict(ALIVE))

    async def _ready(self) -> Response:
        status, content = body(await asyncio.to_thread(self._readiness.checks))
        return JSONResponse(content, status)
