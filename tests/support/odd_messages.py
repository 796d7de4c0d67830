"""What somebody may put into our queues that no worker can read, as data: whole items of Redis, and AMQP messages."""

import base64
import json
import uuid
from typing import Any, Final

SWEEP: Final = "attendance.sweep"
NAME: Final = "Zora.Quillfeather@example.com"
"""Invented; it must stand in no log."""


def headers(task: object = SWEEP, **more: object) -> dict[str, Any]:
    return {"lang": "py", "task": task, "id": str(uuid.uuid4()), "kwargsrepr": NAME} | more


def item(**changed: object) -> dict[str, Any]:
    """Give an item as Celery pushes it, some of it changed."""
    whole = {
        "body": base64.b64encode(json.dumps([[], {}, {}]).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers(),
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
            "delivery_info": {"exchange": "", "routing_key": NAME},
        },
    }
    return {name: value for name, value in (whole | changed).items() if value != "gone"}


def of_properties(**changed: object) -> dict[str, Any]:
    return item(properties={name: value for name, value in (item()["properties"] | changed).items() if value != "gone"})


def encoded(content: str) -> str:
    return base64.b64encode(content.encode()).decode()


PUSHED: Final[dict[str, bytes]] = {
    "no JSON": f"not json at all {NAME}".encode(),
    "nothing": b"",
    "no text": b"\xff\xfe\x00" + NAME.encode(),
    "nested too deep": b"[" * 200_000,
    "a type of kombu's that is none": json.dumps({"__type__": "uuid", "__value__": NAME}).encode(),
    "a type of kombu's that is no name": b'{"__type__": [], "__value__": 1}',
} | {
    what: json.dumps(value).encode()
    for what, value in {
        "a list": [],
        "a text": NAME,
        "a number": 1,
        "null": None,
        "true": True,
        "an empty object": {},
        "no headers": item(headers="gone"),
        "no properties": item(properties="gone"),
        "no body": item(body="gone"),
        "no content type": item(**{"content-type": "gone"}),
        "headers that are a list": item(headers=[NAME]),
        "headers that are a text": item(headers=NAME),
        "properties that are a list": item(properties=[NAME]),
        "properties that are a number": item(properties=7),
        "a body that is an object": item(body={"email": NAME}),
        "a body that is a number": item(body=7),
        "a body that is bad base64": item(body="***"),
        "a body that is half a letter": item(body=base64.b64encode(b'[["\xff"], {}, {}]').decode()),
        "a body that is cut": item(body=encoded(f'[["{NAME}')),
        "a body that is text": item(body=encoded(json.dumps(NAME))),
        "a body that is an object of JSON": item(body=encoded(json.dumps({"email": NAME}))),
        "a body of two parts": item(body=encoded("[[], {}]")),
        "arguments that are no list": item(body=encoded(json.dumps([NAME, {}, {}]))),
        "keywords that are a list": item(body=encoded(json.dumps([[], [NAME], {}]))),
        "embedded text": item(body=encoded(json.dumps([[], {}, NAME]))),
        "embedded fields of others": item(body=encoded(json.dumps([[], {}, {"request": NAME}]))),
        "a body nested too deep": item(body=encoded("[" * 100_000)),
        "an unknown encoding": item(body=encoded(json.dumps(NAME)), **{"content-encoding": NAME}),
        "an encoding that is a number": item(**{"content-encoding": 7}),
        "an unknown content type": item(**{"content-type": f"text/{NAME}"}),
        "a content type that is a list": item(**{"content-type": [NAME]}),
        "a pickle": item(**{"content-type": "application/x-python-serialize"}),
        "yaml": item(**{"content-type": "application/x-yaml"}),
        "no delivery tag": of_properties(delivery_tag="gone") | {"body": encoded(json.dumps(NAME))},
        "a delivery tag that is a list": of_properties(delivery_tag=[NAME]) | {"body": encoded(json.dumps(NAME))},
        "delivery info that is text": of_properties(delivery_info=NAME),
        "delivery info that is a list": of_properties(delivery_info=[NAME]),
        "an unknown encoding of the body": of_properties(body_encoding=NAME),
        "an encoding of the body that is a number": of_properties(body_encoding=7),
        "unknown compression": item(headers=headers(compression=NAME)),
        "compression that is none": item(headers=headers(compression="application/x-gzip")),
        "a task of no such name": item(headers=headers(NAME)),
        "a task of Celery's own": item(headers=headers("celery.backend_cleanup")),
        "a task that is a list": item(headers=headers([NAME])),
        "a task that is null": item(headers=headers(None)),
        "an id that is a list": item(headers=headers(id=[NAME])),
        "no id": item(headers={"task": "attendance.sweep"}),
        "a time that is none": item(headers=headers(eta=NAME)),
        "a time that is a list": item(headers=headers(eta=[NAME])),
        "an end that is none": item(headers=headers(expires={"x": NAME})),
        "limits of time that are text": item(headers=headers(timelimit=NAME)),
        "stamps that are numbers": item(headers=headers(stamped_headers=7, stamps=7, expires="2999-01-01T00:00:00")),
        "huge": item(headers=headers(x="x" * 20_000_000, task=NAME)),
    }.items()
}
"""Items of a list in Redis, by what is wrong with each."""

