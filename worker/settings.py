"""The settings: one typed class, the only reader of the environment."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

RUNNING: Final = "up.json"
"""Where a running `turnout up` writes, in the data directory, how to reach what it started."""


class SettingsError(Exception):
    """The settings are not usable; the message says which, and what would be right."""


Text = Annotated[str, BeforeValidator(lambda value: value.strip() if isinstance(value, str) else value)]


class Settings(BaseSettings):
    """Every setting, read from `TURNOUT_…` or from `.env`."""

    model_config = SettingsConfigDict(
        env_prefix="TURNOUT_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    database_url: Text = Field("", repr=False, description="PostgreSQL 14 or newer, `postgresql://…`")
    broker_url: Text = Field("", repr=False, description="Celery's broker: `redis://…` or `amqp://…`")
    redis_url: Text = Field(
        "", repr=False, description="Stream and limiter; default: the broker's, where that is Redis"
    )
    queue_type: Literal["classic", "quorum"] = Field("classic", description="Type of the queues on RabbitMQ")
    hubspot_url: Text = Field("https://api.hubapi.com", description="Where HubSpot is")
    hubspot_token: SecretStr = Field(SecretStr(""), description="The access token of the account `default`")
    hubspot_version: Text = Field("v3", description="`v3`, or a dated version such as `2026-09`")
    batch_size: int = Field(100, ge=1, le=1000, description="Records in one POST, at most")
    linger: float = Field(2, ge=0, le=3600, description="Seconds that a batch with room waits for more records")
    burst_limit: int = Field(100, ge=1, description="Calls that HubSpot allows per window")
    burst_seconds: float = Field(10, gt=0, description="Length of that rolling window, seconds")
    daily_limit: int = Field(250_000, ge=1, description="Calls that HubSpot allows per day")
    daily_reserve: float = Field(
        0.1, ge=0, lt=1, description="Share of a day's calls kept for live records, those sent for the first time"
    )
    max_attempts: int = Field(8, ge=1, description="Ambiguous answers (time-outs, 5xx) after which a batch is given up")
    max_age: float = Field(259_200, gt=0, description="Seconds since its first failure after which a batch is given up")
    timeout: float = Field(30, gt=0, description="Seconds for one call to HubSpot, whole")
    lease: float = Field(120, gt=0, description="Seconds that a claim holds a batch; must outlast the time-out")
    retry_schedule: Text = Field(
        "", description="When failed records are retried, each ten times at most, crontab text in UTC; empty: never"
    )
    retention_days: int = Field(90, ge=1, description="Days that finished records are kept; then they are purged")
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Encrypts what is secret; the same for every process. If unset, made into `DATA_DIR`. `new,old`"
        " to rotate",
    )
    webhook_private: bool = Field(default=False, description="Webhooks may use http and private addresses")
    data_dir: Path = Field(Path(".turnout"), description="What `turnout up` keeps on this machine")
    log_format: Literal["console", "json"] = Field("console", description="`console` or `json`")

    @field_validator("hubspot_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        from hubspot_api.address import is_base

        if not is_base(value):
            raise ValueError("is no base URL; right would be https://api.hubapi.com")
        return value

    @field_validator("hubspot_version")
    @classmethod
    def _known_version(cls, value: str) -> str:
        from hubspot_api.address import is_version

        if not is_version(value):
            raise ValueError("is no version; right would be v3, or a dated one such as 2026-09")
        return value

    @field_validator("retry_schedule")
    @classmethod
    def _crontab(cls, value: str) -> str:
        if value:
            from datetime import UTC, datetime

            try:
                CronSim(value, datetime(2026, 1, 1, tzinfo=UTC))
            except CronSimError as error:
                raise ValueError(f"is no crontab text ({error}); right would be e.g. '15 * * * *'") from None
        return value

    @model_validator(mode="after")
    def _lease_outlasts(self) -> Self:
        if self.lease <= self.timeout:
            raise ValueError(f"LEASE ({self.lease:g} s) must outlast TIMEOUT ({self.timeout:g} s)")
        return self

    @property
    def stream_url(self) -> str:
        """Give the Redis that holds the stream and the limiter."""
        return self.redis_url or (self.broker_url if self.broker_url.startswith(("redis", "valkey", "unix")) else "")


class RunningStack(PydanticBaseSettingsSource):
    """What a `turnout up` that runs on the same data directory says of itself."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the library's signature
        """Give one setting's value."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Give the settings that it says; which directory is asked, the sources before this one say."""
        default = self.settings_cls.model_fields["data_dir"].default
        return running(Path(self.current_state.get("data_dir", default)))


class SettingsOfRunning(Settings):
    """The settings, where what is unset comes from a running `turnout up`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Name the sources; the first that has a setting decides it."""
        return init_settings, env_settings, dotenv_settings, RunningStack(settings_cls)


def read_settings(kind: type[Settings] = Settings) -> Settings:
    """Read the settings; those of `turnout up` itself do without what another one says.

    Raises:
        SettingsError: names each setting that is wrong.

    """
    try:
        return kind()
    except ValidationError as error:
        lines = [
            f"TURNOUT_{'_'.join(map(str, part['loc'])).upper()} {part['msg']}" if part["loc"] else str(part["msg"])
            for part in error.errors(include_url=False, include_input=False)
        ]
        raise SettingsError("; ".join(lines)) from None


def load_settings() -> Settings:
    """Read the settings; what is unset is taken from a `turnout up` that runs on the same data directory.

    Raises:
        SettingsError: where no database or broker is known.

    """
    settings = read_settings(SettingsOfRunning)
    for name in ("database_url", "broker_url", "stream_url"):
        if not getattr(settings, name):
            wanted = "TURNOUT_REDIS_URL" if name == "stream_url" else f"TURNOUT_{name.upper()}"
            raise SettingsError(
                f"{wanted} is not set, and no `turnout up` runs on {settings.data_dir}: start it, or set it"
            )
    return settings


def running(data_dir: Path) -> dict[str, str]:
    """Say how to reach what a running `turnout up` started: setting to value; empty where none runs."""
    try:
        known = json.loads((data_dir / RUNNING).read_text())
        os.kill(known.pop("pid"), 0)
    except (OSError, ValueError, KeyError):
        return {}
    return {name: str(value) for name, value in known.items()}
