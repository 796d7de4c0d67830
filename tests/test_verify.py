"""Unconfirmed records, looked for at the stand-in: confirmed, sent once more, superseded, or left with the evidence."""

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Protocol
from unittest.mock import patch

import pytest
from sqlalchemy import func, text, update

import worker.delivery.read_back
from hubspot_api.client import get
from hubspot_api.egress import Egress
from models.tables import Account, Attempt, Batch, Error, ReadBack
from models.verification_policy import WAITS
from models.words import AttemptKind, Door, Outcome, Resolution, Status
from sandbox.address import Read
from sandbox.answers import SandboxAnswer
from sandbox.reading import Views
from tasks.deliver import deliver
from tasks.sweep import sweep
from tasks.verify import BEHIND, verify
from tests.support.contexts import open_context
from tests.support.jobs import cancel, retry
from tests.support.ledger import Ledger, do, idle_transactions, let_pass, make_due, read_back, resolve, spanned
from tests.support.sandbox_calls import by_email, object_path, post
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from worker.accounts.state import pause
from worker.context import Context
from worker.delivery import permits, read_back as reader_module
from worker.delivery.account_stops import UNREADABLE
from worker.encryption import seal
from worker.intake.accept import Inbound, accept
from worker.queries import erasures
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter
from worker.queries.reconciliation import audit
from worker.queries.status import read_status
from worker.queue import in_doubt, read_back_results, settle, unconfirmed
from worker.queue.claim import claim
from worker.queue.expired_leases import reclaim
from worker.queue.unconfirmed import accounts_due
from worker.settings import Settings

WHEN = 1_767_225_600_000
SPAN = {"joinedAt": "2026-03-01T10:00:00Z", "leftAt": "2026-03-01T10:45:30Z"}
TOKEN = "test-token"
PEOPLE = [f"p{index}@example.com" for index in range(1_000)]


class Given(Protocol):
    """Accepts a message about these contacts, a number being a contact id."""

    def __call__(self, *contacts: str | int, state: str = "register", when: int = WHEN, **event: object) -> None: ...


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(burst_limit=100_000) as running:
        yield running


def made(settings: Settings, sandbox: RunningSandbox, **more: object) -> Context:
    return Context(settings.model_copy(update={"hubspot_url": sandbox.url, "burst_limit": 20_000, **more}))


@pytest.fixture
def context(settings: Settings, sandbox: RunningSandbox) -> Iterator[Context]:
    context = made(settings, sandbox)
    yield context
    context.engine.dispose()


def hand(context: Context, *contacts: str | int, state: str = "register", when: int = WHEN, **event: object) -> None:
    """Accept a message about these contacts; a number is a contact id."""
    inputs = [
        {
            "vid" if isinstance(contact, int) else "email": contact,
            "interactionDateTime": when,
            "properties": SPAN if state == "attend" else {},
        }
        for contact in contacts
    ]
    message = {"subscriber_state": state, "inputs": inputs, **(event or {"object_id": "7"})}
    with context.engine.connect() as connection:
        (part,) = accept(
            connection, [Inbound(Door.STREAM, uuid.uuid4().hex, json.dumps(message).encode())], context.rules
        )
    assert part.accepted == len(contacts)


@pytest.fixture
def given(context: Context) -> Given:
    return partial(hand, context)


def sent(context: Context) -> None:
    """Deliver all that waits, whatever it waits for."""
    while True:
        make_due(context.engine)
        if not deliver(context, "default"):
            return


def looked(context: Context) -> int:
    """Let the next look's time come, and look, as the sweep would have it; give the number of GETs."""
    do(context.engine, update(Error).where(Error.verify_at.is_not(None)).values(verify_at=func.now()))
    return sum(verify(context, account) for account in accounts_due(context.engine))


def outcomes(context: Context) -> dict[str, int]:
    books = audit(context.engine)
    assert books.balanced, books.wrong
    return {outcome.value: number for outcome, number in books.outcomes.items() if number}


def errors(context: Context) -> list[Error]:
    return Ledger(context.engine).errors()


def reads_back(context: Context) -> list[Attempt]:
    return Ledger(context.engine).attempts(Attempt.kind == AttemptKind.READ_BACK)


# Found


