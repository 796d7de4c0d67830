"""Celery's consumer, which judges a message before it runs: none is lost, and none ends the worker, whatever it is.

Celery logs and drops a call of no such task, of another serializer, or with arguments that do not fit, and holds one
with a time to wait for in its memory. A producer's data may be in it: what can be read becomes a call of
`attendance.refuse`, which keeps it as not accepted, with the reason. What cannot is dropped and counted.
"""

import base64
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from celery.exceptions import InvalidTaskError
from celery.worker.consumer.consumer import Consumer as CelerysConsumer, logger
from kombu.exceptions import ContentDisallowed, SerializationError

from models.ids import LONGEST_TEXT
from models.input_check import Reason, shown, unsafe_character
from worker import unreadable
from worker.redis_transport import UNREADABLE
from worker.stream import MOST_BYTES
from worker.task_names import ACCEPT, JOB, PURGE, REFUSE, TASKS

OURS: Final = frozenset({*TASKS, PURGE, JOB})
WAKE_UP: Final = frozenset({"account", "place"})
"""The keywords of a wake-up, which carries no data."""
REFUSAL: Final = frozenset({"raw", "where", "what", "right"})
"""The keywords of a call that keeps what is not accepted."""
_EMBEDDED: Final = frozenset({"callbacks", "errbacks", "chain", "chord"})
_CHARSET: Final = re.compile(r'application/json\s*;\s*charset="?(utf-?8|us-ascii)"?\s*', re.IGNORECASE)
_PARTS: Final = 3
"""Of a body: arguments, keyword arguments, and what is to follow."""
KEYWORDS: Final = "keyword arguments alone: kwargs={…} with the message's fields"
CALL: Final = 'a call as Celery sends it: send_task("attendance.accept", kwargs={…}, queue="attendance.accept")'
FOLLOWING: Final[Mapping[str, str]] = {
    "callbacks": "link",
    "errbacks": "link_error",
    "chain": "chain",
    "chord": "chord",
}
"""What Celery would send after a task, by its name in a body: what a producer calls it."""


@dataclass(frozen=True, slots=True)
class CallFault:
    """What is wrong with a message: for the log, which quotes nothing of it, and for whoever is to fix it."""

    logged: str
    reason: Reason
    held: bytes = b""
    """What it holds, to be kept; nothing where it holds nothing but a wake-up."""


class Consumer(CelerysConsumer):  # type: ignore[misc]
    """Reads the queues of a worker."""

    def create_task_handler(self, *given: Any) -> Callable[[Any], None]:  # noqa: ANN401 - Celery's own
        """Give what takes a message: nothing that it holds ends the worker."""
        run = super().create_task_handler(*given)

        def tried(message: Any) -> CallFault | None:  # noqa: ANN401 - kombu carries no types
            try:
                run(message)
            except (InvalidTaskError, ContentDisallowed, *UNREADABLE) as error:  # a header that is checked nowhere
                reason = Reason("message", f"cannot be read by Celery ({type(error).__name__})", CALL)
                is_data = message.headers.get("task") == ACCEPT
                return CallFault(
                    f"Celery cannot read it ({type(error).__name__})", reason, _body(message) if is_data else b""
                )
            return None

        def take(message: Any) -> None:  # noqa: ANN401 - kombu carries no types
            drop_charset(message)
            fault = fault_of(message) or tried(message)
            if fault is not None and 0 < len(fault.held) <= MOST_BYTES:
                fault = tried(refused(message, fault))
            if fault is not None:
                self._drop(message, fault.logged)

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
        """Let it be dealt with as every error of reading is."""
        raise exc

    def _drop(self, message: Any, reason: str) -> None:  # noqa: ANN401 - kombu carries no types
        queue = message.delivery_info.get("routing_key")
        unreadable.note(queue if queue in TASKS else "?", reason)
        if not message.acknowledged:
            message.reject_log_error(logger, self.connection_errors)


def drop_charset(message: Any) -> None:  # noqa: ANN401 - kombu carries no types
    """Take `application/json; charset=utf-8`, as other languages' clients write it, for the JSON that it is."""
    if _CHARSET.fullmatch(str(message.content_type)):
        message.content_type = "application/json"


def refused(message: Any, fault: CallFault) -> Any:  # noqa: ANN401 - kombu carries no types
    """Make of a message the call that keeps what it holds: acknowledged, and so repeated, as the message would be."""
    call = {
        "raw": base64.b64encode(fault.held).decode(),
        "where": fault.reason.where,
        "what": fault.reason.what,
        "right": fault.reason.right,
    }
    # Without their texts Celery would write the arguments, to log them.
    named = {"task": REFUSE, "id": _id(message), "lang": "py"}
    message.headers = named | {"argsrepr": "", "kwargsrepr": ""}
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.body = json.dumps([[], call, {}]).encode()
    message._decoded_cache = None  # noqa: SLF001 - its body was read before
    return message


def _id(message: Any) -> str:  # noqa: ANN401 - kombu carries no types
    """Give the call's id; where it cannot be stored, one that is the same each time the message comes."""
    id_ = message.headers.get("id")
    if isinstance(id_, str) and _can_be_stored(id_):
        return id_
    return str(uuid.UUID(bytes=blake2b(_body(message), digest_size=16).digest()))


def _can_be_stored(id_: str) -> bool:
    return len(id_) <= LONGEST_TEXT and unsafe_character(id_) is None


def _is_refusal(call: Any, args: Any, kwargs: Mapping[str, Any]) -> bool:  # noqa: ANN401 - anything that is JSON
    """Say whether it is what `refused` makes, which a worker that stopped has put back."""
    if call["task"] != REFUSE or args or kwargs.keys() != REFUSAL:
        return False
    if not all(isinstance(one, str) for one in kwargs.values()):
        return False
    try:
        base64.b64decode(kwargs["raw"], validate=True)
    except ValueError:
        return False
    return isinstance(call.get("id"), str) and _can_be_stored(call["id"])


