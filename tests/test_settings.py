"""Where a setting comes from: the environment, `.env`, a `turnout up` that runs, the default; in this order."""

import json
import os
from pathlib import Path

import pytest

from worker.setting_sources import RUNNING, SettingsError, running
from worker.settings import load_settings, log_format, read_settings, usable_settings
from worker.settings_shown import shown_settings


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


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"TURNOUT_HUBSPOT_TOKEN=caf\xe9\n", "it is not UTF-8"),
        ("TURNOUT_HUBSPOT_TOKEN=café\n".encode("utf-16"), "it is not UTF-8"),
        (b'TURNOUT_LINGER=1\nTURNOUT_DATABASE_URL="postgresql://x\n', "from line 2"),
        (b"TURNOUT_LINGER=1\nTURNOUT_SECRET_KEY='s3cret\" \n", "from line 2"),
        (b"TURNOUT_LINGER=1\n= 5\n", "from line 2"),
        (b"TURNOUT_SECRET_KEY=s3cret\0\n", "a NUL character"),
    ],
)
def test_a_dotenv_that_cannot_be_read_whole_is_refused_in_one_sentence(
    here: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, written: bytes, why: str
) -> None:
    says(here / ".turnout", os.getpid())
    (here / ".env").write_bytes(written)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    said = str(refused.value)
    assert said.startswith(f"{here / '.env'} cannot be read")
    assert why in said
    assert "expected UTF-8 text with a line NAME=value" in said
    assert "s3cret" not in said
    assert "\n" not in said
    monkeypatch.setenv("TURNOUT_LOG_FORMAT", "json")
    assert log_format() == "json"
    settings, error = usable_settings()
    assert settings.database_url == "postgresql://up"
    assert str(error) == said
    assert shown_settings().refused == said
    assert caplog.text == "", "the library's own warnings repeat it"


def test_a_virtual_environment_named_like_the_dotenv_is_none(here: Path) -> None:
    says(here / ".turnout", os.getpid())
    (here / ".env").mkdir()
    assert load_settings().database_url == "postgresql://up"


@pytest.mark.parametrize("written", ["", "[]", "5", '"x"', '{"pid": "x"}', '{"pid": 99999999999999999999}', "\0"])
def test_what_a_running_up_left_half_written_is_none(here: Path, written: str) -> None:
    (here / ".turnout").mkdir()
    (here / ".turnout" / RUNNING).write_text(written)
    assert running(here / ".turnout") == {}
