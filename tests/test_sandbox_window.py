from hypothesis import given, strategies as st

from sandbox.window import RollingWindow

GAPS = st.lists(st.integers(0, 40).map(lambda quarters: quarters / 4), max_size=80)
"""Seconds from one request to the next; quarters, so that ages meet the window's length exactly."""


@given(gaps=GAPS, limit=st.integers(0, 6))
def test_the_window_admits_and_counts_as_a_list_of_all_requests_would(gaps: list[float], limit: int) -> None:
    window, now = RollingWindow(limit, 10.0), 0.0
    arrived: list[float] = []
    admitted: list[float] = []
    peak = 0
    for gap in gaps:
        now += gap
        arrived.append(now)
        peak = max(peak, sum(instant > now - 10.0 for instant in arrived))
        expected = sum(instant > now - 10.0 for instant in admitted) < limit
        window.arrive(now)
        assert window.admit(now) is expected
        if expected:
            admitted.append(now)
        assert window.remaining(now) == limit - sum(instant > now - 10.0 for instant in admitted)
        assert window.peak == peak


@given(gaps=GAPS, limit=st.integers(1, 6))
def test_after_the_wait_there_is_room_and_not_before(gaps: list[float], limit: int) -> None:
    window, now = RollingWindow(limit, 10.0), 0.0
    for gap in gaps:
        now += gap
        if not window.admit(now):
            wait = window.wait(now)
            assert wait > 0
            assert window.remaining(now + wait - 0.125) == 0
            now += wait
            assert window.wait(now) == 0
            assert window.admit(now)


def test_a_refused_request_consumes_nothing() -> None:
    window = RollingWindow(2, 10.0)
    assert [window.admit(second) for second in (0, 1, 2, 9.9, 10, 10.5, 11)] == [
        True,
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_a_window_of_many_requests_costs_no_more_each_than_one_of_few() -> None:
    window = RollingWindow(1_000_000, 10.0)
    for number in range(200_000):
        window.arrive(number / 50_000)
        window.admit(number / 50_000)
    assert window.peak == 200_000
