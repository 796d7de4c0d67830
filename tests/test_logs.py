"""Logs: events with fields, JSON from the first line to the last, and nobody named in any line, whoever wrote it."""

import ast
import contextlib
import json
import logging
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import psutil
import pytest
import redis
import requests
from kombu.connection import Connection
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from models.tables import Attempt
from models.words import AttemptKind
from tests.support import warm
from tests.support.api import key_for
from tests.support.ledger import Ledger, ask, message
from tests.support.sandbox_server import running_sandbox
from tests.support.worker_processes import CELERY, COMMANDS, Workers, environment, running_workers, until
from worker import failures
from worker.context import Context
from worker.local.services import Postgres, free_port, is_taken, valkey_command
from worker.log import get_logger
from worker.logging_setup import OURS, set_up
from worker.settings import Settings
from worker.task_names import ACCEPT, DELIVER, SWEEP, VERIFY

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


def task(name: str, **more: object) -> dict[str, Any]:
    """Give the headers of a Celery message."""
    return {"lang": "py", "task": name, "id": str(uuid.uuid4()), "argsrepr": repr(TOLD), "kwargsrepr": ADDRESS, **more}


def body(*args: object, **kwargs: object) -> list[Any]:
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
    "an end that has passed": (SWEEP, body(**TOLD), task(SWEEP, expires="2020-01-01T00:00:00"), {}),
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


