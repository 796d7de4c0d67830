"""A form as it comes: of a bounded size, in a bounded time, with a file or without."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

LARGEST_FORM: Final = 16 * 1024
SLOWEST: Final = 10.0
"""Seconds within which a form must have come whole."""


@dataclass(frozen=True)
class FormLimits:
    """What an action's form may hold, what is said of one that is larger, and whether it may take minutes."""

    largest: int = LARGEST_FORM
    beyond: str = ""
    is_slow: bool = False
    slowest: float = SLOWEST
    """Seconds within which the form must have come whole."""


USUAL: Final = FormLimits()


async def read_form(request: Request, limits: FormLimits = USUAL) -> dict[str, str] | None:
    """Read a form's fields, the last of a name, and a file's text; none where it is too large or too slow."""
    try:
        async with asyncio.timeout(limits.slowest):
            if request.headers.get("content-type", "").startswith("multipart/form-data"):
                return await _with_file(request, limits.largest)
            body = b"".join([chunk async for chunk in _bounded(request, limits.largest)])
    except (TimeoutError, ClientDisconnect, _TooLarge, MultiPartException, UnicodeError):
        return None
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


class _TooLarge(Exception):  # noqa: N818 - it never leaves here
    pass


async def _bounded(request: Request, largest: int) -> AsyncGenerator[bytes, None]:
    left = largest
    async for chunk in request.stream():
        left -= len(chunk)
        if left < 0:
            raise _TooLarge
        yield chunk


async def _with_file(request: Request, largest: int) -> dict[str, str]:
    parser = MultiPartParser(request.headers, _bounded(request, largest), max_files=1, max_fields=20)
    async with AsyncExitStack() as stack:
        form = await parser.parse()
        stack.push_async_callback(form.close)
        return {
            name: _whole(value) if isinstance(value, str) else (await value.read()).decode("utf-8-sig", "replace")
            for name, value in form.multi_items()
        }


def _whole(written: str) -> str:
    """Give a text without half of a surrogate pair, which an odd charset can leave in it."""
    return written.encode(errors="replace").decode()
