"""`turnout config` shows every setting and its source; `turnout doctor` looks at everything and says what to do."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from cli.app import app as command
from tests.support.fixtures import Turnout
from tests.support.sandbox_server import running_sandbox
from worker import doctor
from worker.celery import app
from worker.context import Context
from worker.doctor import examine
from worker.finding import Finding, Level
from worker.settings import Settings
from worker.settings_shown import shown_settings

SECRET = "s3cretword"


def run(*words: str, status: int = 0) -> str:
    result = CliRunner().invoke(command, words, env={"COLUMNS": "300"})
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(*, status: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(command, ["config", "--json"])
    assert result.exit_code == status, result.output
    assert SECRET not in result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_each_setting_is_shown_with_its_value_and_its_source(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_DATABASE_URL", f"postgres://app:{SECRET}@db.example.com/t")
    monkeypatch.setenv("TURNOUT_HUBSPOT_TOKEN_FILE", str(here / "token"))
    (here / "token").write_text(f"{SECRET}\n")
    (here / ".env").write_text("TURNOUT_BATCH_SIZE=50\n")
    found = {one["name"]: (one["value"], one["source"]) for one in shown()["settings"]}
    assert found.keys() == {f"TURNOUT_{name.upper()}" for name in Settings.model_fields}
    assert found["TURNOUT_DATABASE_URL"] == ("«postgresql://***@db.example.com/t»", "environment")
    assert found["TURNOUT_HUBSPOT_TOKEN"] == ("(set)", "file")
    assert found["TURNOUT_BATCH_SIZE"] == ("50", ".env")
    assert found["TURNOUT_LINGER"] == ("2.0", "default")
    assert found["TURNOUT_SECRET_KEY"] == ("(not set)", "default")


def test_wrong_settings_are_shown_too_and_what_is_wrong(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here.is_dir()
    monkeypatch.setenv("TURNOUT_BATCH_SIZE", "many")
    monkeypatch.setenv("TURNOUT_DATABASE_URL", f"mysql://app:{SECRET}@db.example.com/t")
    found = shown(status=1)
    assert found["refused"].startswith("TURNOUT_DATABASE_URL «mysql://***@db.example.com/t» begins with mysql://")
    assert "TURNOUT_BATCH_SIZE «many» is not valid" in found["refused"]
    assert {one["name"]: one["value"] for one in found["settings"]}["TURNOUT_BATCH_SIZE"] == "many"


def test_a_file_of_settings_is_written_once_and_changes_nothing_until_it_is_edited(here: Path) -> None:
    before = shown()
    assert ".env is written" in run("config", "init")
    text = (here / ".env").read_text()
    assert all(f"#TURNOUT_{name.upper()}=" in text for name in Settings.model_fields)
    assert shown() == before
    assert "is there already" in run("config", "init", status=1)
    assert run("config", "init", "-") == text


def test_a_file_for_production_has_secrets_of_its_own_and_is_private(here: Path) -> None:
    run("config", "init", "--production")
    written = [line for line in (here / ".env").read_text().splitlines() if line and not line.startswith("#")]
    assert [line.partition("=")[0] for line in written] == [
        "POSTGRES_PASSWORD",
        "VALKEY_PASSWORD",
        "TURNOUT_SECRET_KEY",
    ]
    assert all(re.fullmatch(r"\w+=[\w-]{40,}", line) for line in written)
    assert (here / ".env").stat().st_mode & 0o077 == 0
    again = run("config", "init", "--production", "-").splitlines()
    assert not set(written) & set(again)


def found_by(context: Context) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for one in examine(context):
        found.setdefault(one.about, []).append(one)
    return found


@pytest.mark.parametrize(
    ("faults", "level", "told"),
    [
        ([], Level.OK, "is taken"),
        ([{"status": 401}], Level.ATTENTION, "refused"),
        ([{"status": 403}], Level.ATTENTION, "lacks a scope"),
        ([{"status": 429}], Level.WARNING, "rate limit"),
        ([{"status": 503}], Level.WARNING, "HubSpot fails"),
    ],
)
def test_the_token_is_looked_at_by_one_call(
    context: Context, faults: list[dict[str, object]], level: Level, told: str
) -> None:
    with running_sandbox() as sandbox:
        for one in faults:
            sandbox.fault(reads=True, **one)
        context.settings.__dict__["hubspot_url"] = sandbox.url
        (token,) = found_by(context)["token"]
    assert token.level is level
    assert told in token.text
    assert bool(token.todo) is (level is not Level.OK)


@pytest.fixture
def broker_of_the_tests() -> Iterator[None]:
    """The app is one for all tests of this process, and `doctor` points it at the broker that it looks at."""
    url = app.conf.broker_url
    yield
    app.conf.update(broker_url=url)


@pytest.mark.usefixtures("broker_of_the_tests")
def test_what_is_out_of_reach_is_said_each_with_its_reason(settings: Settings) -> None:
    away = settings.model_copy(
        update={"database_url": "postgresql://127.0.0.1:9/t", "broker_url": "redis://127.0.0.1:9/0", "redis_url": ""}
    )
    found = found_by(Context(away))
    for about in ("PostgreSQL", "Redis", "broker"):
        assert found[about][0].level is Level.OUT_OF_REACH, about
        assert "refused" in found[about][0].text, about
        assert found[about][0].todo


def test_clocks_that_are_apart_are_a_warning(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SKEW", -1.0)
    assert found_by(context)["clock"][0].level is Level.WARNING


def test_the_command_says_how_each_was_found_and_fails_where_something_is_wrong(turnout: Turnout) -> None:
    output = turnout("doctor", status=1).output  # no worker runs, and no HubSpot
    assert "ok            PostgreSQL" in output
    assert "attention     workers: no worker is alive" in output
    assert "did not answer" in output


def test_no_secret_is_shown_where_another_setting_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    assert {"hubspot_token", "sentry_dsn", "secret_key"} <= secret
    for name in secret:
        monkeypatch.setenv(f"TURNOUT_{name.upper()}", "https://quillfeather@sentry.example.com/1")
    monkeypatch.setenv("TURNOUT_BATCH_SIZE", "many")
    assert "quillfeather" not in str(shown_settings())
