"""What can be set on a sandbox, and HubSpot's published limits."""

from dataclasses import dataclass
from enum import StrEnum


class Tier(StrEnum):
    """What the account has bought, or how the app is installed."""

    FREE = "free"
    STARTER = "starter"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"
    ADDON = "addon"
    OAUTH = "oauth"


@dataclass(frozen=True, slots=True)
class AllowedCalls:
    """Calls a rolling interval, and calls a day (`None`: no daily quota, and no daily headers)."""

    burst: int
    daily: int | None


TIERS = {
    Tier.FREE: AllowedCalls(100, 250_000),
    Tier.STARTER: AllowedCalls(100, 250_000),
    Tier.PROFESSIONAL: AllowedCalls(190, 625_000),
    Tier.ENTERPRISE: AllowedCalls(190, 1_000_000),
    Tier.ADDON: AllowedCalls(250, 1_250_000),
    Tier.OAUTH: AllowedCalls(110, None),
}
"""HubSpot's usage guidelines. An add-on raises what the account has: 1,000,000 on top of the free 250,000."""


class Malformed(StrEnum):
    """What an impossible contact (no address, a vid below 1) gets; nobody has shown what HubSpot does."""

    REFUSE = "refuse"
    """The whole request is a 400 whose message names the contact between back-ticks."""
    ERROR = "error"
    """200, and an entry in `errors` names it."""
    DROP = "drop"
    """200, and nothing names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """The sandbox's settings; times in seconds. The defaults are HubSpot's lowest tier, without any delay."""

    tier: Tier | str = Tier.FREE
    burst_limit: int | None = None
    """Calls a window; `None`: the tier's."""
    burst_seconds: float = 10.0
    daily_limit: int | None = None
    """Calls a day; `None`: the tier's."""
    time_zone: str = "UTC"
    """The account's, at whose midnight its day ends."""
    retry_after: bool = False
    """Whether a 429 carries `Retry-After`: HubSpot sends it sometimes and never promises it."""

    tokens: tuple[str, ...] = ()
    """The tokens that are accepted; none: every one. A token stands for an account of its own."""
    known_events: tuple[str, ...] = ()
    """Object ids and `externalAccountId/externalEventId`; any other event gets 404. None: every event exists."""
    max_inputs: int = 500
    """The most inputs in a request (HubSpot publishes no number)."""
    malformed: Malformed | str = Malformed.REFUSE

    read_delay: float = 0.0
    """From a write until the contact's view shows it."""
    event_read_delay: float | None = None
    """The same for the views of an event, which lag much longer; `None`: ten times `read_delay`."""

    latency: float = 0.0
    """From having applied a request until it is answered,"""
    jitter: float = 0.0
    """and at most so much longer, evenly spread."""
    keep_writes: bool = False
    """Whether every write is kept, to be listed by `/_sandbox/writes`; memory grows with it."""
    seed: int = 0
    """Of everything drawn: the contacts' ids, the order of results, rates of faults, jitter."""

    @property
    def limits(self) -> AllowedCalls:
        """The tier's limits, or what was set in their place."""
        tier = TIERS[Tier(self.tier)]
        return AllowedCalls(
            tier.burst if self.burst_limit is None else self.burst_limit,
            tier.daily if self.daily_limit is None else self.daily_limit,
        )

    @property
    def delay_of_events(self) -> float:
        """How long after a write the views of its event show it."""
        return 10 * self.read_delay if self.event_read_delay is None else self.event_read_delay
