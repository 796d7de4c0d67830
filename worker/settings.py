"""The settings: one typed class, which with its sources is the only reader of the environment."""

import os
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from cronsim import CronSim, CronSimError
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hubspot_api.egress import Egress
from worker import setting_values
from worker.log import get_logger
from worker.setting_sources import OF_FILES, DotenvError, RunningStack, SecretFiles, SettingsError, read_dotenv
from worker.setting_types import (
    BaseUrl,
    BrokerUrl,
    CertificateFile,
    DatabaseUrl,
    HostNames,
    IssuerUrl,
    ListenAddress,
    Networks,
    OutsideUrl,
    ProxyUrl,
    RedisUrl,
    Secret,
    SentryDsn,
    Text,
    Token,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

log = get_logger(__name__)

NEAR: Final = 0.85
"""How alike a name must be to a setting's to be taken for a mistyped one."""
OF_OPENID: Final = ("oidc_client_id", "oidc_client_secret", "oidc_operators", "oidc_viewers")
"""Settings that mean something only with an issuer."""
OF_PRODUCERS: Final = ("TURNOUT_KEY", "TURNOUT_URL")
"""Names that examples of producers use; they are no settings."""


class Settings(BaseSettings):
    """Every setting, read from `TURNOUT_…` or from `.env`."""

    model_config = SettingsConfigDict(
        env_prefix="TURNOUT_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    with_running: ClassVar[bool] = False
    """Whether what is unset comes from a running `turnout up`."""

    database_url: DatabaseUrl = Field("", repr=False, description="PostgreSQL 14 or newer, `postgresql://…`")
    broker_url: BrokerUrl = Field("", repr=False, description="Celery's broker: `redis://…` or `amqp://…`")
    redis_url: RedisUrl = Field(
        "", repr=False, description="Stream and limiter; default: the broker's, where that is Redis"
    )
    queue_type: Literal["classic", "quorum"] = Field("classic", description="Type of the queues on RabbitMQ")
    hubspot_url: BaseUrl = Field("https://api.hubapi.com", description="Where HubSpot is")
    hubspot_token: Token = Field(SecretStr(""), description="The access token of the account `default`")
    hubspot_proxy: ProxyUrl = Field("", repr=False, description="Proxy for calls to HubSpot, `http://…`; empty: none")
    hubspot_ca_bundle: CertificateFile = Field(
        "",
        description="File of the certificates that HubSpot's, or the proxy's, is checked against; empty: public ones",
    )
    hubspot_http: bool = Field(
        default=False,
        description="`HUBSPOT_URL` and accounts' URLs may be http to other machines too, which sends tokens in clear."
        " For a test server",
    )
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
        "",
        description="When failed records are sent again by themselves: a crontab line in UTC, such as `0 3 * * *` "
        "for three each night. A record is sent again ten times at most. Empty: never",
    )
    retention_days: int = Field(90, ge=1, description="Days that finished records are kept; then they are purged")
    secret_key: Secret = Field(
        SecretStr(""),
        description="Encrypts what is secret; the same for every process. If unset, made into `DATA_DIR`. `new,old`"
        " to rotate",
    )
    public_url: OutsideUrl = Field(
        "", description="Where console and API are found from outside, with a path if there is one; empty: as asked for"
    )
    oidc_issuer: IssuerUrl = Field(
        "", description="OpenID Connect provider by which people sign in to the console, `https://…`; empty: keys alone"
    )
    oidc_client_id: Text = Field("", description="Client id of Turnout at that provider")
    oidc_client_secret: Secret = Field(SecretStr(""), description="Its client secret; empty: a public client")
    oidc_scopes: Text = Field("openid profile", description="Scopes that the provider is asked for")
    oidc_role_claim: Text = Field(
        "groups",
        description="Claim of the ID token that decides the role; a dot leads into a claim: `realm_access.roles`",
    )
    oidc_operators: Text = Field("", description="Values of that claim, by commas, that make an operator")
    oidc_viewers: Text = Field("", description="Values of that claim, by commas, that make a viewer")
    oidc_proxy: ProxyUrl = Field("", repr=False, description="Proxy for calls to the provider, `http://…`; empty: none")
    oidc_ca_bundle: CertificateFile = Field(
        "", description="File of the certificates that the provider's is checked against; empty: public ones"
    )
    hosts: HostNames = Field(
        "", description="Other names that requests may ask for (the header `Host`), with commas; others are refused"
    )
    trusted_proxies: Networks = Field(
        "",
        description="Addresses or networks of proxies, with commas, whose `X-Forwarded-For` and `X-Forwarded-Proto` are"
        " believed; empty: nobody's",
    )
    webhook_private: bool = Field(default=False, description="Webhooks may use http and private addresses")
    monitor_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port of each process for `/healthz`, `/readyz` and `/metrics`; 0: none",
    )
    monitor_host: ListenAddress = Field(
        "127.0.0.1", description="Address that this port listens on; `0.0.0.0`: every one"
    )
    data_dir: Path = Field(Path(".turnout"), description="What `turnout up` keeps on this machine")
    log_format: Literal["console", "json"] = Field("console", description="`console` or `json`")
    tracing: bool = Field(
        default=False, description="Traces are sent by OpenTelemetry, which `OTEL_…` variables configure (tracing.md)"
    )
    sentry_dsn: SentryDsn = Field(
        SecretStr(""), description="Errors are sent to this DSN of Sentry's, without personal data; empty: none are"
    )

    @field_validator("hubspot_version")
    @classmethod
    def _known_version(cls, value: str) -> str:
        from hubspot_api.address import is_version

        if not is_version(value):
            raise ValueError("is no version; expected v3, or a dated one such as 2026-09")
        return value

    @field_validator("retry_schedule")
    @classmethod
    def _crontab(cls, value: str) -> str:
        if value:
            from datetime import UTC, datetime

            try:
                CronSim(value, datetime(2026, 1, 1, tzinfo=UTC))
            except CronSimError as error:
                raise ValueError(f"is no crontab text ({error}); expected e.g. '15 * * * *'") from None
        return value

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
        own = (init_settings, env_settings, SecretFiles(settings_cls), dotenv_settings)
        return (*own, RunningStack(settings_cls)) if cls.with_running else own

    @model_validator(mode="after")
    def _token_is_not_sent_in_clear(self) -> Self:
        from hubspot_api.address import is_open

        if is_open(self.hubspot_url) and not self.hubspot_http:
            raise ValueError(
                f"TURNOUT_HUBSPOT_URL {setting_values.masked(self.hubspot_url)} would send the token in clear to"
                f" another machine; expected {setting_values.BASE}; for a test server set TURNOUT_HUBSPOT_HTTP=true too"
            )
        return self

    @model_validator(mode="after")
    def _lease_outlasts(self) -> Self:
        if self.lease <= self.timeout:
            raise ValueError(f"LEASE ({self.lease:g} s) must outlast TIMEOUT ({self.timeout:g} s)")
        return self

    @model_validator(mode="after")
    def _can_sign_people_in(self) -> Self:
        if not self.oidc_issuer:
            alone = next((name for name in OF_OPENID if str(getattr(self, name))), None)
            if alone is not None:
                raise ValueError(
                    f"TURNOUT_{alone.upper()} is set without TURNOUT_OIDC_ISSUER; set the issuer too, or remove it"
                )
        elif not self.oidc_client_id:
            raise ValueError("TURNOUT_OIDC_ISSUER needs TURNOUT_OIDC_CLIENT_ID, the client id that the provider gave")
        elif not setting_values.is_private(self.public_url):
            raise ValueError(
                "TURNOUT_OIDC_ISSUER needs TURNOUT_PUBLIC_URL, the https:// address at which people open the console;"
                " the provider sends them back there"
            )
        elif not (self.oidc_operators or self.oidc_viewers):
            raise ValueError(
                "TURNOUT_OIDC_ISSUER needs TURNOUT_OIDC_OPERATORS or TURNOUT_OIDC_VIEWERS, the values of the claim"
                f" «{self.oidc_role_claim}» that give a role"
            )
        elif "openid" not in self.oidc_scopes.split():
            raise ValueError(f"TURNOUT_OIDC_SCOPES «{self.oidc_scopes}» lacks the scope openid; add it")
        return self

    @property
    def egress(self) -> Egress:
        """Give the way out to HubSpot."""
        return Egress(self.hubspot_proxy, self.hubspot_ca_bundle)

    @property
    def oidc_egress(self) -> Egress:
        """Give the way out to the OpenID Connect provider."""
        return Egress(self.oidc_proxy, self.oidc_ca_bundle)

    @property
    def stream_url(self) -> str:
        """Give the Redis that holds the stream and the limiter."""
        return self.redis_url or (self.broker_url if self.broker_url.startswith("redis") else "")


