"""What an error means in plain words, who can fix it, and which commands fit."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.words import Outcome, OwnCategory


class Who(StrEnum):
    """Who can fix what caused an error."""

    NOBODY = "nobody needs to"
    HUBSPOT = "HubSpot"
    PRODUCER = "the producer's app"
    SENDER = "the sender of the data"
    OPERATOR = "the operator"
    ADMIN = "the account's admin"


@dataclass(frozen=True, slots=True)
class Advice:
    """What it means, who can fix it, and what to type; nothing where nothing is to be done."""

    means: str
    who: Who
    action: str = ""
    """One command a line; what has to happen before it, or is another way, stands before it, up to a colon."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an action is for: the errors of a group, or one record."""

    group_id: str | None = None
    record_id: int | None = None

    @property
    def retry(self) -> str:
        """Send it again as it is."""
        return f"turnout retry {self._option}"

    @property
    def fix(self) -> str:
        """Fix what differs from record to record: one by an option, many in a file."""
        if self.group_id is None:
            return f"turnout correct {self.record_id} {{}}"
        return f"turnout errors {self._option} --csv fix.csv\nfix the file, then: turnout correct --from fix.csv"

    @property
    def event(self) -> str:
        """Send it again once its event exists, or to another event."""
        which = self._option if self.group_id else self.record_id
        return f"once the event exists: {self.retry}\nor to another event: turnout correct {which} --event EVENT"

    @property
    def _option(self) -> str:
        return f"--group {self.group_id}" if self.group_id else f"--record {self.record_id}"


_REJECTED: Final = (
    (
        r"invalid_email|valid e-?mail|e-?mail.*\binvalid|invalid.*e-?mail",
        "HubSpot takes none of these as an e-mail address",
        Who.PRODUCER,
        "--email ADDRESS",
    ),
    (
        r"invalid_(?:vid|contact)|contact_not_found|valid (?:vid|contact)|contact.*(?:not exist|not found)|no contact",
        "HubSpot has no contact of this id, or it was deleted or merged",
        Who.PRODUCER,
        "--vid ID",
    ),
    (
        r"joined_?at|left_?at",
        "they left before they joined, so HubSpot stores no attendance",
        Who.PRODUCER,
        "--set leftAt=TIME",
    ),
    (
        r"interactionDateTime",
        "HubSpot does not take the time at which it happened",
        Who.PRODUCER,
        "--when TIME",
    ),
)
"""By code and message: what HubSpot holds against a record's data, and the option that fixes one record."""
_A_FIELD: Final = re.compile(r"propert|\bfields?\b|\bparam|attribute|column", re.IGNORECASE)
_NAMED_ALONE: Final = (
    (re.compile(r"[^\s`'\"]@[^\s`'\"]"), "HubSpot does not take this address", "--email ADDRESS"),
    (re.compile(r"[`'\"]\d+[`'\"]"), "HubSpot does not take this contact id", "--vid ID"),
)
"""What a message that is not valid names, where it speaks of no field: the contact, by address or by id."""
_NOT_OF_DATA: Final = re.compile("SCOPE|AUTHENTICATION|RATE_LIMIT")
"""Categories that say something of the token or the pace, and nothing of what was sent."""
_EVENT: Final = re.compile("(?i:(?<![a-z])events?(?![a-z]))|(?<=[a-z])Event|Event(?=[A-Z])|event(?=[A-Z])")
"""The word, also within `marketingEventId` or `EVENT_NOT_FOUND`; not within others, such as prevented."""

_EVENT_KEY: Final = re.compile(r'"\w*event\w*":', re.IGNORECASE)
"""A key of an error's context that names an event, whichever."""
_MISSING: Final = re.compile(
    r"\b(?:no such|unknown|not known|gone|deleted|archived)\b|(?:not|n't|n’t) (?:be )?(?:found|exist)|no longer exist",
    re.IGNORECASE,
)
_OF_A_RECORD: Final = re.compile(
    r"contact|person|e-?mail|\bvid|propert|\bfields?\b|\bparam|attribute|column|\bstates?\b", re.IGNORECASE
)


def is_about_event(category: str, code: str, message: str, beside: str = "", names: Collection[str] = ()) -> bool:
    """Say whether HubSpot's word against a record is one against its event, which has these names.

    It speaks of events or names this one, in the message or in what came `beside` it, or found nothing and speaks of no
    contact and no field: whatever else it names, as the event's address in another spelling. Where both a person's data
    and the event are spoken of, it is about the event: errors that are grouped too finely are acted on twice, those
    grouped too widely are sent to the wrong event.
    """
    if _NOT_OF_DATA.search(category):
        return False
    if _EVENT.search(f"{category} {code} {message}") or any(_names(message, name) for name in names):
        return True
    if _data(f"{code} {message}") is not None:
        return False
    is_missing = _MISSING.search(message) is not None and _OF_A_RECORD.search(message) is None
    return (
        category.endswith("NOT_FOUND")
        or is_missing
        or _EVENT_KEY.search(beside) is not None
        or any(_names(beside, name) for name in names)
    )


