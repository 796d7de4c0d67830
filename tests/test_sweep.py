from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, text, update

import tasks.sweep
import worker.queue.claim
import worker.queue.expired_leases
from models.tables import Batch, Schedule
from models.words import Origin, Status
from tasks.sweep import due_accounts, free_the_forgotten
from tests.support.background import waits_for_a_lock
from tests.support.fixtures import Submit
from tests.support.jobs import retry
from tests.support.ledger import (
    Ledger,
    account_id,
    ask,
    batch,
    deliver_all,
    do,
    given_up,
    let_pass,
    message,
    outcomes,
    people,
    postponed,
    settled,
    take,
    taken,
    waits,
)
from worker.accounts.state import park, pause, resume
from worker.context import Context
from worker.operations import jobs, schedules
from worker.queries.error_filter import Filter
from worker.queue.expired_leases import reclaim
from worker.queue.locks import lock_event
from worker.settings import Settings
from worker.task_names import DELIVER


def wait_of(engine: Engine, batch_id: int) -> float:
    (row,) = ask(
        engine, "SELECT extract(epoch FROM due_at - now())::float8 AS seconds FROM batches WHERE id = :id", id=batch_id
    )
    return float(row.seconds)


def test_a_tick_right_after_another_does_nothing(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.sweep, "EVERY_MS", 60_000)
    ticks = [tasks.sweep.sweep(context, lambda *_, **__: 0) for _ in range(3)]
    assert ticks == [True, False, False]


# Leases that ran out


def test_a_lease_that_ran_out_is_taken_back_after_a_wait_that_doubles_and_is_never_given_up(
    submit: Submit, engine: Engine, context: Context
) -> None:
    submit(message(*people(3)))
    waited = []
    for claims in range(1, 16):
        claimed = taken(engine)
        let_pass(engine, 1)
        assert reclaim(context.engine) == 1
        row = batch(engine, claimed.batch_id)
        assert (row.status, row.claims, row.attempts, row.failing_since) == ("PENDING", claims, 0, None)
        assert f"claimed {claims} times" in row.postponed_because
        waited.append(round(wait_of(engine, claimed.batch_id)))
        let_pass(engine, 1.1)
    assert waited == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600, 3600]
    settled(engine, taken(engine))
    assert outcomes(engine) == {"delivered": 3}


def test_a_lease_that_still_runs_is_left_alone(submit: Submit, engine: Engine, context: Context) -> None:
    submit(message(*people(1)))
    claimed = taken(engine)
    let_pass(engine, 59 / 3_600)
    assert reclaim(context.engine) == 0
    assert settled(engine, claimed)


def test_a_lease_renewed_since_the_sweep_looked_is_left_alone(submit: Submit, engine: Engine, context: Context) -> None:
    """The sweep waits for the event before it takes a batch back, and looks at the lease again."""
    submit(message(*people(1)))
    claimed = taken(engine)
    let_pass(engine, 1)
    with engine.begin() as accepting, ThreadPoolExecutor(1) as one:
        lock_event(accepting, claimed.event_id)
        reclaiming = one.submit(reclaim, context.engine)
        assert waits_for_a_lock(engine, reclaiming)
        do(engine, update(Batch).values(lease_until=func.now() + timedelta(minutes=1)))
        accepting.rollback()
        reclaiming.result(10)
    assert batch(engine, claimed.batch_id).lease_token == claimed.token
    assert settled(engine, claimed)


def test_a_lease_that_ran_out_can_still_be_settled_until_somebody_takes_the_batch_back(
    submit: Submit, engine: Engine, context: Context
) -> None:
    submit(message(*people(1)))
    claimed = taken(engine)
    let_pass(engine, 1)
    assert settled(engine, claimed)
    assert reclaim(context.engine) == 0
    assert outcomes(engine) == {"delivered": 1}


