"""A request that is refused whole, from the search inside its claim to the books, against the stand-in."""

import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import func, update

import models.backoff
from models.tables import Account, Attempt, Batch, Error, Record
from models.words import Door, Outcome
from tasks.deliver import deliver
from tests.support.before import before
from tests.support.fixtures import Given
from tests.support.ledger import Ledger, do, make_due, people, wrong_now
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from worker.accounts.state import pause, resume
from worker.context import Context
from worker.delivery import isolate
from worker.intake.accept import Inbound, accept
from worker.queries.reconciliation import audit
from worker.queue.claim import claim
from worker.queue.expired_leases import reclaim
from worker.settings import Settings

WHEN = 1_767_225_600_000
UNNAMED = {"category": "VALIDATION_ERROR", "message": "Property values were not valid"}


@pytest.fixture(autouse=True)
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait is so short that what waits is sent again by the same run, on a busy machine either."""
    monkeypatch.setattr(random, "random", lambda: 0.9)
    monkeypatch.setattr(models.backoff, "FIRST", 400.0)


@pytest.fixture
def sender(settings: Settings, sandbox: RunningSandbox) -> Iterator[Callable[..., Context]]:
    """A process that sends to the stand-in, with settings of its own."""
    made: list[Context] = []

    def make(**changed: object) -> Context:
        update = {"hubspot_url": sandbox.url, "burst_limit": 1_000, **changed}
        made.append(Context(settings.model_copy(update=update)))
        return made[-1]

    yield make
    assert_sound(made[0])
    for context in made:
        context.engine.dispose()


@pytest.fixture
def sending(sender: Callable[..., Context]) -> Context:
    return sender()


def assert_sound(context: Context) -> None:
    books = audit(context.engine)
    assert books.balanced, books.wrong
    with context.engine.connect() as connection:
        assert wrong_now(connection) == []


def outcomes(context: Context) -> dict[str, int]:
    assert_sound(context)
    return {outcome.value: number for outcome, number in audit(context.engine).outcomes.items() if number}


def rejected(context: Context) -> set[str]:
    ledger = Ledger(context.engine)
    ids = [error.record_id for error in ledger.errors(Error.outcome == Outcome.REJECTED)]
    return {record.contact for record in ledger.records(Record.id.in_(ids))}


def stored(sandbox: RunningSandbox) -> Counter[str]:
    return Counter(str(row["contact"]) for row in sandbox.participations())


def batches(context: Context) -> list[Batch]:
    return Ledger(context.engine).batches()


def account(context: Context) -> Account:
    return Ledger(context.engine).account()


def drain(context: Context) -> None:
    while deliver(context, "default"):
        pass


def due(context: Context) -> None:
    make_due(context.engine)
    do(context.engine, update(Account).values(parked_until=None))


def refuse(sandbox: RunningSandbox, *contacts: str, **how: object) -> None:
    for contact in contacts:
        sandbox.fault(match=contact, status=400, **how)


def refuse_unnamed(sandbox: RunningSandbox, *contacts: str) -> None:
    """Each for a reason of its own, so that it is not taken for the request's."""
    words = ["too short", "too long", "too old", "too new"]
    for number, contact in enumerate(contacts):
        refuse(sandbox, contact, body={"category": "VALIDATION_ERROR", "message": words[number % 4]})


@pytest.mark.parametrize("place", [0, 99])
def test_one_bad_record_in_a_hundred_is_found_in_at_most_fourteen_further_requests(
    sending: Context, sandbox: RunningSandbox, given: Given, place: int
) -> None:
    refuse(sandbox, people(100)[place], body=UNNAMED)
    given(*people(100))
    deliver(sending, "default")
    assert outcomes(sending) == {"delivered": 99, "rejected": 1}
    assert rejected(sending) == {people(100)[place]}
    assert int(str(sandbox.stats()["requests"])) <= 1 + 14
    assert stored(sandbox) == Counter(set(people(100)) - rejected(sending))
    assert account(sending).batch_size is None


