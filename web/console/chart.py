"""Small charts, as numbers for SVG: no script, no style of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from worker.queries.history import PastAttempt

HEIGHT: Final = 96
WIDTH: Final = 5
"""Of one bar with its gap."""
SPARK: Final = 20
"""The height of a small one."""
_ROUND: Final = (1, 2, 5)


def bars(day: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the bars of what was delivered and what was not, the scale's end, and the day's sums."""
    top = _nice(max((row["delivered"] + row["undelivered"] for row in day), default=0))
    drawn = []
    for index, row in enumerate(day):
        good, bad = (row[name] * HEIGHT / top for name in ("delivered", "undelivered"))
        bad = max(bad, 2.0) if row["undelivered"] else 0.0  # one in ten thousand is seen too
        drawn.append(
            {
                **row,
                "x": index * WIDTH,
                "good": round(good, 1),
                "good_y": round(HEIGHT - good, 1),
                "bad": round(bad, 1),
                "bad_y": round(max(0.0, HEIGHT - good - bad), 1),
            }
        )
    sums = {name: sum(row[name] for row in day) for name in ("calls", "calls_failed", "delivered", "undelivered")}
    hours = [bar for bar in drawn if bar["since"].minute == 0 and bar["since"].hour % 6 == 0]
    return {"bars": drawn, "top": top, "hours": hours, "width": len(day) * WIDTH, "height": HEIGHT, **sums}


def spark(each: Sequence[int]) -> dict[str, Any]:
    """Give a small line of the calls of each ten minutes, as high as the most of them."""
    most = max(each, default=0)
    path = "".join(
        f"M{place + 0.5} {SPARK}v{-max(calls * SPARK / most, 1.0):.1f}" for place, calls in enumerate(each) if calls
    )
    return {"path": path, "most": most, "width": len(each), "height": SPARK}


@dataclass(frozen=True, slots=True)
class Bar:
    """An attempt, and where it stands between the first one's begin and the last one's end, in hundredths."""

    attempt: PastAttempt
    x: float
    width: float


def timeline(attempts: Sequence[PastAttempt]) -> list[Bar]:
    """Place attempts between the first one's begin and the last one's end."""
    if not attempts:
        return []
    begins = attempts[0].started_at
    whole = max((_milliseconds(one, begins) + (one.duration_ms or 0) for one in attempts), default=0) or 1
    placed = []
    for one in attempts:
        x = min(_milliseconds(one, begins) * 100 / whole, 99.0)
        width = min(max((one.duration_ms or 0) * 100 / whole, 1.0), 100 - x)
        placed.append(Bar(one, round(x, 2), round(width, 2)))
    return placed


def _milliseconds(attempt: PastAttempt, begins: datetime) -> float:
    return max(0.0, (attempt.started_at - begins).total_seconds() * 1_000)


def _nice(most: int) -> int:
    """Give the next round number: 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for digit in _ROUND:
            if digit * power >= most:
                return digit * power
        power *= 10
