"""One person: every record with its history, and what happens next."""

from sqlalchemy import Engine, func, update

from models.tables import Batch, Error
from tests.support.fixtures import Facts, Submit, Turnout
from tests.support.jobs import retry
from tests.support.ledger import Ledger, do, given_up, in_turn, message, people, postponed, settled, taken
from worker.accounts import state
from worker.queries.error_filter import Filter


def test_each_record_is_shown_with_its_history_and_what_happens_next(
    submit: Submit, engine: Engine, facts: Facts, turnout: Turnout
) -> None:
    submit(message("Ada@example.com", "bob@example.com"), message("ada@example.com", event="78"))
    in_turn(engine)
    given_up(engine, taken(engine))
    settled(engine, taken(engine))
    retry(engine, 100, Filter())
    settled(engine, taken(engine), rejected=[0])
    other, first = facts("person", " ADA@example.com")
    assert (first["event"], first["outcome"], first["next"][:8]) == ("77", "rejected", "rejected")
    assert [(error["category"], error["resolution"]) for error in first["errors"]] == [
        ("GIVEN_UP", "retried"),
        ("VALIDATION_ERROR", None),
    ]
    assert len(first["attempts"]) == 2
    assert (other["event"], other["next"], other["contact_id"]) == ("78", "delivered", 1_000)
    said = turnout("person", "ada@example.com").output
    assert "GIVEN_UP" in said
    assert "HubSpot's contact id: 1000" in said
    assert "bob" not in said


def test_what_waits_says_for_what(submit: Submit, engine: Engine, facts: Facts) -> None:
    submit(message("a@x.org"))
    submit(message("a@x.org", state="cancel"))
    postponed(engine, taken(engine), 3_600)
    second, first = facts("person", "a@x.org")
    assert second["next"] == f"waits for batch {first['batch_id']}"
    assert first["next"].startswith("due at 2")
    assert first["next"].endswith("(HTTP 503)")
    do(engine, update(Batch).values(due_at=func.now()))
    state.pause(engine, 1, "the token")
    assert facts("person", "a@x.org")[1]["next"] == "account paused: the token"


def test_what_is_read_back_says_when_and_what_was_superseded_by_which(
    submit: Submit, engine: Engine, facts: Facts
) -> None:
    submit(message("a@x.org"), message("b@x.org", event="78"))
    in_turn(engine)
    settled(engine, taken(engine), unconfirmed=[0])
    given_up(engine, taken(engine))
    assert facts("person", "a@x.org")[0]["next"].startswith("is read back at 2")
    retry(engine, 100, Filter())
    submit(message("b@x.org", state="cancel", event="78"))
    settled(engine, taken(engine))
    settled(engine, taken(engine))
    newer, older = facts("person", "b@x.org")
    looked_for = f"superseded by record {newer['id']}; it may have arrived, and is read back at 2"
    assert older["next"].startswith(looked_for)
    assert newer["next"] == "delivered"
    do(engine, update(Error).values(verify_at=None))
    assert facts("person", "b@x.org")[1]["next"] == f"superseded by record {newer['id']}"


def test_pages_go_from_the_newest_on_and_a_contact_id_is_a_name_too(
    submit: Submit, facts: Facts, turnout: Turnout
) -> None:
    for event in range(5):
        inputs = [{"vid": 9_007_199_254_740_993, "interactionDateTime": 1_767_225_600_000}]
        submit({"subscriber_state": "register", "object_id": str(event), "inputs": inputs})
    first = facts("person", "9007199254740993", "--limit", "3")
    rest = facts("person", "9007199254740993", "--limit", "3", "--before", str(first[-1]["id"]))
    assert [one["event"] for one in first + rest] == ["4", "3", "2", "1", "0"]
    assert "more: --before" in turnout("person", "9007199254740993", "--limit", "3").output
    assert "turnout refused" in turnout("person", "nobody@x.org").output


def test_a_person_is_found_by_the_index_alone(submit: Submit, engine: Engine) -> None:
    submit(message(*people(50)))
    do(engine, "ANALYZE records")
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(
            "EXPLAIN WITH t AS MATERIALIZED (SELECT id FROM records WHERE contact = 'x' AND id < 99) SELECT FROM t"
        )
        assert "Index Only Scan using ix_records_contact_batch_id" in "\n".join(plan.scalars())
    assert len(Ledger(engine).records()) == 50
