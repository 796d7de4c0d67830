"""What messages about errors have in common: HubSpot's words without the addresses, numbers and times in them.

Only what differs from record to record is left out. A name is kept, digits and all: `attendance_score_2` is another
property than `attendance_score_1`, and `webinar-24` another event than `webinar-25`. An error about its event belongs
to that event's group, however the message spells the event.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson

from models.advice import is_about_event
from models.message import Address
from models.spelling import unfolded
from models.words import Outcome, OwnCategory

LONGEST: Final = 300
"""Characters: what a message says, it says in its first sentence or two."""
BLANK: Final = "…"
_NAMED: Final = r"""
    (?:\b(?:propert(?:y|ies)|fields?|param(?:eter)?s?|attributes?|columns?|property_?names?|field_?names?)
      (?:\ (?:named?|called))? | "(?:property_?)?names?"\s*)
    [\s:=`'"“«\\]{1,6} [A-Za-z_][\w.]*"""
"""A property or field by its name, quoted or not: that is what the error is about."""
_VARIES: Final = re.compile(
    rf"""
    (?P<kept>{_NAMED})
    | "[^"\s@]{{1,64}}"@[^\s`"'<>()\[\]{{}},;:=|]+                                         # half of it quoted
    | `[^`]*` | "(?:[^"\\]|\\.)*" | “[^”]*” | «[^»]*» | (?<!\w)'[^']*'(?!\w)              # what is quoted
    | \b[a-z]+://\S+                                                                      # an address on the web
    | [^\s`"<>()\[\]{{}},;:=|]*(?:\([^()\s]*\))?(?:@|%40)[^\s`"'<>()\[\]{{}},;:=|]*    # of a person
    | (?<![\w-])[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}(?![\w-])              # a UUID
    | (?<![\w-])(?=[a-f]*\d)[0-9a-f]{{16,}}(?![\w-])                                      # a long hexadecimal id
    | (?<![\w.-])\d{{4}}-\d\d-\d\d(?:[T ]\d\d:?\d\d[\d:.]*(?:Z|[+-]\d\d:?\d\d)?)?(?![\w-])  # a time
    | (?<!HTTP[ ])(?<![\w.+-])[+-]?\d(?:[\d.,:/+-]*\d)?(?:ms|s|%)?(?![\w+-]|\.\w)         # a number; not HTTP's status
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SEVERAL: Final = re.compile(rf"{BLANK}(?:[\s,;|&]*{BLANK})+")
_NAMES: Final = re.compile(_NAMED, re.VERBOSE | re.IGNORECASE)
_NAMING: Final = re.compile(r"(?:propert(?:y|ies)|field)(?:_?names?)?", re.IGNORECASE)
"""A key of an error's context under which HubSpot names properties."""


@lru_cache(maxsize=1024)
def gist(message: str) -> str:
    """Give a message without what differs from one record to the next; lists of such values become one."""
    said = " ".join(message.split())
    plain = unfolded(said)
    blanked = _VARIES.sub(_blank, plain if "@" in plain else said)  # an address may be hidden by its spelling
    return _SEVERAL.sub(BLANK, blanked)[:LONGEST]


def _blank(found: re.Match[str]) -> str:
    """Leave a value out; of a quoted sentence the properties that it names stay."""
    if found["kept"]:
        return found[0]
    return " ".join([BLANK, *(named[0].replace("\\", "") for named in _NAMES.finditer(found[0][1:-1]))])


class ErrorKind(NamedTuple):
    """What the errors of one group share."""

    outcome: Outcome
    category: str
    code: str
    gist: str
    event_id: int | None = None
    """Whose event it is, where the error is about the event."""

    @classmethod
    def of(cls, outcome: Outcome, category: str, code: str, message: str, about: "About | None" = None) -> "ErrorKind":
        """Tell an error's kind, and, of a record that was sent, whether it is about the record's event."""
        if about is None:
            return cls(outcome, category, code, gist(message))
        properties = sorted({
            str(value)
            for name, values in about.context.items()
            if _NAMING.fullmatch(name)
            for value in (values if isinstance(values, list) else [values])
        })  # fmt: skip
        named = f" ({', '.join(properties)})" if properties else ""
        event_id = about.event_id if outcome in ABOUT_DATA and about.is_event(category, code, message) else None
        return cls(outcome, category, code, gist(message)[: LONGEST - len(named)] + named[:LONGEST], event_id)

    @property
    def group_id(self) -> str:
        """Give the group's id, known without asking the database: no settler waits for another to learn it."""
        facts = [*self[:4], *([] if self.event_id is None else [self.event_id])]
        return blake2b(orjson.dumps(facts), digest_size=6).hexdigest()


ABOUT_DATA: Final = frozenset({Outcome.REJECTED, Outcome.UNCONFIRMED})
"""What HubSpot says of what was sent; the rest says how sending went."""


class About(NamedTuple):
    """What an error was said of: the event as it was addressed, and what came beside the message."""

    event_id: int
    address: Address
    context: Mapping[str, object] = {}
    is_unknown: bool = False
    """HubSpot answered that there is nothing at the event's address (404)."""

    def is_event(self, category: str, code: str, message: str) -> bool:
        """Say whether an error is about this event."""
        names = tuple(name for name in (self.address.object_id, self.address.external_event_id) if name)
        beside = orjson.dumps(self.context, default=str).decode() if self.context else ""
        return self.is_unknown or is_about_event(category, code, message, beside, names)


CANCELED: Final = ErrorKind.of(Outcome.CANCELED, OwnCategory.CANCELED.value, "", "canceled by an operator")
"""What an operator takes out of the queue."""
IN_DOUBT: Final = ErrorKind.of(
    Outcome.UNCONFIRMED,
    OwnCategory.CANCELED.value,
    "",
    "canceled by an operator, after a call that brought no answer",
)
"""What an operator takes out of the queue after it may have arrived: it is looked for, and not sent again."""