def _names(text: str, name: str) -> bool:
    """Say whether a text names something; a number may count anything, so it has to be called an id."""
    before = r"(?<![\w-])" if not name.isdecimal() else r"(?:\bid\b\W{0,4}|\bids\b\W{0,4}|[`'\"])"
    return re.search(rf"{before}{re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None


def _data(said: str) -> tuple[str, Who, str] | None:
    """Find what is held against a record's own data: what that means, who can fix it, by which option."""
    for pattern, means, who, option in _REJECTED:
        if re.search(pattern, said, re.IGNORECASE):
            return means, who, option
    return None


def advise(  # noqa: PLR0911, PLR0913 - a row each
    outcome: Outcome,
    category: str,
    code: str,
    message: str,
    subject: Subject,
    *,
    event: str = "",
    is_looked_for: bool = False,
) -> Advice:
    """Say what an error means, who can fix it, and what to type; `event` names its event where it is about that.

    While an unconfirmed record `is_looked_for` at HubSpot, there is nothing to type: it may be found, and is sent once
    more by itself if it is not.
    """
    match outcome, category:
        case Outcome.CANCELED, OwnCategory.SUPERSEDED:
            return Advice("a later record of the same person and event took its place", Who.NOBODY)
        case Outcome.CANCELED, OwnCategory.CORRECTED:
            return Advice("it was corrected, and the corrected record is sent in its place", Who.NOBODY)
        case Outcome.CANCELED, _:
            return Advice("an operator took it out of the queue: it is not sent", Who.OPERATOR, subject.retry)
        case Outcome.FAILED, _:
            means = (
                "HubSpot gave no clear answer, however often it was asked; it may have arrived, and sending it again"
                " stores nothing twice"
            )
            return Advice(means, Who.HUBSPOT, subject.retry)
        case Outcome.UNCONFIRMED, OwnCategory.CANCELED:
            means = (
                "an operator took it out of the queue after a call that brought no answer: it may have arrived; Turnout"
                " looks for it at HubSpot, and does not send it again"
            )
            return Advice(means, Who.NOBODY)
        case Outcome.UNCONFIRMED, _:
            means = (
                "HubSpot took the request and said neither yes nor no to these"
                if category == OwnCategory.UNCONFIRMED
                else "HubSpot objected to somebody in the request without saying to whom; these it did not name"
            )
            if is_looked_for:
                next_ = "Turnout looks for them at HubSpot for a quarter of an hour, and sends them once more"
                return Advice(f"{means}; {next_}", Who.NOBODY)
            return Advice(f"{means}, and Turnout looks for them no longer", Who.HUBSPOT, subject.retry)
    return _rejected(category, code, message, subject, event)


def _rejected(  # noqa: PLR0911 - a row each
    category: str, code: str, message: str, subject: Subject, event: str
) -> Advice:
    if "SCOPE" in category or "AUTHENTICATION" in category:
        return Advice("the account's token may not do this", Who.ADMIN, subject.retry)
    if "RATE_LIMIT" in category:
        return Advice("HubSpot was asked too often", Who.HUBSPOT, subject.retry)
    said = f"{code} {message}"
    if (data := _data(said.replace(event, "") if event else said)) is not None:  # no words of an event's name
        means, who, option = data
        return Advice(means, who, subject.fix.format(option))
    if event or is_about_event(category, code, message):
        means = (
            "HubSpot does not know this event, or it belongs to another app: create it with the app whose token this"
            " is and retry, or send these to the right event"
        )
        return Advice(means, Who.ADMIN, subject.event)
    if category == "VALIDATION_ERROR":
        for pattern, means, option in () if _A_FIELD.search(said) else _NAMED_ALONE:
            if pattern.search(said):
                return Advice(f"{means}, or what came with it", Who.PRODUCER, subject.fix.format(option))
        means = "HubSpot does not take this data, and would not take it unchanged"
        return Advice(means, Who.PRODUCER, subject.fix.format("--set PROPERTY=VALUE"))
    means = (
        "HubSpot said no, and gives no reason that is known here: read its words; its support knows the attempt's id"
    )
    return Advice(means, Who.HUBSPOT, subject.retry)
