"""What one account may still call: the rolling window and the day's quota, told as HubSpot tells it in headers.

The headers and the names of the policies are those of HubSpot's usage guidelines.
"""

from dataclasses import dataclass
from datetime import date, datetime, time as clock_time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sandbox.options import SandboxOptions
from sandbox.window import RollingWindow


class Policy(StrEnum):
    """Which limit refuses, as `policyName` says it."""

    BURST = "TEN_SECONDLY_ROLLING"
    DAILY = "DAILY"


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether one request may pass, and what is left after it."""

    refused: Policy | None
    wait: float
    """Seconds until it would pass (0 if it does)."""
    headers: dict[str, str]


class Allowance:
    """The limits of one account; a refused request consumes neither of them."""

    def __init__(self, options: SandboxOptions) -> None:
        limits = options.limits
        self.window = RollingWindow(limits.burst, options.burst_seconds)
        self._daily = limits.daily
        self._zone = ZoneInfo(options.time_zone)
        self._day = date.min
        self._used = 0

    def ask(self, now: float) -> Ruling:
        """Judge a request that arrives `now` (epoch seconds); a spent quota is told before a full window."""
        self.window.arrive(now)
        local = datetime.fromtimestamp(now, self._zone)
        if local.date() != self._day:
            self._day, self._used = local.date(), 0
        if self._daily is not None and self._used >= self._daily:
            return Ruling(Policy.DAILY, self._until_midnight(local), self._headers(now))
        if not self.window.admit(now):
            return Ruling(Policy.BURST, self.window.wait(now), self._headers(now))
        self._used += 1
        return Ruling(None, 0.0, self._headers(now))

    def _headers(self, now: float) -> dict[str, str]:
        headers = {
            "X-HubSpot-RateLimit-Max": str(self.window.limit),
            "X-HubSpot-RateLimit-Remaining": str(self.window.remaining(now)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(self.window.seconds * 1000)),
        }
        if self._daily is not None:
            headers["X-HubSpot-RateLimit-Daily"] = str(self._daily)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(self._daily - self._used)
        return headers

    def _until_midnight(self, local: datetime) -> float:
        midnight = datetime.combine(local.date() + timedelta(days=1), clock_time(), self._zone)
        return midnight.timestamp() - local.timestamp()
