"""What is wrong with what was not accepted: the kind of fault and the field, in words, and who can fix it.

Refusals of one kind and field are a group, whatever their values: a group is found without reading its messages.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson

from models.advice import Who
from models.input_check import Reason

UNGROUPED: Final = "ungrouped"
"""The group of what an earlier release stored, until the workers find its own (`worker.retention.ungrouped`)."""


class Kind(StrEnum):
    """A kind of fault."""

    ACCOUNT = "account"
    EMAIL = "email"
    CONTACT = "contact"
    STAY = "stay"
    STATE = "state"
    EVENT = "event"
    TIME = "time"
    TEXT = "text"
    FIELD = "field"
    SHAPE = "shape"
    OTHER = "other"


class Meaning(NamedTuple):
    """What a kind of fault means, who can fix it, and what to do about it."""

    means: str
    who: Who
    action: str


_IN_EACH: Final = "Open one, correct the marked field, submit it again. Dismiss those that cannot be corrected"
MEANINGS: Final[Mapping[Kind, Meaning]] = {
    Kind.ACCOUNT: Meaning(
        "no account of this name is set up in Turnout",
        Who.OPERATOR,
        "Add the account and submit these again, or choose another account for all of them",
    ),
    Kind.EMAIL: Meaning(
        "the e-mail address cannot be one that receives mail",
        Who.SENDER,
        "Open one, type the person's address, submit it again. Dismiss those whose address is not known",
    ),
    Kind.CONTACT: Meaning(
        "it is not clear who is meant",
        Who.SENDER,
        "Open one, give the person's e-mail address, submit it again",
    ),
    Kind.STAY: Meaning(
        "when somebody joined and left does not fit together, or is missing",
        Who.SENDER,
        "Open one, compare its rows with the report of the meeting, correct a time or leave the wrong row out",
    ),
    Kind.STATE: Meaning(
        "it is not clear whether the person registered, attended or cancelled",
        Who.SENDER,
        "Open one and choose. If all of a file say it, submit the file again with --state or --map",
    ),
    Kind.EVENT: Meaning(
        "the event is not named, or not in a way that can be used",
        Who.SENDER,
        "Open one and name the event as HubSpot knows it. If all of a file lack it, submit the file again with --event",
    ),
    Kind.TIME: Meaning(
        "a date or time is missing or cannot be understood",
        Who.SENDER,
        "Open one and write the time with its time zone, such as 2026-03-01T10:00:00Z, then submit it again",
    ),
    Kind.TEXT: Meaning("a value is not text, which HubSpot needs here", Who.SENDER, _IN_EACH),
    Kind.FIELD: Meaning("a field is not known, perhaps misspelt", Who.SENDER, _IN_EACH),
    Kind.SHAPE: Meaning(
        "the row or message is broken and cannot be read",
        Who.SENDER,
        "Ask for it again from where it came, submit that, and dismiss these",
    ),
    Kind.OTHER: Meaning("the reason stands below", Who.SENDER, _IN_EACH),
}
_OF_FIELDS: Final = {
    **dict.fromkeys(("object_id", "external_event_id", "external_account_id"), Kind.EVENT),
    **dict.fromkeys(("the event", "the event's external account"), Kind.EVENT),
    **dict.fromkeys(("subscriber_state", "the state"), Kind.STATE),
}
_BY_WORDS: Final = tuple(
    (kind, re.compile("|".join(words)))
    for kind, words in (
        (Kind.FIELD, ["^is no field of "]),
        (Kind.SHAPE, ["^is no JSON", "^is no object", "cells where the header has", "opens a quote", "which is no utf",
                      "bytes long", "a shorter line", "database cannot store", "inputs in a list", "a list of inputs",
                      r"^holds [\d,]+ inputs", r"such as \{\"email\"", "process"]),
        (Kind.EVENT, ["names no event"]),
        (Kind.EMAIL, ["e-mail address", "address without", "an address such as", "own address", "no one person's"]),
        (Kind.CONTACT, ["names no contact", "contact twice", "no contact id", "another tool's", "sign-in name"]),
        (Kind.STAY, ["joinedAt", "leftAt", "they joined", "they left", "they stayed", "how long they",
                     "no attend without", "which occurrence", "no duration", "has no unit", "hours and minutes"]),
        (Kind.TEXT, ["text values", "^text: |; text: |text without it", "no entry at all", "no contactProperties"]),
        (Kind.TIME, ["milliseconds", "seconds", "year", r"\b1970\b", "time zone", "time of day", r"no time\b",
                     "no date", "no day", "instant", "offset", r"clocks?\b", "--date-order", "a zone", "and not when",
                     r"a time\b", "the time", "--time-zone", "came twice"]),
        (Kind.STATE, ["=keep", "leave out", "--state", "status"]),
    )
)  # fmt: skip
_LINE: Final = re.compile(r"line \d+(?:, )?")
_INPUT: Final = re.compile(r"^(?:inputs\[\d+\]|input(?=\.|$))?\.?")


@dataclass(frozen=True, slots=True)
class RefusalKind:
    """What the refusals of one group share."""

    kind: Kind
    field: str
    """The field, or the file's own column; nothing where the whole is meant."""
    account: str = ""
    """The account that is not known, where that is the fault."""

    @classmethod
    def of(cls, reasons: Sequence[Reason], account: str | None = None) -> "RefusalKind":
        """Tell the kind of a refusal by the first reason against it, and the account that its message names."""
        first = reasons[0]
        if first.where == "account" and first.what.endswith("is unknown"):
            return cls(Kind.ACCOUNT, "account", account or first.what)
        field = field_of(first.where)
        return cls(_kind(first, field), field)

    @property
    def group_id(self) -> str:
        """Give the group's id, known without asking the database."""
        facts = [self.kind, self.field, self.account]
        return blake2b(orjson.dumps(facts), digest_size=6).hexdigest()


def field_of(where: str) -> str:
    """Give the field of the place that a reason names, without the line or the number of the input."""
    if line := _LINE.match(where):
        return where[line.end() :]
    return _INPUT.sub("", where).rpartition(".")[2]


def _kind(reason: Reason, field: str) -> Kind:
    if field in _OF_FIELDS:
        return _OF_FIELDS[field]
    said = (reason.what, f"{reason.what}; {reason.right}")
    return next((kind for kind, words in _BY_WORDS if any(map(words.search, said))), Kind.OTHER)
