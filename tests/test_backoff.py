import random
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import given, settings, strategies as st

from models.backoff import FIRST, LONGEST, interval, wait


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(-1, 0), (0, 0), (1, 4), (2, 8), (3, 16), (10, 2_048), (11, 3_600), (12, 3_600), (10**9, 3_600)],
)
def test_the_interval_doubles_up_to_an_hour(failures: int, seconds: float) -> None:
    assert interval(failures) == seconds


@settings(deadline=None)
@given(st.integers(1, 10**6), st.floats(0, 1))
def test_a_wait_is_some_share_of_the_interval(failures: int, share: float) -> None:
    assert wait(failures, share) == share * interval(failures)
    assert 0 <= wait(failures, share) <= LONGEST


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 86_400))
def test_a_wait_is_never_shorter_than_hubspot_asked_for(failures: int, share: float, at_least: float) -> None:
    assert wait(failures, share, at_least) == max(at_least, wait(failures, share))


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_an_interval_never_shrinks_with_another_failure(failures: int) -> None:
    assert interval(failures) <= interval(failures + 1)


def test_the_jitter_is_full_so_that_senders_lined_up_by_an_outage_spread_over_all_of_the_interval() -> None:
    drawn = random.Random(1)
    waits = sorted(wait(1, drawn.random()) for _ in range(1_000))
    assert waits[0] < FIRST / 100
    assert waits[-1] > FIRST * 99 / 100
    assert mean(waits) == pytest.approx(FIRST / 2, rel=0.05)
    assert max(after - before for before, after in pairwise(waits)) < FIRST / 50
