"""What HubSpot's answer means for each record that was sent, as values.

A 200 is not success (seen on live portals): a record is delivered only when the answer names it in `results`,
rejected when it is named in `errors`, and unconfirmed when it is in neither. Every field is optional when reading.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import orjson

from hubspot.client import NoResponse, Response
from models.preflight import unsafe_character
from models.words import Identity

LONGEST_EXCERPT: Final = 2_000
"""Characters of what came back that are kept where it went wrong."""
AMBIGUOUS: Final = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""It may have been applied: the identical body is sent again."""
_NAMED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Rejection:
    """HubSpot's word against a record."""

    category: str
    code: str
    message: str
    context: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled:
    """Every record sent has its answer: by index, contact ids, rejections, and what was not named."""

    delivered: Mapping[int, int | None]
    rejected: Mapping[int, Rejection]
    unconfirmed: Mapping[int, Rejection]


@dataclass(frozen=True, slots=True)
class RefusedWhole:
    """400 and the like: the request was refused whole."""

    rejection: Rejection


@dataclass(frozen=True, slots=True)
class NotFound:
    """404: the event is unknown, or belongs to another app."""

    rejection: Rejection


@dataclass(frozen=True, slots=True)
class Limited:
    """429: slow down. `daily` where the day's quota is spent; `wait` in seconds where HubSpot said so."""

    daily: bool
    wait: float | None


@dataclass(frozen=True, slots=True)
class Away:
    """423, 477: the account is locked or being moved; `wait` in seconds."""

    because: str
    wait: float


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """401, 403: the token is bad, expired or lacks a scope."""

    because: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """It may have been applied, or not; `wait` in seconds where HubSpot said so."""

    because: str
    wait: float | None = None


Answer = Settled | RefusedWhole | NotFound | Limited | Away | Unauthorized | Ambiguous


def read_answer(  # noqa: PLR0911 - one return per row of HubSpot's table
    response: Response | NoResponse, identity: Identity, contacts: Sequence[str]
) -> Answer:
    """Read an answer to a POST of records with these contacts (lower-case e-mail addresses, or contact ids)."""
    if isinstance(response, NoResponse):
        return Ambiguous(response.because)
    status, body = response.status, _object(response.body)
    wait = _retry_after(response.headers)
    match status:
        case 429:
            return Limited(str((body or {}).get("policyName", "")).upper() == "DAILY", wait)
        case 423:
            return Away("HubSpot has locked the account for a moment (423)", max(wait or 0, LOCKED.total_seconds()))
        case 477:
            return Away("HubSpot is moving the account (477)", min(wait or MOVING, LONGEST_MOVE.total_seconds()))
        case 401 | 403:
            return Unauthorized(_rejection(body, f"HTTP {status}").message)
        case 404:
            return NotFound(_rejection(body, "HubSpot does not know this event, or it belongs to another app"))
        case _ if 200 <= status < 300:  # noqa: PLR2004 - the class of success
            return (
                Ambiguous("the answer is no JSON object", wait) if body is None else _settled(body, identity, contacts)
            )
        case _ if status in AMBIGUOUS or status >= 500:  # noqa: PLR2004 - the class of server errors
            return Ambiguous(f"HTTP {status}", wait)
        case _:
            return RefusedWhole(_rejection(body, f"HTTP {status}"))


LOCKED: Final = timedelta(seconds=2)
MOVING: Final = 600.0
"""Seconds, where a move says nothing: HubSpot's longest is a day, its answer normally says."""
LONGEST_MOVE: Final = timedelta(hours=24)


def excerpt(response: Response | NoResponse) -> str:
    """Give the beginning of what came back, as text that can be stored and shown."""
    if isinstance(response, NoResponse):
        return response.because
    return clean(response.body[: 4 * LONGEST_EXCERPT].decode(errors="replace"))[:LONGEST_EXCERPT]


def correlation_id(response: Response | NoResponse) -> str:
    """Give HubSpot's `correlationId`, which its support asks for."""
    if isinstance(response, NoResponse):
        return ""
    body = _object(response.body) or {}
    return clean(str(body.get("correlationId") or response.headers.get("X-HubSpot-Correlation-Id") or ""))[:100]


def clean(text: str) -> str:
    """Replace what PostgreSQL cannot keep as text."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text) if unsafe_character(text) else text


def _settled(body: dict[str, object], identity: Identity, contacts: Sequence[str]) -> Settled:
    index_of = {contact: index for index, contact in enumerate(contacts)}
    named: dict[int, int | None] = {}
    for result in _objects(body.get("results")):
        index = index_of.get(str(result.get(identity.value) or "").lower())
        if index is not None:
            named[index] = _contact_id(result.get("vid"))
    rejected: dict[int, Rejection] = {}
    nameless: list[Rejection] = []
    for error in _objects(body.get("errors")):
        rejection = _rejection(error, "HubSpot named no reason")
        indexes = _whom(error, index_of)
        rejected.update(dict.fromkeys(indexes, rejection))
        if not indexes:
            nameless.append(rejection)
    delivered = {index: vid for index, vid in named.items() if index not in rejected}
    silent = (
        nameless[0] if nameless else Rejection("UNCONFIRMED", "", "HubSpot answered and named this contact nowhere")
    )
    unconfirmed = {index: silent for index in range(len(contacts)) if index not in delivered and index not in rejected}
    return Settled(delivered, rejected, unconfirmed)


def _whom(error: Mapping[str, object], index_of: Mapping[str, int]) -> set[int]:
    """Find whom an error names: by back-ticks in its message, by its context, by its id."""
    words = _NAMED.findall(str(error.get("message") or ""))
    context = error.get("context")
    for value in context.values() if isinstance(context, dict) else ():
        words += [str(one) for one in (value if isinstance(value, list) else [value])]
    words.append(str(error.get("id") or ""))
    for detail in _objects(error.get("errors")):
        words += _NAMED.findall(str(detail.get("message") or ""))
    return {index_of[word] for raw in words if (word := raw.strip().lower()) in index_of}


def _rejection(body: Mapping[str, object] | None, otherwise: str) -> Rejection:
    error = body or {}
    code = error.get("subCategory") or error.get("errorType") or ""
    context = error.get("context")
    return Rejection(
        clean(str(error.get("category") or "HTTP"))[:200],
        clean(code if isinstance(code, str) else orjson.dumps(code).decode())[:200],
        clean(str(error.get("message") or otherwise))[:LONGEST_EXCERPT],
        _bounded(context) if isinstance(context, dict) else {},
    )


def _bounded(context: dict[str, object]) -> dict[str, object]:
    text = orjson.dumps(context).decode()
    return (
        context
        if len(text) <= LONGEST_EXCERPT and "\\u0000" not in text
        else {"excerpt": clean(text)[:LONGEST_EXCERPT]}
    )


def _object(body: bytes) -> dict[str, object] | None:
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return read if isinstance(read, dict) else None


def _objects(value: object) -> list[dict[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _contact_id(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 20 and int(text) < 2**63 else None  # noqa: PLR2004 - int64


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` in seconds; HubSpot sends it at times, and never promised it."""
    text = headers.get("Retry-After", "")
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds <= LONGEST_MOVE.total_seconds() else None
