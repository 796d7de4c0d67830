"""The producers of the examples, run as they stand: other programs that know a URL and nothing of ours."""

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from models.tables import Submission
from models.words import Door
from tasks.intake import intake
from tests.support import warm
from tests.support.api import Api, delivering
from tests.support.ledger import Ledger
from tests.support.services import Valkey
from worker.celery import app
from worker.context import Context
from worker.intake.receipts import Receipt, receipt
from worker.settings import Settings
from worker.task_names import ACCEPT, WORKER_OPTIONS

PRODUCERS = Path(__file__).parent.parent / "examples" / "producers"
OURS = {"cli", "hubspot_api", "migrations", "models", "sandbox", "tasks", "web", "worker"}
BASH = shutil.which("bash")


@pytest.fixture(autouse=True)
def _nobody_to_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs, and the wake-up would be sent by the app of this process, which has no settings."""
    monkeypatch.setattr(app, "send_task", lambda *_, **__: None)


@pytest.fixture
def context(sending: Context) -> Context:
    return sending


def produce(name: str, **told: str) -> str:
    """Run a producer, with nothing of this repository on its path; give what it prints."""
    command = [BASH or "bash"] if name.endswith(".sh") else [sys.executable, "-P", "-s", "-W", "error"]
    env = {"PATH": os.environ["PATH"], **told}
    done = subprocess.run(
        [*command, PRODUCERS / name], env=env, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def stored(engine: Engine) -> list[tuple[Any, ...]]:
    ledger = Ledger(engine)
    by = {row.id: row for row in ledger.all(Submission)}
    return [
        (event, batch.state, record.contact, made.door, made.producer, made.part)
        for record, batch, event in ledger.stored()
        for made in [by[record.submission_id]]
    ]


def test_a_redis_client_hands_in_by_the_stream(context: Context, valkey: Valkey) -> None:
    submission = UUID(produce("by_stream.py", TURNOUT_REDIS_URL=valkey.url))
    assert intake(context) == 1
    assert receipt(context.engine, submission) == Receipt(1, 2, 0, 0, {})
    event, producer = "acme-events/spring-summit-2026", "by_stream.py"
    assert stored(context.engine) == [
        (event, "register", "ada@example.com", Door.STREAM, producer, "1"),
        (event, "register", "grace@example.com", Door.STREAM, producer, "1"),
    ]
    assert context.stream.waiting() == 0


def test_a_producer_run_twice_stores_once_and_is_told_so(context: Context, valkey: Valkey) -> None:
    produce("by_stream.py", TURNOUT_REDIS_URL=valkey.url)
    again = UUID(produce("by_stream.py", TURNOUT_REDIS_URL=valkey.url))
    assert intake(context) == 2
    assert receipt(context.engine, again) == Receipt(1, 0, 2, 0, {"pending": 2})


@pytest.mark.skipif(
    "CI" not in os.environ and not (BASH and Path("/proc/sys/kernel/random/uuid").exists()),
    reason="needs bash on Linux",
)
def test_the_shell_alone_hands_in_by_the_stream(context: Context, valkey: Valkey) -> None:
    submission = UUID(produce("by_stream.sh", TURNOUT_REDIS_URL=valkey.url))
    assert intake(context) == 1
    assert receipt(context.engine, submission) == Receipt(1, 1, 0, 0, {})
    assert stored(context.engine) == [("4711", "cancel", "zoë.o'hara@example.com", Door.STREAM, "by_stream.sh", "1")]


def test_a_plain_celery_app_hands_in_by_the_task_door(settings: Settings, context: Context, tmp_path: Path) -> None:
    with running_worker(settings, tmp_path):
        submission = UUID(produce("by_task.py", TURNOUT_BROKER_URL=settings.broker_url))
        until = time.monotonic() + 15
        while not receipt(context.engine, submission).parts and time.monotonic() < until:
            time.sleep(0.05)
    assert receipt(context.engine, submission) == Receipt(1, 1, 0, 0, {}), (tmp_path / "worker.log").read_text()
    assert stored(context.engine) == [("4711", "attend", "101", Door.TASK, "by_task.py", "1")]


def test_hubspots_sdk_hands_in_by_http(api: Api) -> None:
    said = produce("by_hubspot_sdk.py", TURNOUT_URL=api.url, TURNOUT_KEY=api.key)
    status, submission = said.split()
    assert status == "PENDING"
    assert receipt(api.context.engine, UUID(submission.rpartition("/")[2])) == Receipt(1, 1, 0, 0, {})
    event = "acme-events/spring-summit-2026"
    assert stored(api.context.engine) == [(event, "register", "ada@example.com", Door.HTTP, "shop", "request")]


@pytest.mark.skipif("CI" not in os.environ and not (BASH and shutil.which("curl")), reason="needs bash and curl")
def test_curl_hands_in_by_http_waits_for_hubspots_answer_and_may_ask_again(api: Api) -> None:
    with delivering(api.context):
        said = json.loads(produce("by_http.sh", TURNOUT_URL=api.url, TURNOUT_KEY=api.key))
        again = json.loads(produce("by_http.sh", TURNOUT_URL=api.url, TURNOUT_KEY=api.key))
    assert said["status"] == "COMPLETE"
    assert [one["email"] for one in said["results"]] == ["zoë.o'hara@example.com"]
    assert again == said
    event = "acme-events/spring-summit-2026"
    assert stored(api.context.engine) == [(event, "cancel", "zoë.o'hara@example.com", Door.HTTP, "shop", "request")]


def test_the_producers_import_nothing_of_ours() -> None:
    programs = list(PRODUCERS.glob("*.py"))
    assert len(programs) >= 4
    for path in programs:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert OURS.isdisjoint(name.split(".")[0] for name in names), path.name


@contextmanager
def running_worker(settings: Settings, home: Path) -> Iterator[None]:
    """Run a real worker of the task that accepts until the block ends."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
    env |= {
        "TURNOUT_DATABASE_URL": settings.database_url,
        "TURNOUT_BROKER_URL": settings.broker_url,
        "TURNOUT_SECRET_KEY": settings.secret_key.get_secret_value(),
        "TURNOUT_DATA_DIR": str(settings.data_dir),
    }
    command = [sys.executable, "-m", "celery", "-A", "worker", "worker", *WORKER_OPTIONS, "-Q", ACCEPT]
    worker = warm.start(command, home, env, home / "worker.log")
    try:
        yield
    finally:
        worker.terminate()
        try:
            worker.wait(10)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
