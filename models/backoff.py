"""How long to wait before the same body is sent again: exponential, with full jitter.

Full jitter (a uniform share of the whole interval) spreads the senders that one outage has lined up.
"""

from typing import Final

FIRST: Final = 4.0
"""Seconds: the interval after the first ambiguous answer."""
LONGEST: Final = 3_600.0
"""Seconds: no wait is longer than an hour, so that the end of an outage is noticed within one."""


def interval(failures: int) -> float:
    """Give the interval after so many failures in a row, in seconds; doubling, bounded."""
    return min(LONGEST, FIRST * 2.0 ** min(failures - 1, 30)) if failures > 0 else 0.0


def wait(failures: int, share: float, at_least: float | None = None) -> float:
    """Give the wait in seconds; `share` is a random number from 0 to 1, `at_least` what HubSpot asked for."""
    return max(at_least or 0.0, share * interval(failures))
