"""The limiter in real time, in real processes, against the stand-in's real rolling window."""

import pytest

from bench.limit import run
from hubspot_api.limiter import Limits


@pytest.mark.long
@pytest.mark.parametrize(("processes", "limit"), [(1, 15), (8, 40)])
def test_processes_use_the_limit_to_the_full_and_are_never_refused(processes: int, limit: int) -> None:
    counted = run(processes, Limits(limit, 4.0), 26.0)
    assert counted["refused"] == 0, counted
    assert counted["most in a window"] <= limit, counted
    assert counted["use of the ideal"] >= 0.97, counted
