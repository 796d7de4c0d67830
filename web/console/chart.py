"""Small charts, as numbers for SVG: no script, no style of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from worker.queries.history import PastAttempt
from worker.queries.throughput import Sent

HEIGHT: Final = 96
WIDTH: Final = 5
"""Of one bar with its gap."""
SPARK: Final = 20
"""The height of a small one."""
_ROUND: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class ChartBar:
    """What was delivered in ten minutes, with what was not on top of it."""

    since: datetime
    sent: Sent
    x: int
    good: float
    good_y: float
    bad: float
    bad_y: float


@dataclass(frozen=True, slots=True)
class ChartBars:
    """The bars of a day, those at which an hour is written, the scale's end, and the day's sums."""

    bars: list[ChartBar]
    hours: list[ChartBar]
    top: int
    width: int
    height: int
    sent: Sent


@dataclass(frozen=True, slots=True)
class Spark:
    """A small line, as high as `most`."""

    path: str
    most: int
    width: int
    height: int


def bars(day: Mapping[datetime, Sent]) -> ChartBars:
    """Draw what was delivered and what was not."""
    top = _nice(max((sent.delivered + sent.undelivered for sent in day.values()), default=0))
    drawn = []
    for index, (since, sent) in enumerate(day.items()):
        good, bad = (records * HEIGHT / top for records in (sent.delivered, sent.undelivered))
        bad = max(bad, 2.0) if sent.undelivered else 0.0  # one in ten thousand is seen too
        good_y, bad_y = round(HEIGHT - good, 1), round(max(0.0, HEIGHT - good - bad), 1)
        drawn.append(ChartBar(since, sent, index * WIDTH, round(good, 1), good_y, round(bad, 1), bad_y))
    hours = [bar for bar in drawn if bar.since.minute == 0 and bar.since.hour % 6 == 0]
    return ChartBars(drawn, hours, top, len(day) * WIDTH, HEIGHT, sum(day.values(), Sent()))


def spark(each: Sequence[int]) -> Spark:
    """Draw the calls of each ten minutes, as high as the most of them."""
    most = max(each, default=0)
    path = "".join(
        f"M{place + 0.5} {SPARK}v{-max(calls * SPARK / most, 1.0):.1f}" for place, calls in enumerate(each) if calls
    )
    return Spark(path, most, len(each), SPARK)


@dataclass(frozen=True, slots=True)
class PlacedAttempt:
    """An attempt, and where it stands between the first one's begin and the last one's end, in hundredths."""

    attempt: PastAttempt
    x: float
    width: float


def timeline(attempts: Sequence[PastAttempt]) -> list[PlacedAttempt]:
    """Place attempts between the first one's begin and the last one's end."""
    if not attempts:
        return []
    begins = attempts[0].started_at
    whole = max((_milliseconds(one, begins) + (one.duration_ms or 0) for one in attempts), default=0) or 1
    placed = []
    for one in attempts:
        x = min(_milliseconds(one, begins) * 100 / whole, 99.0)
        width = min(max((one.duration_ms or 0) * 100 / whole, 1.0), 100 - x)
        placed.append(PlacedAttempt(one, round(x, 2), round(width, 2)))
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
