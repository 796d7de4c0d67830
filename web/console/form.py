"""A form as it comes: of a bounded size, in a bounded time, with a file or without."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from web.limits import TooLarge, bounded

LARGEST_FORM: Final = 16 * 1024
FIELDS: Final = 100
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
    fields: int = FIELDS


USUAL: Final = FormLimits()


async def read_form(request: Request, limits: FormLimits = USUAL) -> dict[str, str] | None:
    """Read a form's fields, the last of a name, and a file's text; none where it is too large or too slow."""
    comes = bounded(request, limits.largest).form(max_files=1, max_fields=limits.fields, max_part_size=limits.largest)
    try:
        async with asyncio.timeout(limits.slowest), comes as form:
            return {
                name: _whole(value) if isinstance(value, str) else (await value.read()).decode("utf-8-sig", "replace")
                for name, value in form.multi_items()
            }
    except (TimeoutError, ClientDisconnect, TooLarge, HTTPException, UnicodeError):
        return None


def _whole(written: str) -> str:
    """Give a text without half of a surrogate pair, which an odd charset can leave in it."""
    return written.encode(errors="replace").decode()
