"""`turnout events` and `turnout event`: what the event's page says, typed."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.ledger import message, people, settled, taken
from worker.database import make_engine
from worker.settings import Settings


def test_an_event_is_shown_with_what_is_delivered_and_what_is_missing(
    turnout: Turnout, facts: Facts, submit: Submit, engine: Engine
) -> None:
    submit(message(*people(3)))
    settled(engine, taken(engine), rejected=[0])
    submit(message(*people(1), event="webinar"))
    assert [row["event"] for row in facts("events")] == ["webinar", "77"]
    assert [row["event"] for row in facts("events", "--limit", "1")] == ["webinar"]
    (found,) = facts("event", "77")
    counts = found["states"]["register"]
    assert (counts["records"], counts["delivered"], counts["rejected"], counts["missing"]) == (3, 2, 1, 1)
    assert found["all"] is True
    (one,) = facts("event", "77", "--account", "default")
    assert one == found
    said = turnout("event", "77").output
    assert "event 77, account default" in said
    assert "register" in said


def test_an_event_that_nobody_knows_is_said(turnout: Turnout, submit: Submit) -> None:
    submit(message(*people(1)))
    assert "there is no event nobody" in turnout("event", "nobody", status=1).output
    assert "there is no account other" in turnout("event", "77", "--account", "other", status=1).output


def test_an_error_of_the_database_names_nobody(settings: Settings) -> None:
    engine = make_engine(settings)
    with engine.connect() as connection, pytest.raises(DBAPIError) as raised:
        connection.execute(text("SELECT CAST(:who AS text) FROM nowhere"), {"who": "ada@example.com"})
    engine.dispose()
    assert "nowhere" in str(raised.value)
    assert "ada" not in str(raised.value)


@pytest.mark.parametrize(
    "words",
    [("retry",), ("retry", "--record"), ("cancel",), ("dismiss", "--because", "x"), ("correct", "--email", "a@x.org"),
     ("refused", "retry")],
)  # fmt: skip
def test_a_number_that_no_id_can_be_is_said(turnout: Turnout, words: tuple[str, ...]) -> None:
    assert "9223372036854775807" in turnout(*words, "1" + "0" * 30, status=2).output
