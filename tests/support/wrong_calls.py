"""What producers with Celery get wrong, as data: how each call is sent, and what is said of it."""

import json
import pickle
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from celery import Celery, signature

from worker.task_names import ACCEPT

WHEN: Final = 1_767_225_600_000


def fields(contact: str = "ada@example.com", **more: object) -> dict[str, Any]:
    inputs = [{"email": contact, "interactionDateTime": WHEN}]
    return {"subscriber_state": "register", "object_id": "4711", "inputs": inputs, "producer": "shop", **more}


@dataclass(frozen=True)
class WrongCall:
    """A call, by what `send_task` is given, and what the reason of its refusal holds."""

    said: str
    task: str = ACCEPT
    options: dict[str, Any] = field(default_factory=dict)
    args: Any = None
    kwargs: Any = field(default_factory=fields)


CALLS: Final = {
    "the message alone, by position": WrongCall("positional arguments (1)", args=[fields()], kwargs={}),
    "its fields by position": WrongCall(
        "positional arguments (3)", args=["register", "4711", fields()["inputs"]], kwargs={}
    ),
    "some by position": WrongCall("positional arguments (1)", args=["register"], kwargs={"object_id": "4711"}),
    "a task misspelt": WrongCall("attendance.acept is not a task of Turnout", task="attendance.acept"),
    "a task of others": WrongCall("shop.tasks.register is not a task", task="shop.tasks.register"),
    "a task of ours that takes no message": WrongCall("takes no message", task="attendance.intake"),
    "a task of ours that is a worker's": WrongCall("is not a task of Turnout", task="attendance.refuse"),
    "a keyword too many": WrongCall("is no field of a message", kwargs=fields(colour="blue")),
    "a keyword misspelt": WrongCall("is no field of a message", kwargs={**fields(), "object": "4711"}),
    "a keyword too few": WrongCall(
        "subscriber_state: is missing", kwargs={"object_id": "4711", "inputs": fields()["inputs"]}
    ),
    "no keyword": WrongCall("subscriber_state: is missing", kwargs={}),
    "pickle": WrongCall("application/x-python-serialize", options={"serializer": "pickle"}),
    "a countdown": WrongCall("countdown", options={"countdown": 3600}),
    "a time": WrongCall("eta", options={"eta": datetime(2030, 1, 1, tzinfo=UTC)}),
    "a time that is past": WrongCall("eta", options={"eta": datetime(2020, 1, 1, tzinfo=UTC)}),
    "an end": WrongCall("expires", options={"expires": 3600}),
    "an end that is past": WrongCall("expires", options={"expires": datetime(2020, 1, 1, tzinfo=UTC)}),
    "a link": WrongCall("link: is set", options={"link": signature("theirs.after")}),
    "a link for errors": WrongCall("link_error: is set", options={"link_error": signature("theirs.failed")}),
    "a chain": WrongCall("chain: is set", options={"chain": [signature("theirs.next")]}),
    "a chord": WrongCall("chord: is set", options={"chord": signature("theirs.all")}),
}
"""Each by `send_task`, on the queue `attendance.accept`."""

BODIES: Final = {
    "yaml": (b"- [register]\n- {object_id: '4711'}\n- {}\n", "application/x-yaml"),
    "msgpack": (b"\x93\x90\x81\xa9object_id\xa44711\x80", "application/x-msgpack"),
    "pickle by hand": (pickle.dumps([[], fields(), {}]), "application/x-python-serialize"),
    "the message as the body, not as a call": (json.dumps(fields()).encode(), "application/json"),
    "text": (b"register ada@example.com at 4711", "application/json"),
    "cut": (b'[[], {"subscriber_state": "regi', "application/json"),
}
"""Each put into the queue as it stands, with the headers of a call: what is kept is just that."""

RIGHT_BODIES: Final = {
    "a charset": "application/json; charset=utf-8",
    "a charset in capitals": 'Application/JSON;charset="UTF-8"',
}
"""Content types of a call that is accepted, each put into the queue by hand."""

RIGHT: Final[dict[str, dict[str, Any]]] = {
    "plain": {"kwargs": fields("right1@example.com")},
    "a UUID that Celery marks": {"kwargs": fields("right2@example.com", submission_id=uuid.uuid4())},
    "a group": {"kwargs": fields("right3@example.com"), "group_id": "1"},
    "a priority": {"kwargs": fields("right4@example.com"), "priority": 6},
    "compressed": {"kwargs": fields("right5@example.com"), "compression": "gzip"},
    "a limit of time": {"kwargs": fields("right6@example.com"), "time_limit": 5, "soft_time_limit": 4},
    "the first protocol": {"kwargs": fields("right7@example.com")},
}
"""What is accepted as it always was."""


def send_all(broker_url: str, queue: str = ACCEPT) -> None:
    """Send the whole corpus, as a plain Celery app does that knows nothing of Turnout."""
    with Celery(broker=broker_url, set_as_current=False) as app:
        for one in CALLS.values():
            app.send_task(one.task, one.args, one.kwargs, queue=queue, **one.options)
        for name, right in RIGHT.items():
            app.conf.task_protocol = 1 if name == "the first protocol" else 2
            app.send_task(ACCEPT, queue=queue, **right)
        with app.connection_for_write() as connection:
            producer = connection.Producer()
            for body, content_type in BODIES.values():
                headers = {"lang": "py", "task": ACCEPT, "id": str(uuid.uuid4())}
                producer.publish(
                    body, routing_key=queue, headers=headers, content_type=content_type, content_encoding="utf-8"
                )
            headers = {"lang": "py", "task": ACCEPT, "id": str(uuid.uuid4()), "timelimit": "soon"}
            producer.publish([[], fields(), {}], routing_key=queue, headers=headers)
            for number, content_type in enumerate(RIGHT_BODIES.values()):
                body = json.dumps([[], fields(f"typed{number}@example.com"), {}]).encode()
                headers = {"lang": "py", "task": ACCEPT, "id": str(uuid.uuid4())}
                producer.publish(
                    body, routing_key=queue, headers=headers, content_type=content_type, content_encoding="utf-8"
                )
            # A wake-up of another release, which holds nothing.
            headers = {"lang": "py", "task": "attendance.gone", "id": str(uuid.uuid4())}
            producer.publish([[], {"place": "x"}, {}], routing_key=queue, headers=headers)
