"""No session is assumed: what one transaction set, locked or prepared is gone in the next, as behind a pooler."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, func, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from models.tables import Batch, Error
from models.words import Action, Door, Outcome
from tasks.deliver import deliver
from tasks.intake import LOCK, intake
from tasks.sweep import sweep
from tasks.verify import verify
from tests.support.accounted import enqueue, everything_is_accounted_for, left, message
from tests.support.databases import Databases
from tests.support.jobs import run
from tests.support.ledger import do, make_due
from tests.support.rabbitmq import missing
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tests.support.worker_processes import running_workers, told, until
from worker.context import Context
from worker.database import make_engine, sqlstate
from worker.intake.accept import Inbound, accept
from worker.local.migrate import upgrade
from worker.local.services import free_port
from worker.queries import throughput
from worker.queries.error_filter import Filter
from worker.queries.reconciliation import audit
from worker.queries.status import read_status
from worker.queue.unconfirmed import accounts_due
from worker.retention.purge import purge
from worker.settings import Settings
from worker.stream import KEY
from worker.trip import IS_POOLED, Query, begin, trip

pytestmark = pytest.mark.usefixtures("new_sessions")  # with which nothing but trips is prepared, as in production
DISCARD = b"DISCARD ALL"


def forgets(driver: Any, _: object) -> None:
    """Have the session forget everything once a transaction has ended, unknown to psycopg."""
    ends = {"commit": driver.commit, "rollback": driver.rollback}

    def ended(how: str) -> None:
        ends[how]()
        driver.pgconn.exec_(DISCARD)

    driver.commit, driver.rollback = lambda: ended("commit"), lambda: ended("rollback")


def forgets_and_shows(driver: Any, record: ConnectionPoolEntry) -> None:
    """The same behind a pooler that shows as one, so that nothing is prepared."""
    forgets(driver, record)
    record.info[IS_POOLED] = True


def every_verb(context: Context, sandbox: RunningSandbox) -> None:
    """Each verb once, and for some records everything that can come to them."""
    engine = context.engine
    sandbox.fault(match="lost@example.com", drop=True, applied=True, count=1)
    sandbox.fault(match="bad@example.com", status=400, count=1)
    for index in range(30):
        context.stream.add(message(index, [f"p{index}@example.com", f"q{index}@example.com"], "register", "71"))
    assert intake(context, lambda *_, **__: 0) == 30
    odd = [message(99, [f"{who}@example.com"], "register", who) for who in ("lost", "bad")]
    with engine.connect() as connection:
        accept(connection, [Inbound(Door.STREAM, f"1-{index}", raw) for index, raw in enumerate(odd)], context.rules)
    sent(context)
    books = audit(engine)
    assert (books.outcomes["rejected"], books.outcomes["unconfirmed"]) == (1, 1), books  # type: ignore[index]
    run(engine, context.rules, Action.RETRY, Filter([Outcome.REJECTED]))
    sent(context)
    do(engine, update(Error).where(Error.verify_at.is_not(None)).values(verify_at=func.now()))
    for account in accounts_due(engine):
        verify(context, account)
    sweep(context, lambda *_, **__: 0)
    throughput.add_up(context)
    assert read_status(engine, context.settings).stream_waiting == 0
    books = audit(engine)
    outcomes = {outcome.value: number for outcome, number in books.outcomes.items() if number}
    assert (books.accepted, outcomes, books.balanced) == (62, {"delivered": 62}, True)
    assert len(sandbox.participations()) == 62
    do(engine, update(Batch).values(settled_at=func.now() - timedelta(days=91)))
    assert purge(engine, 90).batches > 0
    assert audit(engine).balanced


def sent(context: Context) -> None:
    while True:
        make_due(context.engine)
        if not deliver(context, "default"):
            return


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(burst_limit=100_000) as running:
        yield running


@pytest.fixture
def forgetful(settings: Settings, sandbox: RunningSandbox) -> Iterator[Context]:
    context = Context(told(settings, hubspot_url=sandbox.url, burst_limit=20_000))
    event.listen(context.engine, "connect", forgets_and_shows)
    yield context
    context.engine.dispose()


def test_every_verb_goes_through_where_sessions_forget_everything(forgetful: Context, sandbox: RunningSandbox) -> None:
    every_verb(forgetful, sandbox)


def test_a_pooler_that_does_not_show_as_one_is_noticed_by_the_first_statement_that_it_loses(
    settings: Settings, sandbox: RunningSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    context = Context(told(settings, hubspot_url=sandbox.url, burst_limit=20_000))
    event.listen(context.engine, "connect", forgets)
    ask = text("SELECT count(*) FROM batches WHERE id < :id")

    def look_often() -> None:
        for number in range(20):
            with begin(context.engine) as connection:
                trip(connection, Query(ask, {"id": number}))

    with pytest.raises(DBAPIError) as raised:
        look_often()
    assert (sqlstate(raised.value), raised.value.connection_invalidated) == ("26000", True)
    look_often()
    every_verb(context, sandbox)
    assert [record.message for record in caplog.records if record.name == "worker.database"] == ["sessions change"]
    context.engine.dispose()


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_each_transaction_has_our_time_outs_zone_and_cost(forgetful: Context, isolation: str) -> None:
    for _ in range(2):
        with forgetful.engine.connect().execution_options(isolation_level=isolation) as connection:
            for _ in range(2):
                shown = {
                    name: connection.exec_driver_sql(f"SHOW {name}").scalar()
                    for name in ("statement_timeout", "lock_timeout", "timezone", "random_page_cost")
                }
                assert shown == {
                    "statement_timeout": "1min",
                    "lock_timeout": "20s",
                    "timezone": "UTC",
                    "random_page_cost": "1.1",
                }
                assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == isolation.lower()
                connection.commit()


def test_no_lock_outlives_its_transaction(forgetful: Context) -> None:
    forgetful.stream.add(message(1, ["ada@example.com"], "register", "71"))
    intake(forgetful, lambda *_, **__: 0)
    with forgetful.engine.connect() as connection:
        held = connection.execute(
            text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = :key"), {"key": LOCK}
        )
        assert held.scalar() == 0


# The user's own connection options


def with_options(url: str, **options: str) -> str:
    return make_url(url).update_query_dict(options).render_as_string(hide_password=False)


def schemas(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        counts = text("""
        SELECT schemaname, count(*) AS tables FROM pg_tables WHERE schemaname IN ('theirs', 'public') GROUP BY 1""")
        rows = connection.execute(counts)
        return {row.schemaname: row.tables for row in rows}


@pytest.mark.parametrize("how", ["the URL", "PGOPTIONS"])
def test_a_schema_that_the_user_names_is_used_for_everything(
    how: str,
    settings: Settings,
    databases: Databases,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"s{time.monotonic_ns()}"
    with psycopg.connect(databases.server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    url = databases.url_of(name)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA theirs")
    if how == "PGOPTIONS":
        monkeypatch.setenv("PGOPTIONS", "-c search_path=theirs")
    else:
        url = with_options(url, options="-csearch_path=theirs")
    context = Context(told(settings, database_url=url, hubspot_url=sandbox.url, burst_limit=20_000))
    upgrade(context.engine)
    every_verb(context, sandbox)
    (schema,) = schemas(context.engine)
    assert schema == "theirs"
    context.engine.dispose()
    with psycopg.connect(databases.server_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name}")


def shown(engine: Engine, name: str) -> str:
    with engine.connect() as connection:
        return str(connection.exec_driver_sql(f"SHOW {name}").scalar())


def test_what_the_user_says_of_the_connection_goes_before_ours(settings: Settings) -> None:
    url = with_options(
        settings.database_url,
        options="-c statement_timeout=7s --lock-timeout=3s -c timezone=Europe/Berlin",
        application_name="theirs",
        connect_timeout="9",
        target_session_attrs="read-write",
        sslmode="disable",
    )
    engine = make_engine(told(settings, database_url=url))
    assert shown(engine, "statement_timeout") == "7s"
    assert shown(engine, "lock_timeout") == "3s"
    assert shown(engine, "application_name") == "theirs"
    assert shown(engine, "random_page_cost") == "1.1"
    assert shown(engine, "timezone") == "UTC"  # all that is read is read as UTC
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        known = driver.info.get_parameters()
    assert (known["connect_timeout"], known["target_session_attrs"], known["sslmode"]) == ("9", "read-write", "disable")
    assert known["keepalives_idle"] == "10"
    engine.dispose()


def test_a_password_file_that_others_can_read_is_a_line_of_ours(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "passwords"
    path.write_text("*:*:*:*:secret\n")
    path.chmod(0o644)
    monkeypatch.setenv("PGPASSFILE", str(path))
    engine = make_engine(settings)
    shown(engine, "timezone")
    engine.dispose()
    assert [record.message for record in caplog.records] == ["password file ignored"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@a:1,b:2/turnout", "postgresql://me:secret@/turnout?host=a:1&host=b:2"]
)
def test_of_several_hosts_the_one_that_takes_writes_is_used(url: str, settings: Settings) -> None:
    seen: dict[str, Any] = {}
    engine = make_engine(told(settings, database_url=url))

    @event.listens_for(engine, "do_connect")
    def refuse(_: object, __: object, ___: object, how: dict[str, Any]) -> None:
        seen.update(how)
        raise psycopg.OperationalError("not here")

    with pytest.raises(Exception, match="not here"):
        engine.connect()
    assert (seen["target_session_attrs"], seen["host"], seen["port"]) == ("read-write", "a,b", "1,2")
    assert (seen["user"], seen["password"], seen["dbname"]) == ("me", "secret", "turnout")
    assert "secret" not in repr(engine)


# PgBouncer, in transaction mode


@pytest.fixture
def pgbouncer(database_url: str, machine_dir: Path, tmp_path: Path) -> Iterator[str]:
    """PgBouncer as it is installed, in transaction mode, before this test's database; its URL."""
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(program).exists():
        missing("no pgbouncer (Debian's package of that name)")
    url, port = make_url(database_url), free_port()
    told = machine_dir / f"{url.database}.ini"
    told.write_text(f"""
[databases]
{url.database} = host={url.query["host"]} port={url.port or 5432} dbname={url.database} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
pool_mode = transaction
default_pool_size = 10
unix_socket_dir =
""")
    told.chmod(0o644)
    # Not as root, which it refuses to be, but as the server's user, who alone may enter the folder of its socket.
    user = Path(str(url.query["host"])).stat().st_uid if os.geteuid() == 0 else None
    with (tmp_path / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([program, str(told)], stdout=log, stderr=log, user=user, cwd="/")

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens, 10, (tmp_path / "pgbouncer.log").read_text)
    yield f"postgresql://postgres@127.0.0.1:{port}/{url.database}"
    process.terminate()
    process.wait(10)