def test_a_lost_call_is_said_to_be_lost(submit: Submit, engine: Engine, ledger: Ledger, context: Context) -> None:
    submit(message(*people(1)))
    taken(engine)
    let_pass(engine, 1)
    reclaim(context.engine)
    (attempt,) = ledger.attempts()
    assert (attempt.answer, attempt.finished_at is not None) == ("lost", True)


def test_a_live_batch_keeps_its_contacts_while_it_waits_to_be_sent_again(
    submit: Submit, engine: Engine, context: Context
) -> None:
    submit(message("a@x.org"), message("a@x.org", state="cancel"))
    first = taken(engine)
    let_pass(engine, 1)
    reclaim(context.engine)
    assert take(engine) is None
    let_pass(engine, 1)
    assert taken(engine).batch_id == first.batch_id


def test_ten_sweeps_at_once_take_a_batch_back_once(submit: Submit, engine: Engine, context: Context) -> None:
    submit(message(*people(8)), batch_size=1)
    for _ in range(8):
        taken(engine)
    let_pass(engine, 1)
    with ThreadPoolExecutor(10) as ten:
        list(ten.map(lambda _: reclaim(context.engine), range(10)))
    rows = ask(engine, "SELECT status, claims, extract(epoch FROM due_at - now()) < 2 AS soon FROM batches")
    assert {tuple(row) for row in rows} == {("PENDING", 1, True)}


def test_a_sweep_takes_back_a_bounded_number_and_the_next_the_rest(
    submit: Submit, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.queue.expired_leases, "AT_ONCE", 3)
    submit(message(*people(5)), batch_size=1)
    for _ in range(5):
        taken(engine)
    let_pass(engine, 1)
    assert [reclaim(context.engine) for _ in range(3)] == [3, 2, 0]


# Who is due


def test_an_account_is_due_when_a_batch_of_it_may_be_claimed(submit: Submit, engine: Engine, context: Context) -> None:
    assert due_accounts(context) == []
    submit(message("a@x.org"), message("a@x.org", state="cancel"))
    assert due_accounts(context) == ["default"]
    claimed = taken(engine)
    assert take(engine) is None
    assert due_accounts(context) == []  # what is left waits for the one that is being sent
    postponed(engine, claimed, 3_600)
    assert due_accounts(context) == []
    let_pass(engine, 1)
    assert due_accounts(context) == ["default"]
    deliver_all(engine)
    assert due_accounts(context) == []


def test_an_account_that_may_not_send_is_not_due(submit: Submit, engine: Engine, context: Context) -> None:
    submit(message(*people(1)))
    pause(engine, account_id(engine), "its token")
    assert due_accounts(context) == []
    resume(engine, "default")
    assert due_accounts(context) == ["default"]
    park(engine, account_id(engine), 3_600, "HubSpot is moving it")
    assert due_accounts(context) == []
    let_pass(engine, 1)
    assert due_accounts(context) == ["default"]


def test_what_lingers_is_due_when_its_time_has_come_without_anybody_telling(
    engine: Engine, context: Context, settings: Settings
) -> None:
    import json

    from models.accept_rules import Rules
    from models.words import Door
    from worker.intake.accept import Inbound, accept

    with engine.connect() as connection:
        accept(
            connection,
            [Inbound(Door.STREAM, "1-0", json.dumps(message(*people(1))).encode())],
            Rules(b"key", settings.batch_size, 3_600),
        )
    assert take(engine) is None
    assert due_accounts(context) == []
    let_pass(engine, 1)
    assert due_accounts(context) == ["default"]
    assert take(engine) is not None


@pytest.mark.parametrize(("accounts", "places"), [(0, 8), (1, 8), (8, 8), (9, 7), (32, 2), (33, 1), (5_000, 1)])
def test_the_more_accounts_are_due_the_fewer_wake_ups_each_gets(accounts: int, places: int) -> None:
    assert tasks.sweep.places_of_each(accounts) == places


