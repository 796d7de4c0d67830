"""Headers that every answer carries, whoever wrote it: a page, the API, an error, a redirect, a bug.

What an answer says of its own stays: a page's own policy, a file that a browser may keep.
"""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

SAFE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def with_safe_headers(send: Send) -> Send:
    """Give the same way to answer, which adds those of the headers that an answer lacks."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": list(message.get("headers", ()))}
            headers = MutableHeaders(raw=message["headers"])
            for name, value in SAFE_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