@pytest.mark.long
def test_every_verb_goes_through_pgbouncer(settings: Settings, pgbouncer: str, sandbox: RunningSandbox) -> None:
    context = Context(told(settings, database_url=pgbouncer, hubspot_url=sandbox.url, burst_limit=20_000))
    upgrade(context.engine)
    every_verb(context, sandbox)
    context.engine.dispose()


@pytest.mark.long
@pytest.mark.timeout(240)
def test_bursts_go_through_pgbouncer_and_the_stream_is_read_on(
    settings: Settings, engine: Engine, pgbouncer: str, tmp_path: Path
) -> None:
    import random

    with running_sandbox(burst_limit=100_000) as sandbox:
        here = told(settings, database_url=pgbouncer, hubspot_url=sandbox.url, linger=0.2, burst_limit=2_000)
        with running_workers(here, tmp_path) as workers:
            stream, chance, handed = Context(here).stream, random.Random(7), 0
            for burst in range(6):
                handed += enqueue(stream, chance, burst, 60)
                until(lambda: not stream.waiting(), 30, workers.logs)
            until(lambda: not left(engine), 60, workers.logs)
            assert "prepared statement" not in workers.logs()
            assert "Traceback" not in workers.logs()
        everything_is_accounted_for(engine, sandbox, handed)
    assert int(Context(here).redis.xlen(KEY)) == 0
