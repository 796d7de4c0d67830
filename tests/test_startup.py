"""What stops the start, what is waited for, and what is only warned of: in one sentence each, and never a traceback."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import sqlalchemy.exc
from alembic import command as alembic
from sqlalchemy import Engine, delete, select, text

from models.tables import SchemaRevision, Secret
from tasks import begin_beat, begin_worker
from tests.support import warm
from tests.support.ledger import Ledger
from tests.support.services import Valkey
from tests.support.worker_processes import CELERY, COMMANDS, environment, told, until
from worker import failures, process_start, schema_watch, startup
from worker.context import Context
from worker.encryption import fingerprint_key
from worker.failures import Verb
from worker.finding import Finding, Level
from worker.local.migrate import configuration
from worker.local.services import free_port
from worker.monitor import start as monitor
from worker.schema import needed
from worker.settings import Settings
from worker.startup import CannotStart, Service
from worker.task_names import DELIVERY_QUEUES, HOUSEKEEPING_QUEUES

SERVE = [sys.executable, "-m", "cli", "serve", "--port"]
OTHER_KEY = "TURNOUT_SECRET_KEY is not the key this database was set up with: set the one that was used then"


def run(settings: Settings, words: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    return warm.run(words, home, environment(settings))


def command_of(part: str) -> list[str]:
    if part == "up":
        return [sys.executable, "-m", "cli", "up", "--port", str(free_port()), "--no-sandbox"]
    return [*SERVE, str(free_port())] if part == "serve" else COMMANDS[part]


KIND = {
    "delivery": f"worker of {DELIVERY_QUEUES}",
    "housekeeping": f"worker of {', '.join(sorted(HOUSEKEEPING_QUEUES.split(',')))}",
    "beat": "beat",
    "serve": "turnout serve",
}
"""What a part is called where it did not start; `turnout up` says it on its terminal."""


def refused_starts(settings: Settings) -> dict[str, str]:
    """Give what is kept of processes that did not start, without what stands in brackets."""
    with redis.Redis.from_url(settings.stream_url) as client:
        kept = [one for one in failures.last(client) if one.verb == Verb.START]
    return {one.account: one.error.partition(" (")[0] for one in kept}


def sentence(found: list[Finding]) -> str:
    (one,) = found
    return f"{'waits' if one.waits else 'stops' if one.stops else one.level} {one}"


@pytest.mark.parametrize("part", ["delivery", "housekeeping", "beat", "serve", "up"])
def test_another_secret_key_stops_the_start(part: str, settings: Settings, engine: Engine, tmp_path: Path) -> None:
    fingerprint_key(engine, settings)
    done = run(told(settings, secret_key="another key"), command_of(part), tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"turnout: {OTHER_KEY}")
    assert "Traceback" not in done.stdout + done.stderr
    assert refused_starts(settings) == ({KIND[part]: OTHER_KEY} if part in KIND else {})


def test_no_secret_key_stops_the_start_and_none_is_made(settings: Settings, engine: Engine) -> None:
    fingerprint_key(engine, settings)
    without = told(settings, secret_key=type(settings.secret_key)(""))
    said = sentence(startup.of_database(without, engine))
    assert said.startswith("stops TURNOUT_SECRET_KEY is not set, and this database was set up with a key: set the one")
    assert not (settings.data_dir / "secret.key").exists()


def test_who_starts_first_makes_the_key_and_is_told_of_nothing(settings: Settings, engine: Engine) -> None:
    assert startup.of_database(settings, engine) == []
    assert Ledger(engine).all(Secret) == []  # looking makes nothing
    startup.start(settings, engine, lambda _: None)
    with pytest.raises(CannotStart, match="is not the key"):
        startup.start(told(settings, secret_key=type(settings.secret_key)("other")), engine, lambda _: None)


def test_a_worker_of_another_pool_does_not_start_and_says_which_pool_it_needs(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    assert startup.of_database(settings, engine) == []
    command = [word for word in COMMANDS["delivery"] if not word.startswith("--pool")]
    done = run(settings, [*command, "--pool=solo"], tmp_path)
    assert done.returncode == 1
    reason = "this worker was started with Celery's pool `solo`, in which the watchdog and the search"
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"turnout: {reason}")
    assert said.endswith("expected are threads: start `celery -A worker worker` without `--pool`")
    assert "Traceback" not in done.stdout + done.stderr
    assert refused_starts(settings)[KIND["delivery"]].startswith(reason)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("options", [[], ["--pool=prefork"]])  # Celery does not tell its default from that word
def test_a_worker_starts_with_threads_where_nothing_else_is_said(
    options: list[str], settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    process = warm.start([*CELERY, "worker", *options], tmp_path, environment(settings), log)
    try:
        until(lambda: "worker ready" in log.read_text(), 60, log.read_text)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()


def revised(engine: Engine, revision: str, allows: str | None) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
        connection.execute(delete(SchemaRevision))
        if allows:
            connection.execute(text("INSERT INTO schema_revisions VALUES (:allows)"), {"allows": allows})


@pytest.mark.parametrize("part", ["housekeeping", "serve"])
def test_an_old_schema_stops_the_start(part: str, settings: Settings, engine: Engine, tmp_path: Path) -> None:
    revised(engine, "0012", None)
    done = run(settings, command_of(part), tmp_path)
    assert done.returncode == 1
    said = f"turnout: the database's schema is 0012, older than this Turnout's {needed()}: run `turnout db upgrade`"
    assert done.stderr.splitlines()[-1] == said
    assert "Traceback" not in done.stdout + done.stderr
    assert refused_starts(settings) == {KIND[part]: said.removeprefix("turnout: ")}


@pytest.mark.usefixtures("engine")
def test_why_a_process_did_not_start_is_kept_until_one_of_its_kind_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Context(settings)
    monkeypatch.setattr(process_start, "current", lambda: here)
    for kind in ("worker", KIND["delivery"], KIND["housekeeping"], "beat"):
        failures.note(here, Verb.START, CannotStart("so"), kind)
    process_start.start(KIND["delivery"])
    assert refused_starts(settings).keys() == {KIND["housekeeping"], "beat"}
    here.engine.dispose()


def test_a_newer_schema_is_accepted_where_it_names_this_release(settings: Settings, engine: Engine) -> None:
    revised(engine, "9999", needed())
    assert startup.of_database(settings, engine) == []
    revised(engine, "9999", "9998")
    said = sentence(startup.of_database(settings, engine))
    assert said.startswith("stops the database's schema is 9999, newer than this Turnout's")


def test_an_empty_database_stops_the_start(settings: Settings, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA empty"))
    url = f"{settings.database_url}{'&' if '?' in settings.database_url else '?'}options=-csearch_path%3Dempty"
    elsewhere = Context(told(settings, database_url=url))
    said = sentence(startup.of_database(elsewhere.settings, elsewhere.engine))
    assert said == "stops the database has no tables of Turnout: run `turnout db upgrade`"
    elsewhere.engine.dispose()


def test_each_migration_names_itself(engine: Engine) -> None:
    with engine.connect() as connection:
        assert needed() in connection.execute(select(SchemaRevision.revision)).scalars().all()


@pytest.fixture
def odd_redis(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """A Redis of this test's own, set up as one likes."""
    servers = []

    def started(**options: str) -> str:
        server = Valkey(tmp_path, **options)
        servers.append(server)
        return server.url

    yield started
    for server in servers:
        server.stop()


