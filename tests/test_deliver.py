"""What follows each of HubSpot's answers, from the POST to the database, against the stand-in."""

import random
from datetime import timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import func, select, update

import models.backoff
import tasks.deliver
import worker.delivery.call
from hubspot_api.client import post
from hubspot_api.egress import Egress
from hubspot_api.limiter import Limiter
from hubspot_api.response import NoResponse, Response
from models.tables import Account, Attempt, Batch, Lane
from tasks.deliver import deliver
from tests.support.before import before
from tests.support.deadlines import out_of_time
from tests.support.fixtures import Given
from tests.support.jobs import retry
from tests.support.ledger import Ledger, do, idle_transactions, make_due, spanned
from tests.support.sandbox_server import RunningSandbox
from worker.context import GRACE, Context
from worker.queries.reconciliation import audit
from worker.queue.claim import claim
from worker.settings import Settings

WHEN = 1_767_225_600_000


@pytest.fixture(autouse=True)
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait is so short that what waits is sent again by the same run, on a busy machine either."""
    monkeypatch.setattr(random, "random", lambda: 0.9)
    monkeypatch.setattr(models.backoff, "FIRST", 400.0)


def batch(context: Context) -> Batch:
    return Ledger(context.engine).batches()[0]


def account(context: Context) -> Account:
    return Ledger(context.engine).account()


def attempt(context: Context) -> Attempt:
    """The only one."""
    (attempt,) = Ledger(context.engine).attempts()
    return attempt


def drain(context: Context) -> None:
    while deliver(context, "default"):
        pass


def outcomes(context: Context) -> dict[str, int]:
    books = audit(context.engine)
    assert books.balanced, books.wrong
    return {outcome.value: number for outcome, number in books.outcomes.items() if number}


def test_a_full_answer_delivers_and_keeps_the_contact_ids(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    given("ada@example.com", "bob@example.com")
    assert deliver(sending, "default") == 1
    assert outcomes(sending) == {"delivered": 2}
    row = batch(sending)
    assert (row.status, row.attempts, row.claims) == ("COMPLETE", 0, 1)
    assert [bool(vid) for vid in row.contact_ids or []] == [True, True]
    assert {held["contact"] for held in sandbox.participations()} == {"ada@example.com", "bob@example.com"}
    call = attempt(sending)
    assert (call.http_status, call.answer, call.sent, call.delivered) == (200, "settled", 2, 2)
    assert call.finished_at is not None
    assert call.finished_at > call.started_at
    assert call.excerpt == ""


def test_nothing_due_takes_no_permit(sending: Context) -> None:
    assert deliver(sending, "default") == 0
    assert sending.redis.keys("turnout:limit:*") == []


def test_a_permit_is_given_back_where_another_claims_what_is_due(sending: Context, given: Given) -> None:
    given("ada@example.com")
    with sending.engine.begin() as another:
        another.execute(select(Lane.event_id).with_for_update())
        assert deliver(sending, "default") == 0
        assert sending.redis.hexists("turnout:limit:{default}:known", "begun"), "a permit was asked for"
        assert sending.redis.zcard("turnout:limit:{default}:slots") == 0
    assert deliver(sending, "default") == 1


def test_a_contact_that_the_answer_does_not_name_is_unconfirmed(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(match="bob@example.com", drop=True, count=1)
    given("ada@example.com", "bob@example.com")
    deliver(sending, "default")
    assert outcomes(sending) == {"delivered": 1, "unconfirmed": 1}
    call = attempt(sending)
    assert (call.delivered, call.unconfirmed) == (1, 1)
    assert "results" in call.excerpt


def test_a_request_refused_whole_rejects_its_records_with_hubspots_message(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(match="bob@example.com", status=400, count=1)
    given("bob@example.com")
    deliver(sending, "default")
    assert outcomes(sending) == {"rejected": 1}
    (error,) = Ledger(sending.engine).errors()
    assert (error.category, error.outcome) == ("VALIDATION_ERROR", "rejected")
    assert "bob@example.com" in error.message
    assert attempt(sending).correlation_id


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502, "body": "<html>Bad gateway</html>"},
        {"status": 503},
        {"status": 524},
        {"status": 200, "body": "<html>hello</html>"},
        {"hang": 60},
        {"cut": True},
        {"cut": True, "applied": True},
        {"truncate": True},
    ],
    ids=str,
)
def test_an_ambiguous_answer_is_tried_again_later_and_counted(
    sending: Context, sandbox: RunningSandbox, given: Given, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def soon(url: str, token: str, body: bytes, _: float, egress: Egress) -> Response | NoResponse:
        return out_of_time(lambda seconds: post(url, token, body, seconds, egress))

    if "hang" in fault:
        monkeypatch.setattr(worker.delivery.call, "post", soon)
    sandbox.fault(**fault, count=1)
    given("ada@example.com")
    with spanned(sending.engine) as span:
        assert deliver(sending, "default") == 1
    row = batch(sending)
    assert (row.status, row.attempts, row.lease_token) == ("PENDING", 1, None)
    assert span.has(row.due_at, before=0.9 * 400)
    assert row.postponed_because
    assert row.failing_since is not None
    assert attempt(sending).answer == "ambiguous"
    assert account(sending).in_a_row == 1


def test_attempts_that_are_spent_give_up_and_can_be_retried(
    settings: Settings, sandbox: RunningSandbox, given: Given
) -> None:
    from worker.queries.error_filter import Filter

    sandbox.fault(status=503, count=2)
    given("ada@example.com")
    context = Context(settings.model_copy(update={"hubspot_url": sandbox.url, "max_attempts": 2}))
    for _ in range(2):
        make_due(context.engine)
        deliver(context, "default")
    assert batch(context).status == "CANCELED"
    assert outcomes(context) == {"failed": 1}
    assert retry(context.engine, 100, Filter()) == 1
    deliver(context, "default")
    assert outcomes(context) == {"delivered": 1}
    context.engine.dispose()


def test_a_burst_limit_holds_all_of_the_account_and_spends_no_attempt(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(status=429, body={"policyName": "TEN_SECONDLY_ROLLING"}, headers={"Retry-After": "70"}, count=1)
    given("ada@example.com")
    begun, _ = sending.redis.time()
    with spanned(sending.engine) as span:
        deliver(sending, "default")
    ended, _ = sending.redis.time()
    row = batch(sending)
    assert (row.status, row.attempts) == ("PENDING", 0)
    assert span.has(row.due_at, before=70)
    blocked = int(sending.redis.hget("turnout:limit:{default}:known", "blocked") or 0) / 1000
    assert begun + 70 <= blocked < ended + 71


def test_a_batch_that_hubspot_slows_down_is_put_back_also_without_redis(
    sending: Context, sandbox: RunningSandbox, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.fault(status=429, body={"policyName": "TEN_SECONDLY_ROLLING"}, headers={"Retry-After": "70"}, count=1)
    given("ada@example.com")

    def out_of_reach(*_: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(Limiter, "block", out_of_reach)
    with spanned(sending.engine) as span:
        assert deliver(sending, "default") == 1
    assert batch(sending).status == "PENDING"
    assert span.has(batch(sending).due_at, before=70)


def test_the_daily_limit_parks_the_account_until_midnight(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(status=429, body={"policyName": "DAILY"}, count=1)
    given("ada@example.com")
    with spanned(sending.engine) as span:
        deliver(sending, "default")
    row = account(sending)
    assert row.parked_until is not None
    assert span.begun < row.parked_until <= span.ended + timedelta(days=1)
    assert "daily" in row.parked_because
    assert deliver(sending, "default") == 0
    assert (batch(sending).status, batch(sending).attempts) == ("PENDING", 0)


@pytest.mark.parametrize(("status", "seconds"), [(423, 60), (477, 3600)])
def test_an_account_that_is_away_is_waited_for(
    sending: Context, sandbox: RunningSandbox, given: Given, status: int, seconds: int
) -> None:
    sandbox.fault(status=status, body={}, headers={"Retry-After": str(seconds)}, count=1)
    given("ada@example.com")
    with spanned(sending.engine) as span:
        deliver(sending, "default")
    assert span.has(account(sending).parked_until, before=seconds)
    assert batch(sending).attempts == 0


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_not_accepted_pauses_the_account_and_loses_nothing(
    sending: Context, sandbox: RunningSandbox, given: Given, status: int
) -> None:
    from worker.accounts.state import resume

    sandbox.fault(status=status, count=1)
    given("ada@example.com")
    deliver(sending, "default")
    assert account(sending).paused_at is not None
    assert "token" in account(sending).paused_because
    assert deliver(sending, "default") == 0
    assert resume(sending.engine, "default")
    deliver(sending, "default")
    assert outcomes(sending) == {"delivered": 1}


def test_an_unknown_event_is_final_for_every_record(sending: Context, sandbox: RunningSandbox, given: Given) -> None:
    sandbox.fault(status=404, count=1)
    given("ada@example.com", "bob@example.com")
    deliver(sending, "default")
    assert outcomes(sending) == {"rejected": 2}


@pytest.mark.parametrize("body", ["<html>not here</html>", {"message": "no Route matched"}])
def test_a_404_that_is_not_hubspots_pauses_the_account_and_rejects_nothing(
    sending: Context, sandbox: RunningSandbox, given: Given, body: object
) -> None:
    sandbox.fault(status=404, body=body, count=1)
    given("ada@example.com")
    deliver(sending, "default")
    assert outcomes(sending) == {"pending": 1}
    assert "404" in account(sending).paused_because
    assert account(sending).paused_because.endswith("turnout resume default")


def test_the_third_unknown_event_in_a_row_pauses_the_account_instead_of_rejecting_the_backlog(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    from worker.accounts.state import resume

    sandbox.fault(status=404)
    for event in range(5):
        given("ada@example.com", event=str(event))
    drain(sending)
    assert outcomes(sending) == {"rejected": 2, "pending": 3}
    assert "none of the last 3 events" in account(sending).paused_because
    sandbox.reset()
    assert resume(sending.engine, "default")
    drain(sending)
    assert outcomes(sending) == {"rejected": 2, "delivered": 3}
    assert account(sending).unknown_events == []


def test_an_accepted_record_between_unknown_events_begins_the_count_anew(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    for number, event in enumerate("aabbcde"):  # an event that is met twice counts once
        given(f"p{number}@example.com", event=event)
        sandbox.reset()
        if event != "c":
            sandbox.fault(status=404)
        deliver(sending, "default")
    assert outcomes(sending) == {"rejected": 6, "delivered": 1}
    assert len(account(sending).unknown_events) == 2
    assert account(sending).paused_at is None


@pytest.mark.parametrize(
    ("status", "what_to_do"), [(401, "TURNOUT_HUBSPOT_TOKEN"), (403, "crm.objects.marketing_events.write")]
)
def test_a_pause_for_the_token_says_what_to_do(
    sending: Context, sandbox: RunningSandbox, given: Given, status: int, what_to_do: str
) -> None:
    sandbox.fault(status=status, count=1)
    given("ada@example.com")
    deliver(sending, "default")
    because = account(sending).paused_because
    assert what_to_do in because
    assert because.endswith("turnout resume default")
    assert batch(sending).postponed_because == because


def test_five_ambiguous_answers_in_a_row_park_the_account_and_spend_no_more_attempts(
    sending: Context, sandbox: RunningSandbox, given: Given
) -> None:
    sandbox.fault(status=503)
    given("ada@example.com")
    for _ in range(9):
        make_due(sending.engine)
        do(sending.engine, update(Account).values(parked_until=func.now()))
        deliver(sending, "default")
    assert (batch(sending).status, batch(sending).attempts) == ("PENDING", 4)
    assert account(sending).in_a_row == 9
    sandbox.reset()
    with sending.engine.begin() as connection:
        connection.execute(update(Account).values(parked_until=func.now()))
    deliver(sending, "default")
    assert outcomes(sending) == {"delivered": 1}
    assert (account(sending).in_a_row, account(sending).parked_until) == (0, None)


def test_no_transaction_is_open_while_hubspot_answers(
    sending: Context, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look() -> None:
        seen.append((batch(sending).status, idle_transactions(sending.engine)))

    monkeypatch.setattr(worker.delivery.call, "post", before(look, post))
    given("ada@example.com")
    deliver(sending, "default")
    assert seen == [("PROCESSING", 0)]


def test_the_token_appears_nowhere_in_the_database(sending: Context, sandbox: RunningSandbox, given: Given) -> None:
    sandbox.fault(status=500, body="your token is test-token", count=1)
    given("ada@example.com")
    deliver(sending, "default")
    assert attempt(sending).excerpt == "your token is [token]"
    assert "test-token" not in repr(sending.settings)


def test_what_took_too_long_to_claim_is_put_back_and_sent_by_the_next_claim(
    sending: Context, sandbox: RunningSandbox, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease, or its permit, could end before the call does."""
    left = iter([-1.0])  # seconds that the first claim may take

    def begins() -> None:
        monkeypatch.setattr(tasks.deliver, "GRACE", next(left, GRACE))

    monkeypatch.setattr(tasks.deliver, "claim", before(begins, claim))
    given("ada@example.com")
    assert deliver(sending, "default") == 1
    row = batch(sending)
    assert (row.status, row.claims, row.attempts, sandbox.stats()["requests"]) == ("COMPLETE", 2, 0, 1)
    assert len(Ledger(sending.engine).attempts()) == 1
    assert sending.limiter(sending.destination("default")).used()[1] == 1


def test_without_redis_there_is_no_permit_and_nothing_is_sent(sending: Context, given: Given) -> None:
    from unittest.mock import patch

    given("ada@example.com")
    with patch.object(Limiter, "acquire", side_effect=redis.ConnectionError):
        assert deliver(sending, "default") == 0
    assert batch(sending).status == "PENDING"
