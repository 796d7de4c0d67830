"""Leaving an error as it is, with a reason."""

from sqlalchemy import Engine

from models.tables import Error
from models.words import Resolution
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.jobs import retry
from tests.support.ledger import Ledger, message, outcomes, people, settled, taken, wrong_now
from worker.queries.error_filter import ANY_OPEN, Filter
from worker.queries.reconciliation import audit


def test_a_dismissed_error_is_open_no_more_keeps_its_reason_and_changes_no_outcome(
    submit: Submit, engine: Engine, ledger: Ledger, facts: Facts
) -> None:
    submit(message(*people(3)))
    settled(engine, taken(engine), rejected=[0], unconfirmed=[1])
    rejected = facts("errors", "--outcome", "rejected")[0]
    assert facts("dismiss", str(rejected["id"]), "--because", " a test entry ")["dismissed"] == 1
    assert facts("dismiss", str(rejected["id"]), "--because", "again")["dismissed"] == 0
    (row,) = ledger.errors(Error.resolution == Resolution.DISMISSED)
    assert (row.id, row.resolved_because) == (rejected["id"], "a test entry")
    assert outcomes(engine) == {"rejected": 1, "unconfirmed": 1, "delivered": 1}
    assert facts("person", "p0@example.com")[0]["next"] == "rejected, dismissed: a test entry"
    assert retry(engine, 100, Filter(ANY_OPEN, record_ids=[rejected["record_id"]])) == 0


def test_a_whole_group_is_dismissed_only_when_agreed(
    submit: Submit, engine: Engine, ledger: Ledger, facts: Facts, turnout: Turnout
) -> None:
    submit(message(*people(5)))
    settled(engine, taken(engine), rejected=[0, 1], unconfirmed=[2, 3, 4])
    group = next(one["id"] for one in facts("errors", "--grouped") if one["outcome"] == "unconfirmed")
    assert "pass --yes" in turnout("dismiss", "--group", group, "--because", "x", status=2).output
    assert "3 errors are dismissed" in turnout("dismiss", "--group", group, "--because", "x", "--yes").output
    assert [one["outcome"] for one in facts("errors", "--grouped")] == ["rejected"]
    assert ledger.errors(Error.verify_at.is_not(None)) == []
    with engine.connect() as connection:
        assert wrong_now(connection) == []
    assert audit(engine).balanced


def test_it_says_what_is_missing(turnout: Turnout) -> None:
    assert "--group" in turnout("dismiss", "--because", "x", status=2).output
    assert "--because" in turnout("dismiss", "7", status=2).output
    assert "is empty" in turnout("dismiss", "7", "--because", " ", status=2).output
    assert "nothing is dismissed" in turnout("dismiss", "7", "--because", "x").output
