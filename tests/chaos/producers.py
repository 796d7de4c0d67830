"""Producers: each submits its messages one after the other, and keeps the book of what it was told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import redis
import requests
from celery import Celery

from models.words import Identity, State
from tests.chaos.plan import Broker, Door, Message, Plan
from tests.chaos.system import System
from tests.support.three_books import Attendance, Submitted
from worker.broker import connecting
from worker.stream import KEY
from worker.task_names import ACCEPT

PACE: Final = 0.1
"""Seconds between two messages of a producer."""
AGAIN: Final = 0.2
"""Seconds until one that was not taken is submitted again."""
PATIENCE: Final = 120.0
"""Seconds after which a producer gives up in any case; the run has failed then."""
PATH: Final = "/marketing/v3/marketing-events"


@dataclass
class Books:
    """What producers submitted, in its order, and what they were told."""

    submitted: list[Submitted] = field(default_factory=list)
    messages: int = 0
    """How many messages were begun."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._open.set()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no message be begun meanwhile."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def begin(self) -> None:
        """Wait until messages may be begun, and count one."""
        self._open.wait()
        with self._lock:
            self.messages += 1

    def note(self, *attendances: Attendance, certain: bool = False, producer: str | None = None) -> None:
        """Note that these were submitted once more, and whether the producer knows that they are accepted."""
        with self._lock:
            self.submitted += [Submitted(one, certain, producer) for one in attendances]


@dataclass
class Producer:
    """Submits by one door. What is not told to be accepted is submitted again, with the same key."""

    system: System
    books: Books
    plan: Plan
    door: Door
    keys: dict[str, str]
    """The API's key of each account."""
    troubles: list[str] = field(default_factory=list)

    def run(self) -> None:
        session, celery = requests.Session(), self._celery()
        try:
            for message in self.plan.of(self.door):
                self.books.begin()
                self._submit(message, session, celery)
                time.sleep(PACE)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self.troubles.append(f"the producer by {self.door} failed: {type(error).__name__}: {error}"[:2_000])
        finally:
            session.close()
            celery.close()

    def _submit(self, message: Message, session: requests.Session, celery: Celery) -> None:
        is_sure = message.door is not Door.TASK or self.plan.broker is Broker.RABBITMQ
        producer = None if message.door is Door.TASK else str(message.door)
        ends = time.monotonic() + PATIENCE
        while True:
            self.books.note(*message.attendances, producer=producer)
            match message.door:
                case Door.STREAM:
                    taken = self._by_stream(message)
                case Door.HTTP:
                    taken = self._by_http(message, session)
                case Door.TASK:
                    taken = self._by_task(message, celery)
            if taken:
                self.books.note(*message.attendances, certain=is_sure, producer=producer)
                return
            if not message.insists:
                return
            if time.monotonic() > ends:
                self.troubles.append(f"the producer by {self.door} was not told of acceptance in {PATIENCE:.0f} s")
                return
            time.sleep(AGAIN)

    def _by_stream(self, message: Message) -> bool:
        try:
            with redis.Redis.from_url(self.system.settings.stream_url, socket_timeout=5) as client:
                client.xadd(KEY, {"message": json.dumps(_fields(message))})
        except redis.RedisError:
            return False
        return True

    def _by_http(self, message: Message, session: requests.Session) -> bool:
        headers = {
            "Authorization": f"Bearer {self.keys[message.address.account]}",
            "Idempotency-Key": str(message.key),
        }
        try:
            answer = session.post(
                self.system.hosts.url + _path(message), json={"inputs": _inputs(message)}, headers=headers, timeout=5
            )
        except requests.RequestException:
            return False
        assert answer.status_code in {200, 503}, f"{answer.status_code}: {answer.text}"
        return answer.status_code == 200

    def _by_task(self, message: Message, celery: Celery) -> bool:
        try:
            celery.send_task(ACCEPT, kwargs=_fields(message), queue=ACCEPT, task_id=str(message.key))
        except Exception:  # noqa: BLE001 - transports raise errors of no common class
            return False
        return True

    def _celery(self) -> Celery:
        connection = connecting(self.system.settings)
        celery = Celery("producer", broker=self.system.settings.broker_url, set_as_current=False)
        celery.conf.update(
            broker_transport_options=connection["transport_options"],
            broker_connection_timeout=connection["connect_timeout"],
            task_publish_retry=False,
            task_ignore_result=True,
        )
        return celery


def _inputs(message: Message) -> list[dict[str, object]]:
    span = {"joinedAt": "2026-01-01T10:00:00Z", "leftAt": "2026-01-01T11:00:00Z"}
    properties = span if message.state is State.ATTEND else {}
    return [
        {
            **({"vid": int(contact)} if message.identity is Identity.VID else {"email": contact}),
            "interactionDateTime": message.first + index,
            "properties": properties,
        }
        for index, contact in enumerate(message.contacts)
    ]


def _fields(message: Message) -> dict[str, object]:
    address = message.address
    event: dict[str, object] = (
        {"object_id": address.object_id}
        if address.object_id
        else {"external_event_id": address.external_id, "external_account_id": address.external_account}
    )
    return {
        **event,
        "subscriber_state": message.state.value,
        "account": address.account,
        "submission_id": str(message.key),
        "part": "whole",
        "inputs": _inputs(message),
    }


def _path(message: Message) -> str:
    verb = "create" if message.identity is Identity.VID else "email-create"
    address = message.address
    if address.object_id:
        return f"{PATH}/{address.object_id}/attendance/{message.state.value}/{verb}"
    account = quote(address.external_account)
    return f"{PATH}/attendance/{quote(address.external_id)}/{message.state.value}/{verb}?externalAccountId={account}"
