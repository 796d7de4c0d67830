"""What HubSpot's answer means for each record that was sent, as values.

A 200 is not success (seen on live portals): a record is delivered only when the answer names it in `results`,
rejected when it is named in `errors`, and unconfirmed when it is in neither. Every field is optional when reading.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Final

import orjson

from hubspot_api.fields import clean, nested, number, objects, read_object, seconds, text, texts
from hubspot_api.response import NoResponse, Response
from models.input_check import comparable
from models.words import Identity, OwnCategory

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
    status, body = response.status, read_object(response.body)
    fields = body or {}
    wait = _retry_after(response.headers)
    match status:
        case 429:
            return Limited(text(fields, "policyName").upper() == "DAILY", wait)
        case 423:
            return PortalUnavailable("HubSpot has locked the account for a moment (423)", max(wait or 0, LOCKED))
        case 477:
            return PortalUnavailable("HubSpot is moving the account (477)", wait or MOVING)
        case 401 | 403:
            return Unauthorized(_rejection(fields, f"HTTP {status}").message)
        case 404:
            unknown = _rejection(fields, "HubSpot does not know this event, or it belongs to another app")
            unknown = replace(unknown, is_event_unknown=True)
            return NotFound(unknown, bool(text(fields, "category") or text(fields, "correlationId")))
        case _ if 200 <= status < 300:  # noqa: PLR2004 - the class of success
            return (
                Ambiguous("the answer is no JSON object", wait) if body is None else _settled(body, identity, contacts)
            )
        case _ if status in AMBIGUOUS or not 400 <= status < 500:  # noqa: PLR2004 - what is no word against a record
            return Ambiguous(f"HTTP {status}", wait)
        case _:
            index_of = {contact: index for index, contact in enumerate(contacts)}
            return RefusedWhole(_rejection(fields, f"HTTP {status}"), frozenset(_whom(fields, index_of)))


LOCKED: Final = 2.0
"""Seconds that a lock lasts at least."""
MOVING: Final = 600.0
"""Seconds, where a move says nothing: HubSpot's longest is a day, its answer normally says."""


def excerpt(response: Response | NoResponse) -> str:
    """Give the beginning of what came back, as text that can be stored and shown."""
    if isinstance(response, NoResponse):
        return response.because
    return clean(response.body[: 4 * LONGEST_EXCERPT].decode(errors="replace"))[:LONGEST_EXCERPT]


def correlation_id(response: Response | NoResponse) -> str:
    """Give HubSpot's `correlationId`, which its support asks for."""
    if isinstance(response, NoResponse):
        return ""
    is_named = b"correlationId" in response.body  # most answers are long, and name none
    named = text(read_object(response.body) or {}, "correlationId") if is_named else ""
    return named[:100] or clean(response.headers.get("X-HubSpot-Correlation-Id", ""))[:100]


def _settled(body: dict[str, object], identity: Identity, contacts: Sequence[str]) -> Settled:
    index_of = {contact: index for index, contact in enumerate(contacts)}
    named: dict[int, int | None] = {}
    for result in objects(body, "results"):
        index = index_of.get(comparable(text(result, identity.value)))
        if index is not None:
            vid = number(result, "vid")
            named[index] = vid if vid is not None and vid >= 0 else None
    rejected: dict[int, Rejection] = {}
    nameless: list[Rejection] = []
    for error in objects(body, "errors"):
        rejection = _rejection(error, "HubSpot named no reason")
        indexes = _whom(error, index_of)
        for index in indexes:
            rejected.setdefault(index, rejection)
        if not indexes:
            nameless.append(rejection)
    delivered = {index: vid for index, vid in named.items() if index not in rejected}
    silent = (
        nameless[0]
        if nameless
        else Rejection(OwnCategory.UNCONFIRMED.value, "", "HubSpot answered and named this contact nowhere")
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
    for one in (error, *objects(error, "errors")):
        values = [value for each in nested(one, "context").values() for value in texts(each)]
        exact += [text(one, "id"), *values]
        for said in (text(one, "message"), *values):
            exact += _QUOTED.findall(said)
            loose += [word.strip("'.!?") for word in _BETWEEN_ADDRESSES.split(said) if "@" in word]
    return _indexes(exact, index_of) or _indexes(loose, index_of)


def _indexes(words: Sequence[str], index_of: Mapping[str, int]) -> set[int]:
    return {index_of[word] for raw in words if (word := comparable(raw)) in index_of}


def _rejection(error: Mapping[str, object], otherwise: str) -> Rejection:
    code, context, causes = error.get("subCategory"), error.get("context"), objects(error, "errors")
    if not context and len(causes) == 1:  # of several nobody knows which one is this record's
        context = causes[0].get("context")
    said = _json(code)[:200] if isinstance(code, dict) else text(error, "subCategory", 200)
    return Rejection(
        text(error, "category", 200) or "HTTP",
        said or text(error, "errorType", 200),
        text(error, "message", LONGEST_EXCERPT) or otherwise,
        _bounded(context) if isinstance(context, dict) else {},
    )


def _bounded(context: dict[str, object]) -> dict[str, object]:
    """Keep a context as it came where it can be stored, else its beginning as text."""
    written = _json(context)
    shallow = written.count("{") + written.count("[") <= DEEPEST
    if written and len(written) <= LONGEST_EXCERPT and shallow and "\\u0000" not in written:
        return context
    return {"excerpt": clean(written)[:LONGEST_EXCERPT]}


DEEPEST: Final = 100
"""Brackets in a context that is kept as it came; orjson writes no more than 254 levels."""


def _json(value: object) -> str:
    """Write a value that came as JSON; nothing where it is nested beyond what can be written."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` in seconds, at most a day; HubSpot sends it at times, and never promised it.

    A date, which HTTP allows too, is measured by the answer's own clock. Zero says nothing.
    """
    written = headers.get("Retry-After", "")
    return seconds(written) or seconds(_seconds_until(written, headers.get("Date", "")))


def _seconds_until(then: str, now: str) -> float:
    try:
        return (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):  # no dates, or one of them without a zone
        return 0.0
