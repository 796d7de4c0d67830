"""What is looked up by contact costs the same however much waits of these people, or of this event, elsewhere.

Counted are the rows that PostgreSQL fetched, not the time. `bench.flood` shows it with a million.
"""

import itertools
import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import orjson
import pytest
from sqlalchemy import Connection, Engine, func, select, text, update

import worker.queue.claim
from models.accept_rules import Rules
from models.tables import Batch, Event, Lane
from models.words import Door, Origin
from tests.support.fixtures import Submit
from tests.support.jobs import retry
from tests.support.ledger import (
    HOLDING,
    UNANSWERED,
    Ledger,
    ask,
    do,
    given_up,
    message,
    people,
    settled,
    take,
    taken,
    waits,
)
from worker import trip
from worker.database import json, make_engine
from worker.intake.accept import Inbound, accept
from worker.queries.error_filter import Filter
from worker.queue.claim import _waits
from worker.queue.contact_index import HOLDERS, held
from worker.settings import Settings


def rows_read(engine: Engine) -> int:
    """Count the records that were read by reading all there are."""
    with engine.begin() as connection:
        connection.execute(select(func.pg_stat_force_next_flush()))
    counted = text("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'records'")
    with engine.begin() as connection:
        return int(connection.execute(counted).scalar_one())


_MANY: Final = """
INSERT INTO records (id, fingerprint, batch_id, position, submission_id, contact, input)
SELECT 1000000 + n, sha256(CAST(CAST(n AS text) AS bytea)), 1, n, 1, 'n' || n, '{}' FROM generate_series(1, 5000) n"""


