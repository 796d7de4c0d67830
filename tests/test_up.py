"""`turnout up` as a newcomer starts it: everything on one machine, and a record followed from the API to HubSpot."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import redis
import requests
from sqlalchemy import Engine, create_engine

import cli.up
import worker.local.services
from models.tables import Key, Session
from models.words import Role
from sandbox.server import listen
from tests.support.console import Visitor, words
from tests.support.ledger import Ledger, ask
from tests.support.spellings import SPELLINGS, found
from tests.support.up import Up
from tests.support.worker_processes import until
from worker import data_dir as kept_here
from worker.auth import keys
from worker.local.services import Postgres, free_port
from worker.local.stack import Machine
from worker.operations import audit_log
from worker.setting_sources import SettingsError
from worker.settings import Settings

WHEN = 1_767_225_600_000


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    home = Path(tempfile.mkdtemp(prefix="turnout-"))
    home.chmod(0o755)
    running = Up(home)
    yield running
    everything = running.all_processes()
    assert running.stop() == 0
    assert running.said().splitlines()[-2:] == [
        "stopping: what is being sent is finished first (Ctrl-C again: at once)",
        "stopped",
    ]
    assert [process for process in everything if process.is_running() and process.status() != "zombie"] == []
    shutil.rmtree(home)


def books(up: Up) -> dict[str, Any]:
    facts: dict[str, Any] = up.facts("audit")
    return facts


def settled(up: Up) -> bool:
    facts = books(up)
    return facts["accepted"] > 0 and not facts["pending"] and not facts["processing"]


def test_it_says_first_where_it_delivers(up: Up) -> None:
    assert up.said().splitlines()[0] == f"turnout delivers to the sandbox on {up.sandbox}, not to HubSpot"
    assert up.turnout("status").splitlines()[0] == f"turnout delivers to the sandbox on {up.sandbox}, not to HubSpot"


def test_it_says_in_four_short_lines_what_to_do_next(up: Up) -> None:
    lines = up.said().splitlines()[1:5]
    assert [line.split(":")[0] for line in lines] == ["ready", "submit", "console", "stop"]
    assert f"submit: turnout enqueue FILE, or by HTTP: {up.web}/reference" in lines
    assert [line for line in lines if len(line) > 80] == []
    assert requests.get(f"{up.web}/", timeout=10).url == f"{up.web}/sign-in"


def test_env_tells_where_the_api_is(up: Up) -> None:
    assert f"TURNOUT_URL={up.web}" in up.turnout("env").splitlines()


def test_each_part_tells_on_a_port_of_its_own_that_it_is_ready(up: Up) -> None:
    assert up.turnout("health") == "alive: delivery, housekeeping, beat, web\n"
    assert up.turnout("health", "--ready") == "ready: delivery, housekeeping, beat, web\n"


def test_an_address_of_an_earlier_start_is_told_from_one_that_is_wrong(up: Up) -> None:
    stale = {"TURNOUT_DATABASE_URL": "postgresql://postgres@127.0.0.1:1/none"}
    for data_dir, said in (
        (up.env["TURNOUT_DATA_DIR"], "since TURNOUT_DATABASE_URL was set: run `export $(turnout env)` again"),
        (str(up.home / "none"), "is `turnout up` running, or TURNOUT_DATABASE_URL right?"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "cli", "batches"],
            cwd=up.home,
            env=up.env | {"TURNOUT_BROKER_URL": "redis://127.0.0.1:1/0"} | stale | {"TURNOUT_DATA_DIR": data_dir},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stdout
        assert said in done.stderr


def test_a_known_event_needs_the_test_server(up: Up) -> None:
    with pytest.raises(SettingsError, match="--known-event is for HubSpot's test server, which is not started here"):
        Machine(Settings(data_dir=up.home / "other"), 1, None, print, print, known_events=["4711"]).run()


def contents(paths: Iterable[Path]) -> Iterator[tuple[Path, bytes]]:
    """Read what of some paths is a file; PostgreSQL and Valkey may delete some meanwhile."""
    for path in paths:
        with suppress(FileNotFoundError):
            if path.is_file():
                yield path, path.read_bytes()


def test_nobody_else_on_the_machine_may_read_or_use_what_it_keeps(up: Up) -> None:
    data = up.home / "data"
    kept = [data, *data.rglob("*")]
    assert {"appendonlydir", "valkey.conf", "up.json", "logs", "housekeeping.log", "secret.key"} <= {
        path.name for path in kept
    }
    open_to_others = []
    for path in kept:
        with suppress(FileNotFoundError):  # PostgreSQL has deleted it since
            if path.lstat().st_mode & 0o077 and not path.is_symlink():
                open_to_others.append(path)
    assert open_to_others == []
    assert data.stat().st_mode & 0o777 == 0o700
    url = urlsplit(up.redis_url)
    assert url.password
    with redis.Redis(port=url.port or 0) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    shown = [" ".join(process.cmdline()) for process in [psutil.Process(up.process.pid), *up.all_processes()]]
    assert shown
    logs = [path.read_text() for path in (data / "logs").iterdir()]
    said = [up.turnout("status"), up.turnout("status", "--json"), up.turnout("config"), up.said()]
    assert [text for text in (*shown, *logs, *said) if url.password in text] == []


@pytest.mark.skipif("CI" not in os.environ and os.geteuid() != 0, reason="only root may become another user")
def test_another_user_gets_nowhere(up: Up) -> None:
    look = (
        "import os, sys, socket; os.setgid(65534); os.setuid(65534)\n"
        "for path in sys.argv[1:]:\n"
        "    try: os.listdir(path) if path.endswith('/') else open(path)\n"
        "    except PermissionError: continue\n"
        "    print(path)"
    )
    data = up.home / "data"
    paths = [f"{data}/", f"{data}/postgres/", f"{data}/logs/housekeeping.log", f"{data}/up.json", f"{data}/valkey/"]
    done = subprocess.run([sys.executable, "-c", look, *paths], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_what_was_open_before_is_made_private(tmp_path: Path) -> None:
    old = tmp_path / "data"
    (old / "valkey" / "appendonlydir").mkdir(parents=True)
    (old / "valkey" / "appendonlydir" / "file.aof").write_text("x")
    (old / "postgres").mkdir(mode=0o755)
    (old / "elsewhere").symlink_to(tmp_path / "other")
    (tmp_path / "other").write_text("x")
    for path in (old, old / "valkey", old / "valkey" / "appendonlydir", tmp_path / "other"):
        path.chmod(0o755)
    kept_here.make(old)
    kept_here.tighten(old, but=old / "postgres")
    modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777 for path in [old, *old.rglob("*")]}
    assert modes == {
        "data": 0o700,
        "data/valkey": 0o700,
        "data/valkey/appendonlydir": 0o700,
        "data/valkey/appendonlydir/file.aof": 0o600,
        "data/postgres": 0o755,
        "data/elsewhere": 0o755,
    }
    (old / "link").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic link"):
        kept_here.write(old / "link", "y")


def test_a_path_too_long_for_a_socket_has_its_socket_in_a_private_place() -> None:
    home = Path(tempfile.mkdtemp(prefix="turnout-"))
    home.chmod(0o755)
    deep = home.joinpath(*["a-folder-with-a-long-name"] * 5)
    deep.mkdir(parents=True)
    server = Postgres(deep)
    try:
        engine = create_engine(server.start())
        assert ask(engine, "SELECT current_setting('unix_socket_directories') AS it")
        ((folder,),) = ask(engine, "SELECT current_setting('unix_socket_directories')")
        assert not folder.startswith(str(home))
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        assert deep.stat().st_mode & 0o777 == 0o700
        engine.dispose()
    finally:
        server.stop()
        shutil.rmtree(home)


def link_of(up: Up) -> str:
    found = re.search(rf"^console: {up.web}(/sign-in/[\w-]+) \(good once, 5 min\)$", up.said(), re.MULTILINE)
    assert found, up.said()
    return found[1]


def test_two_that_root_starts_at_once_make_the_servers_user_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = threading.Barrier(2)

    def never_two(*_: object, **__: object) -> None:
        with suppress(threading.BrokenBarrierError):
            inside.wait(0.5)
            raise AssertionError("two at once")
        raise OSError("no server")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(worker.local.services, "_embedded", lambda *_: SimpleNamespace(get_server=never_two))
    with ThreadPoolExecutor(2) as threads:
        starts = [threads.submit(Postgres(tmp_path / name).start) for name in ("one", "other")]
    assert [str(start.exception()) for start in starts] == ["no server"] * 2


def test_its_link_signs_in_and_stands_nowhere_but_on_the_terminal(up: Up) -> None:
    link = link_of(up)
    secret = link.rpartition("/")[2]
    for process in [psutil.Process(up.process.pid), *up.all_processes()]:
        assert secret not in " ".join([*process.cmdline(), *process.environ().values()])
    visitor = Visitor(up.web)
    answer = visitor.submit(visitor.page(link), link)
    user = up.facts("actions", "--what", "make sign-in link")[0]["who"]
    assert f"up-{user} operator" in words(answer.text)
    assert visitor.get(link).status_code == 410
    assert [key["name"] for key in up.facts("keys") if key["role"] == "operator"] == [f"up-{user}"]
    kept = (path for path in (up.home / "data").rglob("*") if path.name != "secret.key")
    holds_it = {path: secret.encode() in content for path, content in contents(kept)}
    assert any(path.name == "web.log" for path in holds_it)
    assert [path for path, holds in holds_it.items() if holds] == []


def test_a_free_port_is_listened_on_by_no_program_and_given_to_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    linux = Path("/proc/sys/net/ipv4/ip_local_port_range")
    given = int(linux.read_text().split()[0]) if linux.exists() else 49_152  # macOS
    free = max(free_port() for _ in range(100))
    assert free < given
    with listen("127.0.0.1", 0) as taken:
        tried = [taken.getsockname()[1]]
        monkeypatch.setattr(random.SystemRandom, "sample", lambda *_: tried)
        with pytest.raises(OSError, match="in use"):
            free_port()
        tried.append(free)
        assert free_port() == free


def test_where_its_lines_go_to_a_file_it_prints_no_link(
    engine: Engine, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(ledger.all(Key))
    lines = cli.up._ready(engine, "http://127.0.0.1:8800")  # noqa: SLF001 - what is printed
    assert "console: http://127.0.0.1:8800/, key: turnout keys create NAME --role operator" in lines
    assert len(ledger.all(Key)) == before
    assert ledger.all(Session) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("role", [None, Role.OPERATOR, Role.VIEWER])
def test_its_link_is_of_a_key_of_its_own(engine: Engine, monkeypatch: pytest.MonkeyPatch, role: Role | None) -> None:
    monkeypatch.setattr(cli.up, "is_terminal", lambda: True)
    name = f"up-{audit_log.at_the_terminal().who}"
    if role is not None:
        keys.create(engine, name, role)
    console = cli.up._ready(engine, "http://127.0.0.1:8800")[2]  # noqa: SLF001 - what is printed
    assert ("/sign-in/" in console) is (role is not Role.VIEWER)
    assert [(key.name, key.role) for key in keys.listed(engine)] == [(name, role or Role.OPERATOR)]


def test_a_record_is_followed_from_the_stream_to_hubspot(up: Up) -> None:
    submission = "7f8c1f0e-7a52-4f5e-9d8a-0f3f6a6f2b11"
    up.add(
        {
            "subscriber_state": "register",
            "external_event_id": "ev 1/x",
            "external_account_id": "acme",
            "submission_id": submission,
            "inputs": [
                {"email": "Ada@Example.com", "interactionDateTime": WHEN, "contactProperties": {"firstname": "Ada"}},
                {"email": "bob@example.com", "interactionDateTime": WHEN // 1000},
            ],
        }
    )
    up.until_arrived("ada@example.com")
    until(lambda: settled(up), 30, lambda: up.turnout("status"))
    held = requests.get(f"{up.sandbox}/_sandbox/participations", timeout=5).json()
    assert [(row["event"], row["contact"], row["state"], row["occurredAt"]) for row in held] == [
        ("acme/ev 1/x", "ada@example.com", "register", WHEN)
    ]
    found = up.facts("submission", submission)
    assert (found["accepted"], found["refused"], found["outcomes"]) == (1, 1, {"delivered": 1})
    assert found["refusals"][0]["reasons"][0]["right"] == f"milliseconds: {WHEN}"
    (batch,) = up.facts("batches", "--event", "acme/ev 1/x")
    assert (batch["status"], batch["size"], batch["origin"]) == ("COMPLETE", 1, "live")
    shown = up.facts("batch", str(batch["id"]))
    assert [(a["http_status"], a["sent"], a["delivered"]) for a in shown["timeline"]] == [(200, 1, 1)]
    assert [(r["contact"], r["outcome"]) for r in shown["records"]] == [("ada@example.com", "delivered")]
    assert "ada@example.com" in up.turnout("batch", str(batch["id"]))
    assert books(up)["balanced"]
    assert "the books balance" in up.turnout("audit")


def test_an_app_hands_in_by_http_with_a_key_and_waits_for_hubspots_answer(up: Up) -> None:
    made = up.facts("keys", "create", "shop", "--role", "producer")
    assert made["name"] == "shop"
    answer = requests.post(
        f"{up.web}/marketing/v3/marketing-events/4711/attendance/register/email-create",
        headers={"Authorization": f"Bearer {made['key']}", "Prefer": "wait=30"},
        json={"inputs": [{"email": "grace@example.com", "interactionDateTime": WHEN}]},
        timeout=60,
    )
    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETE")
    assert [one["email"] for one in answer.json()["results"]] == ["grace@example.com"]
    assert made["key"] not in "".join(path.read_text() for path in (up.home / "data" / "logs").iterdir())


def test_a_refusal_by_hubspot_is_explained_and_can_be_retried(up: Up) -> None:
    requests.post(
        f"{up.sandbox}/_sandbox/faults", json={"match": "carol@example.com", "status": 400, "count": 1}, timeout=5
    ).raise_for_status()
    inputs = [{"email": "carol@example.com", "interactionDateTime": WHEN}]
    up.add({"subscriber_state": "register", "object_id": "42", "inputs": inputs})
    until(lambda: bool(up.facts("errors")), 30, lambda: up.turnout("status"))
    (error,) = up.facts("errors")
    assert (error["outcome"], error["contact"]) == ("rejected", "carol@example.com")
    assert "carol@example.com" in up.turnout("errors")
    assert up.facts("retry")["retried"] == 0  # what HubSpot rejected is not retried unless asked for
    assert up.facts("retry", "--outcome", "rejected", "--event", "42")["retried"] == 1
    up.until_arrived("carol@example.com")
    until(lambda: books(up)["rejected"] == 0 and settled(up), 30, lambda: up.turnout("status"))
    assert up.facts("errors") == []
    assert books(up)["balanced"]


def test_status_says_what_waits_and_whether_everything_runs(up: Up) -> None:
    status = up.facts("status")
    assert (status["workers"], status["beat"], status["redis"], status["stream_waiting"]) == (2, True, "persistent", 0)
    assert "2 alive; beat: ticks" in up.turnout("status")


def test_a_second_one_on_the_same_data_is_refused_with_what_to_do(up: Up) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "up"], cwd=up.home, env=up.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "another `turnout up` runs" in done.stderr


def test_a_port_that_is_taken_is_said_with_what_to_do(up: Up, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "up", "--port", up.web.rpartition(":")[2]],
        cwd=tmp_path,
        env=up.env | {"TURNOUT_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is taken by another program: choose one with --port" in done.stderr


WHO = "zora.quillfeather@example.com"
"""Invented; of the corpus of spellings."""


def kept_of_her(up: Up, engine: Engine) -> list[str]:
    """Look for her, in every spelling, in all that Turnout keeps but PostgreSQL's own pages: rows, Redis, files."""
    places = found(engine, "quillfeather", *SPELLINGS)
    with redis.Redis.from_url(up.redis_url) as client:
        read: dict[bytes, Callable[[bytes], object]] = {
            b"string": client.get, b"hash": client.hgetall, b"set": client.smembers, b"stream": client.xrange,
            b"list": lambda key: client.lrange(key, 0, -1), b"zset": lambda key: client.zrange(key, 0, -1),
            b"none": lambda _: "",  # it ended since
        }  # fmt: skip
        for key in client.scan_iter():
            if "quillfeather" in f"{key!r} {read[client.type(key)](key)!r}".lower():
                places.append(f"redis: {key!r}")
    data = up.home / "data"
    files = [path for path in data.rglob("*") if "postgres" not in path.parts or path == data / "postgres" / "log"]
    spelt = [b"quillfeather", *(one.encode().lower() for one in SPELLINGS)]
    for path, content in contents(files):
        if any(one in content.lower() for one in spelt):
            places.append(str(path.relative_to(data)))
    return places


