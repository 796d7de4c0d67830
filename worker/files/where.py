"""What stands around an input in its message: the event, the state, the account, from the row or the options."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from models.input_check import Reason, shown
from models.message import Message, read_fields
from worker.files.columns.map_option import as_option
from worker.files.options import MissingOption, Options

PRODUCER: Final = "turnout enqueue"


class Where(NamedTuple):
    """What stands around an input in its message, as text or absent."""

    account: str | None
    object_id: str | None
    event: str | None
    external_account: str | None
    state: str | None

    def fields(self) -> dict[str, object]:
        """Give the message's fields, without its inputs."""
        named = {
            "account": self.account,
            "object_id": self.object_id,
            "external_event_id": self.event,
            "external_account_id": self.external_account,
            "subscriber_state": self.state,
            "producer": PRODUCER,
        }
        return {name: value for name, value in named.items() if value is not None}


def place(  # noqa: PLR0913 - one for each part of a message's envelope
    options: Options,
    *,
    account: str | None,
    object_id: str | None,
    event: str | None,
    external_account: str | None,
    state: str | None,
) -> Where:
    """Fill in from the options what a row does not say itself."""
    account = account or options.account
    if object_id:
        return Where(account, object_id, event or None, external_account or None, state)
    if not event and options.object_id and not external_account:
        return Where(account, options.object_id, None, None, state)
    return Where(account, None, event or options.event, external_account or options.external_account, state)


def missing(where: Where, events: tuple[str, ...] = ()) -> Iterator[Reason]:
    """Say what neither the row nor an option says; `events` are columns that may hold an event's id."""
    if not where.state:
        yield MissingOption("the state", "is not said", "--state register, attend or cancel")
    if not where.object_id and not where.event:
        right = "--event ID --external-account ID, or --object-id ID"
        also = "".join(
            f"; or {as_option(title, 'event')} where that column holds the external id in HubSpot" for title in events
        )
        yield MissingOption("the event", "is not said", right + also)
    elif where.event and not where.object_id and not where.external_account:
        right = "--external-account ID, the account id the event was created with"
        yield MissingOption("the event's external account", "is not said", right)


@lru_cache(maxsize=4096)
def envelope(where: Where) -> Message | tuple[Reason, ...]:
    """Check what stands around an input as a message of the stream is checked, but for what is said to be missing."""
    if any(missing(where)):
        return ()
    message = read_fields({**where.fields(), "inputs": [None]}, envelope_only=True)
    return message if isinstance(message, Message) else message.reasons


def missing_time(reason: Reason, text: str) -> Reason:
    """Say of a time that is missing what a reader of files can do about it; `text` stands in its place."""
    if not reason.what.startswith("is missing"):
        return reason
    if reason.where == ".properties.leftAt":
        right = 'a time of leaving, or a duration (in another column? --map "Their column=left", or =minutes)'
        return Reason(reason.where, "does not say when they left, or how long they stayed", right)
    if reason.where in {".interactionDateTime", ".properties.joinedAt"}:
        what = f"says “{shown(text)}”, and not when" if text else "has no time"
        return Reason(reason.where, what, 'a time (in another column? --map "Their column=time")')
    return reason
