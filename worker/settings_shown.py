"""The settings as they are shown: each with its value, where that comes from, and what is wrong with it."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from worker.setting_sources import OF_FILES, DotenvError, SettingsError, read_dotenv, running
from worker.setting_values import masked
from worker.settings import Settings, SettingsOfRunning, read_settings

SECRETS: Final = frozenset(name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)
OF_COMPOSE: Final = ("POSTGRES_PASSWORD", "VALKEY_PASSWORD")
"""What docker-compose.yml asks for beside settings."""
URLS: Final = frozenset({"database_url", "broker_url", "redis_url", "hubspot_proxy", "oidc_proxy"})
"""Settings whose values may hold a password."""


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting: its value with secrets masked, and which source it comes from."""

    name: str
    value: str
    source: str
    about: str


@dataclass(frozen=True, slots=True)
class ShownSettings:
    """All settings, and why they are refused; nothing where they are right."""

    settings: list[ShownSetting]
    refused: str | None


def shown_settings() -> ShownSettings:
    """Show the settings as a process started here would read them, also where they are wrong."""
    refused, read = None, None
    try:
        read = read_settings(SettingsOfRunning)
    except SettingsError as error:
        refused = str(error)
    sources = _sources()
    return ShownSettings([_shown(name, sources, read) for name in Settings.model_fields], refused)


def _sources() -> list[tuple[str, Mapping[str, Any]]]:
    """Give the sources of settings in their order, each with what it has by variable."""
    files = {
        f"TURNOUT_{name.upper()}": "from a file" for name in OF_FILES if os.environ.get(f"TURNOUT_{name.upper()}_FILE")
    }
    written: dict[str, str | None] = {}
    with suppress(DotenvError):  # which refuses the settings, and is shown there
        written = read_dotenv()
    stack = running(Settings.model_fields["data_dir"].default if "TURNOUT_DATA_DIR" not in os.environ else _data_dir())
    return [
        ("environment", {name: value for name, value in os.environ.items() if value}),
        ("file", files),
        (".env", {name: value for name, value in written.items() if value}),
        ("turnout up", {f"TURNOUT_{name.upper()}": value for name, value in stack.items()}),
    ]


def _data_dir() -> Any:  # noqa: ANN401 - the type of the setting
    from pathlib import Path

    return Path(os.environ["TURNOUT_DATA_DIR"])


def _shown(name: str, sources: list[tuple[str, Mapping[str, Any]]], read: Settings | None) -> ShownSetting:
    variable, field = f"TURNOUT_{name.upper()}", Settings.model_fields[name]
    source, written = next(((source, has[variable]) for source, has in sources if variable in has), ("default", None))
    value = getattr(read, name) if read is not None else written
    if value is None:
        value = "" if field.default is PydanticUndefined else field.default
    return ShownSetting(variable, _written(name, value), source, field.description or "")


def _written(name: str, value: object) -> str:
    if name in SECRETS:
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        return "(set)" if text else "(not set)"
    text = str(value)
    return masked(text) if name in URLS and text else text or "(not set)"


def env_file(*, production: bool = False) -> str:
    """Write a `.env` in which every setting stands as a comment, with its meaning and its default.

    For production it has a secret key, and the passwords that docker-compose.yml asks for, made at random.
    """
    lines = ["# Settings of Turnout: take the # off a line to set it. The environment comes before this file.", ""]
    if production:
        lines += ["# Passwords of docker-compose.yml's PostgreSQL and Valkey; without Compose nothing reads them."]
        lines += [*(f"{name}={secrets.token_hex(24)}" for name in OF_COMPOSE), ""]
    for name, field in Settings.model_fields.items():
        default = field.default
        text = default.get_secret_value() if isinstance(default, SecretStr) else str(default)
        if production and name == "secret_key":
            lines += ["# Keep it for ever, and with your backups: without it what is encrypted is lost."]
            lines += [f"# {field.description}", f"TURNOUT_SECRET_KEY={secrets.token_urlsafe(48)}", ""]
        else:
            lines += [f"# {field.description}", f"#TURNOUT_{name.upper()}={text}", ""]
    return "\n".join(lines)