def fault_of(message: Any) -> CallFault | None:  # noqa: ANN401 - kombu carries no types
    """Say what is wrong with a message as a call of one of our tasks; none where nothing is."""
    body = _body(message)
    try:
        payload = message.decode()
    except ContentDisallowed:
        what = f"is {shown(message.content_type)}, which is not read"
        reason = Reason("message", what, 'JSON: send the task with serializer="json"')
        return CallFault("it is not JSON, and nothing else is read", reason, body)
    except (SerializationError, *UNREADABLE):
        return CallFault("its body cannot be read as JSON", Reason("message", "is not valid JSON", CALL), body)
    call, embedded = message.headers, None
    if "task" not in call:  # Celery's first protocol, and what is none
        if not (isinstance(payload, dict) and "task" in payload):
            return CallFault("it is not a Celery message", Reason("message", "is not a Celery message", CALL), body)
        call, args, kwargs = payload, payload.get("args", []), payload.get("kwargs", {})
        embedded = {name: payload[name] for name in _EMBEDDED if name in payload}
    elif isinstance(payload, list | tuple) and len(payload) == _PARTS:
        args, kwargs, embedded = payload
    else:
        reason = Reason("message", "is not [args, kwargs, embed]", CALL)
        return CallFault("its body is not [args, kwargs, embed]", reason, body)
    return _fault_of_call(call, args, kwargs, embedded or {}, body)


def _body(message: Any) -> bytes:  # noqa: ANN401 - kombu carries no types
    body = message.body.encode(errors="replace") if isinstance(message.body, str) else message.body
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b""


def _fault_of_call(call: Any, args: Any, kwargs: Any, embedded: Any, body: bytes) -> CallFault | None:  # noqa: ANN401, PLR0911 - anything that is JSON; one return per fault
    if (fault := _fault_of_arguments(args, kwargs, body)) is not None:
        return fault
    if _is_refusal(call, args, kwargs):
        return None
    held = b"" if not args and kwargs.keys() <= WAKE_UP else _held(args, kwargs)
    task = call["task"]
    if not isinstance(task, str) or task not in OURS:
        reason = Reason("task", f"{shown(task)} is not a task of Turnout", f"the task {ACCEPT}")
        return CallFault("it names no task of Turnout", reason, held)
    if not isinstance(call.get("id"), str):
        return CallFault("its id is not text", Reason("id", "is not text", CALL), held)
    if not _can_be_stored(call["id"]):
        right = f"text of at most {LONGEST_TEXT} characters, without control characters"
        return CallFault(
            "its id cannot be stored", Reason("id", f"'{shown(call['id'])}' cannot be stored", right), held
        )
    limits = call.get("timelimit")
    if limits is not None and not (isinstance(limits, list | tuple) and len(limits) == len(("hard", "soft"))):
        # Celery finds that only once a thread is free, where nothing can be done about it any more.
        return CallFault("its limits of time are not two", Reason("timelimit", "is not two numbers", CALL), held)
    if not isinstance(embedded, dict) or not embedded.keys() <= _EMBEDDED:
        return CallFault("what it embeds is not Celery's", Reason("message", "embeds what is not Celery's", CALL), held)
    if task != ACCEPT:
        reason = Reason("task", f"{task} takes no message", f"the task {ACCEPT}")
        return CallFault("its task takes no message", reason, held) if held else None
    if args:
        reason = Reason("message", f"has positional arguments ({len(args)})", KEYWORDS)
        return CallFault("it has positional arguments", reason, held)
    return _fault_of_options(call, embedded, _held(args, kwargs))


def _fault_of_arguments(args: Any, kwargs: Any, body: bytes) -> CallFault | None:  # noqa: ANN401 - anything that is JSON
    if args is None and isinstance(kwargs, dict):
        held = b"" if kwargs.keys() <= WAKE_UP else _held((), kwargs)
        return CallFault("its arguments are null", Reason("args", "is null", f"[], and {KEYWORDS}"), held)
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        reason = Reason("message", "has arguments that are not a list and an object", CALL)
        return CallFault("its arguments are not a list and an object", reason, body)
    return None


def _fault_of_options(call: Any, embedded: Mapping[str, Any], held: bytes) -> CallFault | None:  # noqa: ANN401 - anything that is JSON
    """Say which option a call has that Turnout cannot keep: held in a worker's memory, a message would not be safe."""
    for name, called in (("eta", "eta, or countdown,"), ("expires", "expires")):
        if call.get(name):
            right = "a call without it: it is accepted at once, and kept. Submitted again, it is accepted now"
            reason = Reason(name, f"{called} is set ({shown(call[name])})", right)
            return CallFault("it is not to be accepted at once", reason, held)
    for name, called in FOLLOWING.items():
        if embedded.get(name):
            right = "a call without it: Turnout sends no task. A webhook, or `GET /submissions/{id}`, tells the results"
            return CallFault("it wants a task to be sent after it", Reason(called, "is set", right), held)
    return None


def _held(args: Any, kwargs: dict[str, Any]) -> bytes:  # noqa: ANN401 - a list or tuple
    """Write what a call holds, as the message that it should have been as far as it is one."""
    one = args[0] if len(args) == 1 and not kwargs and isinstance(args[0], dict) else None
    whole = one or ({"args": list(args), "kwargs": kwargs} if args else kwargs)
    return json.dumps(whole, default=str).encode()  # Celery makes UUIDs and times of what it marks as such
