"""What is not let in: bodies too large or too slow, and more at once than there is room for; refused before it grows.

Only what is being read or stored counts: an answer that is held (`Prefer: wait`) takes no room here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from models.message import MOST_BYTES
from web.hubspot_format import Fault, busy

MOST_AT_ONCE: Final = 64
"""Requests whose bodies are being read or stored at once."""
MOST_BYTES_AT_ONCE: Final = 64 * 1024 * 1024
"""Bytes of their bodies together."""
SLOWEST: Final = 30.0
"""Seconds within which a body must have come whole."""


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
    """The room of this process."""

    def __init__(self) -> None:
        self._requests = 0
        self._bytes = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Read a request's body, and keep its room until the block ends.

        Raises:
            Fault: 413, 408, or 503 where there is no room.

        """
        if self._requests >= MOST_AT_ONCE:
            raise busy(f"{self._requests} requests are being stored at this moment: try again.", 1)
        self._requests += 1
        body = bytearray()
        try:
            async with asyncio.timeout(SLOWEST):
                await self.read(request, body)
            yield bytes(body)
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
        finally:
            self._requests -= 1
            self._bytes -= len(body)

    async def read(self, request: Request, body: bytearray) -> None:
        """Read a body, as far as there is room."""
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > MOST_BYTES:
            raise TooLarge
        async for chunk in bounded(request, MOST_BYTES).stream():
            if self._bytes + len(chunk) > MOST_BYTES_AT_ONCE:
                raise busy("Too many bytes are being stored at this moment: try again.", 1)
            body += chunk
            self._bytes += len(chunk)
