"""Where a setting comes from: the environment, `.env`, a `turnout up` that runs, the default; in this order."""

import json
import os
from pathlib import Path

import pytest

from worker.settings import RUNNING, SettingsError, load_settings, read_settings


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty folder; no test of this file sees the project's own `.env`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def says(data_dir: Path, pid: int, **more: str) -> None:
    """Let a `turnout up` of this process id say what it started."""
    known = {"database_url": "postgresql://up", "broker_url": "redis://up", "redis_url": "redis://up"}
    data_dir.mkdir()
    (data_dir / RUNNING).write_text(json.dumps({"pid": pid, **known, "hubspot_url": "http://127.0.0.1:8900", **more}))


def test_what_is_unset_comes_from_a_running_up(here: Path) -> None:
    says(here / ".turnout", os.getpid())
    settings = load_settings()
    assert settings.database_url == "postgresql://up"
    assert (settings.broker_url, settings.stream_url) == ("redis://up", "redis://up")
    assert (settings.hubspot_url, settings.linger) == ("http://127.0.0.1:8900", 2)


def test_the_environment_comes_before_dotenv_and_dotenv_before_a_running_up(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(here / ".turnout", os.getpid())
    (here / ".env").write_text("TURNOUT_DATABASE_URL=postgresql://dotenv\nTURNOUT_HUBSPOT_URL=https://dotenv.example\n")
    monkeypatch.setenv("TURNOUT_HUBSPOT_URL", "https://api.hubapi.com")
    settings = load_settings()
    assert settings.hubspot_url == "https://api.hubapi.com", "the default's own value, but set"
    assert (settings.database_url, settings.broker_url) == ("postgresql://dotenv", "redis://up")


@pytest.mark.parametrize("given", ["", None])
def test_a_variable_that_is_empty_is_not_set(here: Path, monkeypatch: pytest.MonkeyPatch, given: str | None) -> None:
    says(here / ".turnout", os.getpid())
    if given is not None:
        monkeypatch.setenv("TURNOUT_DATABASE_URL", given)
    assert load_settings().database_url == "postgresql://up"


def test_the_directory_that_is_set_is_asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(here / ".turnout", os.getpid())
    says(here / "other", os.getpid(), database_url="postgresql://other")
    (here / ".env").write_text("TURNOUT_DATA_DIR=other\n")
    assert load_settings().database_url == "postgresql://other"
    monkeypatch.setenv("TURNOUT_DATA_DIR", str(here / ".turnout"))
    assert load_settings().database_url == "postgresql://up"


@pytest.mark.parametrize("written", [None, "", "{", '{"database_url": "postgresql://up"}', "dead"])
def test_an_up_that_does_not_run_says_nothing(here: Path, written: str | None) -> None:
    says(here / ".turnout", 2**22 + 1)
    if written is None:
        (here / ".turnout" / RUNNING).unlink()
    elif written != "dead":
        (here / ".turnout" / RUNNING).write_text(written)
    with pytest.raises(SettingsError, match=r"TURNOUT_DATABASE_URL is not set, and no `turnout up` runs on .turnout"):
        load_settings()


def test_up_itself_does_not_ask_another_one(here: Path) -> None:
    says(here / ".turnout", os.getpid())
    assert read_settings().database_url == ""
    assert not read_settings().model_fields_set
