"""What HubSpot's answer means for each record that was sent, as values.

A 200 is not success (seen on live portals): a record is delivered only when the answer names it in `results`,
rejected when it is named in `errors`, and unconfirmed when it is in neither. Every field is optional when reading.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final

import orjson

from hubspot_api.transport import NoResponse, Response
from models.input_check import comparable, unsafe_character
from models.words import Identity

LONGEST_EXCERPT: Final = 2_000
"""Characters of what came back that are kept where it went wrong."""
AMBIGUOUS: Final = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""It may have been applied: the identical body is sent again."""
_QUOTED = re.compile(r"`([^`]+)`")
_BETWEEN_ADDRESSES = re.compile(r"[\s`\"<>()\[\]{},;:=|]+")
"""What stands between e-mail addresses in `{emails=[a@b.com, c@d.com]}` and in sentences."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """HubSpot's word against a record."""

    category: str
    code: str
    message: str
    context: Mapping[str, object] = field(default_factory=dict)
    is_event_unknown: bool = field(default=False, compare=False)
    """It came as the 404 of the event's address, whatever its words."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Every record sent has its answer: by index, contact ids, rejections, and what was not named."""

    delivered: Mapping[int, int | None]
    rejected: Mapping[int, Rejection]
    unconfirmed: Mapping[int, Rejection]


@dataclass(frozen=True, slots=True)
class RefusedWhole:
    """400, 413 and the like: the request was refused whole; `named` are the indexes that the answer names."""

    rejection: Rejection
    named: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class NotFound:
    """404: the event is unknown, or belongs to another app; or, where it is not in `hubspots` words, the address is."""

    rejection: Rejection
    hubspots: bool = True


@dataclass(frozen=True, slots=True)
class Limited:
    """429: slow down. `daily` where the day's quota is spent; `wait` in seconds where HubSpot said so."""

    daily: bool
    wait: float | None


@dataclass(frozen=True, slots=True)
class PortalUnavailable:
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


Answer = Settled | RefusedWhole | NotFound | Limited | PortalUnavailable | Unauthorized | Ambiguous


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
            return Limited(_text(body, "policyName").upper() == "DAILY", wait)
        case 423:
            return PortalUnavailable(
                "HubSpot has locked the account for a moment (423)", max(wait or 0, LOCKED.total_seconds())
            )
        case 477:
            return PortalUnavailable(
                "HubSpot is moving the account (477)", min(wait or MOVING, LONGEST_MOVE.total_seconds())
            )
        case 401 | 403:
            return Unauthorized(_rejection(body, f"HTTP {status}").message)
        case 404:
            unknown = _rejection(body, "HubSpot does not know this event, or it belongs to another app")
            unknown = replace(unknown, is_event_unknown=True)
            return NotFound(unknown, bool(_text(body, "category") or _text(body, "correlationId")))
        case _ if 200 <= status < 300:  # noqa: PLR2004 - the class of success
            return (
                Ambiguous("the answer is no JSON object", wait) if body is None else _settled(body, identity, contacts)
            )
        case _ if status in AMBIGUOUS or not 400 <= status < 500:  # noqa: PLR2004 - what is no word against a record
            return Ambiguous(f"HTTP {status}", wait)
        case _:
            index_of = {contact: index for index, contact in enumerate(contacts)}
            return RefusedWhole(_rejection(body, f"HTTP {status}"), frozenset(_whom(body or {}, index_of)))


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
    named = _text(_object(response.body), "correlationId") or response.headers.get("X-HubSpot-Correlation-Id", "")
    return clean(named)[:100]


