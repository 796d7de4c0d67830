"""Celery's consumer, which judges a message before it runs: one that cannot be read is dropped and counted.

Celery itself logs its body, and some bodies end the worker, after which they come again.
"""

from collections.abc import Callable
from typing import Any, Final

from celery.worker.consumer.consumer import Consumer as CelerysConsumer, logger
from kombu.exceptions import ContentDisallowed, SerializationError

from worker import unreadable
from worker.celery import JOB, PURGE, TASKS
from worker.redis_transport import UNREADABLE

OURS: Final = frozenset({*TASKS, PURGE, JOB})
_EMBEDDED: Final = frozenset({"callbacks", "errbacks", "chain", "chord"})
_PARTS: Final = 3
"""Of a body: arguments, keyword arguments, and what is to follow."""


class Consumer(CelerysConsumer):  # type: ignore[misc]
    """Reads the queues of a worker."""

    def create_task_handler(self, *given: Any) -> Callable[[Any], None]:  # noqa: ANN401 - Celery's own
        """Give what takes a message: nothing that it holds ends the worker."""
        run = super().create_task_handler(*given)

        def take(message: Any) -> None:  # noqa: ANN401 - kombu carries no types
            fault = fault_of(message)
            try:
                if fault is None:
                    run(message)
            except UNREADABLE as error:  # a header that is checked nowhere
                fault = f"Celery cannot read it ({type(error).__name__})"
            if fault is not None:
                self._drop(message, fault)

        return take

    def on_decode_error(self, message: Any, exc: BaseException) -> None:  # noqa: ANN401 - Celery's own
        """Drop a message whose envelope cannot be read."""
        self._drop(message, f"its envelope cannot be read ({type(exc).__name__})")

    def on_unknown_message(self, body: object, message: Any) -> None:  # noqa: ANN401, ARG002 - Celery's own
        """Drop a message that is none of Celery's."""
        self._drop(message, "it is not a Celery message")

    def on_unknown_task(self, body: object, message: Any, exc: BaseException) -> None:  # noqa: ANN401, ARG002 - Celery's own
        """Drop a message whose task there is not."""
        self._drop(message, "it names no task of Turnout")

    def on_invalid_task(self, body: object, message: Any, exc: BaseException) -> None:  # noqa: ANN401, ARG002 - Celery's own
        """Drop a message that Celery calls invalid."""
        self._drop(message, f"Celery cannot read it ({type(exc).__name__})")

    def _drop(self, message: Any, reason: str) -> None:  # noqa: ANN401 - kombu carries no types
        queue = message.delivery_info.get("routing_key")
        unreadable.note(queue if queue in TASKS else "?", reason)
        if not message.acknowledged:
            message.reject_log_error(logger, self.connection_errors)


def fault_of(message: Any) -> str | None:  # noqa: ANN401, PLR0911 - kombu carries no types; one return per fault
    """Say what is wrong with a message as a call of one of our tasks, quoting nothing of it; none where nothing is."""
    try:
        payload = message.decode()
    except ContentDisallowed:
        return "it is not JSON, and nothing else is read"
    except (SerializationError, *UNREADABLE):
        return "its body cannot be read as JSON"
    embedded: Any = None
    call = message.headers
    if "task" not in call:  # Celery's first protocol, and what is none
        if not (isinstance(payload, dict) and "task" in payload):
            return "it is not a Celery message"
        call, args, kwargs = payload, payload.get("args", []), payload.get("kwargs", {})
    elif isinstance(payload, list | tuple) and len(payload) == _PARTS:
        args, kwargs, embedded = payload
    else:
        return "its body is not [args, kwargs, embed]"
    if not isinstance(call["task"], str) or call["task"] not in OURS:
        return "it names no task of Turnout"
    if not isinstance(call.get("id"), str):
        return "its id is not text"
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        return "its arguments are not a list and an object"
    if not isinstance(embedded or {}, dict) or not (embedded or {}).keys() <= _EMBEDDED:
        return "what it embeds is not Celery's"
    return None
