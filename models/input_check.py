"""The check of one input before it is stored: what HubSpot would refuse, or take and silently drop.

HubSpot answers 200 and stores nothing for seconds instead of milliseconds, for `attend` without a span of at
least one second between `joinedAt` and `leftAt`, and refuses a whole request for one input that is malformed
(seen on live portals). So every input is judged alone, here, and says what was wrong and what would be right.
"""

import re
import reprlib
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypedDict

from models.escaping import visible
from models.words import Identity, State

INT64_MAX: Final = 2**63 - 1
EARLIEST_MS: Final = 10**11
"""1973 in milliseconds, the year 5138 in seconds: anything smaller was meant in seconds."""
LATEST_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999: anything larger was meant in micro- or nanoseconds."""
SHORTEST_SPAN: Final = timedelta(seconds=1)
"""Below it HubSpot names the contact in `results` and stores nothing."""
FIELDS: Final = frozenset({"email", "vid", "interactionDateTime", "properties", "contactProperties"})

_UNSAFE = re.compile("[\x00\ud800-\udfff]")
_DIGITS = re.compile(r"-?[0-9]{1,40}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)
"""What every reader of ISO 8601 takes; Python's takes week dates, a comma, any letter for the T."""
_PLAIN_EMAIL = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}"
)
GUEST: Final = re.compile("#ext#|%23ext%23", re.IGNORECASE)
"""Within the sign-in name that Microsoft gives to a guest, as in bob_example.com#EXT#@contoso.example.com: no mail
goes there, and HubSpot would make a contact of it."""
_GUESTS: Final = "the guest's own address"
_LONGEST_PLAIN_EMAIL: Final = 64
"""Up to here the plain pattern decides; whatever is longer or rarer is email-validator's to judge."""
LONGEST_EMAIL: Final = 254
LONGEST_LOCAL_PART: Final = 64
LONGEST_DOMAIN: Final = 253
"""Bytes, as mail carries them (RFC 5321, RFC 1035)."""
_DOTS: Final = re.compile("[.\u3002\uff0e\uff61]")
_PUNYCODE: Final = len("xn--")
MOST_REASONS: Final = 10
"""Reasons that are told of one input; of the others only how many there are. What comes in may be wrong in 200,000
places, and each reason is longer than the place."""


class WrittenReason(TypedDict):
    """A reason as JSON has it."""

    where: str
    what: str
    right: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was refused: where it stands, what is wrong with it, what would be right."""

    where: str
    what: str
    right: str

    @property
    def written(self) -> WrittenReason:
        """Give it as JSON has it."""
        return {"where": self.where, "what": self.what, "right": self.right}

    def __str__(self) -> str:
        """Read as a sentence."""
        return f"{self.where}: {self.what}" + (f"; expected {self.right}" if self.right else "")


class Reasons(list[Reason]):
    """The reasons against one input or message: the first of them, and how many more there are."""

    more = 0

    @property
    def is_full(self) -> bool:
        """Say whether a further one is only counted, so that it need not be written."""
        return len(self) >= MOST_REASONS

    def append(self, reason: Reason) -> None:
        """Add one, or count it."""
        if self.is_full:
            self.more += 1
        else:
            super().append(reason)

    def add_unknown(self, names: Sequence[object], where: str, what: str, known: Collection[str]) -> None:
        """Add what says that there are no such fields."""
        if not names:
            return
        right = f"one of {', '.join(sorted(known))}"
        for name in names[:MOST_REASONS]:
            self.append(Reason(f"{where}{shown(name)}", what, right))
        self.more += len(names[MOST_REASONS:])

    def told(self, where: str) -> tuple[Reason, ...]:
        """Give them, with a last one that says how many more there are."""
        return (*self, Reason(where, f"and {self.more:,} more", "")) if self.more else tuple(self)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An input that HubSpot will understand.

    `contact` is the lower-case e-mail address or the contact id as text; `input` is HubSpot's own shape, with
    `properties` (and, by e-mail, `contactProperties`) always there.
    """

    identity: Identity
    contact: str
    interaction_date_time: int
    input: dict[str, object]


def comparable(contact: str) -> str:
    """Give a contact as it is compared: HubSpot does not tell capitals, and one letter has two spellings in Unicode."""
    lowered = contact.strip().lower()
    return lowered if lowered.isascii() else unicodedata.normalize("NFC", lowered)


