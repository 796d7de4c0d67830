"""The HTTP API on loopback for tests, in a thread of the test's process, talking real HTTP."""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TypedDict, Unpack

import requests
from sqlalchemy import select

from models.tables import Account
from models.words import Role
from sandbox.server import listen
from tasks.deliver import deliver
from tests.support.background import beside
from web.long_poll import LongPoll
from web.server import Server
from worker.auth import keys
from worker.context import Context

WHEN = 1_767_225_600_000
BY_EMAIL = "/marketing/v3/marketing-events/attendance/webinar-42/register/email-create?externalAccountId=acme"


class Asking(TypedDict, total=False):
    """What is said of a request beside its method and path."""

    json: object
    data: bytes | str | Iterable[bytes] | Mapping[str, str] | None
    params: Mapping[str, str]
    headers: Mapping[str, str]
    files: Mapping[str, tuple[str, bytes, str]] | None
    allow_redirects: bool
    stream: bool


@dataclass(frozen=True)
class Api:
    """An API that takes requests at `url`, with a producer's key of the account `default`."""

    url: str
    key: str
    context: Context

    def ask(self, method: str, path: str, *, key: str | None = None, **more: Unpack[Asking]) -> requests.Response:
        signed = {"Authorization": f"Bearer {self.key if key is None else key}"}
        more["headers"] = {**signed, **more.get("headers", {})}
        return requests.request(method, self.url + path, timeout=90, **more)

    def submit(
        self, *emails: str, path: str = BY_EMAIL, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        inputs = [{"email": email, "interactionDateTime": WHEN, "properties": {}} for email in emails]
        return self.ask("POST", path, key=key, json={"inputs": inputs}, headers=headers or {})


def key_for(context: Context, name: str, role: Role = Role.PRODUCER, *accounts: str) -> str:
    with context.engine.connect() as connection:
        ids = connection.execute(select(Account.id).where(Account.name.in_(accounts or ("default",))))
        reached = list(ids.scalars()) if role is Role.PRODUCER else []
    return keys.create(context.engine, name, role, reached)


@contextmanager
def running_server(context: Context, port: int | None = None) -> Iterator[str]:
    """Run a web process until the block ends; give its address."""
    socket = listen("127.0.0.1", port or 0)
    host, port = socket.getsockname()
    server = Server(context, host, port)
    thread = threading.Thread(target=server.run, args=([socket],), name="web", daemon=True)
    thread.start()
    try:
        ends = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < ends, "the API did not open"
            time.sleep(0.002)
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the API did not close"


@contextmanager
def running_api(context: Context) -> Iterator[Api]:
    """Run the API until the block ends."""
    with running_server(context) as url:
        yield Api(url, key_for(context, "shop"), context)


def delivering(context: Context) -> AbstractContextManager[None]:
    """Deliver what is due, in a thread, until the block ends."""
    return beside(lambda _: deliver(context, "default"), 0.05, "delivering")


@dataclass
class Held:
    """The answers that were asked to be held (`Prefer: wait`), each by who holds it; until a test lets go of them."""

    asked: list[tuple[LongPoll, asyncio.AbstractEventLoop]] = field(default_factory=list)

    def let_go(self) -> None:
        for poll, loop in self.asked:
            loop.call_soon_threadsafe(poll.end)
