"""What one page tells the next in its URL and nobody is to read there: a person's address, encrypted, for an hour."""

import json
from typing import Any, Final

from cryptography.fernet import InvalidToken

from web.console.base import ConsoleRequest, PageError
from worker.encryption import cipher

FOR: Final = 3_600
"""Seconds for which it can be read."""


def sealed(visit: ConsoleRequest, name: str, value: Any) -> str:  # noqa: ANN401 - anything that is JSON
    """Write a parameter of a URL so that only this installation can read it, by that name."""
    return cipher(visit.process.settings).encrypt(json.dumps([name, value]).encode()).decode()


def unsealed(visit: ConsoleRequest, name: str) -> Any:  # noqa: ANN401 - anything that is JSON
    """Read a value out of the URL.

    Raises:
        PageError: 400 where it is not ours, or too old.

    """
    try:
        written = cipher(visit.process.settings).decrypt((visit.asked(name) or "").encode(), ttl=FOR)
    except InvalidToken:
        raise _not_good() from None
    read = json.loads(written)
    if not isinstance(read, list) or read[0] != name:
        raise _not_good()
    return read[1]


def _not_good() -> PageError:
    return PageError(400, "This link is not good any more", "It was good for an hour. Nothing was done: begin again.")