class SettingsOfRunning(Settings):
    """The settings, where what is unset comes from a running `turnout up`."""

    with_running: ClassVar[bool] = True


def read_settings(kind: type[Settings] = Settings) -> Settings:
    """Read the settings; those of `turnout up` itself do without what another one says.

    Raises:
        SettingsError: names each setting that is wrong.

    """
    _check_names()
    return _read(kind, {})


def usable_settings() -> tuple[Settings, SettingsError | None]:
    """Read the settings as far as they can be used: what is wrong has its default, and is said beside them.

    For what must run and report also then. What is not set anywhere is empty.
    """
    with suppress(SettingsError):
        return load_settings(), None
    defaults: dict[str, Any] = {}
    given: dict[str, Any] = {}
    said: list[str] = []
    try:
        _check_names(warn=False)
    except SettingsError as error:
        said.append(str(error))
        if isinstance(error, DotenvError):
            given["_env_file"] = None
    while True:
        try:
            read = _read(SettingsOfRunning, given | defaults)
        except SettingsError as error:
            said.append(str(error))
            defaults |= {name: Settings.model_fields[name].default for name in error.wrong}
        else:
            return read, SettingsError("; ".join(said), defaults) if said else None


def _read(kind: type[Settings], given: Mapping[str, Any]) -> Settings:
    try:
        return kind(**given)
    except ValidationError as error:
        parts = error.errors(include_url=False)
        lines = [
            f"TURNOUT_{'_'.join(map(str, part['loc'])).upper()} {_told(part)}" if part["loc"] else str(part["msg"])
            for part in parts
        ]
        wrong = {str(part["loc"][0]) for part in parts if part["loc"]} or {"lease", "timeout"}
        raise SettingsError("; ".join(line.replace("Value error, ", "") for line in lines), wrong) from None