def unsafe_character(text: str) -> str | None:
    """Name the first character that PostgreSQL cannot keep as text: NUL or half of a surrogate pair."""
    if text.isascii() and "\x00" not in text:
        return None
    found = _UNSAFE.search(text)
    if found is None:
        return None
    return "NUL (\\u0000)" if found[0] == "\x00" else f"half of a surrogate pair (\\u{ord(found[0]):04x})"


def check_input(raw: object, state: State, where: str = "input") -> Candidate | tuple[Reason, ...]:
    """Judge one input in HubSpot's shape; give the candidate, or every reason against it."""
    if not isinstance(raw, dict):
        return (Reason(where, f"is {_named(raw)}", 'an object such as {"email": …, "interactionDateTime": …}'),)
    reasons = Reasons()
    if not raw.keys() <= FIELDS:
        unknown = [key for key in raw if key not in FIELDS]
        reasons.add_unknown(unknown, f"{where}.", "is no field of an input", FIELDS)
    identity, contact, value = _contact(raw, where, reasons)
    when = _milliseconds(raw.get("interactionDateTime"), f"{where}.interactionDateTime", reasons)
    properties = _texts(raw.get("properties"), f"{where}.properties", reasons)
    if state is State.ATTEND:
        _check_span(properties, f"{where}.properties", reasons)
    wire: dict[str, object] = {identity.value: value, "interactionDateTime": when, "properties": properties}
    if identity is Identity.EMAIL:
        wire["contactProperties"] = _texts(raw.get("contactProperties"), f"{where}.contactProperties", reasons)
    elif raw.get("contactProperties"):
        reasons.append(
            Reason(
                f"{where}.contactProperties",
                "HubSpot takes them only with an email",
                "no contactProperties beside a vid",
            )
        )
    if reasons:
        return reasons.told(where)
    return Candidate(identity, contact, when, wire)


def _contact(raw: dict[str, object], where: str, reasons: Reasons) -> tuple[Identity, str, object]:
    email, vid = raw.get("email"), raw.get("vid")
    if email is None and vid is None:
        reasons.append(Reason(where, "names no contact", "an email or a vid"))
    elif email is not None and vid is not None:
        reasons.append(Reason(where, "names its contact twice, by email and by vid", "one of the two"))
    elif email is not None:
        return Identity.EMAIL, _email(email, f"{where}.email", reasons), email
    else:
        number = _integer(vid)
        if number is None or not 0 < number <= INT64_MAX:
            reasons.append(
                Reason(f"{where}.vid", f"{shown(vid)} is no contact id", f"a whole number from 1 to {INT64_MAX}")
            )
            return Identity.VID, "", 0
        return Identity.VID, str(number), number
    return Identity.EMAIL, "", ""


def _email(raw: object, where: str, reasons: Reasons) -> str:
    right = "an address such as ada@example.com"
    if not isinstance(raw, str):
        reasons.append(Reason(where, f"is {_named(raw)}", right))
        return ""
    if len(raw) <= _LONGEST_PLAIN_EMAIL and _PLAIN_EMAIL.fullmatch(raw):
        return raw.lower()
    if len(raw) <= _LONGEST_PLAIN_EMAIL and _PLAIN_EMAIL.fullmatch(raw.strip()):
        what = f"'{shown(raw)}' {'begins' if raw[:1].isspace() else 'ends'} with a space"
        right = "the address without the space"
    elif long := _too_long(raw):
        what = f"{shown(raw)} is no e-mail address ({long})"
    elif bad := unsafe_character(raw):
        what = f"holds {bad}"
    elif GUEST.search(raw):
        what, right = f"{shown(raw)} is a guest's sign-in name at Microsoft, not an e-mail address", _GUESTS
    else:
        # Most addresses are plain, and most processes check none: it takes longer to import than a hundred checks.
        from email_validator import EmailNotValidError, validate_email

        try:
            validate_email(raw, check_deliverability=False, test_environment=True)
        except EmailNotValidError as error:
            what = f"{shown(raw)} is no e-mail address ({shown(str(error).rstrip('.'))})"
        else:
            return comparable(raw)
    reasons.append(Reason(where, what, right))
    return ""