def test_what_hubspot_stored_and_did_not_name_is_delivered_by_read_back(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(match="ada@example.com", drop=True, applied=True, count=1)
    given("ada@example.com", "bob@example.com")
    sent(context)
    assert outcomes(context) == {"delivered": 1, "unconfirmed": 1}
    assert looked(context) == 1
    assert outcomes(context) == {"delivered": 2}
    (error,) = errors(context)
    assert (error.resolution, error.verify_at, error.reads) == ("confirmed", None, 0)
    said = read_back(error)
    assert (said["found"], said["where"], said["reads"]) == (True, "the contact's view", 1)
    (seen,) = said["seen"]
    assert (seen["attendanceState"], seen["occurredAt"]) == ("REGISTERED", WHEN)
    contact_id = int(str(seen["contactId"]))
    assert contact_id > 0
    assert erasures.contact_ids(context.engine, "ada@example.com") == [contact_id]
    (attempt,) = reads_back(context)
    assert (attempt.answer, attempt.http_status, attempt.sent) == ("page", 200, 1)
    assert (attempt.delivered, attempt.unconfirmed) == (1, 0)
    assert attempt.finished_at is not None
    assert attempt.finished_at > attempt.started_at
    assert attempt.batch_id == error.batch_id
    assert looked(context) == 0


def test_the_first_look_comes_seconds_after_the_answer_and_not_before(
    context: Context, sandbox: RunningSandbox, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0 < in_doubt.FIRST_READ <= 5
    monkeypatch.setattr(settle, "FIRST_READ", 300.0)  # on a busy machine seconds are over soon
    sandbox.fault(drop=True, applied=True, count=1)
    given("ada@example.com")
    with spanned(context.engine) as span:
        sent(context)
    (error,) = errors(context)
    assert span.has(error.verify_at, before=300)
    assert accounts_due(context.engine) == []
    assert verify(context, "default") == 0


def test_a_worker_that_died_between_storing_and_settling_costs_one_look(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    to = context.destination("default")
    held = permits.permit(context, to)
    assert held is not None
    permits.give_back(context, to, held)  # the limiter has begun, and need not wait to know what was sent before
    given(*PEOPLE[:40])
    claimed = claim(context.engine, 1, 30)
    assert claimed is not None
    answer = post(
        sandbox, *(json.loads(member.input) for member in claimed.members), path=object_path("7"), token=TOKEN
    )
    assert len(answer.json()["results"]) == 40
    do(context.engine, update(Batch).values(lease_until=func.now() - timedelta(seconds=1)))
    assert reclaim(context.engine) == 1
    sent(context)
    assert outcomes(context) == {"unconfirmed": 40}
    assert looked(context) == 1
    assert outcomes(context) == {"delivered": 40}
    assert len(sandbox.participations()) == 40


def test_an_event_under_any_address_a_contact_by_id_and_odd_letters_are_found(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, applied=True)
    given("o'brien+x/y@example.com", external_event_id="ev 1/ü?&", external_account_id="acc/%2F")
    given(5_000_000_001, state="cancel")
    given("Ada@Example.com", state="attend", external_event_id="e", external_account_id="contacts")
    sent(context)
    assert outcomes(context) == {"unconfirmed": 3}
    assert looked(context) == 3
    assert outcomes(context) == {"delivered": 3}


def test_one_call_settles_every_record_of_a_contact_whatever_its_event(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, applied=True)
    for event in range(5):
        given("ada@example.com", object_id=str(event))
    given("ada@example.com", state="cancel", when=WHEN + 1, object_id="1")
    sent(context)
    assert looked(context) == 1
    assert outcomes(context) == {"delivered": 6}
    assert reads_back(context)[0].batch_id is None


def test_a_contact_with_many_participations_is_paged_through_only_as_far_as_needed(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    post(sandbox, *(by_email(at=WHEN - number) for number in range(1, 241)), path=object_path("5"), token=TOKEN)
    sandbox.fault(drop=True, applied=True)
    given("ada@example.com")
    sent(context)
    assert looked(context) == 3
    assert outcomes(context) == {"delivered": 1}
    post(sandbox, *(by_email("b@example.com", WHEN + number) for number in range(240)), path=object_path(), token=TOKEN)
    sandbox.fault(drop=True)
    given("b@example.com", object_id="77")
    sent(context)
    assert looked(context) == 1
    assert outcomes(context) == {"delivered": 2}


# Many of one event


@pytest.mark.parametrize(("number", "calls"), [(10, 10), (11, 1), (100, 1), (101, 2)])
def test_more_than_ten_of_one_event_are_read_from_its_breakdown_a_hundred_a_call(
    context: Context, sandbox: RunningSandbox, given: Given, number: int, calls: int
) -> None:
    sandbox.fault(drop=True, applied=True)
    given(*PEOPLE[:number])
    sent(context)
    assert outcomes(context) == {"unconfirmed": number}
    assert looked(context) == calls
    assert outcomes(context) == {"delivered": number}
    where = [read_back(error)["where"] for error in errors(context)]
    assert where[:100] == ["the contact's view" if number == 10 else "the event's breakdown"] * min(number, 100)


def test_a_thousand_of_one_event_take_ten_calls(context: Context, sandbox: RunningSandbox, given: Given) -> None:
    sandbox.fault(drop=True, applied=True)
    given(*PEOPLE)
    sent(context)
    assert looked(context) == 10
    assert outcomes(context) == {"delivered": 1_000}
    assert sum(attempt.delivered for attempt in reads_back(context)) == 1_000


def test_an_events_breakdown_is_asked_state_by_state(context: Context, sandbox: RunningSandbox, given: Given) -> None:
    sandbox.fault(drop=True, applied=True)
    given(*PEOPLE[:6])
    given(*PEOPLE[:5], state="attend", when=WHEN + 1)
    sent(context)
    assert looked(context) == 2
    assert outcomes(context) == {"delivered": 11}


def test_an_event_too_large_to_page_through_is_asked_contact_by_contact(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    for hundred in range(16):
        others = [by_email(f"other{hundred}-{number}@example.com") for number in range(100)]
        post(sandbox, *others, path=object_path("7"), token=TOKEN)
    sandbox.fault(drop=True, applied=True)
    given(*PEOPLE[:12])
    sent(context)
    assert looked(context) == 1 + 12
    assert outcomes(context) == {"delivered": 12}


def test_what_the_breakdown_shows_late_is_given_time_and_then_asked_for_by_contact(settings: Settings) -> None:
    with running_sandbox(burst_limit=100_000, event_read_delay=3_600) as sandbox:
        context = made(settings, sandbox)
        sandbox.fault(drop=True, applied=True)
        hand(context, *PEOPLE[:12])
        sent(context)
        assert looked(context) == 1
        assert {(error.reads, error.resolution) for error in errors(context)} == {(1, None)}
        assert looked(context) == 1 + 12
        assert outcomes(context) == {"delivered": 12}
        context.engine.dispose()


def test_an_event_whose_breakdown_is_refused_is_asked_contact_by_contact(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, applied=True)
    sandbox.fault(reads=True, status=404, count=1)
    given(*PEOPLE[:11])
    sent(context)
    assert looked(context) == 1 + 11
    assert outcomes(context) == {"delivered": 11}
    assert reads_back(context)[0].answer == "not found"


def test_a_breakdown_cut_short_by_the_limit_goes_on_where_it_was(settings: Settings) -> None:
    with running_sandbox(burst_limit=10, burst_seconds=60) as sandbox:
        context = made(settings, sandbox, burst_limit=10, burst_seconds=60)
        sandbox.fault(drop=True, applied=True)
        hand(context, *PEOPLE[:500])
        sent(context)
        assert outcomes(context) == {"unconfirmed": 500}
        calls: list[int] = []
        while outcomes(context) != {"delivered": 500} and len(calls) < 60:
            calls.append(looked(context))
            context.limiter_redis.delete(
                "turnout:limit:{default}:slots", "turnout:limit:{default}:reads"
            )  # a window later
        assert sum(calls) == 5
        assert max(calls) == 1
        assert {error.reads for error in errors(context)} == {0}
        context.engine.dispose()


# Not there


def test_a_silent_drop_is_looked_for_four_times_sent_once_more_and_delivered(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(match="ada@example.com", drop=True, count=1)
    given("ada@example.com", "bob@example.com")
    sent(context)
    waits = []
    for look in range(1, 5):
        with spanned(context.engine) as span:
            assert looked(context) == 1
        (error,) = errors(context)
        assert (error.reads, error.resolution) == (look, None)
        waits.append([seconds for seconds in (30, 120, 600) if span.has(error.verify_at, before=seconds)])
    assert waits == [[30], [120], [600], [30]]
    assert looked(context) == 0  # sent once more
    assert outcomes(context) == {"delivered": 1, "pending": 1}
    sent(context)
    assert outcomes(context) == {"delivered": 2}
    (error,) = errors(context)
    assert (error.resolution, error.verify_at) == ("retried", None)
    said = read_back(error)
    assert said["first"] < said["last"]
    assert {name: said[name] for name in ("reads", "found", "seen", "where", "sent_again")} == {
        "reads": 4,
        "found": False,
        "seen": [],
        "where": "the contact's view",
        "sent_again": True,
    }
    assert Ledger(context.engine).batches()[-1].origin == "retry"


def test_what_is_absent_again_is_left_to_the_operator_with_the_evidence_and_nothing_else_is(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(match="ada@example.com", drop=True)
    sandbox.fault(match="cy@example.com", drop=True)
    sandbox.fault(match="bob@example.com", drop=True, count=1)
    for event, contact in enumerate(["ada", "bob", "cy", "dan"]):
        given(f"{contact}@example.com", object_id=str(event))
    sent(context)
    while looked(context) or Ledger(context.engine).batches(Batch.status == Status.PENDING):
        sent(context)
    assert outcomes(context) == {"delivered": 2, "unconfirmed": 2}
    ledger = Ledger(context.engine)
    for contact in ("ada@example.com", "cy@example.com"):
        (left,) = ledger.errors(Error.resolution.is_(None), Error.record_id == ledger.record(contact).id)
        assert (left.verify_at, left.reads) == (None, 4)
        assert read_back(left)["left"] == "it was sent once more, and is still not there"
    assert accounts_due(context.engine) == []
    assert len(Ledger(context.engine).attempts(Attempt.kind == AttemptKind.POST)) == 4 + 3
    assert len(reads_back(context)) == 3 * 4 + 2 * 4
    assert {row["contact"] for row in sandbox.participations()} == {"bob@example.com", "dan@example.com"}
    # An operator may send it again; what he sends is looked for like any other.
    assert retry(context.engine, 100, Filter(outcomes=["unconfirmed"])) == 2  # type: ignore[list-item]
    sandbox.reset()
    sent(context)
    assert outcomes(context) == {"delivered": 4}


def test_what_was_looked_for_one_by_one_is_sent_once_more_packed_together(
    context: Context, sandbox: RunningSandbox, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        worker.delivery.read_back, "BUDGET", 60.0
    )  # on a slow machine a run would end before all is read
    sandbox.fault(drop=True, count=1)
    given(*PEOPLE[:100])
    sent(context)
    calls = [looked(context) for _ in range(4)]
    assert calls == [1, 101, 1, 101]
    assert looked(context) == 0
    assert [row.size for row in Ledger(context.engine).batches(Batch.status == Status.PENDING)] == [100]
    sent(context)
    assert outcomes(context) == {"delivered": 100}


def test_a_repeat_whose_answer_is_empty_ends_as_delivered_by_proof(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    """The views were late: it was there all along when it was sent once more."""
    sandbox.fault(drop=True, applied=True, count=1)
    sandbox.fault(reads=True, status=200, body={"total": 0, "results": []}, count=4)
    given("ada@example.com")
    sent(context)
    for _ in range(4):
        looked(context)
    assert looked(context) == 0
    sent(context)
    assert outcomes(context) == {"unconfirmed": 1}
    assert looked(context) == 1
    assert outcomes(context) == {"delivered": 1}
    assert [error.resolution for error in errors(context)] == ["retried", "confirmed"]


def test_a_write_that_is_not_readable_at_once_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed, real = 0.0, Views.answer

    def answer(self: Views, read: Read, now: float) -> SandboxAnswer:
        return real(self, read, now + passed)

    monkeypatch.setattr(Views, "answer", answer)
    with running_sandbox(burst_limit=100_000, read_delay=3_600) as sandbox:
        context = made(settings, sandbox)
        sandbox.fault(drop=True, applied=True)
        hand(context, "ada@example.com")
        sent(context)
        assert looked(context) == 1
        assert outcomes(context) == {"unconfirmed": 1}
        passed = 3_600.0
        assert looked(context) == 1
        assert outcomes(context) == {"delivered": 1}
        assert len(sandbox.participations()) == 1
        context.engine.dispose()


def test_an_attendance_of_another_duration_is_not_there(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    shorter = {**SPAN, "leftAt": "2026-03-01T10:01:00Z"}
    post(sandbox, by_email(at=WHEN, **shorter), path=object_path("7", "attend"), token=TOKEN)
    given("ada@example.com", state="attend")
    sent(context)
    for _ in range(4):
        assert looked(context) == 1
    (error,) = errors(context)
    assert error.reads == 4
    (seen,) = read_back(error)["seen"]
    assert (seen["attendanceState"], seen["attendanceDurationSeconds"]) == ("ATTENDED", 60)
    assert outcomes(context) == {"unconfirmed": 1}


def test_a_later_state_of_our_own_supersedes(context: Context, sandbox: RunningSandbox, given: Given) -> None:
    sandbox.fault(match="ada@example.com", drop=True, count=1)
    given("ada@example.com")
    sent(context)
    given("ada@example.com", state="attend", when=WHEN + 5)
    sent(context)
    assert looked(context) == 1
    assert outcomes(context) == {"delivered": 1, "canceled": 1}
    records = Ledger(context.engine).records()
    first, second = errors(context)
    assert (first.resolution, first.verify_at, read_back(first)["by"]) == ("superseded", None, records[1].id)
    assert (second.outcome, second.category, second.context) == ("canceled", "SUPERSEDED", {"by": records[1].id})
    assert second.record_id == first.record_id == records[0].id


def test_sending_once_more_never_undoes_something_newer_of_ours(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(match="ada@example.com", drop=True, count=1)
    given("ada@example.com")
    sent(context)
    for _ in range(4):
        looked(context)
    given("ada@example.com", state="cancel", when=WHEN + 5)
    looked(context)
    sent(context)
    assert outcomes(context) == {"delivered": 1, "canceled": 1}
    assert [row["state"] for row in sandbox.participations()] == ["cancel"]


def test_a_later_state_that_is_none_of_ours_is_not_undone_either(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    post(sandbox, by_email(at=WHEN + 60_000), path=object_path("7", "cancel"), token=TOKEN)
    sandbox.fault(match="ada@example.com", drop=True)
    given("ada@example.com")
    sent(context)
    for _ in range(4):
        assert looked(context) == 1
    assert looked(context) == 0
    assert outcomes(context) == {"unconfirmed": 1}
    (error,) = errors(context)
    assert "later state that is none of ours" in read_back(error)["left"]
    assert read_back(error)["seen"][0]["attendanceState"] == "CANCELLED"
    assert error.verify_at is None


def test_a_contact_that_hubspot_refuses_to_look_up_is_evidence_too(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, count=1)
    sandbox.fault(reads=True, status=400, body={"message": "no such contact"}, count=1)
    given("ada@example.com")
    sent(context)
    assert looked(context) == 1
    (error,) = errors(context)
    assert (error.reads, read_back(error)["refused"]) == (1, "no such contact")


# What goes wrong


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"cut": True}, {"truncate": True}, {"status": 200, "body": "<html>"}]
)
def test_an_answer_that_says_nothing_costs_no_look_and_backs_off(
    context: Context, sandbox: RunningSandbox, given: Given, fault: dict[str, Any]
) -> None:
    sandbox.fault(drop=True, applied=True)
    sandbox.fault(reads=True, **fault, count=1)
    given("ada@example.com", "bob@example.com")
    sent(context)
    with spanned(context.engine) as span:
        assert looked(context) == 1
    assert {(error.reads, error.resolution) for error in errors(context)} == {(0, None)}
    asked, other = errors(context)
    assert asked.verify_at is not None
    assert other.verify_at is not None
    assert span.begun <= asked.verify_at - timedelta(seconds=BEHIND) <= span.ended + timedelta(seconds=4)
    assert span.begun <= other.verify_at <= span.ended + timedelta(seconds=4)
    assert Ledger(context.engine).account().in_a_row == 1
    (attempt,) = reads_back(context)
    assert (attempt.answer, attempt.delivered) == ("ambiguous", 0)
    assert attempt.finished_at is not None
    assert looked(context) == 2
    assert outcomes(context) == {"delivered": 2}
    assert Ledger(context.engine).account().in_a_row == 0


def test_a_contact_whose_view_always_fails_holds_up_nobody_elses(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, applied=True)
    sandbox.fault(reads=True, match="ada@example.com", status=500)
    given("ada@example.com", "bob@example.com", "eve@example.com")
    sent(context)
    for _ in range(3):
        do(
            context.engine,
            update(Error).where(Error.verify_at.is_not(None)).values(verify_at=Error.verify_at - timedelta(seconds=6)),
        )
        verify(context, "default")
    assert outcomes(context) == {"delivered": 2, "unconfirmed": 1}
    assert Ledger(context.engine).account().in_a_row == 0


def test_an_outage_parks_the_account_and_a_read_is_the_probe_that_ends_it(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, applied=True)
    sandbox.fault(reads=True, status=503, count=6)
    given("ada@example.com", "bob@example.com")
    sent(context)
    for _ in range(6):
        assert looked(context) == 1
        do(context.engine, update(Account).where(Account.parked_until.is_not(None)).values(parked_until=func.now()))
    account = Ledger(context.engine).account()
    assert account.in_a_row == 6
    assert "times in a row" in account.parked_because
    assert looked(context) == 2
    account = Ledger(context.engine).account()
    assert (account.in_a_row, account.parked_until) == (0, None)
    assert outcomes(context) == {"delivered": 2}


def test_a_burst_limit_met_while_reading_holds_all_of_the_account(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, applied=True)
    body = {"policyName": "TEN_SECONDLY_ROLLING"}
    sandbox.fault(reads=True, status=429, body=body, headers={"Retry-After": "7"}, count=1)
    given("ada@example.com")
    sent(context)
    assert looked(context) == 1
    assert looked(context) == 0
    given("bob@example.com")
    assert deliver(context, "default") == 0
    assert errors(context)[0].reads == 0


@pytest.mark.parametrize(
    ("fault", "column", "words"),
    [
        ({"status": 429, "body": {"policyName": "DAILY"}}, "parked", "daily limit"),
        ({"status": 423}, "parked", "locked"),
        ({"status": 477, "headers": {"Retry-After": "60"}}, "parked", "moving"),
        ({"status": 404, "body": "<html>not here</html>"}, "paused", "not in HubSpot's words"),
        ({"status": 401}, "paused", "reading back"),
    ],
)
def test_what_stops_an_account_stops_its_reading_too_and_spends_no_look(
    context: Context, sandbox: RunningSandbox, given: Given, fault: dict[str, Any], column: str, words: str
) -> None:
    sandbox.fault(drop=True, applied=True)
    sandbox.fault(reads=True, **fault, count=1)
    given("ada@example.com", "bob@example.com")
    sent(context)
    assert looked(context) == 1
    account = Ledger(context.engine).account()
    assert words in getattr(account, f"{column}_because")
    assert looked(context) == 0
    assert verify(context, "default") == 0
    assert {error.reads for error in errors(context)} == {0}
    do(context.engine, update(Account).values(paused_at=None, parked_until=None))
    assert looked(context) == 2
    assert outcomes(context) == {"delivered": 2}


def test_a_token_that_may_not_read_stops_the_reading_and_not_the_delivery(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, applied=True, count=2)
    sandbox.fault(reads=True, status=403, count=1)
    given("ada@example.com", "bob@example.com")
    given("eve@example.com", object_id="8")
    sent(context)
    with spanned(context.engine) as span:
        assert looked(context) == 1
    assert outcomes(context) == {"unconfirmed": 3}
    assert verify(context, "default") == 0
    for error in errors(context):
        assert error.verify_at is not None
        assert span.begun <= error.verify_at - timedelta(seconds=UNREADABLE) <= span.ended + timedelta(seconds=BEHIND)
        assert "crm.objects.marketing_events.read" in read_back(error)["stopped"]
        assert error.reads == 0
    (account,) = read_status(context.engine, context.settings).accounts
    assert account.paused_at is account.parked_until is None
    assert "crm.objects.marketing_events.read" in str(account.not_read_back_because)
    assert account.not_read_back_until is not None
    given("dan@example.com")
    assert deliver(context, "default") == 1
    assert looked(context) == 3
    assert outcomes(context) == {"delivered": 4}
    (account,) = read_status(context.engine, context.settings).accounts
    assert (account.not_read_back_because, account.not_read_back_until) == (None, None)


def test_a_tenth_of_the_permits_is_all_that_reading_takes(settings: Settings) -> None:
    with running_sandbox(burst_limit=30) as sandbox:
        context = made(settings, sandbox, burst_limit=30)
        sandbox.fault(drop=True, applied=True)
        hand(context, *PEOPLE[:8])
        sent(context)
        assert looked(context) == 3
        assert looked(context) == 0
        assert outcomes(context) == {"delivered": 3, "unconfirmed": 5}
        still_due = Ledger(context.engine).errors(Error.resolution.is_(None), Error.verify_at <= func.now())
        assert len(still_due) == 5
        hand(context, "another@example.com")
        assert deliver(context, "default") == 1
        context.engine.dispose()


def test_a_crash_while_reading_repeats_the_look_after_the_lease(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, applied=True)
    given("ada@example.com")
    sent(context)
    with open_context(context.settings, lease=300) as reading:
        with (
            spanned(context.engine) as span,
            patch.object(reader_module, "get", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            looked(reading)
        (error,) = errors(context)
        assert span.has(error.verify_at, before=300)
        assert verify(reading, "default") == 0
        assert looked(reading) == 1
    assert outcomes(context) == {"delivered": 1}


def test_no_transaction_is_open_while_hubspot_answers(context: Context, sandbox: RunningSandbox, given: Given) -> None:
    sandbox.fault(drop=True, applied=True)
    given("ada@example.com")
    sent(context)
    seen = []

    def asked(url: str, token: str, timeout: float, egress: Egress) -> Any:
        seen.append((len(reads_back(context)), idle_transactions(context.engine)))
        return get(url, token, timeout, egress)

    with patch.object(reader_module, "get", asked):
        looked(context)
    assert seen == [(1, 0)]


# Side by side


def test_two_at_once_confirm_once(context: Context, sandbox: RunningSandbox, given: Given) -> None:
    sandbox.fault(drop=True, applied=True)
    for event in range(30):
        given(*PEOPLE[:3], object_id=str(event))
    sent(context)
    do(context.engine, update(Error).values(verify_at=func.now()))
    accounts_due(context.engine)
    threads = [threading.Thread(target=verify, args=[context, "default"]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    looked(context)
    assert outcomes(context) == {"delivered": 90}
    assert [error.resolution for error in errors(context)] == ["confirmed"] * 90


def test_two_that_look_at_the_same_record_count_one_look(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True)
    given("ada@example.com")
    sent(context)
    before = errors(context)[0]

    asks = threading.Semaphore(0)
    both = threading.Barrier(2)

    def together(url: str, token: str, timeout: float, egress: Egress) -> Any:
        asks.release()
        answer = get(url, token, timeout, egress)
        both.wait(60)
        return answer

    with patch.object(reader_module, "get", together):
        threads = [threading.Thread(target=looked, args=[context]) for _ in range(2)]
        for thread in threads:
            thread.start()
            assert asks.acquire(timeout=60)  # by now the first has its lease, which the second finds run out
        for thread in threads:
            thread.join()
    (after,) = errors(context)
    assert (before.reads, after.reads) == (0, 1)


def test_who_comes_late_with_an_old_look_changes_nothing(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True)
    given("ada@example.com", "bob@example.com")
    sent(context)
    do(context.engine, update(Error).values(verify_at=func.now()))
    accounts_due(context.engine)
    turn = unconfirmed.take(context.engine, 1, 60, 3)
    evidence = ReadBack(reads=1, where="late")
    absent = [read_back_results.ReadBackResult(record, None, evidence, 5.0) for record in turn.records]
    final = [
        read_back_results.ReadBackResult(turn.records[0], how, evidence)
        for how in (Resolution.CONFIRMED, Resolution.SUPERSEDED)
    ]
    assert len(absent) == 2
    assert [looked(context), looked(context)] == [2, 2]
    resolve(context.engine, Resolution.DISMISSED, Error.id == 1)
    with context.engine.begin() as connection:
        assert read_back_results.store(connection, absent) == 0
        assert [read_back_results.store(connection, [result]) for result in final] == [0, 0]
    unconfirmed.put_back(context.engine, turn.records[:1], 0)
    assert [(error.reads, error.resolution) for error in errors(context)] == [(2, "dismissed"), (2, None)]
    assert not [error for error in errors(context) if read_back(error)["where"] == "late"]
    assert len(Ledger(context.engine).errors(Error.verify_at > func.now() + timedelta(minutes=1))) == 2


def test_a_look_counts_only_for_the_records_whose_time_has_come(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True)
    given("ada@example.com", object_id="1")
    given("ada@example.com", object_id="2")
    sent(context)
    do(context.engine, update(Error).where(Error.id == 1).values(verify_at=func.now() - timedelta(seconds=1)))
    assert [verify(context, account) for account in accounts_due(context.engine)] == [1]
    assert [error.reads for error in errors(context)] == [1, 0]


def test_what_an_operator_retries_meanwhile_is_his(context: Context, sandbox: RunningSandbox, given: Given) -> None:
    sandbox.fault(drop=True, count=1)
    given("ada@example.com", "bob@example.com")
    sent(context)

    def retried_meanwhile(url: str, token: str, timeout: float, egress: Egress) -> Any:
        answer = get(url, token, timeout, egress)
        retry(context.engine, 100, Filter((Outcome.UNCONFIRMED,)))
        return answer

    with patch.object(reader_module, "get", retried_meanwhile):
        assert looked(context) == 2
    assert {error.resolution for error in errors(context)} == {"retried"}
    assert outcomes(context) == {"pending": 2}
    assert looked(context) == 0
    assert {error.verify_at for error in errors(context)} == {None}
    sent(context)
    assert outcomes(context) == {"delivered": 2}


def test_what_was_resolved_since_it_was_due_is_not_sent_again(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, count=1)
    given("ada@example.com")
    sent(context)
    assert [looked(context) for _ in range(4)] == [1, 1, 1, 1]
    resolve(context.engine, Resolution.DISMISSED)
    assert looked(context) == 0
    assert outcomes(context) == {"unconfirmed": 1}
    assert errors(context)[0].verify_at is None


def test_accounts_do_not_wait_for_each_others_reading(context: Context, sandbox: RunningSandbox, given: Given) -> None:
    with context.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO accounts (name, token) VALUES ('acme', :token)"),
            {"token": seal(context.settings, "acme-1")},
        )
    for account in ("default", "acme"):
        deliver(context, account)
    sandbox.fault(drop=True, applied=True)
    given(*PEOPLE[:50])
    given("ada@example.com", account="acme", object_id="9")
    sent(context)
    deliver(context, "acme")
    assert outcomes(context) == {"unconfirmed": 51}
    pause(context.engine, 1, "an operator did")
    do(context.engine, update(Error).values(verify_at=func.now()))
    assert accounts_due(context.engine) == ["acme"]
    assert verify(context, "acme") == 1
    assert verify(context, "default") == 0
    assert outcomes(context) == {"delivered": 1, "unconfirmed": 50}


def test_the_sweep_wakes_whoever_has_something_to_read_once(
    context: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(drop=True, applied=True)
    given("ada@example.com")
    sent(context)
    do(context.engine, update(Error).values(verify_at=func.now()))
    for _ in range(3):
        context.redis.delete("turnout:swept")
        sweep(context)
    (message,) = context.redis.lrange("attendance.verify", 0, -1)
    assert json.loads(message)["headers"]["task"] == "attendance.verify"
    pause(context.engine, 1, "an operator did")
    assert accounts_due(context.engine) == []


def test_what_is_canceled_after_a_call_without_an_answer_is_looked_for_and_not_sent_again(
    context: Context, sandbox: RunningSandbox
) -> None:
    """HubSpot has the one and not the other, and Turnout finds out: the other one is canceled, and can be put back."""
    hand(context, "came@example.com", object_id="77")
    hand(context, "lost@example.com", object_id="78")
    sandbox.fault(match="came@example.com", cut=True, applied=True, count=1)
    sandbox.fault(match="lost@example.com", cut=True, count=1)
    deliver(context, "default")
    hand(context, "never-sent@example.com", object_id="79")
    requests = sandbox.stats()["requests"]
    assert cancel(context.engine, CancelFilter()) == (3, 3)
    assert outcomes(context) == {"unconfirmed": 2, "canceled": 1}
    for _ in range(6):
        let_pass(context.engine, 1)
        verify(context, "default")
    assert outcomes(context) == {"delivered": 1, "canceled": 2}
    (looked_for,) = [error for error in errors(context) if error.resolution == "dismissed"]
    assert looked_for.resolved_because == "an operator canceled it, and it is not there"
    assert {error.outcome for error in errors(context) if error.resolution is None} == {"canceled"}
    assert sandbox.stats()["requests"] == requests
    assert retry(context.engine, 100, Filter((Outcome.CANCELED,))) == 2
    sent(context)
    assert outcomes(context) == {"delivered": 3}


def test_what_is_canceled_while_it_waits_to_be_sent_once_more_is_looked_for(
    context: Context, sandbox: RunningSandbox
) -> None:
    """The write comes to light late: after four looks in vain, and after an operator canceled the second sending."""
    hand(context, "late@example.com")
    sandbox.fault(match="late@example.com", drop=True, count=1)
    sent(context)
    for _ in range(5):
        looked(context)
    assert outcomes(context) == {"pending": 1}
    assert cancel(context.engine, CancelFilter()) == (1, 1)
    assert outcomes(context) == {"unconfirmed": 1}
    post(sandbox, by_email("late@example.com", WHEN), path=object_path("7"), token=TOKEN)
    looked(context)
    assert outcomes(context) == {"delivered": 1}


def test_what_a_worker_of_an_earlier_release_would_send_again_although_it_is_canceled_is_not_sent(
    context: Context, sandbox: RunningSandbox
) -> None:
    hand(context, "ada@example.com")
    sandbox.fault(match="ada@example.com", cut=True, count=1)
    deliver(context, "default")
    assert cancel(context.engine, CancelFilter()) == (1, 1)
    requests = sandbox.stats()["requests"]
    do(context.engine, update(Error).values(reads=len(WAITS) + 1))
    looked(context)
    assert outcomes(context) == {"canceled": 1}
    assert sandbox.stats()["requests"] == requests
    assert accounts_due(context.engine) == []


# What has its outcome, and may have arrived


def stored_without_a_word(sandbox: RunningSandbox, *, stored: bool = True) -> None:
    """The first call for Ada brings no answer; HubSpot may have stored her."""
    sandbox.fault(match="ada@example.com", cut=True, applied=stored, count=1)


@pytest.mark.parametrize("stored", [True, False])
def test_what_is_rejected_after_a_call_without_an_answer_is_delivered_if_it_is_there(
    context: Context,
    sandbox: RunningSandbox,
    stored: bool,  # noqa: FBT001
) -> None:
    """Bob was rejected with no call in doubt, and is not looked for."""
    hand(context, "ada@example.com")
    stored_without_a_word(sandbox, stored=stored)
    sandbox.fault(match="ada@example.com", status=400, count=1)
    sandbox.fault(match="bob@example.com", status=400, count=1)
    deliver(context, "default")
    hand(context, "bob@example.com", object_id="8")
    sent(context)
    assert outcomes(context) == {"rejected": 2}  # at once, as any other: to be retried, corrected, dismissed
    requests = sandbox.stats()["requests"]
    rejected = {error.record_id: error for error in sorted(errors(context), key=lambda error: error.record_id)}
    assert [error.verify_at is None for error in rejected.values()] == [False, True]
    assert all(error.category == "VALIDATION_ERROR" and error.group_id for error in rejected.values())
    assert len({error.group_id for error in rejected.values()}) == 1
    calls = [looked(context) for _ in range(6)]
    assert calls == ([1, 0, 0, 0, 0, 0] if stored else [1, 1, 1, 1, 0, 0])
    assert outcomes(context) == ({"delivered": 1, "rejected": 1} if stored else {"rejected": 2})
    assert sandbox.stats()["requests"] == requests
    before = next(iter(rejected.values()))
    (after,) = [error for error in errors(context) if error.id == before.id]
    assert (after.outcome, after.category, after.code, after.message, after.attempt_id, after.group_id) == (
        *(before.outcome, before.category, before.code, before.message, before.attempt_id, before.group_id),
    )
    assert (after.resolution, after.verify_at) == ("confirmed" if stored else None, None)
    assert ("left" in read_back(after)) is not stored
    assert retry(context.engine, 100, Filter((Outcome.REJECTED,))) == (1 if stored else 2)
    sent(context)
    assert outcomes(context) == {"delivered": 2}


def test_what_was_rejected_is_not_superseded_by_what_hubspot_shows_of_its_contact(
    context: Context, sandbox: RunningSandbox
) -> None:
    hand(context, "ada@example.com")
    stored_without_a_word(sandbox, stored=False)
    sandbox.fault(match="ada@example.com", status=400, count=1)
    deliver(context, "default")
    hand(context, "ada@example.com", state="cancel", when=WHEN + 1)
    sent(context)
    assert outcomes(context) == {"rejected": 1, "delivered": 1}
    for _ in range(6):
        looked(context)
    assert outcomes(context) == {"rejected": 1, "delivered": 1}


@pytest.mark.parametrize("stored", [True, False])
def test_what_is_superseded_after_a_call_without_an_answer_is_delivered_if_it_is_there(
    context: Context,
    sandbox: RunningSandbox,
    stored: bool,  # noqa: FBT001
) -> None:
    hand(context, "ada@example.com")
    sandbox.fault(match="ada@example.com", drop=True, applied=stored, count=1)
    sent(context)
    assert retry(context.engine, 100, Filter((Outcome.UNCONFIRMED,))) == 1
    hand(context, "ada@example.com", state="cancel", when=WHEN + 1)
    sent(context)
    assert outcomes(context) == {"canceled": 1, "delivered": 1}
    assert [looked(context) for _ in range(6)] == ([1, 0, 0, 0, 0, 0] if stored else [1, 1, 1, 1, 0, 0])
    assert outcomes(context) == ({"delivered": 2} if stored else {"canceled": 1, "delivered": 1})
    superseded = errors(context)[-1]
    assert superseded.resolution == ("confirmed" if stored else "superseded")
    assert superseded.resolved_at is not None
    assert retry(context.engine, 100, Filter((Outcome.CANCELED,))) == 0


@pytest.mark.parametrize("stored", [True, False])
def test_what_was_given_up_is_delivered_if_it_is_there_and_can_be_retried_before(
    context: Context,
    sandbox: RunningSandbox,
    stored: bool,  # noqa: FBT001
) -> None:
    do(context.engine, update(Account).values(in_a_row=0))
    for contact, event in (("ada@example.com", "7"), ("bob@example.com", "8")):
        hand(context, contact, object_id=event)
        sandbox.fault(match=contact, status=503, applied=stored and event == "7", count=1)
    do(context.engine, update(Batch).values(attempts=7))
    sent(context)
    assert outcomes(context) == {"failed": 2}
    assert retry(context.engine, 100, Filter((Outcome.FAILED,), event="8")) == 1
    assert [looked(context) for _ in range(6)] == ([1, 0, 0, 0, 0, 0] if stored else [1, 1, 1, 1, 0, 0])
    assert outcomes(context) == {"delivered" if stored else "failed": 1, "pending": 1}
    sent(context)
    assert outcomes(context) == ({"delivered": 2} if stored else {"delivered": 1, "failed": 1})


def test_what_an_operator_retries_while_it_is_looked_for_is_his(context: Context, sandbox: RunningSandbox) -> None:
    """A look that began before says nothing of the record any more; HubSpot answers to the retry."""
    hand(context, "ada@example.com")
    stored_without_a_word(sandbox, stored=False)
    sandbox.fault(match="ada@example.com", status=400, count=1)
    sent(context)
    do(context.engine, update(Error).values(verify_at=func.now()))
    (one,) = unconfirmed.take(context.engine, 1, 60, len(WAITS)).records
    assert (one.stands, one.canceled) == (True, False)
    assert retry(context.engine, 100, Filter((Outcome.REJECTED,))) == 1
    found = read_back_results.ReadBackResult(one, Resolution.CONFIRMED, {"found": True})
    with context.engine.begin() as connection:
        assert read_back_results.store(connection, [found]) == 0
    assert outcomes(context) == {"pending": 1}
    assert looked(context) == 0
