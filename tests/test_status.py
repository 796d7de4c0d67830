"""`turnout status` says what waits, why and until when, and what needs action now."""

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.console import Visitor, words
from tests.support.fixtures import Submit, Turnout
from tests.support.ledger import account_id, ask, message, settled, taken
from worker.accounts import state


def parked(engine: Engine) -> str:
    """Park the account, and give how that is said."""
    state.park(engine, account_id(engine), 3_600, "HTTP 503")
    (row,) = ask(engine, "SELECT to_char(parked_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS at FROM accounts")
    return f"account parked until {row.at}Z: HTTP 503"


def test_what_waits_for_a_parked_account_says_until_when_wherever_it_is_shown(
    submit: Submit, engine: Engine, facts: Any, turnout: Turnout, operator: Visitor
) -> None:
    submit(message("ada@example.com"))
    said = parked(engine)
    for command in (("status",), ("batches",), ("batch", "1"), ("person", "ada@example.com")):
        assert said in turnout(*command).output, command
    for page in ("/", "/batches", "/batch/1", "/person/ada@example.com"):
        assert said in words(operator.page(page)), page
    assert facts("batches")[0]["stopped"] == said


def test_unconfirmed_records_that_are_looked_for_wait_too(submit: Submit, engine: Engine, turnout: Turnout) -> None:
    submit(message("ada@example.com", "bob@example.com"))
    settled(engine, taken(engine), unconfirmed=[0])
    said = turnout("status").output
    assert "nothing waits" not in said
    assert "not confirmed by HubSpot: looked for there" in said


@pytest.mark.usefixtures("engine")
def test_nothing_waits_where_nothing_does(turnout: Turnout) -> None:
    assert "nothing waits" in turnout("status").output


def test_unresolved_errors_lead_to_their_groups(submit: Submit, engine: Engine, turnout: Turnout) -> None:
    submit(message("ada@example.com"))
    settled(engine, taken(engine), rejected=[0])
    assert "1 rejected (look: turnout errors --grouped)" in turnout("status").output