def test_an_erased_person_is_found_in_nothing_that_is_kept(up: Up) -> None:
    url = dict(line.split("=", 1) for line in up.turnout("env").splitlines())["TURNOUT_DATABASE_URL"]
    engine = create_engine(url)
    every = " and ".join(SPELLINGS)
    for number, said in enumerate([*(f"Contact {spelt} is bad" for spelt in SPELLINGS[:5]), every]):
        up.fault(
            match=f"odd{number}@example.com", status=400, body={"status": "error", "category": "X", "message": said}
        )
        up.add(of(f"odd{number}@example.com", event=str(number)))
    up.fault(
        match=WHO,
        status=400,
        body={"status": "error", "category": "X", "message": f"{WHO} is bad", "context": {"who": SPELLINGS}},
    )
    up.add(of(WHO.upper(), event="her"))
    up.add(of("friend@example.com", event="friend", contactProperties={"referred_by": WHO, "note": every}))
    up.add({"subscriber_state": "nonsense", "object_id": "1", "inputs": [{"email": one} for one in SPELLINGS]})
    until(lambda: len(up.facts("errors")) >= 7 and settled(up), 60, lambda: up.turnout("status"))
    tables = {place.split(".")[0] for place in kept_of_her(up, engine)}
    assert {"records", "errors", "attempts", "refused"} <= tables
    assert any("appendonly" in place for place in kept_of_her(up, engine))
    said = up.facts("erase", WHO, "--yes")
    assert (said["complete"], said["left"]) == (True, [])
    until(
        lambda: not any("valkey" in place for place in kept_of_her(up, engine)),
        10,
        lambda: str(kept_of_her(up, engine)),
    )
    assert kept_of_her(up, engine) == []
    assert books(up)["balanced"]
    engine.dispose()


