"""Celery's transport for Redis, of which no item ends a worker, whatever somebody pushed into a list.

Kombu takes an item out of the list before it reads it, and raises where it cannot: the worker then ends, or takes it
for a lost connection. Here such an item becomes a message with an error, which the consumer drops (`worker.consumer`).
"""

import sys
import uuid
from queue import Empty
from typing import Any, Final

from kombu.transport import redis, virtual

from worker import unreadable

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading somebody's value comes to. Whatever else is raised is no fault of the message: it must not be lost."""


class ListItem(virtual.Message):
    """An item of a list; what is wrong with its envelope is one of its errors."""

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:  # noqa: ANN401 - anything that is JSON
        """Read the envelope. Nothing is kept by its delivery tag in Redis, so it is always ours."""
        try:
            super().__init__(payload, channel=channel, **options)  # type: ignore[no-untyped-call]
            _check(self)
        except UNREADABLE:
            none: dict[str, Any] = {"properties": {"delivery_tag": ""}}
            super().__init__(none, channel=channel, **options)  # type: ignore[no-untyped-call]
            self.errors.append(sys.exc_info())
        self.delivery_tag = uuid.uuid4().hex
        self.delivery_info = {**self.delivery_info, "routing_key": served_last(channel)}


def _check(message: Any) -> None:  # noqa: ANN401 - kombu carries no types
    for name in ("headers", "properties", "delivery_info"):
        if not isinstance(getattr(message, name), dict):
            raise TypeError(name)
    for name in ("content_type", "content_encoding"):
        if not isinstance(getattr(message, name), str | None):
            raise TypeError(name)


class Channel(redis.Channel):
    """A connection to Redis."""

    Message = ListItem

    def _brpop_read(self, **options: Any) -> Any:  # noqa: ANN401 - kombu's own
        """Take an item; one that is no JSON is gone from the list by then."""
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except UNREADABLE:  # json's errors, and those of kombu's own decoding of types
            if self.client.connection is None:
                raise
            unreadable.note(served_last(self), "it is not JSON")
            raise Empty from None


def served_last(channel: Any) -> str:  # noqa: ANN401 - kombu carries no types
    """Give the queue of the item that was taken last: each that is served goes to the end of the line."""
    return str(channel._queue_cycle.items[-1])  # noqa: SLF001 - no other place knows it


class Transport(redis.Transport):
    """Redis as Celery's broker."""

    Channel = Channel
