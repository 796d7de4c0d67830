"""Whether a process lives and is ready: told by HTTP on its ports, and by `turnout health`."""

import gc
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
import requests
from sqlalchemy import Engine, make_url, text

import cli.health
import worker.settings
from models.words import Role
from tests.support.api import Api, key_for, running_server
from tests.support.contexts import open_context
from tests.support.fixtures import Turnout
from tests.support.monitors import asked, open_monitor
from tests.support.proxy import Proxy
from worker import watchdog
from worker.context import Context
from worker.local.services import free_port
from worker.monitor import readiness, server as monitor_server, start
from worker.monitor.latest import Latest
from worker.monitor.readiness import NEEDS, Need, ProcessKind
from worker.queries.machinery import broker_facts
from worker.settings import Settings

NOWHERE = "redis://127.0.0.1:1/0"
ALIVE = {"status": "alive"}
READY = {"status": "ready"}
STRANGE = {"Host": "192-0-2-1.somewhere.example.com", "X-Forwarded-For": "203.0.113.9"}


@pytest.fixture
def database(settings: Settings) -> Iterator[Proxy]:
    """The way to this test's database."""
    url = make_url(settings.database_url)
    proxy = Proxy(Path(str(url.query["host"])) / f".s.PGSQL.{url.port or 5432}")
    yield proxy
    proxy.cut()


def through(settings: Settings, proxy: Proxy, password: str = "") -> str:
    url = make_url(settings.database_url)
    return f"postgresql://{url.username or 'postgres'}{password}@127.0.0.1:{proxy.port}/{url.database}"


def not_ready(answer: requests.Response) -> dict[str, str]:
    """What is not ready, with the detail."""
    assert answer.status_code == 503
    said = answer.json()
    assert said["status"] == "not ready"
    return {check["name"]: check["detail"] for check in said["checks"] if not check["ok"]}


@pytest.mark.parametrize("kind", list(ProcessKind))
def test_a_process_tells_that_it_lives_and_is_ready(kind: ProcessKind, settings: Settings) -> None:
    with open_monitor(settings, kind) as url:
        for path, said in (("/healthz", ALIVE), ("/readyz", READY)):
            answer = asked(url, path)
            assert (answer.status_code, answer.json()) == (200, said)
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["Cache-Control"] == "no-store"
            head = asked(url, path, "HEAD")
            assert (head.status_code, head.content, head.headers["Content-Length"]) == (
                200,
                b"",
                answer.headers["Content-Length"],
            )
        assert asked(url, "/metricz").status_code == 404
        assert asked(url, "/healthz", "POST").status_code == 501


AWAY = {
    Need.DATABASE: ("database_url", "postgresql://somebody@127.0.0.1:1/secret_name", "PostgreSQL is out of reach"),
    Need.REDIS: ("redis_url", NOWHERE, "Redis is out of reach"),
    Need.BROKER: ("broker_url", NOWHERE, "the broker is out of reach"),
}


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("away", list(Need))
@pytest.mark.parametrize("kind", list(ProcessKind))
def test_a_process_is_not_ready_without_what_it_cannot_work_without_and_only_then(
    kind: ProcessKind, away: Need, settings: Settings
) -> None:
    setting, url, said = AWAY[away]
    here = settings.model_copy(update={"redis_url": settings.broker_url} | {setting: url})
    with open_monitor(here, kind) as port:
        assert asked(port, "/healthz").json() == ALIVE
        answer = asked(port, "/readyz")
        if away in NEEDS[kind]:
            wrong = not_ready(answer)
            assert wrong[away] == said
            # The broker of these tests is a Redis, which a worker looks at too.
            assert wrong.keys() <= {away, Need.REDIS}
        else:
            assert answer.json() == READY
        assert "somebody" not in answer.text
        assert "secret_name" not in answer.text


