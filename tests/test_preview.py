"""What an action in bulk will do is said before it is done: how many, which errors, ten of it, calls, how long."""

import pytest
from sqlalchemy import Engine, insert, update

import cli.bulk_jobs
from models.accept_rules import Rules
from models.job_params import JobParams
from models.tables import Account, Batch, Error
from models.words import Action, Outcome, Status
from tests.support.fixtures import Submit, Turnout
from tests.support.jobs import ME, finished, run
from tests.support.ledger import Ledger, do, fail_all, given_up, message, people, taken
from worker.accounts import state
from worker.context import Context
from worker.operations import preview, tally
from worker.operations.duration import lasts
from worker.operations.preview import look
from worker.queries import refusals
from worker.queries.error_filter import Filter
from worker.queries.error_groups import DistinctError
from worker.queries.job_filter import CancelFilter
from worker.queries.refusals import RefusalFilter as Refusals

EVERYTHING = Filter((Outcome.FAILED, Outcome.REJECTED))


@pytest.fixture
def small(context: Context) -> Context:
    """Batches of ten, a hundred calls in ten seconds."""
    context.settings = context.settings.model_copy(update={"batch_size": 10})
    return context


def calls_made(engine: Engine) -> int:
    return len(Ledger(engine).batches(Batch.status == Status.PENDING))


def test_a_retry_says_how_many_which_errors_ten_of_them_and_its_calls(
    submit: Submit, engine: Engine, small: Context, rules: Rules
) -> None:
    """Its calls are the batches that it makes: of each account, event, state and kind of identity."""
    do(engine, insert(Account).values(name="acme", batch_size=4))
    submit(message(*people(25)), message(*people(5), state="cancel"))
    by_id = [{"vid": number, "interactionDateTime": 1_767_225_600_000} for number in range(1, 4)]
    submit({"subscriber_state": "register", "object_id": "77", "inputs": by_id})
    fail_all(engine)
    submit(message(*people(12), event="78"))
    fail_all(engine, rejected=True)
    found = look(small, Action.RETRY, EVERYTHING)
    assert (found.count, found.more, len(found.samples)) == (45, False, 10)
    assert [(one.outcome, one.count, bool(one.means)) for one in found.groups if isinstance(one, DistinctError)] == [
        ("failed", 33, True),
        ("rejected", 12, True),
    ]
    assert found.calls == 3 + 1 + 1 + 2
    run(engine, Rules(rules.key, 10, 0.0), Action.RETRY, EVERYTHING)
    assert calls_made(engine) == found.calls


def test_an_accounts_own_batch_size_counts(submit: Submit, engine: Engine, small: Context, rules: Rules) -> None:
    do(engine, update(Account).values(batch_size=4))
    submit(message(*people(25)))
    fail_all(engine)
    found = look(small, Action.RETRY, EVERYTHING)
    run(engine, Rules(rules.key, 10, 0.0), Action.RETRY, EVERYTHING)
    assert found.calls == calls_made(engine) == 7


def test_nothing_that_is_not_chosen_is_counted(submit: Submit, engine: Engine, small: Context) -> None:
    submit(message(*people(5)), message(*people(3), event="78"))
    fail_all(engine)
    assert look(small, Action.RETRY, Filter(event="78")).count == 3
    found = look(small, Action.RETRY, Filter(event="none"))
    assert (found.count, found.will, found.samples, found.groups, found.seconds) == (0, 0, [], [], 0.0)


def test_above_the_bound_it_is_of_the_oldest_and_done_to_no_more(
    submit: Submit, engine: Engine, ledger: Ledger, small: Context, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "AT_MOST", 20)
    submit(message(*people(25)))
    fail_all(engine)
    found = look(small, Action.RETRY, EVERYTHING)
    assert (found.count, found.more, found.calls, found.said) == (20, True, 2, "the first 20")
    job_id = preview.confirm(small, ME, Action.RETRY, EVERYTHING, found.seal)
    assert isinstance(job_id, int)
    assert finished(engine, rules, job_id).done == 20
    ids = [row.record_id for row in ledger.errors(Error.resolution.is_(None))]
    assert ids == [21, 22, 23, 24, 25]


def test_the_time_is_that_of_the_present_rate_and_what_delays_it_is_said(
    submit: Submit, engine: Engine, small: Context
) -> None:
    submit(message(*people(25)))
    fail_all(engine)
    settings = small.settings
    small.settings = settings.model_copy(update={"burst_limit": 2, "burst_seconds": 10.0, "daily_limit": 250_000})
    found = look(small, Action.RETRY, EVERYTHING)
    assert (found.calls, found.seconds) == (3, 15.0)
    assert not found.because
    small.settings = small.settings.model_copy(update={"daily_limit": 2})
    assert look(small, Action.RETRY, EVERYTHING).because == [
        "account default has 2 calls left today: the rest goes from midnight on"
    ]
    small.settings = settings
    state.pause(engine, 1, "a storm")
    assert look(small, Action.RETRY, EVERYTHING).because == ["account default sends nothing now: a storm"]


