import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, select
from sqlalchemy.engine.interfaces import ExecutionContext

from models.accept_rules import Rules
from models.message import Message, read_message
from models.tables import Event, Refused
from models.words import Door
from tests.support.background import waits_for_a_lock
from tests.support.fixtures import Submit
from tests.support.ledger import Ledger, ask
from worker.intake.accept import Inbound, accept, refuse_whole, unstorable
from worker.queries import refusals
from worker.queries.reconciliation import audit
from worker.queue.locks import lock_event, lock_events
from worker.trip import TRIP

WHEN = 1_767_225_600_000


def message(*contacts: str, state: str = "register", event: str = "77", **more: object) -> dict[str, object]:
    inputs = [{"email": contact, "interactionDateTime": WHEN} for contact in contacts]
    return {"subscriber_state": state, "object_id": event, "inputs": inputs, **more}


def people(number: int, first: int = 0) -> list[str]:
    return [f"p{index}@example.com" for index in range(first, first + number)]


def sizes(engine: Engine) -> list[tuple[str, int, bool]]:
    return [(row.state, row.size, row.open) for row in Ledger(engine).batches()]


def test_records_fill_full_batches_and_the_rest_stays_open(submit: Submit, engine: Engine) -> None:
    (part,) = submit(message(*people(250)))
    assert (part.accepted, part.duplicates, part.refused) == (250, 0, 0)
    assert sizes(engine) == [("register", 100, False), ("register", 100, False), ("register", 50, True)]
    assert audit(engine).balanced


def test_later_records_join_the_open_batch_until_it_is_full(submit: Submit, engine: Engine) -> None:
    submit(message(*people(50)))
    submit(message(*people(30, 50)))
    assert sizes(engine) == [("register", 80, True)]
    submit(message(*people(30, 80)))
    assert sizes(engine) == [("register", 100, False), ("register", 10, True)]


def test_the_same_records_again_are_stored_once_and_said_by_their_outcome(submit: Submit, engine: Engine) -> None:
    submit(message(*people(3)))
    (again,) = submit(message("P0@Example.com", *people(3, 1)))
    assert (again.accepted, again.duplicates, again.repeats) == (1, 3, {"pending": 3})
    books = audit(engine)
    assert (books.accepted, books.duplicates, books.balanced) == (4, 3, True)


def test_a_part_that_comes_again_changes_no_count(submit: Submit, engine: Engine) -> None:
    submission = str(uuid.uuid4())
    first = message(*people(3), submission_id=submission, part="1")
    submit(first)
    (again,) = submit(first)
    assert again.seen_before
    submit(first, first)
    books = audit(engine)
    assert (books.accepted, books.duplicates) == (3, 0)


def test_a_broken_input_is_refused_with_its_reason_and_its_neighbours_are_stored(
    submit: Submit, engine: Engine
) -> None:
    handed = message(*people(2))
    handed["inputs"].insert(1, {"email": "nobody", "interactionDateTime": 1_767_225_600})  # type: ignore[attr-defined]
    (part,) = submit(handed)
    assert (part.accepted, part.refused) == (2, 1)
    (kept,) = Ledger(engine).refused()
    (row,), _ = refusals.listed(engine, refusals.RefusalFilter(), None, 10)
    assert json.loads(kept.raw)["inputs"] == [{"email": "nobody", "interactionDateTime": 1_767_225_600}]
    assert [reason["where"] for reason in row.reasons] == ["inputs[1].email", "inputs[1].interactionDateTime"]
    assert row.reasons[1]["right"] == "milliseconds: 1767225600000"


def test_a_refused_input_mended_can_be_handed_in_again(submit: Submit, engine: Engine) -> None:
    submit(message("not an address"))
    (row,) = Ledger(engine).refused()
    (part,) = submit(row.raw.replace(b"not an address", b"ada@example.com"))
    assert part.accepted == 1


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b'{"inputs": 5}', b"\xff\xfe", b"[" * 100_000, b'{"subscriber_state": "ATTENDED"}'],
)
def test_an_unreadable_message_is_kept_whole(submit: Submit, engine: Engine, raw: bytes) -> None:
    good = message(*people(1))
    refused, accepted = submit(raw, good)
    assert (refused.refused, accepted.accepted) == (1, 1)
    assert [row.raw for row in Ledger(engine).refused()] == [raw]
    assert audit(engine).balanced


def test_an_unknown_account_is_refused_with_all_its_inputs(submit: Submit, engine: Engine) -> None:
    (part,) = submit(message(*people(3), account="nobody"))
    assert part.refused == 3
    assert audit(engine).balanced