def test_a_schema_that_does_not_fit_is_not_ready(settings: Settings, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        connection.execute(text("DELETE FROM schema_revisions"))
    with open_monitor(settings, ProcessKind.SERVE) as url:
        (detail,) = not_ready(asked(url, "/readyz")).values()
    assert detail.startswith("the database's schema is 0001, older than this Turnout's")


def test_a_database_that_takes_no_writes_is_not_ready(settings: Settings) -> None:
    read_only = settings.model_copy(
        update={"database_url": settings.database_url + "&options=-cdefault_transaction_read_only%3Don"}
    )
    with open_monitor(read_only, ProcessKind.SERVE) as url:
        assert not_ready(asked(url, "/readyz")) == {"database": "PostgreSQL takes no writes"}


def test_a_process_is_ready_again_when_its_database_is_back(
    settings: Settings, database: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "KEEP", 0.0)
    with open_monitor(
        settings.model_copy(update={"database_url": through(settings, database)}), ProcessKind.SERVE
    ) as url:
        assert asked(url, "/readyz").json() == READY
        database.cut()
        assert not_ready(asked(url, "/readyz")) == {"database": "PostgreSQL is out of reach"}
        assert asked(url, "/healthz").json() == ALIVE
        database.restore()
        assert asked(url, "/readyz").json() == READY


def test_the_web_process_answers_by_any_name_and_without_a_key_also_while_its_database_is_away(
    settings: Settings, database: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "KEEP", 0.0)
    password = ":hunter2hunter2"
    with open_context(settings, database_url=through(settings, database, password)) as context:
        key = key_for(context, "shop", Role.PRODUCER)
        with running_server(context) as url:
            for method in ("GET", "HEAD"):
                for path in ("/healthz", "/readyz"):
                    answer = requests.request(method, url + path, headers=STRANGE, timeout=60)
                    assert answer.status_code == 200
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    assert "Set-Cookie" not in answer.headers
            assert requests.get(url + "/", headers=STRANGE, timeout=60).status_code == 421
            posted = requests.post(url + "/readyz", timeout=60)
            assert (posted.status_code, posted.headers["Allow"]) == (405, "GET, HEAD")
            database.cut()
            away = requests.get(url + "/readyz", headers=STRANGE, timeout=60)
            assert not_ready(away) == {"database": "PostgreSQL is out of reach"}
            for secret in ("hunter2", key, str(database.port), "127.0.0.1"):
                assert secret not in away.text
            assert requests.get(url + "/healthz", headers=STRANGE, timeout=60).json() == ALIVE


def test_a_web_process_whose_connections_are_all_taken_is_ready(api: Api, context: Context) -> None:
    taken = [context.engine.connect() for _ in range(14)]
    try:
        assert requests.get(api.url + "/readyz", timeout=60).json() == READY
    finally:
        for connection in taken:
            connection.close()


def test_the_web_process_is_ready_without_redis(settings: Settings) -> None:
    with open_context(settings, broker_url=NOWHERE) as context, running_server(context) as url:
        assert requests.get(url + "/readyz", timeout=60).json() == READY


# One look at a time


def test_those_who_ask_at_once_share_one_look_and_those_who_ask_soon_get_what_it_found() -> None:
    looks = []
    go_on = threading.Event()

    def look() -> str:
        looks.append(1)
        go_on.wait(60)
        return "found"

    latest = Latest(look, keep=60)
    assert latest.get(patience=0) is None
    found: list[str | None] = []
    asking = [threading.Thread(target=lambda: found.append(latest.get(60))) for _ in range(5)]
    for one in asking:
        one.start()
    go_on.set()
    for one in asking:
        one.join(60)
    assert found == ["found"] * 5
    assert latest.get(0) == "found"
    assert len(looks) == 1


def no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_a_look_whose_thread_does_not_start_is_begun_again_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    latest = Latest(lambda: "found", keep=60)
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            latest.begin()
    assert latest.get(60) == "found"


def test_a_look_that_does_not_end_holds_no_other_up_and_is_not_begun_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "PATIENCE", 0.1)
    with closing(socket.socket()) as silent:  # it takes connections and never says anything
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        here = settings.model_copy(update={"broker_url": f"amqp://127.0.0.1:{silent.getsockname()[1]}//"})
        with open_monitor(here, ProcessKind.BEAT) as url:
            for _ in range(3):
                assert not_ready(asked(url, "/readyz")) == {"broker": "did not answer within 0.1 s"}
            looking = [thread for thread in threading.enumerate() if thread.name == "look"]
            assert len(looking) <= 1


