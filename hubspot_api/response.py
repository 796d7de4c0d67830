"""What came of a call over HTTP: a response, or none. Reading it takes no library that makes calls."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Response:
    """What was answered. `headers` ignores case; `duration` is in seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    duration: float


@dataclass(frozen=True, slots=True)
class NoResponse:
    """That no answer came, and why. `sent` says whether the request may have arrived."""

    because: str
    duration: float
    sent: bool = True
