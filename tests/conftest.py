import asyncio
import itertools
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import fastapi.routing
import hypothesis
import pytest
import uvicorn
from fastapi.utils import create_model_field
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.util import LRUCache
from typer.testing import CliRunner, Result

import tasks.deliver
import web.long_poll
import web.server
import worker.context
import worker.database
import worker.queue.claim
import worker.settings
from cli.app import app as command
from models.accept_rules import Rules
from models.words import Role
from tests.support.api import Api, Held, running_api
from tests.support.console import RunningConsole, Visitor, running_console
from tests.support.contexts import open_context
from tests.support.databases import Databases
from tests.support.fixtures import Facts, Fail, Given, Submit, Turnout
from tests.support.ledger import WHEN, Ledger, fail_all, message, wrong_now
from tests.support.parked import Parked, asked_once, connect, leave
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tests.support.services import Postgres, Valkey
from tests.support.webhook_receiver import Receiver
from web.long_poll import LongPoll
from worker.celery import Loader, app, configuration
from worker.context import Context
from worker.database import make_engine
from worker.delivery import isolate, read_back
from worker.encryption import fingerprint_key
from worker.intake.accept import Inbound, accept
from worker.intake.receipts import Part
from worker.queries.reconciliation import audit
from worker.settings import Settings
from worker.trip import PREPARED_AFTER

pytest_plugins = ["tests.support.pace", "tests.support.rabbitmq"]

for name in [name for name in os.environ if name.startswith("TURNOUT_")]:
    del os.environ[name]

hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")  # a busy machine turns no test red


class Here(Loader):
    """The app of this process has no settings of its own."""

    def read_configuration(self, env: str = "") -> dict[str, object]:  # noqa: ARG002 - Celery's signature
        return configuration(Settings(_env_file=None, broker_url="redis://127.0.0.1:1/0"))


app.loader_cls = Here


