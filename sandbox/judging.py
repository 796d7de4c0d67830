"""What HubSpot makes of one input: named, kept, silently dropped, an error, or the end of the whole request.

Pure: an input and the state in, a value out. Every rule beyond the OpenAPI's required fields was seen on a live portal;
where HubSpot was never seen, the choice is said at the rule.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sandbox.address import ContactKind
from sandbox.options import Malformed


class State(StrEnum):
    """`subscriberState` on the wire; HubSpot's guide spells it otherwise, and is wrong."""

    REGISTER = "register"
    ATTEND = "attend"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Kept:
    """`results` names the contact, and it is stored (unless it already was: then neither happens)."""

    contact: str
    occurred_at: int
    """Epoch milliseconds."""
    seconds: int | None
    """How long the contact attended."""


@dataclass(frozen=True, slots=True)
class NamedOnly:
    """`results` names the contact, and nothing is stored."""

    contact: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """The answer does not name the contact, and nothing is stored."""


@dataclass(frozen=True, slots=True)
class Erroneous:
    """`errors` names the contact inside `message`, and nothing is stored."""

    message: str
    sub_category: str


@dataclass(frozen=True, slots=True)
class Unacceptable:
    """The whole request is a 400 with this message."""

    message: str


Judgement = Kept | NamedOnly | Dropped | Erroneous | Unacceptable

_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")

_LEAST_MILLISECONDS = 10**11
"""Below it (March 1973 as milliseconds, the year 5138 as seconds) a time is taken for seconds and dropped."""
_INT64 = 2**63


def contact_of(item: object, by: ContactKind) -> str | None:
    """Name an input's contact: its e-mail address in lower case, or its vid; `None` if it has none."""
    value = item.get(by) if isinstance(item, dict) else None
    if by is ContactKind.EMAIL:
        return value.lower() if isinstance(value, str) else None
    return str(value) if _is_integer(value) else None


def judge(item: object, state: State, by: ContactKind, malformed: Malformed = Malformed.REFUSE) -> Judgement:
    """Decide one input alone; that it repeats an earlier one is for who knows what is stored."""
    unacceptable = _unbuildable(item, by)
    if unacceptable:
        return Unacceptable(unacceptable)
    assert isinstance(item, dict)
    contact = contact_of(item, by)
    assert contact is not None
    if not (_ADDRESS.fullmatch(contact) if by is ContactKind.EMAIL else int(contact) > 0):
        return _malformed(contact, by, malformed)
    occurred_at: int = item["interactionDateTime"]
    if occurred_at < _LEAST_MILLISECONDS:
        return Dropped()
    if state is not State.ATTEND:
        return Kept(contact, occurred_at, None)
    return _attended(contact, occurred_at, by, item["properties"])


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    return type(value) is int and -_INT64 <= value < _INT64


def _is_map(value: object) -> bool:
    return isinstance(value, dict) and (not value or set(map(type, value.values())) == {str})


_MODELS: dict[ContactKind, tuple[str, dict[str, Callable[[object], bool]]]] = {
    ContactKind.EMAIL: (
        "MarketingEventEmailSubscriber",
        {"email": _is_text, "interactionDateTime": _is_integer, "properties": _is_map, "contactProperties": _is_map},
    ),
    ContactKind.VID: (
        "MarketingEventSubscriber",
        {"vid": _is_integer, "interactionDateTime": _is_integer, "properties": _is_map},
    ),
}
"""HubSpot's models and their required fields, which since November 2025 include the maps, even if empty.

Stricter than HubSpot may be: nothing is converted, so no number passes for a text and no text for a number.
"""


def _unbuildable(item: object, by: ContactKind) -> str | None:
    """Tell what keeps HubSpot from reading an input at all."""
    model, fields = _MODELS[by]
    if not isinstance(item, dict):
        return f"Invalid input JSON: Cannot construct instance of `{model}` from a value that is not an object"
    unsound = [name for name, is_sound in fields.items() if not is_sound(item.get(name))]
    if not unsound:
        return None
    missing = [name for name in unsound if item.get(name) is None]
    if missing:
        names = ", ".join(missing)
        return f"Invalid input JSON: Cannot build {model}, some of required attributes are not set [{names}]"
    return f"Invalid input JSON: Cannot deserialize value of `{unsound[0]}` of {model}"


def _attended(contact: str, occurred_at: int, by: ContactKind, properties: Mapping[str, str]) -> Judgement:
    joined, left = _instant(properties.get("joinedAt")), _instant(properties.get("leftAt"))
    if joined is None or left is None:
        return Dropped()
    if left <= joined:
        return Erroneous(
            f"joinedAt param must be earlier than leftAt for `{contact}`",
            f"AttendanceValidationError.JOINED_AT_IS_LATER_THAN_LEFT_AT_FOR_{by.upper()}",
        )
    if left - joined < timedelta(seconds=1):
        return NamedOnly(contact)
    return Kept(contact, occurred_at, int((left - joined).total_seconds()))


def _malformed(contact: str, by: ContactKind, malformed: Malformed) -> Judgement:
    message = f"`{contact}` is not a valid {by.value}"
    match malformed:
        case Malformed.REFUSE:
            return Unacceptable(message)
        case Malformed.ERROR:
            return Erroneous(message, f"AttendanceValidationError.INVALID_{by.upper()}")
        case Malformed.DROP:
            return Dropped()


def _instant(text: str | None) -> datetime | None:
    """Read an ISO 8601 instant; what is none, or has no offset, counts as absent (a choice: never seen)."""
    if text is None or text[10:11] != "T":
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else None