@pytest.mark.parametrize("part", ["delivery", "up"])
def test_a_redis_that_evicts_what_never_expires_stops_the_start(
    part: str, settings: Settings, odd_redis: Callable[..., str], tmp_path: Path
) -> None:
    url = odd_redis(**{"maxmemory-policy": "allkeys-lru"})
    done = run(told(settings, broker_url=url), command_of(part), tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "turnout: Redis evicts what never expires (maxmemory-policy allkeys-lru), the stream too: set maxmemory-policy"
        " to noeviction"
    )
    assert "Traceback" not in done.stdout + done.stderr


def test_a_cluster_stops_the_start_also_where_it_is_only_the_broker(
    settings: Settings, odd_redis: Callable[..., str], tmp_path: Path
) -> None:
    cluster = odd_redis(
        **{
            "cluster-enabled": "yes",
            "cluster-config-file": str(tmp_path / "nodes.conf"),
            "cluster-port": str(free_port()),
        }
    )
    for here in (told(settings, broker_url=cluster), told(settings, broker_url=cluster, redis_url=settings.broker_url)):
        said = sentence(startup.of_redis(here))
        assert said.startswith("stops Redis is a cluster")
        assert said.endswith("set TURNOUT_BROKER_URL to a single Redis, with replicas or without")


