"""HubSpot's side of HTTP as a plain ASGI app: read a request, let the world judge it, send what it says."""

import asyncio

from starlette.types import Receive, Scope, Send

from sandbox.answers import SandboxAnswer
from sandbox.connection import gone, hang_up
from sandbox.world import Request, World


class Gateway:
    """Everything under `/marketing`, and 404 for the rest."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: applied when it arrives, answered after the latency."""
        body = await _body(receive)
        if body is None:
            return
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        request = Request(scope["method"], scope["raw_path"], scope["query_string"], authorization, body)
        reply = self._world.handle(request)
        await asyncio.sleep(self._world.latency())
        if reply.hang:
            await _hang(reply.hang, receive)
        if reply.answer:
            await _send(reply.answer, send, whole=reply.whole)
        if not reply.whole:
            await hang_up(scope, receive)


async def _body(receive: Receive) -> bytes | None:
    """Read the whole body; `None` where the client left before its end."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


async def _hang(seconds: float, receive: Receive) -> None:
    """Say nothing, for no longer than somebody listens."""
    try:
        async with asyncio.timeout(seconds):
            await gone(receive)
    except TimeoutError:
        return


async def _send(answer: SandboxAnswer, send: Send, *, whole: bool) -> None:
    headers = [
        *((name.lower().encode(), text.encode()) for name, text in answer.headers.items()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = answer.body if whole else answer.body[: len(answer.body) // 2]
    await send({"type": "http.response.body", "body": body, "more_body": not whole})
