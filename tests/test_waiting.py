"""Why a batch waits is said wherever a batch is shown: in lists, and for a batch, a person, an event, a submission."""

from urllib.parse import quote

import pytest
from sqlalchemy import Engine

from models.words import Outcome
from tests.support.console import Visitor, words
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.ledger import Ledger, do, message

ADA = "ada@example.com"

REASONS = {
    "paused": (
        "UPDATE accounts SET paused_at = now(), paused_because = 'a new token is needed'",
        "account paused: a new token is needed",
    ),
    "waiting": (
        "UPDATE accounts SET parked_until = now() + interval '1 hour', parked_because = 'HTTP 503, 7 times in a row'",
        "Z: HTTP 503, 7 times in a row",
    ),
    "at its limit": (
        "UPDATE accounts SET parked_until = now() + interval '1 hour', parked_because = 'the daily limit is used up'",
        "Z: the daily limit is used up",
    ),
    "without a token": (
        "UPDATE accounts SET paused_at = now(), paused_because = 'it has no token'",
        "account paused: it has no token",
    ),
    "answered so": ("UPDATE batches SET postponed_because = 'HTTP 502'", "HTTP 502"),
    "due": ("UPDATE batches SET due_at = now() - interval '1 minute'", "waits for its turn"),
}


@pytest.mark.parametrize(("done", "why"), REASONS.values(), ids=REASONS)
def test_why_a_batch_waits_is_said_everywhere(
    submit: Submit,
    engine: Engine,
    ledger: Ledger,
    operator: Visitor,
    facts: Facts,
    turnout: Turnout,
    done: str,
    why: str,
) -> None:
    (part,) = submit(message(ADA, event="77"))
    do(engine, done)
    number = ledger.batch().id
    event = ledger.batch().event_id
    (listed,) = facts("batches")
    assert why in listed["waits"]
    assert why in facts("batch", str(number))["waits"]
    assert why in facts("event", "77")[0]["waiting"][0]["why"]
    assert why in facts("submission", str(part.submission))["not_delivered"][0]["why"]
    assert why in facts("person", ADA)[0]["next"]
    assert why in facts("status")["waiting"][0]["why"]
    for path in (
        *("/", "/batches", f"/batch/{number}", f"/event/{event}", f"/submission/{part.submission}"),
        f"/person/{quote(ADA)}",
    ):
        assert why in words(operator.page(path)), path
    assert why in " ".join(turnout("batch", str(number)).stdout.split())


def test_a_batch_that_gathers_says_so_and_one_that_is_over_waits_for_nothing(
    submit: Submit, engine: Engine, ledger: Ledger, facts: Facts
) -> None:
    submit(message(ADA))
    do(engine, "UPDATE batches SET due_at = now() + interval '1 minute'")
    assert facts("batches")[0]["waits"] == "gathers more records"
    do(engine, "UPDATE batches SET status = 'CANCELED', settled_at = now(), open = false")
    assert facts("batches")[0]["waits"] is None
    assert ledger.batch().status == "CANCELED"


def test_a_submission_of_which_nothing_was_accepted_is_not_called_delivered(
    submit: Submit, operator: Visitor, turnout: Turnout
) -> None:
    (part,) = submit({**message(ADA), "account": "none"})
    said = words(operator.page(f"/submission/{part.submission}"))
    assert "no record was accepted" in said
    assert "is delivered" not in said
    assert "Not delivered" not in said
    assert "nothing was accepted" in turnout("submission", str(part.submission)).stdout
    assert Outcome.DELIVERED not in said
