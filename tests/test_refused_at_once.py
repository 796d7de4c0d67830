"""What was not accepted is closed once, by the one who holds it first, whatever others want of it meanwhile."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text, update

from models.accept_rules import Rules
from models.job_params import JobParams
from models.tables import Account, Refused
from models.words import Action, Closing
from tests.support.before import before
from tests.support.fixtures import Submit
from tests.support.jobs import replay as submit_again, run
from tests.support.ledger import Ledger, do, message, outcomes
from worker.intake.accept import accept
from worker.operations import replay
from worker.operations.replay import Closer
from worker.queries.refusals import Refusal, RefusalFilter, page_of

pytestmark = pytest.mark.usefixtures("books")
HELD_UP = text("""
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')""")
DISMISSED = JobParams(because="a test address")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as one:
        yield one


@pytest.fixture
def refused(submit: Submit, engine: Engine) -> Refusal:
    """One message whose account was not known, and is now."""
    submit({**message("ada@example.com"), "account": "acme"})
    do(engine, insert(Account).values(name="acme"))
    (one,) = page_of(engine, RefusalFilter(), 0, newest_first=False)
    return one


def fixed(refused: Refusal, email: str) -> Refusal:
    return replace(refused, raw=json.dumps({**message(email), "account": "acme"}).encode())


def is_held_up(engine: Engine, other: "Future[Any]") -> bool:
    """Wait until the other waits for a lock; false where it came to its end instead."""
    while not other.done():
        with engine.connect() as connection:
            if connection.execute(HELD_UP).scalar_one():
                return True
        wait([other], 0.05)
    return False


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor, engine: Engine, other: Callable[[], Any]
) -> "Future[Any]":
    """Do something else, on a connection of its own, between the look at a refusal and its acceptance."""
    result: Future[Any] = Future()

    def the_other_begins() -> None:
        monkeypatch.setattr(replay, "accept", accept)
        begun = pool.submit(other)
        is_held_up(engine, begun)
        begun.add_done_callback(lambda done: result.set_result(done.result()))

    monkeypatch.setattr(replay, "accept", before(the_other_begins, accept))
    return result


def ends(engine: Engine) -> list[tuple[Closing | None, str]]:
    return [(row.closing, row.closed_because) for row in Ledger(engine).refused()]


def contacts(engine: Engine) -> list[str]:
    return [record.contact for record in Ledger(engine).records()]


@pytest.mark.usefixtures("refused")
def test_what_is_dismissed_while_it_is_submitted_again_is_submitted_and_not_dismissed(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    dismissed = meanwhile(
        monkeypatch, pool, engine, lambda: run(engine, rules, Action.DISCARD, RefusalFilter(), params=DISMISSED)
    )
    (submitted,) = submit_again(engine, rules, RefusalFilter())
    assert (submitted.accepted, submitted.reasons) == (1, ())
    assert (dismissed.result().done, dismissed.result().skipped) == (0, 1)
    assert ends(engine) == [(Closing.SUBMITTED, "")]
    assert outcomes(engine) == {"pending": 1}


def test_what_is_submitted_again_while_it_is_dismissed_is_not_sent(
    engine: Engine, rules: Rules, pool: ThreadPoolExecutor, refused: Refusal
) -> None:
    with engine.begin() as dismissing:
        replay.discard_named(dismissing, [refused.id], Closer("one", "a test address"))
        again = pool.submit(submit_again, engine, rules, RefusalFilter())
        fix = pool.submit(replay.replay_fixed, engine, rules, fixed(refused, "eve@example.com"), Closer("two"))
        assert is_held_up(engine, again)
    (skipped,), not_taken = again.result(), fix.result()
    assert "dismissed" in str(skipped.reasons[0])
    assert "dismissed" in str(not_taken.reasons[0])
    assert ends(engine) == [(Closing.DISMISSED, "a test address")]
    assert outcomes(engine) == {}


def test_of_two_who_fix_one_the_second_is_told_that_the_first_was_faster(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor, refused: Refusal
) -> None:
    second = meanwhile(
        monkeypatch,
        pool,
        engine,
        lambda: replay.replay_fixed(engine, rules, fixed(refused, "eve@example.com"), Closer("two")),
    )
    first = replay.replay_fixed(engine, rules, fixed(refused, "bob@example.com"), Closer("one"))
    assert (first.accepted, first.reasons) == (1, ())
    assert (second.result().accepted, bool(second.result().reasons)) == (0, True)
    assert contacts(engine) == ["bob@example.com"]


@pytest.mark.parametrize("who_comes_after", ["a second fix", "a dismissal"])
def test_what_was_submitted_by_one_who_died_then_is_closed_as_that(
    engine: Engine, rules: Rules, refused: Refusal, who_comes_after: str
) -> None:
    replay.replay_fixed(engine, rules, fixed(refused, "bob@example.com"), Closer("one"))
    do(engine, update(Refused).values(closed_at=None, closing=None, closed_by=""))
    if who_comes_after == "a dismissal":
        assert run(engine, rules, Action.DISCARD, RefusalFilter(), params=DISMISSED).skipped == 1
    else:
        assert replay.replay_fixed(engine, rules, fixed(refused, "eve@example.com"), Closer("two")).reasons
    assert ends(engine) == [(Closing.SUBMITTED, "")]
    assert contacts(engine) == ["bob@example.com"]
