"""What is said twice is equal: migrations and models, the import arrow and the imports, the README and the code."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from alembic import command
from sqlalchemy import Engine, text

from cli.app import app
from tasks.intake import intake
from worker.celery import DELIVERY_QUEUES, HOUSEKEEPING_QUEUES
from worker.context import Context
from worker.local.migrate import configuration, upgrade
from worker.queries.reconciliation import audit
from worker.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_migrations_equal_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        command.check(configuration(connection))


def test_the_migrations_can_be_undone_and_applied_again(engine: Engine) -> None:
    with engine.connect() as connection:
        command.downgrade(configuration(connection), "base")
        connection.commit()
        left = connection.execute(
            text("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')")
        )
        assert set(left.scalars()) == {"alembic_version"}
    upgrade(engine)
    upgrade(engine)


def test_imports_point_down_only() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_settings_table_in_the_readme_is_the_settings_class() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*?) \|$", README, flags=re.MULTILINE)
    said = {name: (default, what) for name, default, what in rows}
    real = {}
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if hasattr(field.default, "get_secret_value") else field.default
        shown = f"`{default:g}`" if isinstance(default, int | float) and default < 1e6 else f"`{default}`"
        shown = f"`{default}`" if isinstance(default, int) else shown
        real[name.upper()] = (shown if str(default) else "–", str(field.description))
    assert said == real


def test_every_command_the_readme_names_exists() -> None:
    commands = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    named = set(re.findall(r"turnout ([a-z]+)\b", "\n".join(re.findall(r"`[^`]*`|```.*?```", README, flags=re.DOTALL))))
    assert named <= commands | {"delivers"}


def test_every_option_that_the_readme_names_with_its_command_exists() -> None:
    snippets = re.findall(r"`(turnout [^`]*)`", README) + re.findall(
        r"^(?:\.venv/bin/)?(turnout .*?)(?:#|$)", README, re.MULTILINE
    )
    for snippet in snippets:
        command: Any = typer.main.get_command(app)
        options: set[str] = set()
        for word in snippet.split()[1:]:
            command = getattr(command, "commands", {}).get(word, command)
            options |= {
                option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
            }
        said = set(re.findall(r"(?<!\S)--[a-z-]+", snippet))
        assert said <= options | {"--help"}, snippet


def test_no_file_names_a_package_registry_or_this_machine() -> None:
    hosts = ["pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js", "deb.debian" + ".org", "/wo" + "rk/"]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        content = (ROOT / name).read_bytes()
        assert not [host for host in hosts if host.encode() in content], name


@pytest.mark.parametrize("number", range(README.count("```json")))
def test_each_message_in_the_readme_is_one_that_is_accepted(number: int) -> None:
    from models.input_check import Candidate
    from models.message import Message, read_message

    message = read_message(re.findall(r"```json\n(.*?)```", README, flags=re.DOTALL)[number].encode())
    assert isinstance(message, Message)
    assert all(isinstance(judged, Candidate) for judged in message.judged())


def snippets() -> tuple[str, str]:
    by_stream, by_task = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    return by_stream, by_task


def test_the_readmes_snippet_for_the_stream_hands_in_a_record(process: Context) -> None:
    exec(snippets()[0], {"TURNOUT_REDIS_URL": process.settings.stream_url})
    intake(process)
    assert audit(process.engine).accepted == 1


def test_the_readmes_snippet_for_celery_sends_a_task_that_is_accepted(process: Context, hand_in: Any) -> None:
    exec(snippets()[1], {"TURNOUT_BROKER_URL": process.settings.broker_url})
    sent = json.loads(process.redis.lpop("attendance.accept"))
    _, fields, _ = json.loads(base64.b64decode(sent["body"]))
    assert sent["headers"]["task"] == "attendance.accept"
    assert hand_in(fields)[0].accepted == 1


def test_the_queues_the_readme_tells_workers_to_read_are_all_of_them() -> None:
    assert re.findall(r"-Q (\S+)", README) == [DELIVERY_QUEUES, HOUSEKEEPING_QUEUES]