@pytest.fixture(scope="session", autouse=True)
def unhurried() -> Iterator[None]:
    """Tasks that let others go first after seconds end, on a busy machine too, when their work is done."""
    with pytest.MonkeyPatch.context() as patched:
        for task in (tasks.deliver, read_back, isolate):
            patched.setattr(task, "BUDGET", 60.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """All engines of this process share their compiled statements, as a worker's one engine does for its lifetime."""
    compiled = LRUCache[Any, Any](5_000)

    def share(_: object, engine: Engine) -> None:
        engine._compiled_cache = compiled  # noqa: SLF001 - no option sets it for all

    with pytest.MonkeyPatch.context() as patched:
        # A compiled statement is kept by its dialect, and each engine makes a dialect of its own.
        patched.setattr(PGDialect_psycopg, "__eq__", lambda one, other: type(one) is type(other))
        patched.setattr(PGDialect_psycopg, "__hash__", lambda one: hash(type(one)))
        patched.setattr(PGDialect_psycopg, "engine_created", classmethod(share))
        yield


@pytest.fixture(scope="session", autouse=True)
def described_once() -> Iterator[None]:
    """All web apps of this process share what their answers look like: to work it out is most of making an app."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fastapi.routing, "create_model_field", cache(create_model_field))
        yield


class ShouldExit:
    """`should_exit` of a server, which wakes the server that it is set for."""

    def __get__(self, server: uvicorn.Server, _: type | None = None) -> bool:
        return "exits" in vars(server)

    def __set__(self, server: uvicorn.Server, exits: object) -> None:
        if exits:
            vars(server)["exits"] = True
            with suppress(RuntimeError):  # its loop has ended
                vars(server).get("wake", lambda: None)()


class HastyAsyncio:
    """`asyncio`, but that a pause of a server takes a twentieth."""

    def __getattr__(self, name: str) -> object:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 20)


@pytest.fixture(scope="session", autouse=True)
def stopped_at_once() -> Iterator[None]:
    """A server that is asked to stop notices at once, and pauses for milliseconds only: tests stop a thousand."""

    async def main_loop(server: uvicorn.Server) -> None:
        woken = asyncio.Event()
        vars(server)["wake"] = partial(asyncio.get_running_loop().call_soon_threadsafe, woken.set)
        for tick in itertools.count():
            if await server.on_tick(tick):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), 0.1)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(uvicorn.Server, "main_loop", main_loop)
        patched.setattr(uvicorn.Server, "should_exit", ShouldExit(), raising=False)
        patched.setattr(uvicorn.server, "asyncio", HastyAsyncio())
        patched.setattr(web.server, "ACCEPTED", 0.02)
        yield


def in_memory() -> str | None:
    """Give a folder that is kept in memory, where there is one with room: PostgreSQL writes and deletes many files."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > 4 * 2**30 else None


@pytest.fixture(scope="session")
def machine_dir() -> Iterator[Path]:
    """A short path: PostgreSQL's socket lies in it."""
    path = Path(tempfile.mkdtemp(prefix="turnout-", dir=in_memory()))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def databases(machine_dir: Path) -> Iterator[Databases]:
    """A PostgreSQL of this run's own, which need not outlive a power cut, and whose sessions are kept."""
    server = Postgres(machine_dir)
    url = server.start()
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
            connection.execute(text(f"ALTER SYSTEM SET {name} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    admin.dispose()
    kept = Databases(url)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PGDialect_psycopg, "connect", connect)
        patched.setattr(PGDialect_psycopg, "initialize", asked_once(PGDialect_psycopg.initialize))
        patched.setattr(Parked, "server", make_url(url).query["host"])
        patched.setattr(worker.database, "PREPARED_ELSEWHERE", PREPARED_AFTER)
        yield kept
    kept.close()
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(databases: Databases) -> str:
    return databases.server_url


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A database of this test's own, its tables empty."""
    name = databases.take()
    yield databases.url_of(name)
    databases.give_back(name)


@pytest.fixture
def new_sessions(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test to which it matters whether a session is new, and what is prepared: each connection begins one."""
    monkeypatch.setattr(Parked, "lent", set())
    monkeypatch.setattr(worker.database, "PREPARED_ELSEWHERE", None)
    leave(str(make_url(database_url).database))


@pytest.fixture(scope="session", autouse=True)
def valkey(machine_dir: Path) -> Iterator[Valkey]:
    """A Valkey of this run's own; a test that kills it starts it again.

    It is there before the first test: the app keeps the connections of the broker that it first sent to.
    """
    server = Valkey(machine_dir)
    app.conf.update(broker_url=server.url)  # wake-ups that tests send go here, to no worker
    yield server
    server.stop()


@pytest.fixture(scope="session")
def read_settings() -> Settings:
    """Settings read and checked once: that takes longer than emptying a database. Only a hang meets their time-out."""
    return Settings(
        _env_file=None,
        hubspot_url="http://127.0.0.1:9",
        hubspot_token="test-token",
        secret_key="a key of the tests",
        linger=0,
        timeout=30,
        lease=60,
    )


@pytest.fixture
def settings(read_settings: Settings, database_url: str, valkey: Valkey, tmp_path: Path) -> Settings:
    """Settings of this test's own: its database, an empty Valkey."""
    valkey.empty()
    own = {"database_url": database_url, "broker_url": valkey.url, "data_dir": tmp_path / "data"}
    return read_settings.model_copy(update=own)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = make_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def context(settings: Settings) -> Iterator[Context]:
    """What a worker process holds, for calling its functions directly."""
    with open_context(settings) as context:
        yield context


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    """HubSpot's test server."""
    with running_sandbox(burst_limit=1_000) as running:
        yield running


@pytest.fixture
def sending(settings: Settings, sandbox: RunningSandbox) -> Iterator[Context]:
    """A context whose HubSpot is the test server."""
    with open_context(settings, hubspot_url=sandbox.url) as context:
        yield context


@pytest.fixture
def api(context: Context) -> Iterator[Api]:
    """The HTTP API."""
    with running_api(context) as running:
        yield running


@pytest.fixture
def held_long(monkeypatch: pytest.MonkeyPatch) -> Held:
    """Answers are held for five minutes, whatever they prefer: a test lets go of them when it has seen enough."""
    held = Held()
    hold = LongPoll.until_settled

    async def noted(self: LongPoll, submission: uuid.UUID, _: float, key_id: int) -> bool:
        held.asked.append((self, asyncio.get_running_loop()))
        return await hold(self, submission, 300, key_id)

    monkeypatch.setattr(web.long_poll, "LONGEST", 300.0)
    monkeypatch.setattr(LongPoll, "until_settled", noted)
    return held


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def rules(engine: Engine, settings: Settings) -> Rules:
    return Rules(fingerprint_key(engine, settings), settings.batch_size, settings.linger)


@pytest.fixture
def submit(engine: Engine, rules: Rules) -> Submit:
    """Accept messages in one transaction, as the stream does; each is JSON text or fields."""
    from models.words import Door

    def accepted(*messages: object, batch_size: int | None = None) -> list[Part]:
        handed = [
            Inbound(
                Door.STREAM,
                f"{uuid.uuid4().int >> 80}-{index}",
                message if isinstance(message, bytes) else json.dumps(message).encode(),
            )
            for index, message in enumerate(messages)
        ]
        here = rules if batch_size is None else Rules(rules.key, batch_size, rules.linger)
        with engine.connect() as connection:
            return accept(connection, handed, here)

    return accepted


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    """What stands in the database."""
    return Ledger(engine)


@pytest.fixture
def books(engine: Engine) -> Iterator[None]:
    """Afterwards all invariants hold, and the books balance."""
    yield
    with engine.connect() as connection:
        assert wrong_now(connection) == []
    assert audit(engine).balanced, audit(engine).wrong


@pytest.fixture
def given(submit: Submit) -> Given:
    """Submit records of these contacts, about an event of their own unless it is said."""

    def accepted(*contacts: str, state: str = "register", event: str = "7", **more: object) -> None:
        inputs = [{"email": contact, "interactionDateTime": WHEN, **more} for contact in contacts]
        submit({"subscriber_state": state, "object_id": event, "inputs": inputs})

    return accepted


@pytest.fixture
def failed(submit: Submit, engine: Engine) -> Fail:
    """Submit records that HubSpot does not answer until they are given up; give their ids."""

    def failing(*contacts: str, event: str = "77", state: str = "register") -> list[int]:
        submit(message(*contacts, event=event, state=state))
        return fail_all(engine)

    return failing


@pytest.fixture
def rejected(submit: Submit, engine: Engine) -> Fail:
    """Submit records that HubSpot rejects; give their ids."""

    def failing(*contacts: str, event: str = "77", state: str = "register") -> list[int]:
        submit(message(*contacts, event=event, state=state))
        return fail_all(engine, rejected=True)

    return failing


@pytest.fixture
def live_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each claim try the live lane first, where else a draw decides."""
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 0.0)


@pytest.fixture
def turnout(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Turnout:
    """Run a command, here, on this test's database."""
    monkeypatch.setattr(worker.settings, "load_settings", lambda: settings)
    monkeypatch.setattr(worker.database, "make_engine", lambda _: engine)
    monkeypatch.setattr(worker.context, "make_engine", lambda _: engine)

    def run(*words: str, stdin: str | None = None, status: int = 0) -> Result:
        result = CliRunner().invoke(
            command, words, input=stdin, env={"COLUMNS": "400"}
        )  # no line of an error is broken
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.fixture
def facts(turnout: Turnout) -> Facts:
    """What a command prints with --json."""
    return lambda *words: json.loads(turnout(*words, "--json").stdout)


@pytest.fixture
def console(context: Context) -> Iterator[RunningConsole]:
    with running_console(context) as running:
        yield running


@pytest.fixture
def operator(console: RunningConsole) -> Visitor:
    return console.of(Role.OPERATOR)


@pytest.fixture
def viewer(console: RunningConsole) -> Visitor:
    return console.of(Role.VIEWER)