@pytest.mark.parametrize("bad", ["\x00", "\ud800"])
def test_text_that_postgresql_cannot_keep_is_refused_alone(submit: Submit, bad: str) -> None:
    inputs = [
        {"email": "ada@example.com", "interactionDateTime": WHEN, "properties": {"note": bad}},
        {"email": f"a{bad}@example.com", "interactionDateTime": WHEN},
        {"email": "ok@example.com", "interactionDateTime": WHEN, bad: 1},
        {"email": "bob@example.com", "interactionDateTime": WHEN},
    ]
    (part,) = submit({"subscriber_state": "register", "object_id": "1", "inputs": inputs})
    assert (part.accepted, part.refused) == (1, 3)


def test_both_addresses_both_identities_and_all_states_get_batches_of_their_own(submit: Submit, engine: Engine) -> None:
    mixed = [{"email": "a@example.com", "interactionDateTime": WHEN}, {"vid": 2**40, "interactionDateTime": WHEN}]
    external = {"external_event_id": "e", "external_account_id": "x"}
    submit(
        {"subscriber_state": "register", "object_id": "1", "inputs": mixed},
        {"subscriber_state": "cancel", **external, "inputs": mixed},
    )
    assert [(row.state, row.identity, row.size) for row in Ledger(engine).batches()] == [
        ("register", "email", 1),
        ("register", "vid", 1),
        ("cancel", "email", 1),
        ("cancel", "vid", 1),
    ]


def test_a_batch_waits_for_the_one_that_holds_its_contact(submit: Submit, engine: Engine) -> None:
    submit(message(*people(2)), message(*people(1), state="cancel"), message(*people(1, 5), state="cancel"))
    first, *rest = Ledger(engine).batches()
    assert first.after == []
    assert {row.state: row.after for row in rest} == {"cancel": [first.id]}


def test_accepting_waits_until_the_event_is_unlocked(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    """A settle, say: what holds the contact of a new record is read once it has ended."""
    submit(message("ada@example.com"))
    with engine.begin() as settling, ThreadPoolExecutor(1) as one:
        lock_event(settling, ledger.all(Event)[0].id)
        accepting = one.submit(submit, message("bob@example.com"))
        assert waits_for_a_lock(engine, accepting)
        settling.rollback()
        assert accepting.result(10)[0].accepted == 1


def test_events_are_locked_in_the_order_of_their_ids(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    """So two that lock the same ones never wait for each other: who waits for one holds none after it."""
    submit(message("ada@example.com", event="1"), message("ada@example.com", event="2"))
    first, second = (event.id for event in ledger.all(Event))

    def lock_both() -> None:
        with engine.begin() as connection:
            lock_events(connection, [second, first])

    with engine.begin() as holding, ThreadPoolExecutor(1) as one:
        lock_event(holding, first)
        locking = one.submit(lock_both)
        assert waits_for_a_lock(engine, locking)
        free = select(Event.id).where(Event.id == second).with_for_update(key_share=True, skip_locked=True)
        assert ask(engine, free), "it waits for the first, and holds the second"
        holding.rollback()
        locking.result(10)


def test_accepting_costs_one_insert_of_records_whatever_their_number(engine: Engine, rules: Rules) -> None:
    from sqlalchemy import event

    def statements(number: int, part: str) -> int:
        counted: list[int] = []

        def note(_: Connection, __: object, ___: str, ____: object, made: ExecutionContext, _____: bool) -> None:  # noqa: FBT001 - SQLAlchemy's signature
            trip = made.execution_options.get(TRIP)
            counted.append(len(trip.asked) if trip else 1)

        event.listen(engine, "before_cursor_execute", note)
        with engine.connect() as connection:
            accept(connection, [Inbound(Door.STREAM, part, json.dumps(message(*people(number))).encode())], rules)
        event.remove(engine, "before_cursor_execute", note)
        return sum(counted)

    statements(1, "0-1")
    assert statements(150, "0-2") == statements(5_000, "0-3")


def test_what_came_by_http_and_the_database_cannot_store_is_kept_whole(engine: Engine, rules: Rules) -> None:
    inputs = [{"email": "ada@example.com", "interactionDateTime": 1_767_225_600_000}]
    fields = {"subscriber_state": "register", "object_id": "7", "producer": "shop", "inputs": inputs}
    read = read_message(json.dumps(fields).encode())
    assert isinstance(read, Message)
    handed = Inbound(Door.HTTP, "request", message=read)
    assert handed.inputs == 1
    with engine.connect() as connection:
        refuse_whole(connection, handed, rules, unstorable("the database cannot store it"))
        kept = connection.execute(select(Refused.raw)).scalar_one()
    assert json.loads(bytes(kept)) == fields