def test_a_bad_record_that_the_answer_names_is_found_in_one_further_request(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    refuse(sandbox, "p42@example.com")
    given(*people(100))
    deliver(sending, "default")
    assert outcomes(sending) == {"delivered": 99, "rejected": 1}
    assert sandbox.stats()["requests"] == 2
    (error,) = Ledger(sending.engine).errors()
    (attempt,) = Ledger(sending.engine).attempts(Attempt.id == error.attempt_id)
    assert attempt.kind == "post"
    assert error.message == "Invalid input for `p42@example.com`"


def test_an_operator_can_follow_the_search(sending: Context, sandbox: RunningSandbox, given: Given) -> None:
    refuse(sandbox, "p3@example.com", body=UNNAMED)
    given(*people(8))
    deliver(sending, "default")
    (batch,) = batches(sending)
    attempts = Ledger(sending.engine).attempts()
    assert {attempt.batch_id for attempt in attempts} == {batch.id}
    assert [(attempt.kind, attempt.sent, attempt.answer) for attempt in attempts][:3] == [
        ("post", 8, "refused whole"),
        ("part", 4, "refused whole"),
        ("part", 4, "settled"),
    ]
    assert all(attempt.finished_at for attempt in attempts)
    assert sum(attempt.delivered for attempt in attempts) == 7
    (error,) = Ledger(sending.engine).errors()
    assert [(one.sent, one.http_status) for one in attempts if one.id == error.attempt_id] == [(1, 400)]
    assert sum(vid is not None for vid in batch.contact_ids or []) == 7


@pytest.mark.parametrize("refused", [refuse, refuse_unnamed])
def test_where_every_record_is_bad_each_is_rejected(
    sending: Context, sandbox: RunningSandbox, given: Given, refused: Callable[..., None]
) -> None:
    refused(sandbox, *people(20))
    given(*people(20))
    deliver(sending, "default")
    assert outcomes(sending) == {"rejected": 20}
    assert int(str(sandbox.stats()["requests"])) <= 1 + 20 + 14
    assert sandbox.participations() == []


def test_a_request_that_is_itself_wrong_pauses_the_account_and_rejects_nothing(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(status=400, body={"category": "VALIDATION_ERROR", "message": "externalAccountId is required"})
    given(*people(100))
    assert deliver(sending, "default") == 1
    assert outcomes(sending) == {"pending": 100}
    assert sandbox.stats()["requests"] == 1 + 12
    assert "externalAccountId is required" in account(sending).paused_because
    (batch,) = batches(sending)
    told = f"batch {batch.id} .*; fix that, or: turnout cancel {batch.id}; then: turnout resume default$"
    assert re.search(told, account(sending).paused_because)
    assert (batch.status, batch.attempts, batch.postponed_because) == ("PENDING", 0, account(sending).paused_because)
    sandbox.reset()
    resume(sending.engine, "default")
    deliver(sending, "default")
    assert outcomes(sending) == {"delivered": 100}


def test_a_request_refused_for_its_size_is_delivered_in_parts_and_teaches_the_accounts_batch_size(
    sender: Callable[..., Context], given: Given
) -> None:
    given(*people(100))
    with running_sandbox(burst_limit=1_000, max_inputs=30) as small:
        context = sender(hubspot_url=small.url)
        deliver(context, "default")
        assert outcomes(context) == {"delivered": 100}
        assert len(small.participations()) == 100
        assert account(context).batch_size == 25
        given(*people(60, first=100))
        before = int(str(small.stats()["requests"]))
        drain(context)
        assert outcomes(context) == {"delivered": 160}
        assert small.stats()["requests"] == before + 3


def test_a_413_is_narrowed_too_and_a_single_record_that_is_too_large_is_rejected(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(match="p9@example.com", status=413)
    given(*people(20))
    deliver(sending, "default")
    assert outcomes(sending) == {"delivered": 19, "rejected": 1}
    assert rejected(sending) == {"p9@example.com"}


@pytest.mark.parametrize(("fault", "spent"), [({"status": 503}, 1), ({"cut": True}, 1), ({"status": 423}, 0)], ids=str)
def test_an_answer_that_is_neither_yes_nor_no_splits_off_what_is_answered(
    sending: Context, sandbox: RunningSandbox, given: Given, fault: dict[str, Any], spent: int
) -> None:
    refuse(sandbox, "p10@example.com", body=UNNAMED)
    sandbox.fault(match="p3@example.com", **fault, count=1)  # in requests with p10 that comes first
    given(*people(40))
    deliver(sending, "default")
    rest, split = batches(sending)
    assert (rest.status, rest.attempts, rest.lease_token) == ("PENDING", spent, None)
    assert rest.postponed_because
    assert (account(sending).parked_until is None) == bool(spent)
    assert (split.status, split.split_from, split.size + rest.size) == ("COMPLETE", rest.id, 40)
    assert len([vid for vid in split.contact_ids or [] if vid]) == split.size
    assert outcomes(sending) == {"delivered": split.size, "pending": rest.size}
    due(sending)
    deliver(sending, "default")
    assert outcomes(sending) == {"delivered": 39, "rejected": 1}
    assert stored(sandbox) == Counter(set(people(40)) - {"p10@example.com"})
    assert [batch.status for batch in batches(sending)] == ["COMPLETE", "COMPLETE"]


def test_a_batch_given_up_in_the_middle_fails_only_what_has_no_answer(
    sender: Callable[..., Context], sandbox: RunningSandbox, given: Given
) -> None:
    refuse(sandbox, "p10@example.com", body=UNNAMED)
    sandbox.fault(match="p3@example.com", status=503, count=1)
    given(*people(40))
    context = sender(max_attempts=1)
    deliver(context, "default")
    rest, split = batches(context)
    assert (rest.status, split.status) == ("CANCELED", "COMPLETE")
    assert outcomes(context) == {"delivered": split.size, "failed": rest.size}


def test_an_event_that_vanishes_in_the_middle_rejects_what_has_no_answer(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    refuse(sandbox, "p10@example.com", body=UNNAMED)
    sandbox.fault(match="p3@example.com", status=404, count=1)
    given(*people(40))
    deliver(sending, "default")
    (batch,) = batches(sending)
    done = outcomes(sending)
    assert batch.status == "COMPLETE"
    assert done["delivered"] + done["rejected"] == 40
    assert done["delivered"] == len(sandbox.participations()) > 0


def at_part(number: int, happens: Callable[[], None]) -> AbstractContextManager[object]:
    """Let something happen right before the n-th part is sent."""
    parts = itertools.count(1)

    def sends() -> None:
        if next(parts) == number:
            happens()

    sends_it = isolate.send  # type: ignore[attr-defined]  # which another of these may have patched
    return patch.object(isolate, "send", before(sends, sends_it))


class Killed(BaseException):
    """The worker is gone."""


def kill() -> None:
    raise Killed


def test_a_kill_in_the_middle_is_harmless(sending: Context, sandbox: RunningSandbox, given: Given) -> None:
    refuse(sandbox, "p10@example.com", body=UNNAMED)
    given(*people(40))
    with at_part(4, kill), pytest.raises(Killed):
        deliver(sending, "default")
    (batch,) = batches(sending)
    assert (batch.status, batch.size) == ("PROCESSING", 40)
    do(sending.engine, update(Batch).values(lease_until=func.now() - timedelta(seconds=1)))
    assert reclaim(sending.engine) == 1
    assert len(Ledger(sending.engine).attempts(Attempt.answer == "lost")) == 1
    before = len(sandbox.participations())
    assert before > 0
    due(sending)
    deliver(sending, "default")
    # What HubSpot took before the kill it does not name again: that is looked up later, and nothing is there twice.
    assert outcomes(sending) == {"delivered": 39 - before, "rejected": 1, "unconfirmed": before}
    assert rejected(sending) == {"p10@example.com"}
    assert stored(sandbox) == Counter(set(people(40)) - {"p10@example.com"})


def test_a_request_to_stop_in_the_middle_splits(sending: Context, sandbox: RunningSandbox, given: Given) -> None:
    refuse(sandbox, "p10@example.com", body=UNNAMED)
    given(*people(40))
    with at_part(3, sending.stopping.set):
        deliver(sending, "default")
    rest, split = batches(sending)
    assert (rest.status, rest.attempts, split.status) == ("PENDING", 0, "COMPLETE")
    assert "stopped" in rest.postponed_because
    assert sandbox.stats()["requests"] == 4
    sending.stopping.clear()
    deliver(sending, "default")
    assert outcomes(sending) == {"delivered": 39, "rejected": 1}
    assert stored(sandbox) == Counter(set(people(40)) - {"p10@example.com"})


def test_an_account_that_is_paused_in_the_middle_sends_no_further_part(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    refuse(sandbox, "p10@example.com", body=UNNAMED)
    given(*people(40))
    with at_part(3, lambda: pause(sending.engine, account(sending).id, "by hand")):
        deliver(sending, "default")
    assert sandbox.stats()["requests"] == 4
    assert sending.limiter(sending.destination("default")).used()[1] == 4, "the permit of the part is given back"
    rest, split = batches(sending)
    assert (rest.status, split.status) == ("PENDING", "COMPLETE")


def test_whoever_lost_the_lease_writes_nothing_more(sending: Context, sandbox: RunningSandbox, given: Given) -> None:
    refuse(sandbox, "p10@example.com", body=UNNAMED)
    given(*people(40))

    def lose() -> None:
        do(sending.engine, update(Batch).values(lease_until=func.now() - timedelta(seconds=1)))
        assert reclaim(sending.engine) == 1

    with at_part(3, lose):
        deliver(sending, "default")
    assert sandbox.stats()["requests"] == 4
    (batch,) = batches(sending)
    assert (batch.status, batch.size, batch.claims) == ("PENDING", 40, 1)
    assert outcomes(sending) == {"pending": 40}


def test_a_part_is_not_sent_for_a_batch_that_another_worker_has_claimed(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    refuse(sandbox, "p10@example.com", body=UNNAMED)
    given(*people(40))

    def lose() -> None:
        do(sending.engine, update(Batch).values(lease_until=func.now() - timedelta(seconds=1)))
        assert reclaim(sending.engine) == 1
        make_due(sending.engine)
        assert claim(sending.engine, account(sending).id, 60) is not None

    with at_part(3, lose):
        deliver(sending, "default")
    assert sandbox.stats()["requests"] == 4
    (batch,) = batches(sending)
    assert (batch.status, batch.size, batch.claims) == ("PROCESSING", 40, 2)
    assert outcomes(sending) == {"processing": 40}


def test_the_lease_is_kept_alive_while_the_search_goes_on(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    refuse(sandbox, "p10@example.com", body=UNNAMED)
    given(*people(8), "p10@example.com")
    seen: list[datetime] = []

    def nearly_run_out() -> None:
        do(sending.engine, update(Batch).values(lease_until=func.now() + timedelta(milliseconds=1)))
        look()

    def look() -> None:
        (batch,) = batches(sending)
        assert batch.lease_until is not None
        seen.append(batch.lease_until)

    with at_part(2, nearly_run_out), at_part(3, look):
        deliver(sending, "default")
    run_out, renewed = seen
    assert renewed >= run_out + timedelta(seconds=sending.settings.lease - 0.001)


def test_a_search_spends_one_window_and_the_next_claim_goes_on(
    sender: Callable[..., Context], sandbox: RunningSandbox, given: Given
) -> None:
    refuse(sandbox, *people(100)[::10], body=UNNAMED)
    given(*people(100))
    context = sender(burst_limit=20, burst_seconds=0.2)
    for _ in range(8):
        deliver(context, "default")
        due(context)
        assert_sound(context)
    assert outcomes(context) == {"delivered": 90, "rejected": 10}
    assert rejected(context) == set(people(100)[::10])
    assert stored(sandbox) == Counter(set(people(100)) - rejected(context))
    first = batches(context)[0]
    parts = Ledger(context.engine).batches(Batch.split_from == first.id)
    assert first.claims > 1
    assert len(parts) == first.claims - 1


def test_a_search_whose_time_is_up_ends_once_something_is_found_and_every_claim_gets_on(
    sending: Context, sandbox: RunningSandbox, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolate, "BUDGET", 0.0)
    refuse_unnamed(sandbox, "p10@example.com", "p33@example.com")
    given(*people(40))
    drain(sending)
    assert outcomes(sending) == {"delivered": 38, "rejected": 2}
    assert stored(sandbox) == Counter(set(people(40)) - rejected(sending))
    rest, *splits = batches(sending)
    assert len(splits) == rest.claims - 1 > 1
    assert all(split.size for split in splits)


def test_who_has_found_something_holds_no_thread_for_a_whole_window_of_waiting(
    sender: Callable[..., Context], given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolate, "BUDGET", 1.0)
    given(*people(40))
    with running_sandbox(burst_limit=3, burst_seconds=60) as slow:
        refuse(slow, "p10@example.com", body=UNNAMED)
        context = sender(hubspot_url=slow.url, burst_limit=3, burst_seconds=60)
        assert deliver(context, "default") == 1
    assert outcomes(context) == {"delivered": 20, "pending": 20}, "it waited for the rest"


def test_without_a_permit_the_search_ends_early(sender: Callable[..., Context], given: Given) -> None:
    given(*people(40))
    with running_sandbox(burst_limit=3, burst_seconds=30) as slow:
        refuse(slow, "p10@example.com", body=UNNAMED)
        context = sender(hubspot_url=slow.url, burst_limit=3, burst_seconds=30)
        deliver(context, "default")
        assert slow.stats()["by_status"] == {"400": 2, "200": 1}
    rest, split = batches(context)
    assert (rest.status, split.status, rest.size, split.size) == ("PENDING", "COMPLETE", 20, 20)
    assert "permit" in rest.postponed_because


def test_what_waits_for_the_rest_goes_on_waiting_and_comes_after_it(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    refuse(sandbox, "p10@example.com", body=UNNAMED)
    given(*people(40))
    with at_part(3, sending.stopping.set):
        deliver(sending, "default")
    (old, *_) = batches(sending)
    with sending.engine.connect() as connection:
        inputs = [{"email": "p10@example.com", "interactionDateTime": WHEN + 1}]
        raw = json.dumps({"subscriber_state": "cancel", "object_id": "7", "inputs": inputs}).encode()
        accept(connection, [Inbound(Door.STREAM, "later", raw)], sending.rules)
    newer = batches(sending)[-1]
    assert newer.after == [old.id]
    sandbox.reset()
    sending.stopping.clear()
    drain(sending)
    assert outcomes(sending)["delivered"] >= 20
    assert [batch.status for batch in batches(sending)] == ["COMPLETE"] * 3