def _too_long(email: str) -> str | None:
    """Say what of an address is too long, before anything is asked of it that costs more the longer it is.

    A domain is measured as mail carries it, where a label beyond ASCII is longer by the mark of Punycode at least.
    """
    if len(email) > LONGEST_EMAIL:
        return f"it has {len(email):,} characters, and {LONGEST_EMAIL} at most are possible"
    local, _, domain = email.rpartition("@")
    if len(local.encode(errors="replace")) > LONGEST_LOCAL_PART:
        return f"the part before the @ has more than {LONGEST_LOCAL_PART} bytes"
    labels = _DOTS.split(unicodedata.normalize("NFC", domain))
    if sum(len(label) + (0 if label.isascii() else _PUNYCODE) + 1 for label in labels) - 1 > LONGEST_DOMAIN:
        return f"the part after the @ has more than {LONGEST_DOMAIN} bytes"
    return None


def _milliseconds(raw: object, where: str, reasons: Reasons) -> int:
    number = _integer(raw)
    right = "a whole number of milliseconds since 1970, such as 1767225600000"
    if number is None:
        what = "is missing" if raw is None else f"{shown(raw)} is {_named(raw)}"
        reasons.append(Reason(where, what, right))
        return 0
    if EARLIEST_MS <= number <= LATEST_MS:
        return number
    if 0 < number < EARLIEST_MS:
        reasons.append(Reason(where, f"{number} looks like seconds", f"milliseconds: {number * 1000}"))
    elif number > LATEST_MS:
        reasons.append(Reason(where, f"{shown(number)} is beyond the year 9999", f"{right} (micro- or nanoseconds?)"))
    else:
        reasons.append(Reason(where, f"{shown(number)} is not after 1970", right))
    return 0


def _texts(raw: object, where: str, reasons: Reasons) -> dict[str, object]:
    """Check a map of text to text; a missing one is empty (HubSpot asks for the map to be there)."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        reasons.append(Reason(where, f"is {_named(raw)}", "an object of text values"))
        return {}
    for key, value in raw.items():
        bad = (unsafe_character(value) or unsafe_character(key)) if isinstance(value, str) else ""
        if bad is None:
            continue
        if reasons.is_full:
            reasons.more += 1
        elif not isinstance(value, str):
            right = "no entry at all" if value is None else f'text: "{shown(value)}"'
            reasons.append(Reason(f"{where}.{shown(key)}", f"is {_named(value)}", right))
        else:
            reasons.append(Reason(f"{where}.{shown(key)}", f"holds {bad}", "text without it"))
    return raw


def _check_span(properties: dict[str, object], where: str, reasons: Reasons) -> None:
    joined = _instant(properties, "joinedAt", where, reasons)
    left = _instant(properties, "leftAt", where, reasons)
    if joined is None or left is None:
        return
    if left <= joined:
        what = f"leftAt {properties['leftAt']} is not after joinedAt {properties['joinedAt']}"
        reasons.append(Reason(where, what, "a leftAt at least one second after joinedAt"))
    elif left - joined < SHORTEST_SPAN:
        what = "joinedAt and leftAt are less than one second apart, which HubSpot takes and does not store"
        reasons.append(Reason(where, what, "at least one second between them"))


def _instant(properties: dict[str, object], name: str, where: str, reasons: Reasons) -> datetime | None:
    right = "an ISO 8601 instant with its offset, such as 2026-03-01T10:00:00Z"
    text = properties.get(name)
    if text is None:
        reasons.append(Reason(f"{where}.{name}", "is missing, and HubSpot stores no attend without it", right))
        return None
    if not isinstance(text, str):
        return None  # said already: it is no text
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is not None and instant.tzinfo is not None and _INSTANT.fullmatch(text):
        return instant
    what = "has no offset from UTC" if instant is not None and instant.tzinfo is None else "is no instant"
    reasons.append(Reason(f"{where}.{name}", f"{shown(text)} {what}", right))
    return None


def _integer(raw: object) -> int | None:
    """Read a whole number, also as text: int64 does not fit JavaScript's numbers, so careful clients send text."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return raw
    if isinstance(raw, str) and _DIGITS.fullmatch(raw):
        return int(raw)
    return None


def _named(value: object) -> str:
    """Name a JSON value's kind in plain words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"


def shown(value: object) -> str:
    """Show a value in a reason: short, and with nothing that could not be stored or would break a terminal."""
    text = reprlib.repr(value) if isinstance(value, list | dict) else str(value)  # str() of a nest knows no bound
    return visible(text if len(text) <= 80 else f"{text[:77]}…")  # noqa: PLR2004 - one line of a table