def of(contact: str, *, event: str, **more: object) -> dict[str, object]:
    inputs = [{"email": contact, "interactionDateTime": WHEN, **more}]
    return {"subscriber_state": "register", "object_id": event, "inputs": inputs}


@pytest.mark.parametrize("part", [("-Q", "attendance.deliver"), ("beat",), ("valkey-server",), ("serve",)])
def test_a_part_that_dies_is_started_again(up: Up, part: tuple[str, ...]) -> None:
    victim = up.part(*part)
    victim.kill()
    until(
        lambda: any(
            child.pid != victim.pid and all(word in " ".join(child.cmdline()) for word in part)
            for child in psutil.Process(up.process.pid).children()
        ),
        20,
        up.said,
    )
    assert "is started again" in up.said()
    still_delivers(up, f"after-{part[-1]}@example.com")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_postgresql_that_dies_is_started_again(up: Up, how: signal.Signals) -> None:
    pid_file = up.home / "data" / "postgres" / "postmaster.pid"
    old = pid_file.read_text().split()[0]
    os.kill(int(old), how)
    until(lambda: pid_file.exists() and pid_file.read_text().split()[:1] not in ([], [old]), 30, up.said)
    still_delivers(up, f"after-{how.name.lower()}@example.com")
    assert up.process.poll() is None
    assert "PostgreSQL ended and is started again" in up.said() or "does not start yet" in up.said()


def still_delivers(up: Up, contact: str) -> None:
    up.add(
        {"subscriber_state": "register", "object_id": "1", "inputs": [{"email": contact, "interactionDateTime": WHEN}]}
    )
    up.until_arrived(contact)


def test_commands_without_anything_running_say_what_to_do(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
    done = subprocess.run(
        [sys.executable, "-m", "cli", "status"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "TURNOUT_DATABASE_URL is not set, and no `turnout up` runs" in done.stderr
    assert "Traceback" not in done.stderr
