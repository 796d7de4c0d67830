"""PostgreSQL fails over behind the same address, takes no writes, ends connections or has none left: all goes on."""

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

import worker.database
from models.tables import Account
from tests.support.accounted import enqueue, everything_is_accounted_for, left
from tests.support.proxy import Proxy
from tests.support.replication import Pair
from tests.support.sandbox_server import running_sandbox
from tests.support.worker_processes import SHORT, running_workers, told, until
from worker.context import Context
from worker.database import is_away, make_engine, repeat, sqlstate
from worker.local.migrate import upgrade
from worker.settings import Settings

WRITE = update(Account).values(in_a_row=Account.in_a_row)
BACKEND = text("SELECT pg_backend_pid()")


def backend(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(BACKEND).scalar_one())


def write(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(WRITE)


def takes_writes(engine: Engine, does: str) -> None:
    """The server's default changes for the database, and with it for sessions that are connected from now on."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {engine.url.database} SET default_transaction_read_only = {does}")


@pytest.mark.usefixtures("new_sessions")
def test_a_read_only_answer_ends_its_connection_and_all_that_are_as_old(settings: Settings, engine: Engine) -> None:
    takes_writes(engine, "on")
    here = make_engine(settings)
    read_only = backend(here)
    with pytest.raises(DBAPIError) as raised:
        write(here)
    assert (sqlstate(raised.value), raised.value.connection_invalidated, is_away(raised.value)) == ("25006", True, True)
    takes_writes(engine, "off")
    assert backend(here) != read_only
    write(here)
    here.dispose()


@pytest.mark.usefixtures("new_sessions")
def test_a_transaction_is_repeated_on_a_connection_that_takes_writes(settings: Settings, engine: Engine) -> None:
    takes_writes(engine, "on")
    here = make_engine(settings)
    backend(here)
    takes_writes(engine, "off")
    repeat(lambda: write(here))  # begun on the old connection
    here.dispose()


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_a_connection_that_is_shut_down_is_replaced(engine: Engine, isolation: str) -> None:
    old, url = backend(engine), engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with engine.connect().execution_options(isolation_level=isolation) as connection:
        assert connection.execute(BACKEND).scalar_one() == old
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [old])
        with pytest.raises(DBAPIError) as raised:
            connection.execute(BACKEND)
    assert (raised.value.connection_invalidated, is_away(raised.value)) == (True, True)
    assert backend(engine) != old


@pytest.mark.usefixtures("new_sessions")
def test_no_room_for_a_connection_is_waited_for(settings: Settings, engine: Engine) -> None:
    database = engine.url.database
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE ROLE crowded LOGIN CONNECTION LIMIT 1")
        connection.exec_driver_sql(f"GRANT ALL ON DATABASE {database} TO crowded")
    url = make_url(settings.database_url).set(username="crowded").render_as_string(hide_password=False)
    one, other = (make_engine(told(settings, database_url=url)) for _ in range(2))
    try:
        with one.connect() as connection:
            connection.execute(BACKEND)
            with pytest.raises(DBAPIError, match="too many connections") as raised:
                backend(other)
            assert is_away(raised.value)
        one.dispose()
        assert repeat(lambda: backend(other))
    finally:
        one.dispose()
        other.dispose()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("DROP OWNED BY crowded")
            connection.exec_driver_sql("DROP ROLE crowded")


@pytest.fixture
def pair() -> Iterator[Pair]:
    home = Path(tempfile.mkdtemp(prefix="turnout-"))
    home.chmod(0o755)
    pair = Pair(home)
    yield pair
    pair.stop()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_failover_behind_the_same_address_loses_nothing_and_is_noticed_by_all(
    settings: Settings, pair: Pair, tmp_path: Path
) -> None:
    proxy = Proxy(pair.primary.port)
    here = told(
        settings,
        database_url=f"postgresql://postgres@127.0.0.1:{proxy.port}/turnout",
        linger=0.2,
        burst_limit=40,
        burst_seconds=2.0,
        **SHORT,
    )
    context = Context(here)
    upgrade(context.engine)
    with running_sandbox(burst_limit=100_000, latency=0.1) as sandbox:
        here = told(here, hubspot_url=sandbox.url)
        chance, stream = random.Random(3), context.stream
        with running_workers(here, tmp_path) as workers:
            handed = 0
            for number in range(2):  # there and back
                handed += enqueue(stream, chance, number * 2, 60)
                until(lambda: left(context.engine) > 0, 30, workers.logs)
                pair.switch()
                time.sleep(10)  # the address still leads to the old one, as it does for as long as its name is kept
                proxy.point(pair.primary.port)
                handed += enqueue(stream, chance, number * 2 + 1, 60)
                until(lambda: not stream.waiting() and not repeat(lambda: left(context.engine)), 60, workers.logs)
                connected_to_the_primary_alone(pair)
            assert all(workers.alive(name) for name in ("delivery", "housekeeping", "beat"))
        everything_is_accounted_for(context.engine, sandbox, handed)
    context.engine.dispose()
    proxy.cut()


def connected_to_the_primary_alone(pair: Pair) -> None:
    def there() -> int:
        with psycopg.connect(pair.standby.url, autocommit=True) as connection:
            ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'turnout'"
            (number,) = connection.execute(ours).fetchone() or (0,)
            return int(number)

    until(lambda: there() == 0, 30, lambda: f"{there()} connections lead to the standby")


@pytest.mark.long
def test_an_idle_connection_to_a_server_that_became_a_standby_is_replaced(
    settings: Settings, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.database, "ALIVE", 0.0)  # it was idle for longer than that
    proxy = Proxy(pair.primary.port)
    engine = make_engine(told(settings, database_url=f"postgresql://postgres@127.0.0.1:{proxy.port}/turnout"))
    pair.switch()
    backend(engine)  # to the new standby, where the address leads as yet
    proxy.point(pair.primary.port)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT pg_is_in_recovery()")).scalar() is False
    engine.dispose()
    proxy.cut()
