"""What is not let in: bodies too large or too slow, and more at once than there is room for; refused before it grows.

Of the room each key has a share at most: a producer whose bodies come slowly, or whose answers are not taken, holds up
itself. What is being read or stored counts, and what is being answered; an answer that is held (`Prefer: wait`) takes
no room here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from models.message import MOST_BYTES
from web.hubspot_format import Fault, busy
from web.room import NoRoom, Room, Shares
from worker.auth.keys import ApiKey

MOST_AT_ONCE: Final = 256
"""Requests whose bodies are being read or stored at once."""
MOST_AT_ONCE_OF_KEY: Final = 64
MOST_BYTES_AT_ONCE: Final = 64 * 1024 * 1024
"""Bytes of their bodies together."""
MOST_BYTES_OF_KEY: Final = 32 * 1024 * 1024
SLOWEST: Final = 30.0
"""Seconds within which a body must have come whole."""
ROOM_OF_ANSWERS: Final = Shares(64 * 1024 * 1024, 16 * 1024 * 1024)
"""Bytes of answers that are being made and sent, in all and of one key; the next one of that key waits for its turn."""
PIECE: Final = 64 * 1024
"""Bytes of an answer that are sent at once: then its room is held as long as the client has not taken it."""


class TooLarge(Exception):  # noqa: N818 - it is an answer
    """A body is larger than it may be."""


def bounded(request: Request, most: int) -> Request:
    """Give the request again, of which no more than so many bytes are read: reading on raises `TooLarge`."""
    left = most

    async def receive() -> Message:
        nonlocal left
        message = await request.receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise TooLarge
        return message

    return Request(request.scope, receive)


class Admission:
    """The room for bodies in this process."""

    def __init__(self) -> None:
        self._requests = Room()
        self._bytes = Room()

    @asynccontextmanager
    async def body(self, request: Request, key: ApiKey) -> AsyncIterator[bytes]:
        """Read the body of a key's request, and keep its room until the block ends.

        Raises:
            Fault: 413, 408, or 503 where there is no room, or the key has taken its share.

        """
        body = bytearray()
        try:
            with self._requests.place(key.id, Shares(MOST_AT_ONCE, MOST_AT_ONCE_OF_KEY)):
                try:
                    async with asyncio.timeout(SLOWEST):
                        await self.read(request, key, body)
                    yield bytes(body)
                finally:
                    self._bytes.give_back(key.id, len(body))
        except NoRoom as full:
            whose = f" of the key {key.name}" if full.is_own else ""
            raise busy(f"Too much{whose} is being stored at this moment: try again.", 1) from None
        except TimeoutError:
            raise Fault(
                408,
                "REQUEST_TIMEOUT",
                f"The body did not come within {SLOWEST:.0f} seconds.",
                headers={"Connection": "close"},
            ) from None
        except TooLarge:
            raise Fault(
                413,
                "VALIDATION_ERROR",
                f"The body is larger than {MOST_BYTES:,} bytes. Send its inputs in several requests.",
                headers={"Connection": "close"},
            ) from None
        except ClientDisconnect:
            raise Fault(400, "VALIDATION_ERROR", "The body ended early.") from None

    async def read(self, request: Request, key: ApiKey, body: bytearray) -> None:
        """Read a body, as far as there is room."""
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > MOST_BYTES:
            raise TooLarge
        async for chunk in bounded(request, MOST_BYTES).stream():
            self._bytes.take(key.id, len(chunk), Shares(MOST_BYTES_AT_ONCE, MOST_BYTES_OF_KEY))
            body += chunk


class Answers:
    """The room for answers in this process."""

    def __init__(self) -> None:
        self._room = Room()

    async def held(self, key: ApiKey, size: int, made: Callable[[], Awaitable[Response]]) -> Response:
        """Make an answer of about so many bytes when it is the key's turn; its room is kept until it was taken."""
        async with AsyncExitStack() as room:
            await room.enter_async_context(self._room.turn(key.id, size, ROOM_OF_ANSWERS))
            return HeldResponse(await made(), room.pop_all())


class HeldResponse(Response):
    """An answer that keeps its room until the client has taken it."""

    def __init__(self, answer: Response, room: AsyncExitStack) -> None:
        super().__init__(answer.body, answer.status_code, dict(answer.headers))
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send it piece by piece; the server takes the next one when the client has taken most of the last."""
        async with self._room:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for begin in range(0, max(len(self.body), 1), PIECE):
                piece, is_last = bytes(self.body[begin : begin + PIECE]), begin + PIECE >= len(self.body)
                await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
