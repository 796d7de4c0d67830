"""Where settings come from beside the environment: `.env`, files of secrets, and a `turnout up` that runs."""

import json
import os
from collections.abc import Collection
from io import StringIO
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from worker.log import LoggableError

RUNNING: Final = "up.json"
"""Where a running `turnout up` writes, in the data directory, how to reach what it started."""
OF_FILES: Final = (
    *("database_url", "broker_url", "redis_url", "hubspot_token", "secret_key", "oidc_client_secret"),
    "sentry_dsn",
)
"""Settings that hold a secret: `TURNOUT_…_FILE` names a file that has it."""


class SettingsError(LoggableError):
    """The settings are not usable; the message says which, and what would be right."""

    def __init__(self, message: str, wrong: Collection[str] = ()) -> None:
        """Give the message, and the names of the settings that are wrong."""
        super().__init__(message)
        self.wrong = frozenset(wrong)


class DotenvError(SettingsError):
    """The file `.env` cannot be read, or not all of it."""


def read_dotenv() -> dict[str, str | None]:
    """Give what `.env` in the working directory sets; nothing where there is none.

    Raises:
        DotenvError: where a line would be lost, which the library only warns of. No line is shown: it may be a secret.

    """
    file = Path(".env")
    expected = "expected UTF-8 text with a line NAME=value for each setting"
    try:
        text = file.read_text("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):  # some call their virtual environment so
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = (isinstance(error, OSError) and error.strerror) or "it is not UTF-8"
        raise DotenvError(f"{file.absolute()} cannot be read ({why}); {expected}") from None
    lost = next((line.original.line for line in parse_stream(StringIO(text)) if line.error), None)
    if lost is not None or "\0" in text:
        where = f"from line {lost}" if lost is not None else "because of a NUL character in it"
        raise DotenvError(f"{file.absolute()} cannot be read {where}; {expected}, and each quote closed")
    return dotenv_values(stream=StringIO(text))


def running(data_dir: Path) -> dict[str, str]:
    """Say how to reach what a running `turnout up` started: setting to value; empty where none runs."""
    try:
        known = json.loads((data_dir / RUNNING).read_text())
        os.kill(known.pop("pid"), 0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):  # it may hold anything
        return {}
    return {name: str(value) for name, value in known.items()}


class RunningStack(PydanticBaseSettingsSource):
    """What a `turnout up` that runs on the same data directory says of itself."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the library's signature
        """Give one setting's value."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Give the settings that it says; which directory is asked, the sources before this one say."""
        default = self.settings_cls.model_fields["data_dir"].default
        return running(Path(self.current_state.get("data_dir", default)))


class SecretFiles(PydanticBaseSettingsSource):
    """Secrets in files that `TURNOUT_…_FILE` names, as orchestrators mount them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the library's signature
        """Give one setting's value."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Give what the files hold.

        Raises:
            SettingsError: where a file cannot be read, or a setting is given twice.

        """
        found = {}
        given = self.settings_sources_data.get("InitSettingsSource", {})
        for name in OF_FILES:
            variable = f"TURNOUT_{name.upper()}"
            path = os.environ.get(f"{variable}_FILE", "").strip()
            if not path or name in given:
                continue
            if os.environ.get(variable):
                raise SettingsError(f"{variable} and {variable}_FILE are both set; set one of them", [name])
            try:
                found[name] = Path(path).read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                why = (isinstance(error, OSError) and error.strerror) or "it is not text"
                raise SettingsError(
                    f"{variable}_FILE names a file that cannot be read: {path} ({why}); expected a file with the value",
                    [name],
                ) from None
        return found
