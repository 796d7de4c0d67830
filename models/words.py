"""The closed lists of words that code, columns, commands and logs share."""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """The attendee's state, HubSpot's `subscriberState`; on the wire it is exactly this text."""

    REGISTER = "register"
    ATTEND = "attend"
    CANCEL = "cancel"


class Identity(StrEnum):
    """How a contact is named: by e-mail address or by HubSpot's contact id."""

    EMAIL = "email"
    VID = "vid"


class Status(StrEnum):
    """The status of a batch."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETE = "COMPLETE"
    CANCELED = "CANCELED"


class Origin(StrEnum):
    """Why a batch exists. Live is served before retry, retry before replay."""

    LIVE = "live"
    RETRY = "retry"
    REPLAY = "replay"


class Outcome(StrEnum):
    """What became of a record."""

    PENDING = "pending"
    PROCESSING = "processing"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    """HubSpot said no."""
    UNCONFIRMED = "unconfirmed"
    """HubSpot said neither yes nor no."""
    FAILED = "failed"
    """We never got an answer."""
    CANCELED = "canceled"
    """By an operator, superseded or corrected; the error says which."""


class OwnCategory(StrEnum):
    """The categories of errors that are Turnout's own; any other is HubSpot's word."""

    SUPERSEDED = "SUPERSEDED"
    """Canceled: a later record of its contact and event took its place."""
    CORRECTED = "CORRECTED"
    """Canceled: the record that corrects it is sent in its place."""
    CANCELED = "CANCELED"
    """By an operator; unconfirmed where a call for it had brought no answer."""
    GIVEN_UP = "GIVEN_UP"
    """Failed: no call for it brought an answer."""
    UNCONFIRMED = "UNCONFIRMED"
    """HubSpot answered, and did not name it."""


class Resolution(StrEnum):
    """How an error ended."""

    RETRIED = "retried"
    CONFIRMED = "confirmed"
    CORRECTED = "corrected"
    SUPERSEDED = "superseded"
    DISMISSED = "dismissed"


class Role(StrEnum):
    """What a key may do."""

    PRODUCER = "producer"
    """Submit records for its accounts, and ask what became of its own."""
    OPERATOR = "operator"
    VIEWER = "viewer"
    """See everything but contacts, and change nothing."""


class Action(StrEnum):
    """What is done in bulk, as a job."""

    RETRY = "retry"
    CORRECT = "correct"
    DISMISS = "dismiss"
    CANCEL = "cancel"
    REPLAY = "replay"
    """Submit again what was not accepted."""
    DISCARD = "discard"
    """Dismiss what was not accepted."""


class Closing(StrEnum):
    """How what was not accepted ended."""

    SUBMITTED = "submitted"
    """Again, as it was or fixed."""
    CORRECTED = "corrected"
    """By the rows of a corrected file."""
    DISMISSED = "dismissed"


_ACTION_WORDS: Final = {Action.REPLAY: "submit again", Action.DISCARD: "dismiss (not accepted)"}


def word_of(action: str) -> str:
    """Give the word that people read for an action; JSON and filters have its name."""
    return next((word for one, word in _ACTION_WORDS.items() if one == action), action)


def action_of(word: str) -> str:
    """Give the name of an action that is written as people read it, or as JSON has it."""
    return next((one for one, said in _ACTION_WORDS.items() if said == word), word)


class Via(StrEnum):
    """From where an action was asked for."""

    TERMINAL = "terminal"
    CONSOLE = "console"
    SCHEDULE = "schedule"
    API = "api"


class Stage(StrEnum):
    """How far telling a webhook of a submission is. Each leads to one further down; none back."""

    WATCHED = "watched"
    """There is nothing to tell yet; looked at again and again."""
    FAILING = "failing"
    """A first record of it was rejected or failed: that is to be told."""
    WARNED = "warned"
    """That was told, or given up; looked at until it is finished."""
    FINISHED = "finished"
    """No record of it waits for its answer: that is to be told."""
    TOLD = "told"
    GIVEN_UP = "given_up"
    """The webhook did not take it for a day."""


class Door(StrEnum):
    """A way in."""

    STREAM = "stream"
    TASK = "task"
    HTTP = "http"
    FILE = "file"


class AttemptKind(StrEnum):
    """What a call to HubSpot was for."""

    POST = "post"
    """A batch."""
    PART = "part"
    """A part of one, while isolating."""
    READ_BACK = "read-back"
