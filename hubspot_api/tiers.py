"""HubSpot's published limits by what an account has bought, or by how the app is installed (its usage guidelines)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Tier(StrEnum):
    """What the account has bought, or `oauth`: a public app that it has installed."""

    FREE = "free"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"
    ADDON = "addon"
    OAUTH = "oauth"


@dataclass(frozen=True, slots=True)
class TierLimits:
    """Calls in any ten seconds, and calls a day."""

    burst: int
    daily: int


LIMITS: Final = {
    Tier.FREE: TierLimits(100, 250_000),
    Tier.PROFESSIONAL: TierLimits(190, 625_000),
    Tier.ENTERPRISE: TierLimits(190, 1_000_000),
    Tier.ADDON: TierLimits(250, 1_250_000),
    Tier.OAUTH: TierLimits(110, 110 * 8_640),
}
"""Starter has Free's. An add-on adds 1,000,000 a day to what the account has, here to Free's. An OAuth app has no
daily limit of its own: named is what its burst limit lets through in a day."""
BURST_SECONDS: Final = 10.0
"""HubSpot's rolling interval, whatever the tier."""
