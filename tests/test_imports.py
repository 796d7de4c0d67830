"""What a process does not need it does not import: nearly all of the time that its start takes is imports.

Each is started as operators start it, and Python says what was imported; so an import within a function counts too.
"""

import re
import signal
import subprocess
import sys
from pathlib import Path

from tasks.intake import intake
from tests.support.worker_processes import COMMANDS, PATIENCE, environment, until
from worker.context import Context
from worker.settings import Settings

ROOT = Path(__file__).parents[1]
TURNOUT = ["-m", "cli"]
SERVES = {"fastapi", "starlette", "uvicorn", "jinja2", "web", "h11"}
WEB_PAGES = {"lxml", "worker.files.formats.html_table"}
READS_FILES = {*WEB_PAGES, "python_calamine", "worker.files.reader", "worker.files.rows", "xlsxwriter"}
MIGRATES = {"alembic", "mako", "migrations.env"}
CALLS_HUBSPOT = {"requests", "charset_normalizer", "hubspot_api.transport"}
RARE = {"email_validator", "joserfc", "opentelemetry.sdk.trace", "sentry_sdk"}
CELERY = {"celery", "tasks"}
LOOKS_INTO_DATABASE = {"sqlalchemy", "psycopg", "redis", "kombu", "cryptography", "pydantic_settings"}
VERBS = {"tasks.deliver", "tasks.intake", "worker.delivery", "worker.intake", "worker.operations"}


def imported(said: str) -> set[str]:
    """Give the modules that `python -v` names."""
    found = set(re.findall(r"^import '([\w.]+)' #", said, re.MULTILINE))
    assert len(found) > 30, said
    return found


def unneeded(names: set[str], found: set[str]) -> set[str]:
    """Give those of some modules, or of what is in them, that were imported."""
    return {one for one in found if any(one == name or one.startswith(f"{name}.") for name in names)}


def run(*words: str, settings: Settings | None = None) -> set[str]:
    """Give what a command imports."""
    done = subprocess.run(
        [sys.executable, "-v", *words],
        cwd=ROOT,
        env=environment(settings) if settings else None,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2_000:]
    return imported(done.stderr)


ALL_HELP = """
import sys
from typer.testing import CliRunner
from cli.app import ENTRIES, app
for name in ENTRIES:
    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0, done.output
for name in [*sys.modules]:  # the runner catches what `-v` says
    print(f"import '{name}' #", file=sys.stderr)
"""


def test_the_help_of_commands_needs_neither_database_nor_settings() -> None:
    found = run("-c", ALL_HELP)
    assert {"cli.enqueue", "cli.status", "cli.refused", "cli.serve"} <= found
    of_processes = {*SERVES, *READS_FILES, *MIGRATES, *CALLS_HUBSPOT, *RARE, *CELERY}
    assert not unneeded(of_processes | LOOKS_INTO_DATABASE, found)


def test_status(context: Context) -> None:
    found = run(*TURNOUT, "status", settings=context.settings)
    assert {"sqlalchemy", "redis", "kombu"} <= found
    assert not unneeded({*SERVES, *READS_FILES, *MIGRATES, *CALLS_HUBSPOT, *RARE, *CELERY}, found)


def test_a_csv_file_submitted(context: Context, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email,interactionDateTime\nada@example.com,2026-03-01T10:00:00Z\n")
    said = tmp_path / "said"
    words = ["enqueue", str(file), "--object-id", "4711", "--state", "register", "--quiet"]
    with said.open("wb") as log:
        command = subprocess.Popen(
            [sys.executable, "-v", *TURNOUT, *words],
            cwd=ROOT,
            env=environment(context.settings),
            stdout=subprocess.DEVNULL,
            stderr=log,
        )

    def has_ended() -> bool:
        intake(context)
        return command.poll() is not None

    until(has_ended, 60, said.read_text)
    assert command.returncode == 0, said.read_text()[-2_000:]
    found = imported(said.read_text())
    assert "worker.files.reader" in found
    others = {*SERVES, *MIGRATES, *CALLS_HUBSPOT, *RARE, *CELERY, *WEB_PAGES, "xlsxwriter", "python_calamine", "kombu"}
    assert not unneeded(others, found)


def started(words: list[str], until_said: str, settings: Settings, home: Path) -> set[str]:
    """Give what a process imports until it says that it has started, and while it stops."""
    log = home / "process.log"
    with log.open("wb") as out:
        env = environment(settings) | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([sys.executable, "-v", *words], cwd=home, env=env, stdout=out, stderr=out)
    try:
        until(lambda: until_said in log.read_text() or process.poll() is not None, 60, log.read_text)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    assert until_said in log.read_text(), log.read_text()[-2_000:]
    return imported(log.read_text())


def test_a_worker_that_delivers(context: Context, tmp_path: Path) -> None:
    found = started(COMMANDS["delivery"][1:], "worker ready", context.settings, tmp_path)
    assert {"tasks.deliver", "requests", "celery"} <= found
    assert not unneeded({*SERVES, *READS_FILES, *MIGRATES, *RARE, "typer", "cli"}, found)


def test_beat(context: Context, tmp_path: Path) -> None:
    found = started(COMMANDS["beat"][1:], "tasks.begin_beat", context.settings, tmp_path)
    assert {"tasks.begin_beat", "celery"} <= found
    assert not unneeded({*SERVES, *READS_FILES, *MIGRATES, *CALLS_HUBSPOT, *RARE, *VERBS, "typer", "cli"}, found)


def test_the_web_process(context: Context, tmp_path: Path) -> None:
    words = [*TURNOUT, "serve", "--port", "0"]
    found = started(words, "serving", context.settings, tmp_path)
    assert {"web.app", "fastapi"} <= found
    assert not unneeded({*READS_FILES - {"worker.files.rows"}, *MIGRATES, *RARE - {"email_validator"}}, found)