def test_a_sweep_sends_no_more_wake_ups_than_workers_can_use(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    due = [f"account-{number}" for number in range(100)]
    monkeypatch.setattr(tasks.sweep, "due_accounts", lambda _: due)
    sent: list[tuple[str, int]] = []

    def wake(_: Context, task: str, places: int = 1, **__: str) -> int:
        sent.append((task, places))
        return places

    tasks.sweep.sweep(context, wake)
    assert [places for task, places in sent if task == DELIVER] == [1] * 100


# What waits for nothing


def test_what_waits_for_a_settled_batch_is_freed_and_counted_as_an_error(
    submit: Submit, engine: Engine, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    submit(message("a@x.org"), message("b@x.org", state="cancel"))
    first = taken(engine)
    settled(engine, first)
    assert free_the_forgotten(context) == 0
    do(engine, update(Batch).where(Batch.status == Status.PENDING).values(after=[first.batch_id]))
    do(engine, "UPDATE lanes SET due_at = 'infinity', ready = false")
    assert take(engine) is None
    assert free_the_forgotten(context) == 1
    assert "bug: settled batch was waited for" in caplog.text
    assert list(waits(engine).values()) == [[]]
    assert take(engine) is not None
    assert free_the_forgotten(context) == 0


def test_a_sweep_looks_at_the_oldest_of_those_that_wait_and_no_further(
    submit: Submit, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.sweep, "LOOKED_AT", 2)
    submit(message("a@x.org"))
    first = taken(engine)
    settled(engine, first)
    submit(message(*people(5)), batch_size=1)
    do(engine, update(Batch).where(Batch.status == Status.PENDING).values(after=[first.batch_id]))
    assert free_the_forgotten(context) == 2  # one freeing frees all that wait for the same
    assert set(map(tuple, waits(engine).values())) == {()}


def test_waiting_for_a_batch_that_waits_itself_is_no_error(submit: Submit, engine: Engine, context: Context) -> None:
    for state in ("register", "cancel", "attend"):
        submit(message("a@x.org", state=state))
    assert free_the_forgotten(context) == 0
    taken(engine)
    assert free_the_forgotten(context) == 0


# The schedule


@pytest.fixture
def scheduled(context: Context, settings: Settings) -> Callable[[str], Context]:
    def with_crontab(crontab: str) -> Context:
        context.settings = settings.model_copy(update={"retry_schedule": crontab})
        return context

    return with_crontab


def begin_scheduled(context: Context) -> None:
    """What a sweep does of it, and the job after it."""
    schedules.run(context.engine, context.settings)
    while jobs.step(context.engine, context.rules) is not None:
        pass


def test_the_schedule_retries_once_however_many_sweeps_run(
    submit: Submit, engine: Engine, scheduled: Callable[[str], Context]
) -> None:
    context = scheduled("0 3 * * *")
    submit(message(*people(3)))
    given_up(engine, taken(engine))
    with ThreadPoolExecutor(10) as ten:
        list(ten.map(lambda _: begin_scheduled(context), range(10)))
    assert outcomes(engine) == {"failed": 3}, "it ran at once, although its time had not come"
    let_pass(engine, 24)
    with ThreadPoolExecutor(10) as ten:
        list(ten.map(lambda _: begin_scheduled(context), range(10)))
    assert outcomes(engine) == {"pending": 3}
    assert len(Ledger(engine).batches(Batch.origin == Origin.RETRY)) == 1
    given_up(engine, taken(engine))
    with ThreadPoolExecutor(10) as ten:
        list(ten.map(lambda _: begin_scheduled(context), range(10)))
    assert outcomes(engine) == {"failed": 3}, "it ran twice"
    let_pass(engine, 24)
    begin_scheduled(context)
    assert outcomes(engine) == {"pending": 3}


def test_a_days_missed_schedules_run_once(submit: Submit, engine: Engine, scheduled: Callable[[str], Context]) -> None:
    context = scheduled("* * * * *")
    submit(message(*people(1)))
    given_up(engine, taken(engine))
    begin_scheduled(context)
    let_pass(engine, 24)
    begin_scheduled(context)
    assert outcomes(engine) == {"pending": 1}
    given_up(engine, taken(engine))
    begin_scheduled(context)
    assert outcomes(engine) == {"failed": 1}


def test_a_changed_schedule_counts_from_now_and_an_empty_one_never_runs(
    submit: Submit, engine: Engine, ledger: Ledger, scheduled: Callable[[str], Context]
) -> None:
    submit(message(*people(1)))
    given_up(engine, taken(engine))
    begin_scheduled(scheduled("0 3 * * *"))
    let_pass(engine, 48)
    begin_scheduled(scheduled("30 4 * * *"))
    assert outcomes(engine) == {"failed": 1}
    let_pass(engine, 48)
    begin_scheduled(scheduled(""))
    assert outcomes(engine) == {"failed": 1}
    assert not ledger.all(Schedule)


def test_the_schedule_retries_only_what_got_no_answer(
    submit: Submit, engine: Engine, scheduled: Callable[[str], Context]
) -> None:
    submit(message(*people(3)), batch_size=1)
    settled(engine, taken(engine), rejected=[0])
    settled(engine, taken(engine), unconfirmed=[0])
    given_up(engine, taken(engine))
    context = scheduled("* * * * *")
    begin_scheduled(context)
    let_pass(engine, 1)
    begin_scheduled(context)
    assert outcomes(engine) == {"pending": 1, "rejected": 1, "unconfirmed": 1}


# The clock


def test_a_host_whose_clock_is_a_year_ahead_waits_as_long(
    submit: Submit, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 366 * 86_400)
    submit(message(*people(2)), batch_size=1)
    postponed(engine, taken(engine), 60)
    taken(engine)
    assert reclaim(context.engine) == 0
    assert take(engine) is None


def test_a_retry_that_was_overtaken_while_its_worker_was_lost_is_not_sent_again(
    submit: Submit, engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 0.0)
    submit(message("a@x.org", "b@x.org"))
    given_up(engine, taken(engine))
    retry(engine, 100, Filter())
    assert len(taken(engine).members) == 2
    submit(message("a@x.org", state="cancel"))
    let_pass(engine, 1)
    reclaim(context.engine)
    settled(engine, taken(engine))
    let_pass(engine, 1)
    again = taken(engine)
    assert (again.origin, [member.contact for member in again.members]) == (Origin.RETRY, ["b@x.org"])
    settled(engine, again)
    assert outcomes(engine) == {"delivered": 2, "canceled": 1}


def test_a_due_batch_behind_a_thousand_waiting_ones_is_found_at_once(submit: Submit, engine: Engine) -> None:
    """The claim walks an index of what may be claimed, never those that wait."""
    submit(message("a@x.org"))
    held = taken(engine)
    do(
        engine,
        """
        INSERT INTO batches (id, account_id, event_id, state, identity, origin, status, open, size, positions, after,
          due_at)
        SELECT nextval('batch_ids'), account_id, event_id, state, identity, 'live', 'PENDING', false, 0, 0, ARRAY[id],
          now() FROM batches CROSS JOIN generate_series(1, 1000)""",
    )
    do(engine, "ANALYZE batches")
    with engine.connect() as connection:
        plan = connection.execute(
            text("""
            EXPLAIN (FORMAT TEXT) SELECT id FROM batches WHERE event_id = :event AND origin = 'live'
            AND status = 'PENDING' AND after = '{}' AND due_at <= now() ORDER BY due_at, id LIMIT 1
            FOR UPDATE SKIP LOCKED"""),
            {"event": held.event_id},
        )
        assert "ix_batches_claimable" in "\n".join(plan.scalars())