def clean(text: str) -> str:
    """Replace what PostgreSQL cannot keep as text."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text) if unsafe_character(text) else text


def _settled(body: dict[str, object], identity: Identity, contacts: Sequence[str]) -> Settled:
    index_of = {contact: index for index, contact in enumerate(contacts)}
    named: dict[int, int | None] = {}
    for result in _objects(body.get("results")):
        index = index_of.get(comparable(_text(result, identity.value)))
        if index is not None:
            named[index] = _contact_id(_text(result, "vid"))
    rejected: dict[int, Rejection] = {}
    nameless: list[Rejection] = []
    for error in _objects(body.get("errors")):
        rejection = _rejection(error, "HubSpot named no reason")
        indexes = _whom(error, index_of)
        for index in indexes:
            rejected.setdefault(index, rejection)
        if not indexes:
            nameless.append(rejection)
    delivered = {index: vid for index, vid in named.items() if index not in rejected}
    silent = (
        nameless[0] if nameless else Rejection("UNCONFIRMED", "", "HubSpot answered and named this contact nowhere")
    )
    unconfirmed = {index: silent for index in range(len(contacts)) if index not in delivered and index not in rejected}
    return Settled(delivered, rejected, unconfirmed)


def _whom(error: Mapping[str, object], index_of: Mapping[str, int]) -> set[int]:
    """Find whom an error names: by an id, a value of its context or what it quotes; else by any address in its text.

    Live, HubSpot names the contact between back-ticks in the message; the context and the nested errors may. A
    number inside a sentence is no contact id.
    """
    exact: list[str] = []
    loose: list[str] = []
    for one in (error, *_objects(error.get("errors"))):
        context = one.get("context")
        values = [value for each in context.values() for value in _texts(each)] if isinstance(context, dict) else []
        exact += [_text(one, "id"), *values]
        for text in (_text(one, "message"), *values):
            exact += _QUOTED.findall(text)
            loose += [word.strip("'.!?") for word in _BETWEEN_ADDRESSES.split(text) if "@" in word]
    return _indexes(exact, index_of) or _indexes(loose, index_of)


def _indexes(words: Sequence[str], index_of: Mapping[str, int]) -> set[int]:
    return {index_of[word] for raw in words if (word := comparable(raw)) in index_of}


def _rejection(body: Mapping[str, object] | None, otherwise: str) -> Rejection:
    error = body or {}
    code, context = error.get("subCategory"), error.get("context")
    nested = _objects(error.get("errors"))
    if not context and len(nested) == 1:  # of several nobody knows which one is this record's
        context = nested[0].get("context")
    said = _json(code) if isinstance(code, dict) else _text(error, "subCategory") or _text(error, "errorType")
    return Rejection(
        clean(_text(error, "category") or "HTTP")[:200],
        clean(said)[:200],
        clean(_text(error, "message") or otherwise)[:LONGEST_EXCERPT],
        _bounded(context) if isinstance(context, dict) else {},
    )


def _bounded(context: dict[str, object]) -> dict[str, object]:
    """Keep a context as it came where it can be stored, else its beginning as text."""
    text = _json(context)
    shallow = text.count("{") + text.count("[") <= DEEPEST
    if text and len(text) <= LONGEST_EXCERPT and shallow and "\\u0000" not in text:
        return context
    return {"excerpt": clean(text)[:LONGEST_EXCERPT]}


DEEPEST: Final = 100
"""Brackets in a context that is kept as it came; orjson writes no more than 254 levels."""


def _json(value: object) -> str:
    """Write a value that came as JSON; nothing where it is nested beyond what can be written."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return ""


def _object(body: bytes) -> dict[str, object] | None:
    """Read a JSON object; what orjson will not read for half a surrogate pair or a stray byte is read without it.

    So one odd character in one message does not make the whole answer unreadable.
    """
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            loose = json.dumps(json.loads(body.decode("utf-8-sig", errors="replace")), ensure_ascii=False)
            read = orjson.loads(loose.encode(errors="replace"))
        except (ValueError, RecursionError):
            return None
    return read if isinstance(read, dict) else None


def _objects(value: object) -> list[dict[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(fields: Mapping[str, object] | None, name: str) -> str:
    """Give a field that is text or a whole number, as text; every field is optional and may be anything."""
    value = (fields or {}).get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _texts(value: object) -> list[str]:
    return [
        str(one)
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, str | int) and not isinstance(one, bool)
    ]


def _contact_id(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,19}", text) and int(text) < 2**63 else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` in seconds, at most a day; HubSpot sends it at times, and never promised it.

    A date, which HTTP allows too, is measured by the answer's own clock. Zero says nothing.
    """
    text = headers.get("Retry-After", "")
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, headers.get("Date", ""))
    return min(seconds, LONGEST_MOVE.total_seconds()) if isfinite(seconds) and seconds > 0 else None


def _seconds_until(then: str, now: str) -> float:
    try:
        return (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):  # no dates, or one of them without a zone
        return 0.0
