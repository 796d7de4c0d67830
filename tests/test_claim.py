import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Executable, event, func, insert, literal, select, update

import worker.queue.claim
from hubspot_api.reaction import OUTAGE
from models.tables import Account, Attempt, Batch, Error, Event, Lane, Record, fixed
from models.words import Origin, Outcome, Status
from tests.support.background import waits_for_a_lock
from tests.support.fixtures import Submit
from tests.support.jobs import retry
from tests.support.ledger import (
    LEASE,
    Ledger,
    account_id,
    ask,
    batch,
    deliver_all,
    delivered,
    do,
    given_up,
    in_turn,
    let_pass,
    message,
    outcomes,
    people,
    postponed,
    settled,
    spanned,
    take,
    taken,
    waits,
)
from worker.accounts.state import _BEGIN_PROBE, answered, count_ambiguous, may_send, park, pause, resume
from worker.context import Context
from worker.intake.receipts import Part
from worker.queries.error_filter import Filter
from worker.queue import lanes
from worker.queue.claim import Claim, claim
from worker.queue.expired_leases import reclaim
from worker.queue.locks import lock_event
from worker.queue.settle import settle


@pytest.fixture
def retries_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 1.0)


def everything(engine: Engine) -> list[object]:
    """All that a lost lease must not touch."""
    tables = ("batches", "errors", "attempts", "records", "lanes", "accounts")
    return [ask(engine, f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]


def failed(engine: Engine, submit: Submit, *messages: object, batch_size: int = 100) -> int:
    """Hand in, give all of it up and retry it; give the number of records that wait in retries now."""
    submit(*messages, batch_size=batch_size)
    while (claimed := take(engine)) is not None:
        given_up(engine, claimed)
    return retry(engine, batch_size, Filter())


# Fairness


@pytest.mark.usefixtures("live_first")
def test_the_event_served_longest_ago_goes_first(submit: Submit, engine: Engine) -> None:
    submit(message(*people(4), event="big"), batch_size=1)
    submit(message(*people(2), event="small"), batch_size=1)
    in_turn(engine)
    assert [taken(engine).address.object_id for _ in range(6)] == ["big", "small", "big", "small", "big", "big"]


@pytest.mark.usefixtures("live_first")
def test_an_event_that_waited_is_served_before_one_with_more_to_send(submit: Submit, engine: Engine) -> None:
    submit(message(*people(50), event="big"), batch_size=1)
    for _ in range(10):
        taken(engine)
    submit(message(*people(1), event="late"), batch_size=1)
    assert taken(engine).address.object_id == "late"


@pytest.mark.usefixtures("live_first")
def test_live_goes_before_retries_and_retries_before_replays(submit: Submit, engine: Engine) -> None:
    failed(engine, submit, message("a@x.org", event="1"), message("b@x.org", event="2"))
    newest = select(func.max(Event.id)).scalar_subquery()
    do(engine, update(Batch).where(Batch.origin == Origin.RETRY, Batch.event_id == newest).values(origin=Origin.REPLAY))
    do(
        engine,
        "INSERT INTO lanes SELECT event_id, 'replay', account_id, served_at, now(), true FROM lanes"
        " WHERE origin = 'retry' AND event_id = (SELECT max(id) FROM events)",
    )
    submit(message("c@x.org", event="3"))
    assert [taken(engine).origin for _ in range(3)] == [Origin.LIVE, Origin.RETRY, Origin.REPLAY]
    assert take(engine) is None


@pytest.mark.usefixtures("retries_first")
def test_a_share_of_the_claims_looks_first_for_what_is_not_live(submit: Submit, engine: Engine) -> None:
    failed(engine, submit, message("a@x.org", event="1"))
    submit(message("c@x.org", event="3"))
    assert [taken(engine).origin for _ in range(2)] == [Origin.RETRY, Origin.LIVE]


@pytest.mark.usefixtures("live_first")
def test_a_batch_somebody_is_adding_to_keeps_no_other_event_waiting(submit: Submit, engine: Engine) -> None:
    submit(message(*people(1), event="busy"))
    submit(message(*people(1), event="idle"))
    of_busy = select(Batch.id).join(Event, Event.id == Batch.event_id).where(Event.object_id == "busy")
    with engine.begin() as accepting:
        busy = accepting.execute(of_busy.with_for_update(of=Batch)).scalar_one()
        claimed = take(engine)
        assert claimed is not None, "a locked batch of one event kept the claim from all others"
        assert claimed.address.object_id == "idle"
        assert take(engine) is None
    assert taken(engine).batch_id == busy


@pytest.mark.usefixtures("live_first")
def test_a_lane_that_somebody_has_locked_is_passed_over(submit: Submit, engine: Engine) -> None:
    """Accept tells the lane, last of all: a claim that waited for it would deadlock, holding another."""
    submit(message(*people(1), event="first"))
    submit(message(*people(1), event="second"))
    lane = select(Lane.event_id).order_by(Lane.served_at, Lane.event_id).limit(1).with_for_update()
    with engine.begin() as accepting, ThreadPoolExecutor(1) as one:
        locked = accepting.execute(lane).scalar_one()
        claiming = one.submit(take, engine)
        waited = waits_for_a_lock(engine, claiming)
        accepting.rollback()
        claimed = claiming.result(10)
    assert not waited
    assert claimed is not None
    assert claimed.event_id != locked


@pytest.mark.usefixtures("live_first")
def test_an_event_locked_by_accept_can_still_be_claimed_from(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    submit(message(*people(1)))
    with engine.begin() as accepting:
        lock_event(accepting, ledger.all(Event)[0].id)
        assert take(engine) is not None


@pytest.mark.usefixtures("retries_first")
def test_a_locked_event_keeps_retries_of_others_not_waiting(submit: Submit, engine: Engine) -> None:
    failed(engine, submit, message("a@x.org", event="1"), message("b@x.org", event="2"))
    locked = ask(
        engine, select(Lane.event_id).where(Lane.origin == Origin.RETRY).order_by(Lane.served_at, Lane.event_id)
    )[0].event_id
    with engine.begin() as accepting, ThreadPoolExecutor(1) as one:
        lock_event(accepting, locked)
        claiming = one.submit(take, engine)
        waited = waits_for_a_lock(engine, claiming)
        accepting.rollback()
        claimed = claiming.result(10)
    assert not waited, "the claim waited for an event that somebody else had locked"
    assert claimed is not None
    assert claimed.event_id != locked


def without_deadlock(
    engine: Engine, first: Callable[[Connection], object], then: Callable[[Connection], object]
) -> None:
    """A claim between two steps of somebody who locks in the order that everybody keeps."""
    with ThreadPoolExecutor(1) as one, engine.begin() as connection:
        first(connection)
        claiming = one.submit(take, engine)
        waits_for_a_lock(engine, claiming)
        then(connection)
        connection.commit()
        claiming.result(10)


@pytest.mark.usefixtures("live_first")
def test_a_claim_that_turns_from_live_lanes_to_a_retry_deadlocks_with_nobody(
    submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    failed(engine, submit, message("a@x.org"))
    submit(message("b@x.org"))
    (live,) = ledger.batches(Batch.status == Status.PENDING, Batch.origin == Origin.LIVE)
    do(engine, update(Batch).where(Batch.id == live.id).values(due_at=func.now() + timedelta(hours=1)))
    without_deadlock(
        engine,
        lambda accepting: lock_event(accepting, live.event_id),
        lambda accepting: lanes.tell(accepting, [live.id]),
    )


@pytest.mark.usefixtures("retries_first")
def test_a_claim_that_tries_several_retries_deadlocks_with_nobody(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org", event="1"), message("b@x.org", event="2"))
    for _ in range(2):
        taken(engine)
    submit(message("a@x.org", event="1", state="cancel"), message("b@x.org", event="2", state="cancel"))
    do(engine, update(Batch).where(Batch.status == Status.PENDING).values(status=Status.CANCELED, open=False, after=[]))
    do(
        engine,
        insert(Error).from_select(
            ["record_id", "batch_id", "outcome", "category", "message"],
            select(Record.id, Batch.id, fixed(Outcome.FAILED), literal("GIVEN_UP"), literal(""))
            .join(Batch, Batch.id == Record.batch_id)
            .where(Batch.status == Status.CANCELED),
        ),
    )
    assert retry(engine, 100, Filter()) == 2
    first, second = ask(engine, select(Lane.event_id).where(Lane.origin == Origin.RETRY).order_by(Lane.event_id))
    do(engine, update(Lane).where(Lane.event_id == first.event_id).values(served_at=func.now()))
    without_deadlock(
        engine,
        lambda accepting: lock_event(accepting, first.event_id),
        lambda accepting: lock_event(accepting, second.event_id),
    )


# Membership, lease and fence


def test_a_claim_ends_the_batchs_growing(submit: Submit, engine: Engine) -> None:
    submit(message(*people(2)))
    claimed = taken(engine)
    submit(message(*people(2, 5)))
    assert [member.contact for member in claimed.members] == people(2)
    assert batch(engine, claimed.batch_id).size == 2
    assert len(taken(engine).members) == 2


def test_a_claim_fixes_status_lease_and_count(submit: Submit, engine: Engine) -> None:
    submit(message(*people(1)))
    with spanned(engine) as span:
        claimed = taken(engine)
    row = batch(engine, claimed.batch_id)
    assert (row.status, row.claims, row.attempts, row.lease_token, row.open) == (
        "PROCESSING",
        1,
        0,
        claimed.token,
        False,
    )
    assert row.lease_until is not None
    assert span.has(row.lease_until, before=LEASE)


def test_two_claims_never_get_the_same_batch(submit: Submit, engine: Engine) -> None:
    submit(*(message(*people(5), event=str(event)) for event in range(4)), batch_size=1)
    with ThreadPoolExecutor(5) as several:
        claimed = list(several.map(lambda _: take(engine), range(30)))
    while (one := take(engine)) is not None:
        claimed.append(one)
    got = [one.batch_id for one in claimed if one]
    assert len(got) == len(set(got)) == 20


@pytest.mark.parametrize("late", [settled, postponed, given_up])
def test_a_zombie_changes_nothing(
    submit: Submit, engine: Engine, context: Context, late: Callable[[Engine, Claim], bool]
) -> None:
    submit(message(*people(3)), message(*people(1), state="cancel"))
    zombie = taken(engine)
    let_pass(engine, 1)
    assert reclaim(context.engine) == 1
    let_pass(engine, 1)
    before = everything(engine)
    assert not late(engine, zombie)
    assert everything(engine) == before
    owner = taken(engine)
    assert owner.batch_id == zombie.batch_id
    before = everything(engine)
    assert not late(engine, zombie)
    assert everything(engine) == before
    assert settled(engine, owner)
    before = everything(engine)
    assert not late(engine, zombie)
    assert everything(engine) == before


def test_nothing_is_sent_unless_the_records_are_as_many_as_the_size(
    submit: Submit, engine: Engine, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    submit(message(*people(3)))
    do(engine, update(Batch).values(size=4))
    assert take(engine) is None
    (row,) = ledger.batches(Batch.due_at > func.now())
    assert (row.status, row.lease_token) == ("PENDING", None)
    assert "its size is 4, its records are 3" in row.postponed_because
    assert "bug: size of batch is wrong" in caplog.text
    assert not ledger.attempts()


def test_an_answer_that_leaves_a_record_out_is_not_settled(submit: Submit, engine: Engine) -> None:
    submit(message(*people(3)))
    claimed = taken(engine)
    answer = delivered(claimed)
    short = type(answer)({0: 1}, answer.rejected, answer.unconfirmed)
    with pytest.raises(ValueError, match="does not account"):
        settle(engine, claimed, short, None)
    assert outcomes(engine) == {"processing": 3}


def test_a_batch_that_waits_for_another_is_claimed_only_when_that_is_settled(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"), message("a@x.org", state="cancel"), message("a@x.org", state="attend"))
    for state in ("register", "cancel", "attend"):
        claimed = taken(engine)
        assert claimed.state == state
        assert take(engine) is None
        postponed(engine, claimed)
        again = taken(engine)
        assert again.batch_id == claimed.batch_id
        settled(engine, again)
    assert take(engine) is None


def test_batches_that_share_no_contact_go_in_parallel(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"), message("b@x.org", state="cancel"), message("c@x.org", state="attend"))
    assert len({taken(engine).state for _ in range(3)}) == 3


def test_settling_wakes_those_that_waited_in_the_same_moment(submit: Submit, engine: Engine) -> None:
    submit(message(*people(3)))
    claimed = taken(engine)
    submit(*(message(person, state="cancel", event="77") for person in people(3)), batch_size=1)
    assert list(waits(engine).values()) == [[], *[[claimed.batch_id]] * 3]
    assert take(engine) is None
    settled(engine, claimed)
    assert deliver_all(engine) == 3


def test_a_batch_accepted_while_its_holder_settles_waits_for_nothing(submit: Submit, engine: Engine) -> None:
    """Whoever is first at the event's row: the newcomer either waits and is freed, or finds nobody to wait for."""
    for number in range(12):
        submit(message("a@x.org", event=str(number)))
        claimed = taken(engine)
        begin = threading.Barrier(2)

        def settle_now(claimed: Claim = claimed, begin: threading.Barrier = begin) -> bool:
            begin.wait()
            return settled(engine, claimed)

        def accept_now(number: int = number, begin: threading.Barrier = begin) -> list[Part]:
            begin.wait()
            return submit(message("a@x.org", event=str(number), state="cancel"))

        with ThreadPoolExecutor(2) as both:
            done: list[Future[Any]] = [both.submit(settle_now), both.submit(accept_now)]
            assert all(one.result(10) for one in done)
        assert set(map(tuple, waits(engine).values())) == {()}
        settled(engine, taken(engine))


@pytest.mark.parametrize("end", [settled, postponed, given_up])
def test_a_claim_ends_once_the_event_is_unlocked(
    submit: Submit, engine: Engine, end: Callable[[Engine, Claim], bool]
) -> None:
    """Accept holds it, and may be about to commit a batch that waits for this one."""
    submit(message(*people(1)))
    claimed = taken(engine)
    with engine.begin() as accepting, ThreadPoolExecutor(1) as one:
        lock_event(accepting, claimed.event_id)
        ending = one.submit(end, engine, claimed)
        assert waits_for_a_lock(engine, ending)
        accepting.rollback()
        assert ending.result(10)


# Accounts


def test_a_paused_account_claims_nothing_until_it_is_resumed(submit: Submit, engine: Engine) -> None:
    submit(message(*people(1)))
    pause(engine, account_id(engine), "its token")
    let_pass(engine, 1_000)
    assert take(engine) is None
    assert resume(engine, "default")
    assert take(engine) is not None


def test_a_pause_waits_for_the_claims_begun_before_it(engine: Engine) -> None:
    """Once it is committed, no claim that had looked at the account before is committed after it."""
    with engine.begin() as claiming, ThreadPoolExecutor(1) as one:
        assert may_send(claiming, account_id(engine), LEASE) == 0
        pausing = one.submit(pause, engine, account_id(engine), "its token")
        assert waits_for_a_lock(engine, pausing)
        claiming.rollback()
        pausing.result(10)


def test_an_answer_that_comes_late_ends_no_pause(submit: Submit, engine: Engine) -> None:
    """Another thread's call was under way when HubSpot refused the token."""
    submit(message(*people(1)))
    postponed(engine, taken(engine))
    pause(engine, account_id(engine), "its token")
    answered(engine, account_id(engine))
    let_pass(engine, 96)
    assert take(engine) is None
    resume(engine, "default")
    assert taken(engine).tried.age < 3_600


def test_an_answer_that_comes_late_ends_no_parking(submit: Submit, engine: Engine) -> None:
    """Another thread's call was under way when HubSpot said that the day's limit is spent."""
    submit(message(*people(1)))
    count_ambiguous(engine, account_id(engine))
    park(engine, account_id(engine), None, "HubSpot's daily limit is spent")
    answered(engine, account_id(engine))
    assert take(engine) is None


def test_time_that_the_account_was_parked_or_backed_off_counts_for_no_age_either(
    submit: Submit, engine: Engine
) -> None:
    submit(message(*people(1)))
    postponed(engine, taken(engine))
    let_pass(engine, 1)
    for _ in range(3):
        park(engine, account_id(engine), 20 * 3_600, "HubSpot's daily limit is spent")
        assert take(engine) is None
        let_pass(engine, 21)
        postponed(engine, taken(engine), spends=False)
        let_pass(engine, 1)
    assert 3 * 3_600 < taken(engine).tried.age < 8 * 3_600


def test_a_parked_account_claims_nothing_until_its_time_has_come(submit: Submit, engine: Engine) -> None:
    submit(message(*people(1)))
    park(engine, account_id(engine), 3_600, "HubSpot is moving the account")
    assert take(engine) is None
    let_pass(engine, 1)
    assert take(engine) is not None


def test_one_account_does_not_delay_another(submit: Submit, engine: Engine) -> None:
    other = ask_new_account(engine, "other")
    submit(message(*people(1)), {**message(*people(1)), "account": "other"})
    do(engine, update(Account).where(Account.name == "default").values(paused_at=func.now()))
    assert take(engine) is None
    claimed = claim(engine, other, 60)
    assert claimed is not None
    assert claim(engine, other, 60) is None


def ask_new_account(engine: Engine, name: str) -> int:
    do(engine, insert(Account).values(name=name))
    return int(Ledger(engine).account(name).id)


def test_after_five_ambiguous_answers_there_is_one_probe_at_a_time(submit: Submit, engine: Engine) -> None:
    submit(*(message(*people(3), event=str(event)) for event in range(3)), batch_size=1)
    do(engine, update(Account).values(in_a_row=4))
    assert taken(engine).tried.in_a_row == 4
    assert take(engine) is not None
    do(engine, update(Account).values(in_a_row=5))
    with ThreadPoolExecutor(6) as several:
        probes = [probe for probe in several.map(lambda _: take(engine), range(12)) if probe]
    assert [probe.tried.in_a_row for probe in probes] == [5]
    let_pass(engine, 1)  # the probe's worker was lost: its lease ends the parking
    assert take(engine) is not None
    assert take(engine) is None
    do(engine, update(Account).values(in_a_row=0, parked_until=None))
    assert take(engine) is not None
    assert take(engine) is not None


def test_an_account_is_not_parked_for_a_probe_once_another_was_answered(submit: Submit, engine: Engine) -> None:
    """Its outage may end between the look at the account and the probe."""
    submit(message("a@x.org"), batch_size=1)
    do(engine, update(Account).values(in_a_row=OUTAGE, stopped_since=func.now()))
    ended = threading.Event()

    def outage_ends(_: Connection, statement: Executable, *__: object) -> None:
        if statement is _BEGIN_PROBE:
            ended.set()
            answered(engine, 1)

    event.listen(engine, "before_execute", outage_ends)
    with engine.begin() as connection:
        assert may_send(connection, 1, 120) is None
    event.remove(engine, "before_execute", outage_ends)
    assert ended.is_set()
    account = Ledger(engine).account()
    assert (account.in_a_row, account.parked_until) == (0, None)
    assert take(engine) is not None


def test_a_probe_that_finds_nothing_due_parks_nobody(submit: Submit, engine: Engine) -> None:
    do(engine, update(Account).values(in_a_row=5))
    assert take(engine) is None
    submit(message(*people(1)))
    assert take(engine) is not None, "a claim that found nothing parked the account for a whole lease"


@pytest.mark.usefixtures("retries_first")
def test_a_probe_of_which_nothing_is_left_to_send_parks_nobody(submit: Submit, engine: Engine) -> None:
    failed(engine, submit, message("a@x.org"))
    submit(message("a@x.org", state="cancel"))
    do(engine, update(Account).values(in_a_row=5))
    overtaken = taken(engine)
    assert not overtaken.members
    settle(engine, overtaken, delivered(overtaken), None)
    assert take(engine) is not None, "a batch that was settled without a POST parked the account for a whole lease"


def test_time_that_the_account_was_paused_does_not_count_as_a_batchs_age(submit: Submit, engine: Engine) -> None:
    submit(message(*people(1)))
    postponed(engine, taken(engine))
    pause(engine, account_id(engine), "its token")
    let_pass(engine, 96)
    resume(engine, "default")
    assert taken(engine).tried.age < 3_600


# Waits


def test_a_postponed_batch_waits_by_the_databases_clock_alone(submit: Submit, engine: Engine) -> None:
    submit(message(*people(1)))
    postponed(engine, taken(engine), 3_600)
    assert take(engine) is None
    let_pass(engine, 0.9)
    assert take(engine) is None
    let_pass(engine, 0.2)
    claimed = taken(engine)
    assert (claimed.tried.attempts, 3_900 < claimed.tried.age < 4_100) == (1, True)


def test_a_postponement_that_spends_nothing_counts_no_attempt_and_no_age(submit: Submit, engine: Engine) -> None:
    submit(message(*people(1)))
    for _ in range(20):
        postponed(engine, taken(engine), 0, spends=False)
    claimed = taken(engine)
    assert (claimed.tried.attempts, claimed.tried.age) == (0, 0)
    assert batch(engine, claimed.batch_id).claims == 21


def test_an_attempt_that_never_began_sending_is_not_left_open(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    from worker.queue.settle import postpone

    submit(message(*people(1)))
    postpone(engine, taken(engine), 0, "the claim took too long to begin sending", None, spends=False)
    assert not ledger.attempts(Attempt.finished_at.is_(None))


def test_the_lane_of_a_batch_that_is_not_due_is_never_walked_by_a_claim(submit: Submit, engine: Engine) -> None:
    submit(*(message(*people(1), event=str(event)) for event in range(3)))
    for _ in range(3):
        postponed(engine, taken(engine), 3_600)
    assert take(engine) is None
    assert {row.ready for row in Ledger(engine).all(Lane)} == {False}


def test_a_claim_says_whether_its_event_has_another_batch_due(submit: Submit, engine: Engine) -> None:
    submit(message(*people(3)), batch_size=1)
    assert [taken(engine).is_more_due for _ in range(3)] == [True, True, False]
