"""Logs: events with fields, JSON from the first line to the last, and nobody named in any line, whoever wrote it."""

import json
import uuid
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from kombu import Connection
from sqlalchemy import Engine

from tests.support.worker_processes import Workers, until
from worker.celery import ACCEPT, DELIVER, SWEEP, VERIFY
from worker.settings import Settings

ROOT = Path(__file__).parent.parent
NAMES = ("quillfeather", "zora", "8675309")
ADDRESS = "Zora.Quillfeather@example.com"
"""Invented; it must stand in no log."""
TOLD: Final = {"email": ADDRESS, "contactId": 8675309}


def in_json(settings: Settings, **more: object) -> Settings:
    changed = settings.model_copy(update={"log_format": "json", **more})
    changed.model_fields_set.update({"log_format", *more})
    return changed


def lines_of(text: str) -> list[dict[str, Any]]:
    """Read a log: each line is one JSON object, and names nobody."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) and {"timestamp", "level", "logger", "event"} <= set(line) for line in lines)
    names_nobody(text)
    return lines


def names_nobody(text: str) -> None:
    assert [line for line in text.splitlines() if any(name in line.lower() for name in NAMES)] == []


# What comes by the queue


def task(name: str, **more: Any) -> dict[str, Any]:
    """Give the headers of a Celery message."""
    return {"lang": "py", "task": name, "id": str(uuid.uuid4()), "argsrepr": repr(TOLD), "kwargsrepr": ADDRESS, **more}


def body(*args: Any, **kwargs: Any) -> list[Any]:
    return [list(args), kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]


PUBLISHED: Final[dict[str, tuple[str, Any, dict[str, Any], dict[str, Any]]]] = {
    "a task of no such name": (SWEEP, body(**TOLD), task(ADDRESS), {}),
    "a sweep with a message's fields": (SWEEP, body(**TOLD), task(SWEEP), {}),
    "a message by its place": (ACCEPT, body(ADDRESS, **TOLD), task(ACCEPT, id=ADDRESS), {}),
    "a field that is an address": (ACCEPT, body(**{ADDRESS: 1}), task(ACCEPT, root_id=ADDRESS, group=ADDRESS), {}),
    "fields of no sense": (ACCEPT, body(inputs=ADDRESS, object_id=[TOLD]), task(ACCEPT), {}),
    "an account that is an address": (SWEEP, body(account=ADDRESS), task(VERIFY), {}),
    "a deliver for an address": (SWEEP, body(account=ADDRESS), task(DELIVER), {}),
    "an account that is none": (SWEEP, body(account=TOLD), task(DELIVER), {}),
    "a time that is an address": (SWEEP, body(**TOLD), task(SWEEP, eta=ADDRESS), {}),
    "an end that is an address": (SWEEP, body(**TOLD), task(SWEEP, expires=ADDRESS), {}),
    "retries that are an address": (SWEEP, body(**TOLD), task(SWEEP, retries=ADDRESS, timelimit=[ADDRESS, None]), {}),
    "no headers": (SWEEP, TOLD, {}, {}),
    "a type nobody reads": (SWEEP, ADDRESS, task(SWEEP), {"content_type": f"text/{ADDRESS}"}),
    "a pickle": (SWEEP, ADDRESS, task(SWEEP), {"content_type": "application/x-python-serialize"}),
    "cut JSON": (SWEEP, f'[["{ADDRESS}', task(SWEEP), {"content_type": "application/json"}),
    "a letter that is none": (
        SWEEP,
        b'[["Zora.Quillfeather@example.com\xff"]]',
        task(SWEEP),
        {"content_type": "application/json", "content_encoding": "utf-8"},
    ),
    "a body that is an object": (SWEEP, TOLD, task(SWEEP), {}),
    "a body that is a text": (SWEEP, ADDRESS, task(SWEEP), {}),
    "a body that is cut": (SWEEP, [[ADDRESS]], task(SWEEP), {}),
}
"""What somebody may publish, by what is wrong with it: queue, body, headers, and how."""
PUSHED: Final = {
    "an item that is no JSON": f"{ADDRESS} is no JSON",
    "an item that is a text": json.dumps(ADDRESS),
    "an item that lacks all": json.dumps(TOLD),
    "an item whose body is none": json.dumps(
        {"body": ADDRESS, "headers": TOLD, "properties": {"body_encoding": "base64"}}
    ),
}
"""What somebody may push into Celery's list, where the broker is Redis."""
SILENT: Final = ("a field that is an address", "fields of no sense")
"""Refused with a receipt, and no line."""


@pytest.mark.timeout(300)
def test_what_comes_by_the_queue_stands_in_no_line_of_a_workers_log(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    settings = in_json(settings)
    workers = Workers(settings, tmp_path)
    log = tmp_path / "housekeeping.log"
    workers.start("housekeeping")
    said = {}
    try:
        workers.until_ready(1)
        for name in (*PUBLISHED, *PUSHED):
            before = len(log.read_text())
            hand_over(settings, name)
            if name not in SILENT:
                until(lambda: len(log.read_text()) > before, 15, name)
            said[name] = log.read_text()[before:]
            if "Unrecoverable" in said[name]:  # it ends the worker, which puts it back: so would it the next
                until(lambda: not workers.alive("housekeeping"), 20, workers.logs)
                workers.kill("housekeeping")
                with redis.Redis.from_url(settings.broker_url) as client:
                    client.delete(SWEEP)
                begun = len(log.read_text())
                workers.start("housekeeping")
                until(lambda: '"worker ready"' in log.read_text()[begun:], 30, workers.logs)
    finally:
        workers.stop()
    events = {line["event"] for line in lines_of(log.read_text())}
    assert {event.partition(":")[0] for event in events} >= {
        "Received unregistered task of type KeyError.",
        "Received invalid task message",
        "Received and deleted unknown message.  Wrong destination?!?",
        "Can't decode message body",
        "Unrecoverable error",
        "task raised unexpected",
        "nothing sent",
        "nothing read back",
    }


def hand_over(settings: Settings, name: str) -> None:
    if name in PUSHED:
        with redis.Redis.from_url(settings.broker_url) as client:
            client.lpush(SWEEP, PUSHED[name])
        return
    queue, message, headers, how = PUBLISHED[name]
    with Connection(settings.broker_url) as connection:
        connection.Producer().publish(message, routing_key=queue, headers=headers, **how)
