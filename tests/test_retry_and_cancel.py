import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, func, insert, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection

import worker.queue.claim
from hubspot_api.answer import Settled
from models.accept_rules import Rules
from models.tables import Account, Batch, Error, Event, Lane
from models.verification_policy import WAITS
from models.words import Door, Origin, Outcome, State, Status
from tests.support.background import waits_for_a_lock
from tests.support.before import before
from tests.support.fixtures import Submit
from tests.support.jobs import cancel, retry
from tests.support.ledger import (
    LEASE,
    NO,
    Ledger,
    Posts,
    account_id,
    batch,
    deliver_all,
    do,
    given_up,
    in_turn,
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
from worker import trip
from worker.context import Context
from worker.delivery.read_back_plan import ContactReading, judged_by_contact
from worker.intake.accept import Inbound, accept
from worker.operations import jobs, steps as job_steps
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter
from worker.queries.reconciliation import audit
from worker.queue import read_back_results, settle, unconfirmed
from worker.queue.attempts import AttemptResult
from worker.queue.claim import Claim, claim
from worker.queue.expired_leases import reclaim
from worker.queue.locks import lock_event
from worker.queue.read_back_results import ReadBackResult
from worker.queue.unconfirmed import Unconfirmed
from worker.trip import Trip

pytestmark = pytest.mark.usefixtures("live_first")
AMBIGUOUS = AttemptResult("ambiguous", 503, 5, "", "")
FAILED = Filter((Outcome.FAILED,))
CANCELED = Filter((Outcome.CANCELED,))


def errors(engine: Engine) -> list[tuple[object, ...]]:
    return [(row.outcome, row.category, row.resolution) for row in Ledger(engine).errors()]


def ambiguous(engine: Engine, claimed: Claim) -> None:
    """The claim's call brings no answer, and its batch waits for its next turn."""
    assert settle.postpone(engine, claimed, 0, "HTTP 503", AMBIGUOUS, spends=True)


def absent_by_contact(one: Unconfirmed) -> list[ReadBackResult]:
    """What a look comes to that sees nothing of the contact."""
    return judged_by_contact(ContactReading(one.contact, (one,), ended=True), [one], {one.event_id: []}, WAITS)


def records(engine: Engine) -> list[int]:
    return [row.id for row in Ledger(engine).records()]


# Moving


def test_records_of_many_old_batches_are_packed_together(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    submit(message(*people(25)), batch_size=1)
    for _ in range(25):
        given_up(engine, taken(engine))
    assert retry(engine, 10, FAILED) == 25
    packed = [(row.size, row.origin, row.open) for row in ledger.batches(Batch.status == Status.PENDING)]
    assert packed == [(10, "retry", False), (10, "retry", False), (5, "retry", False)]
    assert {row.size for row in ledger.batches(Batch.status == Status.CANCELED)} == {0}
    assert audit(engine).balanced


def test_a_retried_record_keeps_its_place_and_its_history(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    submit(message(*people(1)))
    place = records(engine)
    for _ in range(3):
        given_up(engine, taken(engine))
        assert retry(engine, 100, FAILED) == 1
    assert records(engine) == place
    assert errors(engine) == [("failed", "GIVEN_UP", "retried")] * 3
    assert len({row.batch_id for row in ledger.errors()}) == 3
    settled(engine, taken(engine))
    assert outcomes(engine) == {"delivered": 1}
    assert retry(engine, 100, FAILED) == 0


def test_only_what_is_asked_for_is_retried(submit: Submit, engine: Engine) -> None:
    submit(message(*people(4), event="1"), message(*people(2), event="2"))
    while (claimed := take(engine)) is not None:
        settled(engine, claimed, rejected=[0], unconfirmed=[1])
    assert retry(engine, 100, FAILED) == 0
    assert retry(engine, 100, Filter((Outcome.REJECTED,), event="nobody's")) == 0
    assert retry(engine, 100, Filter((Outcome.REJECTED,), category="OTHER")) == 0
    assert retry(engine, 100, Filter((Outcome.REJECTED,), state=State.CANCEL)) == 0
    assert retry(engine, 100, Filter((Outcome.REJECTED,), account="other")) == 0
    assert retry(engine, 100, Filter((Outcome.REJECTED,), event="1", account="default")) == 1
    assert retry(engine, 100, Filter((Outcome.REJECTED, Outcome.UNCONFIRMED))) == 3
    assert outcomes(engine) == {"pending": 4, "delivered": 2}


@pytest.mark.slow
def test_two_retries_at_once_move_a_record_once(
    submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_steps, "STEP", 7)
    submit(message(*people(60), event="1"), message(*people(60), event="2"), batch_size=5)
    while (claimed := take(engine)) is not None:
        given_up(engine, claimed)
    begin = threading.Barrier(4)

    def at_once(_: int) -> int:
        begin.wait()
        return retry(engine, 10, FAILED)

    with ThreadPoolExecutor(4) as four:
        assert sum(four.map(at_once, range(4))) == 120
    assert len(errors(engine)) == 120
    assert audit(engine).balanced
    assert outcomes(engine) == {"pending": 120}
    deliver_all(engine)
    assert outcomes(engine) == {"delivered": 120}


def cancel_waiting(engine: Engine) -> None:
    cancel(engine, CancelFilter(state=State.CANCEL))


def give_up_waiting(engine: Engine) -> None:
    given_up(engine, taken(engine))


@pytest.mark.parametrize("ends", [cancel_waiting, give_up_waiting])
def test_what_may_have_arrived_overtakes_however_its_retry_ended(
    submit: Submit, engine: Engine, ends: Callable[[Engine], None]
) -> None:
    book = Posts()
    submit(message("a@x.org"))
    book.post(older := taken(engine))
    given_up(engine, older)
    submit(message("a@x.org", state="cancel"))
    book.post(newer := taken(engine))
    settled(engine, newer, unconfirmed=[0])
    retry(engine, 100, Filter((Outcome.UNCONFIRMED,)))
    ends(engine)
    retry(engine, 100, Filter((Outcome.FAILED,), state=State.REGISTER))
    while (claimed := take(engine)) is not None:
        book.post(claimed)
        settled(engine, claimed)
    assert book.wrong(engine) == []
    assert [sent.records for sent in book.sent][2:] == [()]  # what was overtaken is not sent


@pytest.mark.parametrize("asked", [FAILED, Filter((Outcome.UNCONFIRMED,))])
def test_what_may_have_arrived_before_its_retry_is_in_doubt_where_the_retry_is_canceled(
    submit: Submit, engine: Engine, asked: Filter
) -> None:
    submit(message("a@x.org", "b@x.org"))
    if asked == FAILED:
        given_up(engine, taken(engine))
    else:
        settled(engine, taken(engine), unconfirmed=[0, 1])
    submit(message("new@x.org"))
    assert retry(engine, 100, asked) == 2
    assert cancel(engine, CancelFilter()) == (2, 3)
    assert outcomes(engine) == {"unconfirmed": 2, "canceled": 1}
    assert retry(engine, 100, Filter((Outcome.UNCONFIRMED,))) == 2
    assert audit(engine).balanced


def is_looked_for(engine: Engine) -> list[tuple[str, bool]]:
    """The outcomes of the records, by their last errors, and whether they are looked for at HubSpot."""
    last = {row.record_id: (row.outcome.value, row.verify_at is not None) for row in Ledger(engine).errors()}
    return [last[record_id] for record_id in sorted(last)]


def test_what_is_rejected_with_no_call_in_doubt_is_not_looked_for(submit: Submit, engine: Engine) -> None:
    """Whether it was sent once, again after a limit, or again by an operator."""
    submit(message("a@x.org"), message("b@x.org", event="78"))
    settled(engine, taken(engine), rejected=[0])
    postponed(engine, taken(engine), spends=False)
    settled(engine, taken(engine), rejected=[0])
    assert retry(engine, 100, Filter((Outcome.REJECTED,))) == 2
    while (claimed := take(engine)) is not None:
        settled(engine, claimed, rejected=[0])
    assert is_looked_for(engine) == [("rejected", False)] * 2


def test_what_may_have_arrived_is_looked_for_however_often_it_is_retried_and_rejected(
    submit: Submit, engine: Engine
) -> None:
    submit(message("a@x.org"))
    for _ in range(2):
        ambiguous(engine, taken(engine))
        settled(engine, taken(engine), rejected=[0])
        assert is_looked_for(engine) == [("rejected", True)]
        assert retry(engine, 100, Filter((Outcome.REJECTED,))) == 1
        assert is_looked_for(engine) == [("rejected", False)]  # it is sent again
        settled(engine, taken(engine), rejected=[0])
        assert is_looked_for(engine) == [("rejected", True)]
        assert retry(engine, 100, Filter((Outcome.REJECTED,))) == 1
    assert cancel(engine, CancelFilter()) == (1, 1)
    assert is_looked_for(engine) == [("unconfirmed", True)]


def test_what_was_looked_for_in_vain_is_in_doubt_no_more(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"))
    ambiguous(engine, taken(engine))
    settled(engine, taken(engine), rejected=[0])
    do(engine, update(Error).values(verify_at=None, context={"read_back": {"left": "it is not there"}}))
    assert retry(engine, 100, Filter((Outcome.REJECTED,))) == 1
    settled(engine, taken(engine), rejected=[0])
    assert is_looked_for(engine) == [("rejected", False)]


def test_what_is_rejected_in_a_part_is_in_doubt_by_the_calls_of_the_batch_that_it_was_split_from(
    submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    submit(message("a@x.org", "b@x.org"))
    ambiguous(engine, taken(engine))
    again = taken(engine)
    assert again.attempt_id is not None
    apart = settle.PartialAnswer(Settled({}, {0: NO}, {}), {0: again.attempt_id})
    assert settle.postpone(engine, again, 0, "no permit", None, spends=False, apart=apart)
    (error,) = ledger.errors()
    assert (error.outcome, error.batch_id == again.batch_id, error.account_id) == ("rejected", False, 1)
    assert error.verify_at is not None


def test_what_is_rejected_beside_a_part_without_an_answer_is_not_looked_for(submit: Submit, engine: Engine) -> None:
    """The call that brought none held the others; a limit stopped the first claim."""
    submit(message("a@x.org", "b@x.org"))
    postponed(engine, taken(engine), spends=False)
    claimed = taken(engine)
    assert claimed.attempt_id is not None
    apart = settle.PartialAnswer(Settled({}, {0: NO}, {}), {0: claimed.attempt_id})
    assert settle.postpone(engine, claimed, 0, "HTTP 503", AMBIGUOUS, spends=True, apart=apart)
    assert is_looked_for(engine) == [("rejected", False)]


def test_what_failed_is_looked_for_where_its_last_call_alone_brought_no_answer(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"), message("b@x.org", event="78"))
    in_turn(engine)
    settle.give_up(engine, taken(engine), "HTTP 503; 1 attempt", AMBIGUOUS)
    given_up(engine, taken(engine))
    assert is_looked_for(engine) == [("failed", True), ("failed", False)]
    assert retry(engine, 100, FAILED) == 2


@pytest.mark.parametrize("ends", [Outcome.REJECTED, Outcome.FAILED])
def test_what_is_looked_for_overtakes_until_it_is_not_found(submit: Submit, engine: Engine, ends: Outcome) -> None:
    for event in ("77", "78"):
        submit(message("a@x.org", event=event))
        given_up(engine, taken(engine))
        submit(message("a@x.org", state="cancel", event=event))
        ambiguous(engine, newer := taken(engine))
        newer = taken(engine)
        if ends is Outcome.FAILED:
            settle.give_up(engine, newer, "HTTP 503; 2 attempts", AMBIGUOUS)
        else:
            settled(engine, newer, rejected=[0])
    looked_in_vain = update(Error).where(Error.batch_id == newer.batch_id)
    do(engine, looked_in_vain.values(verify_at=None, context={"read_back": {"left": "it is not there"}}))
    assert retry(engine, 100, Filter((Outcome.FAILED,), state=State.REGISTER)) == 2
    sent = [take(engine), take(engine)]
    assert sorted(len(claimed.members) for claimed in sent if claimed) == [0, 1]
    rows = Ledger(engine).errors(Error.category == "SUPERSEDED")
    superseded = [batch(engine, row.batch_id).event_id for row in rows]
    assert superseded != [newer.event_id]
    assert len(superseded) == 1


def test_a_worker_dies_after_its_post_and_an_operator_cancels(
    submit: Submit, engine: Engine, context: Context, ledger: Ledger
) -> None:
    """Claim, POST, the lease runs out, cancel, looks that find nothing: the record is canceled, and can be put back."""
    submit(message("a@x.org"))
    taken(engine)
    assert cancel(engine, CancelFilter()) == (0, 0)  # it is being sent
    let_pass(engine, 1)
    assert reclaim(context.engine) == 1
    assert cancel(engine, CancelFilter()) == (1, 1)
    assert outcomes(engine) == {"unconfirmed": 1}
    assert retry(engine, 100, CANCELED) == 0
    for reads in range(len(WAITS) + 1):
        let_pass(engine, 1)
        (one,) = unconfirmed.take(engine, account_id(engine), LEASE, len(WAITS)).records
        assert (one.canceled, one.stands, one.reads) == (True, False, reads)
        (result,) = absent_by_contact(one)
        with engine.begin() as connection:
            lock_event(connection, one.event_id)
            assert read_back_results.store(connection, [result]) == 1
    assert outcomes(engine) == {"canceled": 1}
    assert [(row.outcome, row.category, row.resolution) for row in ledger.errors()] == [
        ("unconfirmed", "CANCELED", "dismissed"),
        ("canceled", "CANCELED", None),
    ]
    assert retry(engine, 100, CANCELED) == 1
    settled(engine, taken(engine))
    assert outcomes(engine) == {"delivered": 1}


def test_an_accounts_small_batches_make_no_others_smaller(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    do(engine, insert(Account).values(name="acme", batch_size=2))
    submit(message(*people(6)), {**message(*people(4)), "account": "acme"})
    for account in ledger.all(Account):
        while (claimed := claim(engine, account.id, LEASE)) is not None:
            given_up(engine, claimed)
    assert retry(engine, 10, FAILED) == 10
    rows = sorted(ledger.batches(Batch.origin == Origin.RETRY), key=lambda row: (row.account_id, row.id))
    assert [row.size for row in rows] == [6, 2, 2]


def test_a_retry_ends_although_its_records_fail_again_meanwhile(
    submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message(*people(6)), batch_size=2)
    monkeypatch.setattr(job_steps, "STEP", 2)
    steps = 0

    def fails_again() -> None:
        nonlocal steps
        steps += 1
        while steps < 50 and (claimed := take(engine)) is not None:
            given_up(engine, claimed)

    while (claimed := take(engine)) is not None:
        given_up(engine, claimed)
    monkeypatch.setattr(jobs, "step", before(fails_again, jobs.step))
    assert retry(engine, 2, FAILED) == 6, f"each record was moved again and again, in {steps} steps"


def test_positions_and_contact_ids_survive_neighbours_that_move_away(submit: Submit, engine: Engine) -> None:
    submit(message(*people(6)))
    first = taken(engine)
    settled(engine, first, rejected=[0, 3, 5])
    assert retry(engine, 100, Filter((Outcome.REJECTED,))) == 3
    left = batch(engine, first.batch_id)
    assert (left.size, left.positions) == (3, 6)

    def named() -> list[tuple[str, int | None]]:
        kept = Ledger(engine).stored(Batch.status == Status.COMPLETE)
        return [(record.contact, (batch.contact_ids or [])[record.position]) for record, batch, _ in kept]

    expected = [("p1@example.com", 1_001), ("p2@example.com", 1_002), ("p4@example.com", 1_004)]
    assert named() == expected
    again = taken(engine)
    assert [(member.position, member.contact) for member in again.members] == [
        (0, "p0@example.com"), (1, "p3@example.com"), (2, "p5@example.com"),
    ]  # fmt: skip
    settled(engine, again)
    assert [vid for _, vid in named()] == [1_000, 1_001, 1_002, 1_001, 1_004, 1_002]


# Order


def test_a_waiting_retry_blocks_no_other(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    retry(engine, 100, FAILED)
    submit(message("a@x.org", state="cancel"))
    assert list(waits(engine).values()) == [[], []]
    assert taken(engine).state == "cancel"


def test_a_postponed_retry_blocks_no_other_either(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    retry(engine, 100, FAILED)
    again = taken(engine)
    submit(message("a@x.org", state="cancel"))
    assert list(waits(engine).values()) == [[], [again.batch_id]]
    assert take(engine) is None
    postponed(engine, again, 3_600)
    assert list(waits(engine).values()) == [[], []]
    assert taken(engine).state == "cancel"


def test_a_retry_whose_worker_was_lost_frees_those_that_waited_for_it(
    submit: Submit, engine: Engine, context: Context
) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    retry(engine, 100, FAILED)
    taken(engine)
    submit(message("a@x.org", state="cancel"))
    let_pass(engine, 1)
    assert reclaim(context.engine) == 1
    assert taken(engine).state == "cancel"


@pytest.mark.parametrize("fate", [None, settled, postponed])
def test_a_retry_overtaken_by_a_newer_record_is_superseded_and_says_by_which(
    submit: Submit, engine: Engine, ledger: Ledger, fate: Callable[..., bool] | None
) -> None:
    """Whether the newer one waits, is being sent or was delivered."""
    submit(message("a@x.org", "b@x.org"))
    given_up(engine, taken(engine))
    retry(engine, 100, FAILED)
    submit(message("a@x.org", state="cancel"))
    newer = records(engine)[-1]
    live = taken(engine)
    if fate is not None:
        fate(engine, live, *([3_600] if fate is postponed else []))
    again = taken(engine)
    assert (again.origin, [member.contact for member in again.members]) == (Origin.RETRY, ["b@x.org"])
    (superseded,) = ledger.errors(Error.category == "SUPERSEDED")
    assert (superseded.outcome, superseded.resolution, superseded.context["by"]) == ("canceled", "superseded", newer)
    assert str(newer) in superseded.message
    assert batch(engine, again.batch_id).size == 2
    settled(engine, again)
    counted = {**outcomes(engine)}
    assert (counted["canceled"], audit(engine).balanced) == (1, True)
    assert retry(engine, 100, CANCELED) == 0


def test_a_retry_that_is_overtaken_whole_is_complete_without_a_call(
    submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    retry(engine, 100, FAILED)
    submit(message("a@x.org", state="cancel"))
    settled(engine, taken(engine))
    again = taken(engine)
    assert (again.members, again.attempt_id) == ([], None)
    assert settle.settle(engine, again, Settled({}, {}, {}), None)
    assert outcomes(engine) == {"canceled": 1, "delivered": 1}
    assert len(ledger.attempts()) == 2


def test_a_contact_id_stands_at_its_records_position_beside_what_was_superseded(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org", "b@x.org"))
    given_up(engine, taken(engine))
    retry(engine, 100, FAILED)
    submit(message("a@x.org", state="cancel"))
    settled(engine, taken(engine))
    again = taken(engine)
    assert [(member.contact, member.position) for member in again.members] == [("b@x.org", 1)]
    settled(engine, again)
    assert batch(engine, again.batch_id).contact_ids == [None, 1_000]


@pytest.mark.parametrize("came_to_nothing", ["rejected", "failed", "canceled"])
def test_a_newer_record_that_came_to_nothing_overtakes_nobody(
    submit: Submit, engine: Engine, came_to_nothing: str
) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    submit(message("a@x.org", state="cancel"))
    if came_to_nothing == "canceled":
        cancel(engine, CancelFilter(state=State.CANCEL))
    elif came_to_nothing == "rejected":
        settled(engine, taken(engine), rejected=[0])
    else:
        given_up(engine, taken(engine))
    assert retry(engine, 100, Filter((Outcome.FAILED,), state=State.REGISTER)) == 1
    again = taken(engine)
    assert (again.state, len(again.members)) == ("register", 1)


def test_an_unconfirmed_newer_record_overtakes(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    submit(message("a@x.org", state="cancel"))
    settled(engine, taken(engine), unconfirmed=[0])
    retry(engine, 100, FAILED)
    assert not taken(engine).members


def test_of_two_records_of_a_contact_retried_together_the_newer_one_wins(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"), message("a@x.org", when=1_767_225_700_000))
    for _ in range(2):
        given_up(engine, taken(engine))
    assert retry(engine, 100, FAILED) == 2
    sent = []
    for _ in range(2):
        claimed = taken(engine)
        sent += [member.id for member in claimed.members]
        settled(engine, claimed)
    assert sent == records(engine)[-1:]
    assert outcomes(engine) == {"canceled": 1, "delivered": 1}


def test_a_retry_waits_for_older_records_of_its_contacts(
    submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message("a@x.org"), message("a@x.org", "b@x.org", state="cancel"))
    first, _ = waits(engine)
    cancel(engine, CancelFilter(state=State.CANCEL))
    retry(engine, 100, CANCELED)
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 1.0)  # retries look first, and find that they must wait
    older = taken(engine)
    assert older.batch_id == first
    assert list(waits(engine).values()) == [[], [first]]
    assert take(engine) is None
    settled(engine, older)
    again = taken(engine)
    assert (again.origin, len(again.members)) == (Origin.RETRY, 2)


def test_while_it_is_being_sent_a_retry_holds_its_contacts(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"))
    given_up(engine, taken(engine))
    retry(engine, 100, FAILED)
    again = taken(engine)
    submit(message("a@x.org", state="cancel"), message("b@x.org", state="cancel", event="77"), batch_size=1)
    assert list(waits(engine).values()) == [[], [again.batch_id], []]
    assert [member.contact for member in taken(engine).members] == ["b@x.org"]
    assert take(engine) is None
    settled(engine, again)
    assert taken(engine).state == "cancel"


def test_what_was_superseded_in_a_retry_that_is_being_sent_holds_nobody(
    submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message("a@x.org", "b@x.org"))
    given_up(engine, taken(engine))
    submit(message("a@x.org", state="cancel"))
    retry(engine, 100, FAILED)
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 1.0)
    again = taken(engine)
    assert [member.contact for member in again.members] == ["b@x.org"]
    submit(message("a@x.org", state="attend"))
    live, _, newest = waits(engine)
    assert live < again.batch_id < newest
    assert waits(engine)[newest] == [live], "it does not wait for the older record that is still to be sent"
    settled(engine, again)
    assert taken(engine).batch_id == live
    assert take(engine) is None


def test_other_events_overtake_nobody(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org", event="1"))
    given_up(engine, taken(engine))
    retry(engine, 100, FAILED)
    submit(message("a@x.org", event="2", state="cancel"))
    settled(engine, taken(engine))
    assert len(taken(engine).members) == 1


# Cancel


def test_cancel_hands_on_what_the_batch_waited_for(submit: Submit, engine: Engine) -> None:
    for state in ("register", "cancel", "attend"):
        submit(message("a@x.org", state=state))
    one, two, three = waits(engine)
    assert waits(engine) == {one: [], two: [one], three: [two]}
    held = taken(engine)
    assert cancel(engine, CancelFilter(batch_id=two)) == (1, 1)
    assert waits(engine) == {one: [], three: [one]}
    assert take(engine) is None
    settled(engine, held)
    assert taken(engine).batch_id == three


def test_a_batch_waits_only_for_what_none_of_the_others_waits_for_and_cancel_keeps_the_order(
    submit: Submit, engine: Engine
) -> None:
    submit(message("a@x.org", "d@x.org"), message("a@x.org", "b@x.org", state="cancel"), batch_size=2)
    submit(message("b@x.org", "c@x.org", state="attend"), batch_size=2)
    submit(message("c@x.org", "d@x.org", state="cancel"), batch_size=2)
    one, two, three, four = waits(engine)
    assert waits(engine) == {one: [], two: [one], three: [two], four: [three]}, (
        "four waits for one by way of the others"
    )
    assert cancel(engine, CancelFilter(batch_id=three)) == (1, 2)
    assert cancel(engine, CancelFilter(batch_id=two)) == (1, 2)
    assert waits(engine) == {one: [], four: [one]}
    held = taken(engine)
    assert take(engine) is None
    settled(engine, held)
    assert taken(engine).batch_id == four


def test_cancel_of_the_first_frees_those_that_waited_for_it(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"), message("a@x.org", state="cancel"))
    one, two = waits(engine)
    assert cancel(engine, CancelFilter(batch_id=one)) == (1, 1)
    assert taken(engine).batch_id == two
    assert outcomes(engine) == {"canceled": 1, "processing": 1}


def test_cancel_hands_on_to_many_without_saying_anything_twice(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org"), message("b@x.org", state="attend"))
    submit(message("a@x.org", "b@x.org", state="cancel"))
    one, two, three = waits(engine)
    submit(message("a@x.org", when=1_767_225_700_000), message("b@x.org", state="attend", when=1_767_225_700_000))
    four, five = list(waits(engine))[3:]
    assert waits(engine) == {one: [], two: [], three: [one, two], four: [three], five: [three]}
    assert cancel(engine, CancelFilter(batch_id=three)) == (1, 2)
    assert waits(engine) == {one: [], two: [], four: [one, two], five: [one, two]}
    assert deliver_all(engine) == 4


def test_cancel_leaves_alone_what_is_being_sent_or_settled(submit: Submit, engine: Engine) -> None:
    submit(message(*people(3)), batch_size=1)
    settled(engine, taken(engine))
    held = taken(engine)
    assert cancel(engine, CancelFilter(account="default")) == (1, 1)
    assert cancel(engine, CancelFilter(batch_id=held.batch_id)) == (0, 0)
    assert settled(engine, held)
    assert outcomes(engine) == {"canceled": 1, "delivered": 2}


@pytest.mark.parametrize("action", ["retry", "cancel"])
def test_retries_and_cancels_wait_until_the_event_is_unlocked(
    submit: Submit, engine: Engine, ledger: Ledger, action: str
) -> None:
    """Accept, say: those that wait for a batch, and newer records, are looked for once it has ended."""
    submit(message("a@x.org"))
    if action == "retry":
        given_up(engine, taken(engine))
    with engine.begin() as accepting, ThreadPoolExecutor(1) as one:
        lock_event(accepting, ledger.all(Event)[0].id)
        acting = (
            one.submit(retry, engine, 100, FAILED) if action == "retry" else one.submit(cancel, engine, CancelFilter())
        )
        assert waits_for_a_lock(engine, acting)
        accepting.rollback()
        assert acting.result(10) == (1 if action == "retry" else (1, 1))


def test_what_was_claimed_since_the_cancel_looked_is_left_alone(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    submit(message("a@x.org"))
    with engine.begin() as accepting, ThreadPoolExecutor(1) as one:
        lock_event(accepting, ledger.all(Event)[0].id)
        canceling = one.submit(cancel, engine, CancelFilter())
        assert waits_for_a_lock(engine, canceling)
        claimed = taken(engine)
        accepting.rollback()
        assert canceling.result(10) == (0, 0)
    assert settled(engine, claimed)
    assert outcomes(engine) == {"delivered": 1}


def test_a_cancel_ends_although_new_batches_come_meanwhile(
    submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message(*people(3)), batch_size=1)
    canceled = 0
    monkeypatch.setattr(job_steps, "BATCHES", 1)

    def another_comes() -> None:
        nonlocal canceled
        canceled += 1
        if canceled < 50:
            submit(message(*people(1, 100 + canceled)), batch_size=1)

    monkeypatch.setattr(jobs, "step", before(another_comes, jobs.step))
    assert cancel(engine, CancelFilter(event="77")) == (3, 3), "it cancels what was handed in after it began"


def test_canceled_records_can_be_put_back_and_in_the_right_order(submit: Submit, engine: Engine) -> None:
    submit(message("a@x.org", "b@x.org"), message("a@x.org", state="cancel"))
    assert cancel(engine, CancelFilter(event="77")) == (2, 3)
    assert retry(engine, 100, CANCELED) == 3
    sent: dict[str, State] = {}
    while (claimed := take(engine)) is not None:
        sent |= {member.contact: claimed.state for member in claimed.members}
        settled(engine, claimed)
    assert sent == {"a@x.org": "cancel", "b@x.org": "register"}
    assert outcomes(engine) == {"canceled": 1, "delivered": 2}


def test_a_canceled_retry_can_be_retried_but_not_what_was_superseded_in_it(
    submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message("a@x.org", "b@x.org"))
    settled(engine, taken(engine), rejected=[0, 1])
    retry(engine, 100, Filter((Outcome.REJECTED,)))
    submit(message("a@x.org", state="cancel"))
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 1.0)
    postponed(engine, taken(engine), 0)
    assert cancel(engine, CancelFilter(state=State.REGISTER)) == (1, 1)
    assert retry(engine, 100, CANCELED) == 1
    assert audit(engine).balanced


@pytest.mark.slow
def test_retries_and_cancels_at_once_leave_every_record_one_outcome(submit: Submit, engine: Engine) -> None:
    submit(*(message(*people(20), event=str(event)) for event in range(3)), batch_size=4)
    stop = threading.Event()

    def retries() -> None:
        while not stop.is_set():
            retry(engine, 4, CANCELED)

    def cancels() -> None:
        for _ in range(6):
            for waiting in waits(engine):
                cancel(engine, CancelFilter(batch_id=waiting))
        stop.set()

    with ThreadPoolExecutor(3) as three:
        for done in [three.submit(retries), three.submit(retries), three.submit(cancels)]:
            done.result(60)
    retry(engine, 4, CANCELED)
    deliver_all(engine)
    assert outcomes(engine) == {"delivered": 60}
    assert audit(engine).balanced


# A commit of which nobody knows whether it happened


@pytest.fixture
def lose_commits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the nth commit from now on happen, and be reported as a lost connection."""
    commit, send = engine.dialect.do_commit, trip.send
    left = 0

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    def lost(connection: PoolProxiedConnection) -> None:
        driver = connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        status = driver.info.transaction_status
        ends = status is not TransactionStatus.IDLE  # else a trip has committed
        commit(connection)
        if ends:
            count()

    def lost_in_trip(
        driver: psycopg.Connection, begins: Sequence[str], sent: Trip, compiled: Sequence[trip._Compiled], **more: bool
    ) -> list[trip.DriverCursor]:
        answered = send(driver, begins, sent, compiled, **more)
        if sent.commit:
            count()
        return answered

    monkeypatch.setattr(engine.dialect, "do_commit", lost)
    monkeypatch.setattr(trip, "send", lost_in_trip)

    def lose(nth: int) -> None:
        nonlocal left
        left = nth

    return lose


@pytest.mark.parametrize(("verb", "status"), [(settled, "COMPLETE"), (postponed, "PENDING"), (given_up, "CANCELED")])
def test_an_ambiguous_commit_settles_once(
    submit: Submit,
    engine: Engine,
    lose_commits: Callable[[int], None],
    verb: Callable[..., bool],
    status: str,
) -> None:
    submit(message(*people(2)), message(*people(1), state="cancel"))
    claimed = taken(engine)
    lose_commits(1)
    verb(engine, claimed)
    row = batch(engine, claimed.batch_id)
    assert (row.status, row.attempts) == (status, 0 if verb is settled else 1)
    assert len(errors(engine)) == (2 if verb is given_up else 0)
    assert audit(engine).balanced


def test_an_ambiguous_commit_moves_a_record_once(
    submit: Submit, engine: Engine, ledger: Ledger, lose_commits: Callable[[int], None]
) -> None:
    submit(message(*people(5)))
    given_up(engine, taken(engine))
    lose_commits(2)  # the first asks for it
    assert retry(engine, 100, FAILED) == 5
    assert len(errors(engine)) == 5
    assert [row.size for row in ledger.batches()] == [0, 5]
    lose_commits(3)
    assert cancel(engine, CancelFilter(event="77")) == (1, 5)
    assert len(errors(engine)) == 10
    assert (outcomes(engine), audit(engine).balanced) == ({"unconfirmed": 5}, True)


def test_an_ambiguous_commit_of_accept_is_repeated_by_its_redelivery_alone(
    engine: Engine, rules: Rules, lose_commits: Callable[[int], None]
) -> None:
    import json

    handed = [Inbound(Door.STREAM, "1-0", json.dumps(message(*people(5))).encode())]
    for nth in (1, 2, 2):  # that of the look at the events, of the new event, of the records
        lose_commits(nth)
        with pytest.raises(DBAPIError), engine.connect() as connection:
            accept(connection, handed, rules)
    with engine.connect() as connection:
        (part,) = accept(connection, handed, rules)
    assert part.seen_before
    assert (audit(engine).accepted, audit(engine).duplicates, audit(engine).balanced) == (5, 0, True)


def test_an_ambiguous_commit_of_a_claim_costs_its_lease_alone(
    submit: Submit, engine: Engine, context: Context, lose_commits: Callable[[int], None]
) -> None:
    submit(message(*people(5)))
    lose_commits(1)
    with pytest.raises(DBAPIError):
        engine_claims_after_accounts_look_up(engine)
    assert outcomes(engine) == {"processing": 5}
    let_pass(engine, 1)
    assert reclaim(context.engine) == 1
    do(engine, update(Batch).values(due_at=func.now()))
    do(engine, update(Lane).values(due_at=func.now()))
    assert deliver_all(engine) == 1


def engine_claims_after_accounts_look_up(engine: Engine) -> None:

    claim(engine, 1, 60)
