"""Celery's transport for Redis, of which no item ends a worker, whatever somebody pushed into a list.

Kombu takes an item out of the list before it reads it, and raises where it cannot: the worker then ends, or takes it
for a lost connection. Here such an item becomes a message with an error, which the consumer drops (`worker.consumer`).
"""

import sys
import uuid
from queue import Empty
from typing import Any, Final

from kombu.transport import redis, virtual
from kombu.utils.scheduling import round_robin_cycle

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


class ServedQueues(round_robin_cycle):
    """The queues in the order in which they are served; the transport is told which one was served last.

    The line is empty where a worker stops: an item can still come then, of a request that was under way. It has no
    consumer any more, and kombu puts it back by another channel, perhaps, than the one that took it.
    """

    def __init__(self, transport: "Transport") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._transport = transport

    def rotate(self, last_used: str) -> None:
        """Put the queue of which an item was just taken to the end of the line."""
        self._transport.served_last = last_used
        super().rotate(last_used)  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    """A connection to Redis."""

    Message = ListItem

    def __init__(self, connection: "Transport", **options: Any) -> None:  # noqa: ANN401 - kombu's own
        super().__init__(connection, **options)  # type: ignore[no-untyped-call]
        self._queue_cycle = ServedQueues(connection)

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
    """Give the queue of the item that was taken last."""
    return str(channel.connection.served_last)


class Transport(redis.Transport):
    """Redis as Celery's broker."""

    Channel = Channel
    served_last = ""
