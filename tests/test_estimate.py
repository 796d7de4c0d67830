"""How long a number of calls takes beside what an account sends at present."""

import pytest
from hypothesis import given, strategies as st

from models.estimate import FLOOR, Pace, is_today, seconds

IDLE = Pace(burst=100, window=10.0, used=0, waiting=0)


@pytest.mark.parametrize(
    ("calls", "pace", "expected"),
    [
        (0, IDLE, 0),
        (100, IDLE, 10),
        (1_000, IDLE, 100),
        (100, Pace(100, 10.0, 50, 0), 20),
        (100, Pace(100, 10.0, 100, 0), 200),  # no less than the floor
        (100, Pace(100, 10.0, 100, 400), 50),  # with what waits, through the whole limit
    ],
)
def test_calls_take_what_the_present_ones_leave_of_the_limit(calls: int, pace: Pace, expected: float) -> None:
    assert seconds(calls, pace) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("left", "waiting", "calls", "expected"),
    [(None, 10**9, 10**9, True), (100, 0, 100, True), (100, 0, 101, False), (100, 50, 51, False), (0, 0, 1, False)],
)
def test_a_days_limit_suffices_for_what_waits_and_these(left: int, waiting: int, calls: int, expected: bool) -> None:  # noqa: FBT001
    assert is_today(calls, Pace(100, 10.0, 0, waiting, left)) is expected


@st.composite
def paces(draw: st.DrawFn) -> Pace:
    burst = draw(st.integers(1, 10_000))
    used = draw(st.integers(0, burst))
    return Pace(burst, draw(st.floats(0.1, 86_400)), used, draw(st.integers(0, 20_000)), draw(st.integers(0, 10**6)))


@given(st.integers(0, 10**6), st.integers(1, 10**6), paces())
def test_more_calls_take_longer_never_faster_than_the_limit_nor_slower_than_the_floor(
    calls: int, more: int, pace: Pace
) -> None:
    limit = pace.burst / pace.window
    found = seconds(calls, pace)
    assert seconds(calls + more, pace) > found
    assert calls / limit * 0.999 <= found <= (pace.waiting + calls) / (FLOOR * limit) * 1.001
    assert is_today(calls, pace) or not is_today(calls + more, pace)