READ: Final = {"content_type": "application/json", "content_encoding": "utf-8"}
PUBLISHED: Final[dict[str, tuple[object, dict[str, Any], dict[str, Any]]]] = {
    "no headers, no type": (NAME, {}, {"content_type": "", "content_encoding": ""}),
    "an object": ({"email": NAME}, {}, {}),
    "text": (json.dumps(NAME), {}, READ),
    "a number": ("7", headers(), READ),
    "an object as the body of a task": ({"email": NAME}, headers(), {}),
    "text as the body of a task": (NAME, headers(), {}),
    "null as the body of a task": (None, headers(), {}),
    "nothing at all": (b"", headers(), READ),
    "two parts": ([[], {}], headers(), {}),
    "arguments that are no list": ([NAME, {}, {}], headers(), {}),
    "keywords that are a list": ([[], [NAME], {}], headers(), {}),
    "embedded text": ([[], {}, NAME], headers(), {}),
    "cut": (f'[["{NAME}', headers(), READ),
    "bytes that are no text": (b"\xff\xfe", headers(), READ),
    "nested too deep": ("[" * 100_000, headers(), READ),
    "an unknown encoding": (NAME.encode(), headers(), READ | {"content_encoding": "none"}),
    "an unknown type": (NAME, headers(), {"content_type": f"text/{NAME}", "content_encoding": "utf-8"}),
    "no type": ("[[], {}, {}]", headers(NAME), {"content_type": "", "content_encoding": ""}),
    "a pickle": (
        b"\x80\x04.",
        headers(),
        {"content_type": "application/x-python-serialize", "content_encoding": "binary"},
    ),
    "yaml": ("- 1", headers(), {"content_type": "application/x-yaml", "content_encoding": "utf-8"}),
    "a task of no such name": ([[], {}, {}], headers(NAME), {}),
    "a task of Celery's own": ([[], {}, {}], headers("celery.backend_cleanup"), {}),
    "a task that is a list": ([[], {}, {}], headers([NAME]), {}),
    "a task that is a number": ([[], {}, {}], headers(7), {}),
    "an id that is a table": ([[], {}, {}], headers(id={"x": NAME}), {}),
    "a first protocol without a task": ({"id": "x", "args": [], "kwargs": {}}, {}, {}),
    "a first protocol with a task of others": ({"id": "x", "task": NAME, "args": [], "kwargs": {}}, {}, {}),
    "a first protocol with odd arguments": ({"id": "x", "task": SWEEP, "args": NAME, "kwargs": NAME}, {}, {}),
    "unknown compression": ([[], {}, {}], headers(compression=NAME), {}),
    "compression that is a table": ([[], {}, {}], headers(compression={"x": 1}), {}),
    "a time that is a table": ([[], {}, {}], headers(eta={"x": NAME}), {}),
    "an end that is a number": ([[], {}, {}], headers(expires=7), {}),
    "limits of time that are text": ([[], {}, {}], headers(timelimit=NAME), {}),
    "stamps that are numbers": ([[], {}, {}], headers(stamped_headers=7, expires="2999-01-01T00:00:00"), {}),
    "huge": ("x" * 20_000_000, headers(), READ),
}  # fmt: skip
"""AMQP messages: body, headers, and the rest of the properties."""
