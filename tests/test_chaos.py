"""The real system while everything fails: a selection of the seeded runs of `make chaos`, and their plans."""

import os
import subprocess
import sys

import pytest

from tests.chaos.__main__ import reports, tell
from tests.chaos.plan import Kind, draw
from tests.chaos.run import Report

SELECTION = (197, 290, 313)
"""Seeds that meet much in little time."""


@pytest.mark.timeout(900)
def test_whatever_fails_nothing_is_lost_and_the_books_agree() -> None:
    for report in reports(map(draw, SELECTION), len(SELECTION)):
        assert report.ok, report.whole()
        assert report.outcomes["delivered"] > report.records / 2


def test_a_seed_draws_the_same_plan_everywhere() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from tests.chaos.plan import draw; print(draw(17))"],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == str(draw(17))
    assert draw(17) == draw(17) != draw(18)


def test_everything_that_can_happen_happens_in_the_first_fifty_seeds() -> None:
    drawn = {happening.kind for seed in range(50) for happening in draw(seed).happenings}
    assert drawn == set(Kind)


def test_runs_share_no_event_account_or_contact() -> None:
    plans = [draw(seed) for seed in range(200)]
    names = [{event.label for event in plan.events} | set(plan.accounts) for plan in plans]
    contacts = [{contact for message in plan.messages for contact in message.contacts} for plan in plans]
    for kind in (names, contacts):
        assert sum(map(len, kind)) == len(set().union(*kind))


def test_a_run_in_which_the_books_differ_is_told_with_what_replays_it(capsys: pytest.CaptureFixture[str]) -> None:
    plan = draw(17)
    assert tell([Report(draw(16)), Report(plan, differences=["a record is lost"])]) == 1
    said = capsys.readouterr().out
    for line in ("a record is lost", "make chaos SEED=17", "seeds that failed: 17", *map(str, plan.happenings)):
        assert line in said
    assert tell([Report(plan)]) == 0