def test_a_redis_that_is_not_persistent_is_a_warning(
    settings: Settings, engine: Engine, odd_redis: Callable[..., str]
) -> None:
    lines: list[str] = []
    startup.start(told(settings, broker_url=odd_redis(appendonly="no")), engine, lines.append)
    assert lines == [
        "Redis is not persistent, so what waits in the stream would be lost with it: set appendonly to yes"
    ]


def test_a_replica_is_waited_for(settings: Settings, odd_redis: Callable[..., str]) -> None:
    url = odd_redis(replicaof="127.0.0.1 1")
    said = sentence(startup.of_redis(told(settings, broker_url=url)))
    assert said == "waits Redis takes no writes (it is a replica): TURNOUT_BROKER_URL must lead to the primary"


@pytest.mark.usefixtures("new_sessions")
def test_a_database_that_takes_no_writes_is_waited_for(settings: Settings, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {engine.url.database} SET default_transaction_read_only = on"))
    engine.dispose()
    try:
        said = sentence(startup.of_database(settings, engine))
    finally:
        with engine.begin() as connection:
            connection.execute(text("SET TRANSACTION READ WRITE"))
            connection.execute(text(f"ALTER DATABASE {engine.url.database} RESET default_transaction_read_only"))
    assert said.startswith("waits PostgreSQL takes no writes (default_transaction_read_only is on)")


def test_what_is_out_of_reach_is_waited_for_with_a_line_per_change() -> None:
    away = Finding(Level.OUT_OF_REACH, Service.REDIS, "Redis is out of reach (refused)", "is it running?")
    other = Finding(Level.OUT_OF_REACH, Service.REDIS, "Redis is out of reach (no route)", "is it running?")
    answers = [[away], [away], [other], [other], []]
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(startup, "PAUSE", 0)
        assert startup.wait(lambda: answers.pop(0), lines.append, lambda: False) == []
    assert lines == [
        "Redis is out of reach (refused): is it running?; waiting",
        "Redis is out of reach (no route): is it running?; waiting",
        "Redis answers",
    ]


@contextmanager
def later(seconds: float, what: Callable[[], object]) -> Iterator[None]:
    timer = threading.Timer(seconds, what)
    timer.start()
    yield
    timer.join()


def test_a_start_waits_for_redis_and_goes_on(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    server.kill()
    lines: list[str] = []
    with later(1.5, server.start):
        begun = time.monotonic()
        startup.start(told(settings, broker_url=server.url), engine, lines.append)
    assert time.monotonic() - begun > 1
    assert lines[0].startswith("Redis is out of reach (")
    assert lines[1] == "Redis answers"
    server.stop()


def test_the_web_process_does_not_wait_for_redis(settings: Settings, engine: Engine) -> None:
    here = told(settings, broker_url=f"redis://127.0.0.1:{free_port()}/0")
    lines: list[str] = []
    startup.start(here, engine, lines.append, needs=[Service.POSTGRESQL])
    assert [line.partition(" (")[0] for line in lines] == ["Redis is out of reach"]


def test_what_redis_does_not_say_is_no_finding(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_: object) -> None:
        raise redis.exceptions.NoPermissionError("NOPERM this user has no permissions to run the 'info' command")

    monkeypatch.setattr(redis.Redis, "info", refuses)
    assert startup.of_redis(settings) == []


def test_the_commands_of_the_database_need_its_url_alone(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
    env["TURNOUT_DATABASE_URL"] = settings.database_url

    def db(command: str, status: int = 0) -> str:
        done = warm.run([sys.executable, "-m", "cli", "db", command], tmp_path, env)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert db("upgrade") == f"the schema is {needed()}: up to date, nothing was changed\n"
    env |= {"TURNOUT_BATCH_SIZE": "many", "TURNOUT_BATCHSIZE": "9", "TURNOUT_SECRET_KEY_FILE": "/nowhere"}
    for command in ("upgrade", "current", "check"):
        said = db(command).splitlines()
        assert any("schema" in line or line == "this Turnout can work on the database" for line in said)
        assert ["TURNOUT_BATCH_SIZE «many» is not valid" in line for line in said if "warning" in line] == [True]
    del env["TURNOUT_BATCH_SIZE"], env["TURNOUT_BATCHSIZE"], env["TURNOUT_SECRET_KEY_FILE"]
    assert db("check") == "this Turnout can work on the database\n"
    with engine.begin() as connection:
        alembic.downgrade(configuration(connection), "0012")
    assert db("check", 1).endswith("run `turnout db upgrade`\n")
    assert db("upgrade") == f"the schema was 0012 and is now {needed()}: the tables are up to date\n"
    revised(engine, "9999", "9998")
    assert db("current") == f"the database's schema: 9999\nthis Turnout's schema: {needed()}\n"
    assert "newer Turnout's: nothing was changed" in db("upgrade")


def test_a_process_that_runs_goes_on_under_a_newer_schema_that_names_it_and_stops_under_another(
    settings: Settings,
    engine: Engine,
    context: Context,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schema_watch, "EVERY", 0.05)
    monkeypatch.setattr(process_start, "usable_settings", lambda: (settings, None))
    ended = threading.Event()
    revised(engine, "9999", needed())
    watching = threading.Thread(target=schema_watch.watch, args=(context, "beat", ended.set), daemon=True)
    watching.start()
    assert not ended.wait(0.5)
    revised(engine, "9999", "9998")
    assert ended.wait(30)
    watching.join(30)
    assert refused_starts(settings)["beat"].startswith("the database's schema is 9999, newer than this Turnout's")
    assert "schema does not fit" in caplog.text


def test_a_running_server_whose_schema_fits_no_more_stops_in_order(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    """As the workers do: the process is asked to stop, as by its supervisor."""
    code = "from worker import schema_watch; schema_watch.EVERY = 0.1\nfrom cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", str(free_port())],
        cwd=tmp_path,
        env=environment(settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        assert any("serving" in line for line in process.stderr)
        revised(engine, "9999", "9998")
        told = process.stderr.read()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.stderr.close()
    assert "schema does not fit" in told
    assert "serving stopped" in told


def test_the_schema_is_looked_at_again_after_a_time_without_a_free_connection(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Engine] = []

    def look(engine: Engine) -> list[Finding]:
        looks.append(engine)
        if len(looks) == 1:
            raise sqlalchemy.exc.TimeoutError
        return [Finding(Level.ATTENTION, Service.POSTGRESQL, "another schema", "upgrade", may_pass=False)]

    monkeypatch.setattr(schema_watch, "EVERY", 0.01)
    monkeypatch.setattr(startup, "of_schema", look)
    ended = threading.Event()
    schema_watch.watch(context, "beat", ended.set)
    assert len(looks) == 2
    assert ended.is_set()


@pytest.mark.parametrize("begins", [lambda: begin_beat._begin_beat(), lambda: begin_worker._begin(sender=None)])  # noqa: SLF001, PLW0108
def test_a_process_that_cannot_begin_ends(begins: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery logs what its receivers raise, and would go on without a watchdog."""

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(monitor, "begin", fails)
    with pytest.raises(SystemExit):
        begins()