def _told(part: "ErrorDetails") -> str:
    """Say what is wrong with a value; the library's own words lack the value, and how it is written."""
    if part["type"] == "value_error":
        return part["msg"]
    value = "" if isinstance(part["input"], SecretStr) else f"«{part['input']}»"
    return f"{value} is not valid: {part['msg'][:1].lower()}{part['msg'][1:]}"


def _check_names(*, warn: bool = True) -> None:
    """Refuse a name that is nearly a setting's, which would silently not be set; warn of any other.

    Raises:
        SettingsError: names the setting that is meant, or says what is wrong with `.env`.

    """
    known = {f"TURNOUT_{name.upper()}" for name in Settings.model_fields}
    known |= {f"TURNOUT_{name.upper()}_FILE" for name in OF_FILES}
    written = {*os.environ, *read_dotenv()}
    for name in sorted(written - known - {*OF_PRODUCERS}):
        if name.upper() in known or not name.upper().startswith("TURNOUT_"):
            continue
        meant = get_close_matches(name.upper(), known, 1, NEAR)
        if meant:
            raise SettingsError(f"{name} is not a setting; {meant[0]} is meant? Rename it, or remove it")
        if warn:
            log.warning("unknown setting", setting=name, consequence="it does nothing")


def load_settings() -> Settings:
    """Read the settings; what is unset is taken from a `turnout up` that runs on the same data directory.

    Raises:
        SettingsError: where no database or broker is known.

    """
    settings = read_settings(SettingsOfRunning)
    for error in unset(settings):
        raise error
    return settings


def unset(settings: Settings) -> list[SettingsError]:
    """List what has to be set, and is not."""
    has = {
        "database_url": settings.database_url,
        "broker_url": settings.broker_url,
        "redis_url": settings.stream_url or not settings.broker_url,  # it is the broker's, where that is Redis
    }
    otherwise = f"is not set, and no `turnout up` runs on {settings.data_dir}: start it, or set it"
    return [SettingsError(f"TURNOUT_{name.upper()} {otherwise}", [name]) for name, there in has.items() if not there]


class _LogFormat(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TURNOUT_", env_file=".env", extra="ignore")

    log_format: Text = "console"


def log_format() -> str:
    """Give the format of log lines, also where a setting is wrong: that is a line too."""
    try:
        read_dotenv()
    except DotenvError:
        return _LogFormat(_env_file=None).log_format
    return _LogFormat().log_format