# The port


def test_a_client_that_says_nothing_holds_no_other_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_server.Handler, "timeout", 0.5)
    with open_monitor(settings, ProcessKind.SERVE) as url:
        port = int(url.rpartition(":")[2])
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(monitor_server.MOST - 1)]
        assert asked(url, "/healthz").json() == ALIVE
        for one in slow:
            one.settimeout(60)
            assert one.recv(10) == b""  # closed by the server
            one.close()


def test_a_connection_whose_thread_does_not_start_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    server = monitor_server.MonitorServer("127.0.0.1", 0, {})
    port = server.server_address[1]
    try:
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", no_thread)
            for _ in range(monitor_server.MOST + 1):
                with socket.create_connection(("127.0.0.1", port)):
                    server.handle_request()
        server.begin()
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=60).status_code == 404
        server.shutdown()
    finally:
        server.server_close()


def test_a_port_that_is_taken_stops_no_process(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        here = settings.model_copy(update={"monitor_port": taken.getsockname()[1]})
        assert start.open_port(here, ProcessKind.SERVE) is None
    assert [line.message for line in caplog.records] == ["monitor port not opened"]


def test_no_port_is_opened_where_no_setting_names_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "load_settings", lambda: settings)
    assert start.begin(ProcessKind.WORKER) is None


@pytest.mark.parametrize("host", ["http://127.0.0.1", "127.0.0.1:9100", "a b", "a,b"])
def test_an_address_that_cannot_be_listened_on_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="is not an address to listen on; expected one address or name"):
        Settings(_env_file=None, monitor_host=host)


# The command


def test_the_command_asks_at_the_monitor_port(
    settings: Settings, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_monitor(settings, ProcessKind.WORKER) as url:
        port = int(url.rpartition(":")[2])
        here = settings.model_copy(update={"monitor_port": port, "monitor_host": "0.0.0.0"})
        monkeypatch.setattr(worker.settings, "load_settings", lambda: here)
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        assert turnout("health").output == "alive\n"
        assert turnout("health", "--ready").output == "ready\n"


def test_the_command_says_in_one_line_what_is_not_ready(settings: Settings, turnout: Turnout) -> None:
    away = settings.model_copy(update={"broker_url": NOWHERE})
    with open_monitor(away, ProcessKind.BEAT) as url:
        said = turnout("health", "--ready", "--port", url.rpartition(":")[2], status=1)
        assert said.output == "not ready: the broker is out of reach\n"
        assert turnout("health", "--port", url.rpartition(":")[2]).output == "alive\n"


def test_the_command_says_that_no_process_answers(turnout: Turnout) -> None:
    port = free_port()
    said = turnout("health", "--port", str(port), status=1).output
    assert said.startswith(f"not alive: http://127.0.0.1:{port}/healthz does not answer (")
    assert len(said.splitlines()) == 1


def test_the_command_asks_the_web_process_where_no_setting_says_another(
    turnout: Turnout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, api: Api
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.health, "SERVES", api.url)
    assert turnout("health", "--ready").output == "ready\n"


def polled_or_connected() -> int:
    """Count the files by which this process polls, and its connections."""
    process, polled = psutil.Process(), 0
    for file in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one by which the folder is read
            polled += "eventpoll" in str(file.readlink())
    return polled + len(process.net_connections("tcp"))


@pytest.mark.skipif(sys.platform != "linux", reason="files of a process are listed in /proc")
@pytest.mark.parametrize("url", ["", NOWHERE], ids=["there", "away"])
def test_a_look_at_the_broker_leaves_nothing_to_the_garbage_collector(settings: Settings, url: str) -> None:
    here = settings.model_copy(update={"broker_url": url or settings.broker_url})
    looks: list[Callable[[], object]] = [partial(readiness.is_broker_there, here), partial(broker_facts, here)]
    if not url:
        looks.append(partial(watchdog._waiting, ["attendance.deliver"]))  # noqa: SLF001 - each look of it
    gc.disable()
    try:
        for look in looks:
            look()  # what is imported and opened once
            before = polled_or_connected()
            for _ in range(3):
                look()
            assert polled_or_connected() == before, look
    finally:
        gc.enable()
