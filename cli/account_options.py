"""The options that say what an account has of its own."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hubspot_api.tiers import BURST_SECONDS, LIMITS, Tier

if TYPE_CHECKING:
    from worker.settings import Settings

MOST: Final = 2**31 - 1
"""What the database's column holds."""


class Unset(StrEnum):
    """What can go back to what the settings say."""

    URL = "url"
    VERSION = "version"
    BURST_LIMIT = "burst-limit"
    BURST_SECONDS = "burst-seconds"
    DAILY_LIMIT = "daily-limit"
    BATCH_SIZE = "batch-size"
    TIME_ZONE = "time-zone"
    TOKEN = "token"  # noqa: S105 - the option's name

    @property
    def column(self) -> str:
        """Name the column that it empties."""
        name = self.value.replace("-", "_")
        return f"hubspot_{name}" if name in {"url", "version"} else name


def _url(value: str | None) -> str | None:
    from hubspot_api.address import is_base

    if value is not None and not is_base(value):
        raise typer.BadParameter("is not a base URL; expected https://api.hubapi.com")
    return value and value.rstrip("/")


def _version(value: str | None) -> str | None:
    from hubspot_api.address import is_version

    if value is not None and not is_version(value):
        raise typer.BadParameter("is not a version; expected v3, or a dated one such as 2026-09")
    return value


def place(value: str | None) -> str | None:
    """Read the zone of an option: a place's name, or UTC."""
    from models.input_check import Reason
    from models.zones import name_of, read_place

    if value is None:
        return None
    zone = read_place(value)
    if isinstance(zone, Reason):
        raise typer.BadParameter(f"{zone.what}; expected {zone.right}")
    return name_of(zone)


Url = Annotated[str | None, typer.Option(callback=_url, help="Where HubSpot is.")]
Version = Annotated[str | None, typer.Option(callback=_version, help="`v3`, or a dated version such as 2026-09.")]
BurstLimit = Annotated[int | None, typer.Option(min=1, max=MOST, help="Calls per window.")]
BurstSeconds = Annotated[float | None, typer.Option(min=0.001, max=86_400, help="The window's length, seconds.")]
DailyLimit = Annotated[int | None, typer.Option(min=1, max=MOST, help="Calls per day.")]
BatchSize = Annotated[int | None, typer.Option(min=1, max=1000, help="Records in one POST, at most.")]
TimeZone = Annotated[str | None, typer.Option(callback=place, help="At whose midnight its day of calls ends.")]
OfTier = Annotated[
    Tier | None, typer.Option(metavar="TIER", help=f"HubSpot's limits for what it has bought: {', '.join(Tier)}.")
]


@dataclass(frozen=True)
class AccountOptions:
    """The options, as `accounts add` and `accounts set` take them."""

    url: Url = None
    version: Version = None
    burst_limit: BurstLimit = None
    burst_seconds: BurstSeconds = None
    daily_limit: DailyLimit = None
    batch_size: BatchSize = None
    time_zone: TimeZone = None
    tier: OfTier = None

    def check_url(self, settings: "Settings") -> None:
        """Refuse a URL to which the token would be sent in clear."""
        from hubspot_api.address import is_open

        if self.url is not None and is_open(self.url) and not settings.hubspot_http:
            raise typer.BadParameter(
                f"{self.url} would send the token in clear to another machine. Expected https://…; for a test server"
                " set TURNOUT_HUBSPOT_HTTP=true.",
                param_hint="--url",
            )

    def columns(self, tier: Tier | None = None) -> dict[str, object]:
        """Give the columns that are set, by the account's tier or else by this one; what is named alone goes first."""
        named = {
            "hubspot_url": self.url,
            "hubspot_version": self.version,
            "burst_limit": self.burst_limit,
            "burst_seconds": self.burst_seconds,
            "daily_limit": self.daily_limit,
            "batch_size": self.batch_size,
            "time_zone": self.time_zone,
        }
        of_tier: dict[str, object] = {}
        if tier := self.tier or tier:
            limits = LIMITS[tier]
            of_tier = {"burst_limit": limits.burst, "burst_seconds": BURST_SECONDS, "daily_limit": limits.daily}
        return of_tier | {column: value for column, value in named.items() if value is not None}