@pytest.mark.timeout(300)
def test_what_comes_by_the_queue_stands_in_no_line_of_a_workers_log(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    """Each is kept as not accepted, or has a line."""

    def kept() -> int:
        return len(Ledger(engine).refused())

    settings = in_json(settings)
    workers = Workers(settings, tmp_path)
    log = Log(tmp_path / "housekeeping.log")
    workers.start("housekeeping")
    try:
        workers.until_ready(1)
        for name in (*PUBLISHED, *PUSHED):
            log.look()
            before = kept()
            hand_over(settings, name)
            until(lambda: log.new() != "" or kept() > before, 15, name)  # noqa: B023 - run at once
        assert workers.alive("housekeeping")
    finally:
        workers.stop()
    events = {line["event"].partition(":")[0] for line in lines_of(log.path.read_text())}
    assert events >= {"message not readable", "task raised unexpected", "nothing sent", "nothing read back"}
    assert not [event for event in events if event.startswith(("Received", "Can't decode", "Unrecoverable"))]


@dataclass
class Log:
    """A process's log, and how far it was looked at."""

    path: Path
    seen: int = 0

    def look(self) -> None:
        self.seen = len(self.path.read_text())

    def new(self) -> str:
        return self.path.read_text()[self.seen :]


def hand_over(settings: Settings, name: str) -> None:
    if name in PUSHED:
        with redis.Redis.from_url(settings.broker_url) as client:
            client.lpush(SWEEP, PUSHED[name])
        return
    queue, message, headers, how = PUBLISHED[name]
    with Connection(settings.broker_url) as connection:  # type: ignore[no-untyped-call]
        connection.Producer().publish(message, routing_key=queue, headers=headers, **how)


# One line for each call


def test_each_call_to_hubspot_has_one_line_with_its_decision(
    settings: Settings, context: Context, tmp_path: Path
) -> None:
    with running_sandbox(burst_limit=1_000) as sandbox:
        sandbox.fault(match="bad@example.com", status=400)
        sandbox.fault(match=ADDRESS.lower(), status=400, body={"message": f"{ADDRESS} is not valid"})
        sandbox.fault(match="late@example.com", status=503, count=1, body={"message": ADDRESS})
        settings = in_json(settings, hubspot_url=sandbox.url)
        with running_workers(settings, tmp_path) as workers:
            for number, contacts in enumerate(
                (["ada@example.com", "bad@example.com"], [ADDRESS], ["late@example.com"])
            ):
                context.stream.add(json.dumps(message(*contacts, event=str(number))).encode())
            until(lambda: statuses(context.engine) == {"COMPLETE"}, 40, workers.logs)
        lines = [line for name in COMMANDS for line in lines_of((tmp_path / f"{name}.log").read_text())]
        calls = [line for line in lines if line["event"] == "attempt"]
        stored = Ledger(context.engine).attempts(Attempt.kind != AttemptKind.READ_BACK)
    logged = sorted((line["http_status"], line["duration_ms"]) for line in calls)
    assert logged == sorted((row.http_status, row.duration_ms) for row in stored)
    assert {line["decision"] for line in calls} >= {"settle", "isolate", "reject all", "postpone"}
    assert all(
        set(line) - {"timestamp", "level", "logger", "event"}
        == {"account", "batch", "records", "answer", "http_status", "duration_ms", "decision"}
        for line in calls
    )


def statuses(engine: Engine) -> set[str]:
    return {row.status for row in Ledger(engine).batches()}


# From the first line to the last


STARTS: Final = {
    "worker": [*CELERY, "worker", "--pool=threads", "-Q", SWEEP],
    "beat": COMMANDS["beat"],
    "serve": [sys.executable, "-m", "cli", "serve", "--port", "0"],
}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("worker", "TURNOUT_LEASE=1"), ("beat", "TURNOUT_QUEUE_TYPE=none"), ("serve", "TURNOUT_DATABASE_URL=")],
)
def test_a_start_that_fails_is_json(name: str, wrong: str, settings: Settings, tmp_path: Path) -> None:
    setting, _, value = wrong.partition("=")
    ended = subprocess.run(
        STARTS[name],
        cwd=tmp_path,
        env=environment(in_json(settings)) | {setting: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    (line,) = lines_of(ended.stdout + ended.stderr)
    assert (line["level"], ended.returncode) == ("critical", 1)
    with redis.Redis.from_url(settings.broker_url) as client:
        (refused,) = failures.last(client)
    assert (refused.verb, refused.account) == ("start", f"turnout {name}" if name == "serve" else name)
    assert setting.removeprefix("TURNOUT_") in refused.error
    assert setting in json.dumps(line) or setting.removeprefix("TURNOUT_") in json.dumps(line)


def test_a_crash_at_start_is_json(settings: Settings, tmp_path: Path) -> None:
    for command in ([*CELERY, "worker", "--pool=threads", "-Q", "none"], [*CELERY, "beat", "--pidfile", str(tmp_path)]):
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment(in_json(settings)), capture_output=True, text=True, check=False
        )
        assert ended.returncode != 0
        assert [line["level"] for line in lines_of(ended.stdout + ended.stderr)][-1] == "critical", command


@pytest.mark.parametrize(
    "words",
    [
        [*STARTS["worker"], "--nonsense"],
        [*STARTS["worker"], "--loglevel", "loud"],
        [*STARTS["beat"], "extra"],
        [*STARTS["serve"][:-1], "many"],
    ],
    ids=lambda words: " ".join(words[-2:]),
)
def test_a_wrong_option_is_a_line(words: list[str], settings: Settings, tmp_path: Path) -> None:
    env = environment(in_json(settings)) | {"PYTHONWARNINGS": "always"}
    ended = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    (line,) = [line for line in lines_of(ended.stdout + ended.stderr) if line["event"] != "Python warns"]
    assert (line["level"], line["event"]) == ("critical", "cannot start")


@pytest.mark.usefixtures("engine")
def test_a_port_that_is_taken_is_a_line(settings: Settings, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "cli", "serve", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment(in_json(settings)), capture_output=True, text=True, check=False
        )
    assert "Address already in use" in lines_of(ended.stdout + ended.stderr)[-1]["event"]


@pytest.mark.usefixtures("engine")
def test_what_runs_and_stops_logs_json_alone(settings: Settings, context: Context, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "cli", "serve", "--port", str(port)]
    served = warm.start(command, tmp_path, environment(in_json(settings)), tmp_path / "web.log")
    try:
        with running_workers(in_json(settings), tmp_path):
            until(lambda: "serving" in (tmp_path / "web.log").read_text(), 30, (tmp_path / "web.log").read_text)
            key = key_for(context, "shop")
            for sent in (b"{", json.dumps({"inputs": [TOLD]}).encode(), ADDRESS.encode()):
                requests.post(
                    f"http://127.0.0.1:{port}/marketing/v3/marketing-events/{ADDRESS}/register/create",
                    data=sent,
                    headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
                    timeout=10,
                )
            with socket.create_connection(("127.0.0.1", port)) as odd:
                odd.sendall(f"GET /{ADDRESS} {ADDRESS}\r\n\r\n".encode())
                odd.recv(1000)
    finally:
        served.terminate()
        assert served.wait(40) == 0
    said = {
        name: [line["event"] for line in lines_of((tmp_path / f"{name}.log").read_text())]
        for name in (*COMMANDS, "web")
    }
    assert said["beat"] == ["beat starts", "beat stopped"]
    assert said["web"][0] == "serving"
    assert said["web"][-1] == "serving stopped"
    for name in ("delivery", "housekeeping"):
        assert {"worker starts", "worker ready", "worker stopped"} <= set(said[name])


@contextlib.contextmanager
def logging_here(log_format: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Log in this process, either way, and leave no trace of that."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging, "raiseExceptions", True)
    for whose in (sys, threading):
        monkeypatch.setattr(whose, "excepthook", whose.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        set_up(log_format)
        try:
            yield
        finally:
            logging.captureWarnings(capture=False)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_an_error_is_shown_without_its_text(
    log_format: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], engine: Engine
) -> None:
    with logging_here(log_format, monkeypatch):
        go_wrong(engine)
    text = capsys.readouterr().err
    names_nobody(text)
    for shown in ("KeyError", "No such file or directory", "SQLSTATE 22P02", "it is …: ValueError 3", "UserWarning"):
        assert shown in text.replace("\\u2026", "…")
    if log_format == "json":
        assert len(lines_of(text)) == 7 * 4 + 4


def go_wrong(engine: Engine) -> None:
    log = get_logger("worker.test")
    for fail in (
        lambda: dict[str, int]()[ADDRESS],
        lambda: int(ADDRESS),
        lambda: Settings(_env_file=None, lease=ADDRESS),
        lambda: Path(f"/{ADDRESS}").read_text(),
        lambda: ask(engine, "SELECT CAST(:it AS integer)", it=ADDRESS),
        lambda: requests.get(f"http://127.0.0.1:1/{ADDRESS}", timeout=1),
        lambda: chained(ADDRESS),
    ):
        try:
            fail()
        except Exception as error:
            log.exception("failed")
            library = logging.getLogger("celery.some")
            library.error("it is %s: %r %d", ADDRESS, error, 3, exc_info=True)
            library.error(f"it is {error}")
            library.error(error)
    warnings.warn(f"about {ADDRESS}", UserWarning, stacklevel=1)
    thread = threading.Thread(target=chained, args=(ADDRESS,))
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError(ADDRESS), None)
    sys.unraisablehook(SimpleNamespace(exc_value=ValueError(ADDRESS), object=ADDRESS))


def chained(value: str) -> None:
    try:
        raise ExceptionGroup(value, [ValueError(value), KeyError(value)])  # noqa: TRY301 - what is logged
    except ExceptionGroup as error:
        raise LookupError(value) from error


# What runs under `turnout up`


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A short path: PostgreSQL's socket lies in it."""
    path = Path(tempfile.mkdtemp(prefix="turnout-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def kill_once(engine: Engine, has_begun: str, pid: int) -> None:
    """Kill a process once a statement finds something."""
    until(lambda: bool(ask(engine, has_begun)), 30, "it does not begin")
    psutil.Process(pid).kill()


def test_postgresqls_log_names_nobody(short_dir: Path) -> None:
    server = Postgres(short_dir)
    engine = create_engine(server.start(), isolation_level="AUTOCOMMIT")
    told = {"who": ADDRESS}
    try:
        with engine.connect() as connection:
            connection.execute(text("CREATE TABLE people (who text UNIQUE CHECK (length(who) < 40), n int NOT NULL)"))
            connection.execute(text("INSERT INTO people VALUES (:who, 1)"), told)
            for statement in (
                "INSERT INTO people VALUES (:who, 1)",
                "INSERT INTO people VALUES (:who, NULL)",
                "INSERT INTO people VALUES (repeat(:who, 9), 1)",
                "SELECT CAST(CAST(:who AS text) AS integer)",
                "SELECT CAST(CAST(:who AS text) AS jsonb)",
                "DO $$ BEGIN RAISE WARNING 'Zora.Quillfeather@example.com'; END $$",
                "SELECT FROM people WHERE who = 'Zora.Quillfeather@example.com' AND nowhere",
                "SET statement_timeout = 1; SELECT pg_sleep(1) FROM people WHERE who = 'Zora.Quillfeather@example.com'",
            ):
                with contextlib.suppress(DBAPIError):
                    connection.execute(text(statement), told if ":who" in statement else {})
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            connection.execute(text("SET statement_timeout = 0"))
            asleep = f"SELECT FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'PgSleep'"
            with ThreadPoolExecutor(1) as one:
                killed = one.submit(kill_once, engine, asleep, pid)
                with pytest.raises(DBAPIError):
                    connection.execute(
                        text("SELECT pg_sleep(600) FROM people WHERE who = 'Zora.Quillfeather@example.com'")
                    )
                killed.result()
        until(lambda: answers(engine), 30, "PostgreSQL did not recover")
    finally:
        engine.dispose()
        server.stop()
    log = (short_dir / "postgres" / "log").read_text()
    assert "terminated by signal 9" in log
    names_nobody(log)


def answers(engine: Engine) -> bool:
    with contextlib.suppress(DBAPIError), engine.connect() as connection:
        return connection.execute(text("SELECT 1")).scalar() == 1
    return False


def test_valkeys_log_of_a_crash_names_nobody(tmp_path: Path) -> None:
    port = free_port()
    command = [*valkey_command(tmp_path, port, ""), "--enable-debug-command", "yes"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    with redis.Redis(port=port) as client:
        until(lambda: is_taken(port), 10, (tmp_path / "log").read_text)
        with pytest.raises(redis.ConnectionError):
            client.execute_command("DEBUG", "ASSERT", ADDRESS)
    server.wait(20)
    crash = (tmp_path / "log").read_text(errors="replace")
    assert "BUG REPORT" in crash
    names_nobody(crash)


# What the page says of them


def logged() -> dict[str, tuple[set[str], set[str]]]:
    """Read from the code what is logged: event to its levels and its fields."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for path in (path for name in OURS for path in (ROOT / name).rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            whose, level = ast.unparse(call.func.value), call.func.attr
            if not (whose == "log" or whose.startswith("get_logger(")) or level not in LEVELS:
                continue
            (event,) = call.args
            assert isinstance(event, ast.Constant), (
                f"{path}:{call.lineno}: an event is a constant, its facts are fields"
            )
            levels, fields = found.setdefault(str(event.value), (set(), set()))
            levels.add("error" if level == "exception" else level)
            fields |= {str(keyword.arg) for keyword in call.keywords} - {"exc_info"}
            if level == "exception" or "exc_info" in {keyword.arg for keyword in call.keywords}:
                fields |= {"error", "exception"}
    return found


LEVELS: Final = ("debug", "info", "warning", "error", "exception", "critical")


def test_the_page_lists_every_event_with_its_level_and_fields() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| (\w+(?:, \w+)*) \| ([^|]*) \| [^|]+ \|$", page, re.MULTILINE)
    told = {event: (set(levels.split(", ")), set(re.findall(r"`(\w+)`", fields))) for event, levels, fields in rows}
    assert told == {event: facts for event, facts in logged().items() if facts[0] != {"debug"}}


def test_every_module_logs_the_one_way() -> None:
    for path in (path for name in OURS for path in (ROOT / name).rglob("*.py")):
        if path.name not in {"log.py", "logging_setup.py", "tracing_setup.py"}:  # the last silences another's
            assert "logging.getLogger" not in path.read_text(), path