def test_without_redis_no_time_is_promised(submit: Submit, engine: Engine, small: Context) -> None:
    submit(message(*people(2)))
    fail_all(engine)
    away = Context(small.settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))
    found = look(away, Action.RETRY, EVERYTHING)
    away.engine.dispose()
    assert (found.count, found.seconds) == (2, None)
    assert found.because == ["Redis is out of reach: how much is sent at present is not known"]


def test_a_dismissal_costs_no_call(submit: Submit, engine: Engine, small: Context) -> None:
    submit(message(*people(12)))
    fail_all(engine)
    found = look(small, Action.DISMISS, EVERYTHING)
    assert (found.count, len(found.samples), found.calls, found.seconds) == (12, 10, 0, None)


def test_a_cancellation_says_its_batches_and_records(submit: Submit, small: Context) -> None:
    submit(message(*people(25)), message("a@x.org", event="78"), batch_size=2)
    found = look(small, Action.CANCEL, CancelFilter(event="77"))
    assert (found.count, found.batches, len(found.samples), found.calls) == (25, 13, 10, 0)


def test_refusals_are_shown_by_their_reasons(submit: Submit, engine: Engine, small: Context) -> None:
    submit(*(b"no JSON" for _ in range(12)), message("nobody", "noone"), {**message(*people(30)), "account": "acme"})
    found = look(small, Action.REPLAY, Refusals())
    assert (found.count, len(found.samples)) == (15, 10)
    assert sorted(group.count for group in found.groups) == [1, 2, 12]
    assert (found.will, found.calls) == (0, 0)
    assert sorted(skip.count for skip in found.tally.skips) == [1, 2, 12]
    do(engine, insert(Account).values(name="acme"))
    found = look(small, Action.REPLAY, Refusals())
    assert (found.count, found.will, found.calls) == (15, 1, 3), "30 inputs in batches of ten"


@pytest.mark.parametrize("action", [Action.REPLAY, Action.DISCARD])
def test_all_refusals_that_match_are_meant_or_the_oldest_of_them(
    submit: Submit, engine: Engine, small: Context, rules: Rules, action: Action
) -> None:
    submit(*({**message(one), "account": "acme"} for one in people(700)))
    do(engine, insert(Account).values(name="acme"))
    chosen = Refusals()
    found = look(small, action, chosen)
    assert (found.count, found.more, found.said) == (700, False, "700")
    few = look(small, action, chosen, most=650)
    assert (few.count, few.more, few.said, [one.item for one in few.pinned][-1]) == (650, True, "the first 650", 650)
    job_id = preview.ask(small, ME, action, chosen, few, params=JobParams(because="a test"))
    assert finished(engine, rules, job_id).done == 650
    assert [one.id for one in refusals.waiting(engine, Refusals())] == [*range(700, 650, -1)]


def test_no_more_messages_are_read_for_a_preview_than_a_bound(
    submit: Submit, small: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(*({**message(*people(9)), "account": f"acme{number}"} for number in range(5)))
    monkeypatch.setattr(refusals, "BYTES_LOOKED_AT", 2_000)
    found = look(small, Action.REPLAY, Refusals())
    assert (0 < found.count < 5, found.more) == (True, True)
    assert look(small, Action.DISCARD, Refusals()).count == 5
    of_one = look(small, Action.DISCARD, Refusals(account="acme1"))
    assert (of_one.count, of_one.more) == (1, True), "the account is in the message"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "about 1 s"), (119, "about 119 s"), (120, "about 2 minutes"), (7_100, "about 118 minutes"),
     (7_200, "about 2 hours"), (90_000, "about 25 hours")],
)  # fmt: skip
def test_a_time_is_said_in_the_unit_that_people_would_use(seconds: float, said: str) -> None:
    assert lasts(seconds) == said


def test_the_command_shows_it_and_asks_and_does_nothing_when_told_no(
    submit: Submit, engine: Engine, ledger: Ledger, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.bulk_jobs, "is_asked", lambda: True)
    submit(message(*people(12)))
    given_up(engine, taken(engine))
    said = turnout("retry", stdin="n\n", status=1).output
    for words in ("Distinct errors", "Ten of them", "12 records will be retried; 1 call, about 1 s", "Go on?"):
        assert words in said
    assert not ledger.jobs()
    assert "12 records are retried" in turnout("retry", stdin="y\n").output
    assert ledger.jobs()[0].expected == 12


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("90", 90), (" 90 ", 90), ("9,000", 9_000), ("9.000", 9_000), ("9 000", 9_000), ("9\u202f000", 9_000),
        ("1'234'567", 1_234_567), ("12_000", 12_000),
        ("9.0", None), ("9 0", None), ("9,00", None), ("1,2345", None), ("9,000.5", None), ("٩٠", None), ("", None),
        ("-90", None), ("ninety", None), ("9" * 19, None),
    ],
)  # fmt: skip
def test_a_number_is_read_as_previews_write_it_and_nothing_else_is(typed: str, number: int | None) -> None:
    assert tally.number_typed(typed) == number
