"""Actions in bulk beside everything else: their steps are short, hold nobody up, and lose no result."""

import random

import pytest
from sqlalchemy import Engine, insert

import worker.queries.refusals
from models.accept_rules import Rules
from models.correction import Change
from models.job_params import JobParams
from models.tables import Account, JobItem
from models.words import Action, Outcome
from tests.support.fixtures import Submit
from tests.support.jobs import ME, finished, run
from tests.support.ledger import WHEN, Ledger, do, given_up, message, outcomes, people, taken, wrong_now
from tests.support.storm import PATIENCE, SIZE, PurgingStorm, keep_what_goes
from worker.context import Context
from worker.database import make_engine
from worker.operations import jobs, steps
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter, Chosen
from worker.queries.refusals import RefusalFilter, waiting
from worker.retention.purge import purge
from worker.settings import Settings


def asked(engine: Engine, action: Action, chosen: Chosen) -> int:
    with engine.begin() as connection:
        return jobs.ask(connection, ME, action, chosen)


def do_steps(engine: Engine, rules: Rules, job_id: int) -> list[int]:
    """Do a job; say how many were done after each of its steps."""
    done = []
    for job in jobs.finish(engine, rules, job_id):
        assert not job.last_error, job
        done.append(job.done)
    return done


def test_a_rare_filter_goes_on_step_by_step_through_the_open_errors_that_it_leaves_out(
    submit: Submit, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "AT_MOST", 5)
    submit(message(*people(12), event="1"))
    given_up(engine, taken(engine))
    submit(message("rare@x.org", event="2"))
    given_up(engine, taken(engine))
    submit(message(*people(12, 20), event="1"))
    given_up(engine, taken(engine))
    job_id = asked(engine, Action.RETRY, Filter(event="2"))
    assert do_steps(engine, rules, job_id) == [0, 0, 1, 1, 1]
    assert outcomes(engine) == {"failed": 24, "pending": 1}


def test_a_filter_that_an_index_answers_walks_through_nothing_else(
    submit: Submit, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "AT_MOST", 5)
    submit(message(*people(30)))
    given_up(engine, taken(engine))
    assert do_steps(engine, rules, asked(engine, Action.RETRY, Filter(record_ids=[28, 30]))) == [2, 2]


def test_a_step_that_finds_more_than_it_takes_leaves_none_of_them_out(
    submit: Submit, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "AT_MOST", 5)
    monkeypatch.setattr(steps, "STEP", 3)
    submit(message(*people(12)))
    given_up(engine, taken(engine))
    assert do_steps(engine, rules, asked(engine, Action.RETRY, Filter()))[-1] == 12
    assert outcomes(engine) == {"pending": 12}


def test_a_rare_filter_goes_on_step_by_step_through_the_waiting_batches_that_it_leaves_out(
    submit: Submit, engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "AT_MOST", 5)
    submit(*(message("a@x.org", event=str(number)) for number in range(17)))
    assert do_steps(engine, rules, asked(engine, Action.CANCEL, CancelFilter(event="12"))) == [0, 0, 1, 1]
    assert outcomes(engine) == {"pending": 16, "canceled": 1}


@pytest.fixture
def _of_acme(submit: Submit, engine: Engine) -> None:
    """Three messages that were refused whole, and would be accepted now."""
    for number in range(3):
        submit({**message(f"p{number}@x.org"), "account": "acme"})
    do(engine, insert(Account).values(name="acme"))


@pytest.mark.usefixtures("_of_acme")
def test_what_died_between_handing_in_again_and_its_note_has_its_result_all_the_same(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = asked(engine, Action.REPLAY, RefusalFilter())

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "_go_on", dies)
        with pytest.raises(KeyboardInterrupt):
            jobs.step(engine, rules, job_id)
    assert outcomes(engine) == {"pending": 3}
    assert finished(engine, rules, job_id).done == 3
    assert [item.result["accepted"] for item in Ledger(engine).all(JobItem)] == [1, 1, 1]
    assert outcomes(engine) == {"pending": 3}


@pytest.mark.usefixtures("_of_acme")
def test_large_refusals_are_read_and_handed_in_again_few_at_once(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.queries.refusals, "BYTES_AT_ONCE", 100)
    assert [row.id for row in waiting(engine, RefusalFilter())] == [3, 2, 1]
    assert do_steps(engine, rules, asked(engine, Action.REPLAY, RefusalFilter())) == [1, 2, 3, 3]


class BulkStorm(PurgingStorm):
    """A storm in which records are corrected, one by one and in groups, and errors dismissed, while old ones go."""

    corrected = 0

    def rage(self) -> None:
        here = [self._thread("correct", self._every(0.1, self._correct)) for _ in range(2)]
        here += [self._thread("dismiss", self._every(0.2, self._dismiss))]
        super().rage()
        for thread in here:
            thread.join(PATIENCE)

    def drain(self) -> None:
        chosen = Filter((Outcome.REJECTED, Outcome.FAILED, Outcome.CANCELED, Outcome.UNCONFIRMED))
        self._mend(chosen, Change(email="last@x.org"))
        super().drain()

    def _correct(self, dice: random.Random) -> None:
        change = dice.choice([
            Change(email=f"n{dice.randrange(40)}@x.org"),
            Change(properties={"seat": str(dice.randrange(1_000_000))}),
            Change(object_id=str(dice.randrange(4)), when=dice.randrange(WHEN, WHEN + 90_000)),
        ])  # fmt: skip
        chosen = Filter(
            dice.choice([(Outcome.REJECTED,), (Outcome.FAILED,), (Outcome.CANCELED, Outcome.UNCONFIRMED)]),
            event=str(dice.randrange(4)) if dice.random() < 0.5 else None,
        )
        self._mend(chosen, change)

    def _mend(self, chosen: Filter, change: Change) -> None:
        params = JobParams(change=change)
        self.corrected += run(self.engine, self.rules, Action.CORRECT, chosen, params=params).done

    def _purge(self, _: random.Random) -> None:
        self.gone += purge(self.engine, 1 / 86_400)

    def _dismiss(self, dice: random.Random) -> None:
        chosen = Filter((Outcome.REJECTED,), event=str(dice.randrange(4)))
        run(self.engine, self.rules, Action.DISMISS, chosen, params=JobParams(because="a storm"))


@pytest.mark.usefixtures("new_sessions")
@pytest.mark.parametrize("seed", range(2))
def test_a_storm_of_corrections_retries_cancels_and_purging_keeps_order_and_books(
    context: Context, settings: Settings, rules: Rules, seed: int
) -> None:
    engine = make_engine(settings, pool=20)
    keep_what_goes(engine)
    here = BulkStorm(engine, context, Rules(rules.key, SIZE, 0.05), seed, calls=16)
    killers = here.with_killers_engine(settings.database_url)
    try:
        here.rage()
        here.drain()
        with killers.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            wrong = [*here.judge(), *wrong_now(connection)]
    finally:
        for each in (engine, context.engine, killers):
            each.dispose()
    assert here.corrected > 0
    assert not wrong, f"seed {seed} violates:\n" + "\n".join(wrong[:40])
