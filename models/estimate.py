"""When a number of calls will have been made, beside what else an account sends."""

from dataclasses import dataclass
from typing import Final

FLOOR: Final = 0.05
"""The share of an account's calls that what is not live gets in any case."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How an account sends at present: its limit, calls of the window used, batches that wait before."""

    burst: int
    window: float
    """Seconds."""
    used: int
    waiting: int
    left_today: int | None = None
    """None where the day has no limit."""


def seconds(calls: int, pace: Pace) -> float:
    """Estimate the seconds that so many more calls take.

    Where more waits than a window takes, it goes with that through the limit; else it takes what the present calls
    leave of it.
    """
    limit = pace.burst / pace.window
    if pace.waiting > pace.burst:
        return (pace.waiting + calls) / limit
    left = max(pace.burst - pace.used, FLOOR * pace.burst) / pace.window
    return calls / left


def is_today(calls: int, pace: Pace) -> bool:
    """Say whether the day's limit suffices for so many more calls."""
    return pace.left_today is None or pace.waiting + calls <= pace.left_today
