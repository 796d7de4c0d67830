"""Actions in bulk beside everything else: their steps are short, hold nobody up, and lose no result."""

from collections.abc import Callable

import pytest
from acting import ME, finished
from ledger import do, given_up, message, outcomes, people, taken
from sqlalchemy import Engine, text

from models.words import Action
from worker import bulk, cancel, jobs, refused, retry
from worker.accept import Rules
from worker.receipts import Part
from worker.refused import Chosen, waiting
from worker.retry import Filter

HandIn = Callable[..., list[Part]]


def asked(engine: Engine, action: Action, **chosen: object) -> int:
    with engine.begin() as connection:
        return jobs.ask(connection, ME, action, chosen)


def steps(engine: Engine, rules: Rules, job_id: int) -> list[int]:
    """Do a job; say how many were done after each of its steps."""
    done = []
    for job in jobs.finish(engine, rules, job_id):
        assert not job["trouble"], job
        done.append(job["done"])
    return done


def test_a_rare_filter_goes_on_step_by_step_through_the_open_errors_that_it_leaves_out(
    hand_in: HandIn, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "WALK", 5, raising=False)
    hand_in(message(*people(12), event="1"))
    given_up(engine, taken(engine))
    hand_in(message("rare@x.org", event="2"))
    given_up(engine, taken(engine))
    hand_in(message(*people(12, 20), event="1"))
    given_up(engine, taken(engine))
    job_id = asked(engine, Action.RETRY, **Filter(event="2").written)
    assert steps(engine, rules, job_id) == [0, 0, 1, 1, 1]
    assert outcomes(engine) == {"failed": 24, "pending": 1}


def test_a_filter_that_an_index_answers_walks_through_nothing_else(
    hand_in: HandIn, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "WALK", 5, raising=False)
    hand_in(message(*people(30)))
    given_up(engine, taken(engine))
    assert steps(engine, rules, asked(engine, Action.RETRY, **Filter(record_ids=[28, 30]).written)) == [2, 2]


def test_a_step_that_finds_more_than_it_takes_leaves_none_of_them_out(
    hand_in: HandIn, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "WALK", 5, raising=False)
    monkeypatch.setattr(bulk, "STEP", 3)
    hand_in(message(*people(12)))
    given_up(engine, taken(engine))
    assert steps(engine, rules, asked(engine, Action.RETRY, **Filter().written))[-1] == 12
    assert outcomes(engine) == {"pending": 12}


def test_a_rare_filter_goes_on_step_by_step_through_the_waiting_batches_that_it_leaves_out(
    hand_in: HandIn, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancel, "WALK", 5, raising=False)
    hand_in(*(message("a@x.org", event=str(number)) for number in range(17)))
    assert steps(engine, rules, asked(engine, Action.CANCEL, event="12")) == [0, 0, 1, 1]
    assert outcomes(engine) == {"pending": 16, "canceled": 1}


@pytest.fixture
def _of_acme(hand_in: HandIn, engine: Engine) -> None:
    """Three messages that were refused whole, and would be accepted now."""
    for number in range(3):
        hand_in({**message(f"p{number}@x.org"), "account": "acme"})
    do(engine, "INSERT INTO accounts (name) VALUES ('acme')")


@pytest.mark.usefixtures("_of_acme")
def test_what_died_between_handing_in_again_and_its_note_has_its_result_all_the_same(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = asked(engine, Action.REPLAY)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "_go_on", dies)
        with pytest.raises(KeyboardInterrupt):
            jobs.step(engine, rules, job_id)
    assert outcomes(engine) == {"pending": 3}
    assert finished(engine, rules, job_id)["done"] == 3
    with engine.connect() as connection:
        told = connection.execute(text("SELECT told->>'accepted' FROM job_items")).scalars().all()
    assert told == ["1", "1", "1"]
    assert outcomes(engine) == {"pending": 3}


@pytest.mark.usefixtures("_of_acme")
def test_large_refusals_are_read_and_handed_in_again_few_at_once(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused, "BYTES", 100, raising=False)
    assert [row["id"] for row in waiting(engine, Chosen())] == [3, 2, 1]
    assert steps(engine, rules, asked(engine, Action.REPLAY)) == [1, 2, 3, 3]