@pytest.mark.usefixtures("new_sessions")
def test_what_was_planned_while_a_table_was_empty_is_planned_anew(
    settings: Settings, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(settings, pool=1)
    numbers = itertools.count()

    def accepting_reads() -> int:
        before, number = rows_read(engine), str(next(numbers))
        with engine.connect() as connection:
            accept(connection, [Inbound(Door.STREAM, number, orjson.dumps(message(f"{number}@x.org")))], rules)
        return rows_read(engine) - before

    monkeypatch.setattr(trip, "PLANS_LAST", 3_600.0)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE records"))
    for _ in range(3 * trip.PREPARED_AFTER):
        accepting_reads()
    do(engine, _MANY)
    assert accepting_reads() > 5_000, "the plan that is looked at"
    monkeypatch.setattr(trip, "PLANS_LAST", 0.0)
    assert accepting_reads() == 0
    engine.dispose()


def again_and_again(times: int, contacts: list[str], event: str) -> dict[str, object]:
    """A message in which the same people registered so often: so many batches, each waiting for the one before it."""
    inputs = [
        {"email": contact, "interactionDateTime": 1_767_225_600_000 + 1000 * number}
        for number in range(times)
        for contact in contacts
    ]
    return {"subscriber_state": "register", "object_id": event, "inputs": inputs}


def event_id(engine: Engine, name: str) -> int:
    return int(Ledger(engine).all(Event, Event.object_id == name)[0].id)


def fetched(connection: Connection) -> int:
    """Give the rows of records and batches that this connection has fetched and not yet reported."""
    rows = connection.execute(
        text("""
        SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
        WHERE relname IN ('records', 'batches')""")
    )
    return int(rows.scalar_one())


def test_a_flood_of_the_same_people_elsewhere_is_leapt_over(submit: Submit, engine: Engine) -> None:
    submit(message("x@example.com", event="quiet"))  # holds x, and is older than the flood
    submit(again_and_again(300, people(10), "flooded"))
    submit(message("y@example.com", event="quiet"), batch_size=1)
    do(engine, "ANALYZE")
    quiet = event_id(engine, "quiet")
    with engine.begin() as connection:
        before = fetched(connection)
        assert held(connection, {(quiet, contact) for contact in people(10)}) == {}
        assert fetched(connection) - before < 100


_ABOUT_TO_COME = """
INSERT INTO records (id, fingerprint, batch_id, position, submission_id, contact, input)
SELECT 1000000 + n, sha256(CAST(CAST(n AS text) AS bytea)), :batch, n, 1, 'n' || lpad(CAST(n AS text), 4, '0'), '{}'
FROM generate_series(1, 2000) n"""


def heap_fetches(plan: Mapping[str, Any]) -> int:
    """Count the rows that a plan looked up to see whether they are there."""
    return int(plan.get("Heap Fetches", 0)) + sum(heap_fetches(part) for part in plan.get("Plans", ()))


def test_what_others_are_about_to_commit_is_not_walked(submit: Submit, engine: Engine, ledger: Ledger) -> None:
    submit(message("a@example.com"))
    (batch,) = ledger.batches()
    pairs = json([{"event_id": batch.event_id, "contact": f"n{number:04}x"} for number in range(1, 2_000, 20)])
    with engine.connect() as other, engine.connect() as connection:
        other.execute(text(_ABOUT_TO_COME), {"batch": batch.id})
        looked = connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {HOLDERS.text}"), {"pairs": pairs})
        (told,) = looked.scalar_one()
    assert "Index Only Scan" in str(told), "the plan that is looked at"
    assert heap_fetches(told["Plan"]) == 0


def test_a_retry_older_than_a_flood_is_claimed_without_walking_it(
    submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    submit(message("a@example.com", "b@example.com", event="flooded"))
    given_up(engine, taken(engine))
    submit(again_and_again(300, people(10), "flooded"))
    retry(engine, 100, Filter())
    do(engine, "ANALYZE")
    (again,) = ledger.batches(Batch.origin == Origin.RETRY)
    flooded = event_id(engine, "flooded")
    with engine.begin() as connection:
        before = fetched(connection)
        assert not _waits(connection, flooded, again.id)
        assert fetched(connection) - before < 100


@pytest.mark.parametrize("seed", range(5))
def test_held_names_the_newest_batch_that_holds_each_contact(
    submit: Submit, engine: Engine, ledger: Ledger, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 0.5)
    chance = random.Random(seed)
    contacts, names = people(5), ["1", "2", "3"]
    claims = []
    for step in range(60):
        some = chance.sample(contacts, 2)
        match chance.choice(["accept", "accept", "claim", "settle", "give up"]):
            case "accept":
                submit(message(*some, event=chance.choice(names), when=1_767_225_600_000 + step), batch_size=2)
            case "claim":
                claims += [claimed for claimed in [take(engine)] if claimed]
            case "settle" if claims:
                settled(engine, claims.pop(chance.randrange(len(claims))))
            case "give up" if claims:
                given_up(engine, claims.pop(chance.randrange(len(claims))))
                retry(engine, 2, Filter())
        expected = ask(
            engine,
            f"""
            SELECT b.event_id, m.contact, max(b.id) AS newest FROM records m JOIN batches b ON b.id = m.batch_id
            WHERE {HOLDING} AND {UNANSWERED} GROUP BY 1, 2""",
        )
        pairs = {(event.id, contact) for event in ledger.all(Event) for contact in contacts}
        with engine.begin() as connection:
            assert held(connection, pairs) == {(row.event_id, row.contact): row.newest for row in expected}


def test_a_retry_waits_for_the_newest_older_batch_of_each_contact(
    submit: Submit, engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before it are waited for by that batch itself."""
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 0.0)
    submit(again_and_again(3, ["a@example.com"], "77"), batch_size=1)
    first, second, third = waits(engine)
    do(engine, update(Batch).where(Batch.id == first).values(due_at=Batch.due_at + timedelta(hours=1)))
    do(engine, update(Batch).where(Batch.id == third).values(after=[]))  # so that the newest fails first
    do(engine, update(Lane).values(due_at=func.now()))
    given_up(engine, taken(engine))
    retry(engine, 100, Filter())
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 1.0)
    assert take(engine) is None
    *_, (again, after) = waits(engine).items()
    assert (waits(engine)[second], after) == ([first], [second])
    assert ledger.batches(Batch.id == again)[0].origin == Origin.RETRY
