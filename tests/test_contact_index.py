"""The static statements of the contact index say what the rules that they contain say elsewhere."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

import pytest
from sqlalchemy import Engine, insert, select, true

from models.outcome import LastError, outcome
from models.tables import Batch, Error, Event, Record
from models.words import Identity, Origin, Outcome, Resolution, State, Status
from tests.support.ledger import account_id
from worker.queue.contact_index import Place, after_sendable, oldest_sendable, overtaken

ON_ITS_WAY = {Outcome.PENDING, Outcome.PROCESSING, Outcome.DELIVERED, Outcome.UNCONFIRMED}
STORED_BATCH: dict[str, object] = {
    "state": State.REGISTER,
    "identity": Identity.EMAIL,
    "open": False,
    "positions": 1,
    "size": 1,
}


@dataclass
class Rows:
    """Rows of one account, made without the verbs, so that every combination can be there."""

    engine: Engine
    account_id: int
    ids: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    def event(self) -> int:
        with self.engine.begin() as connection:
            stored = insert(Event).values(account_id=self.account_id, object_id=str(next(self.ids)))
            return connection.execute(stored.returning(Event.id)).scalar_one()

    def batch(self, event_id: int, status: Status, origin: Origin = Origin.LIVE, split_from: int | None = None) -> int:
        batch_id = next(self.ids)
        lease = {"lease_token": "00000000-0000-0000-0000-000000000000"} if status is Status.PROCESSING else {}
        whose = {"id": batch_id, "account_id": self.account_id, "event_id": event_id}
        how = {"status": status, "origin": origin, "split_from": split_from, "due_at": "now"}
        self._store(Batch, STORED_BATCH | whose | how | lease)
        return batch_id

    def record(self, batch_id: int, contact: str, record_id: int | None = None, corrects: int | None = None) -> int:
        record_id = record_id or next(self.ids)
        what = {"id": record_id, "fingerprint": str(record_id).encode(), "batch_id": batch_id, "position": 0}
        self._store(Record, what | {"submission_id": 1, "contact": contact, "input": {}, "corrects": corrects})
        return record_id

    def error(self, record_id: int, batch_id: int, what: Outcome, resolution: Resolution | None = None) -> None:
        why = {"outcome": what, "category": "", "message": "", "resolution": resolution}
        self._store(Error, {"record_id": record_id, "batch_id": batch_id, **why})

    def _store(self, table: type, row: Mapping[str, object]) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(table).values(row))


@pytest.fixture
def rows(engine: Engine) -> Rows:
    return Rows(engine, account_id(engine))


def test_what_overtakes_is_said_of_the_outcome_as_it_is_derived(engine: Engine, rows: Rows) -> None:
    """Of every status and every last error; of what came to nothing, by whether it may have arrived before."""
    event_id = rows.event()
    batch_of = {status: rows.batch(event_id, status) for status in Status}
    errors = [None, *product(Outcome, [None, *Resolution])]
    places: dict[str, Place] = {}
    arrived = set()
    for status, error, before in product(Status, errors, [None, Outcome.UNCONFIRMED, Outcome.FAILED]):
        contact = f"{status}, {error and ' '.join(map(str, error))}, {before}"
        places[contact] = Place(event_id, contact, next(rows.ids))
        record_id = rows.record(batch_of[status], contact)
        if before:
            rows.error(record_id, 1_000_000, before, Resolution.RETRIED)
        if error:
            rows.error(record_id, batch_of[status], *error)
        if before is Outcome.UNCONFIRMED or (error and error[0] is Outcome.UNCONFIRMED):
            arrived.add(contact)
    derived = (
        select(Record.contact, outcome.label("outcome"))
        .join(Batch, Batch.id == Record.batch_id)
        .outerjoin(LastError, true())
    )
    with engine.connect() as connection:
        outcomes = {row.contact: row.outcome for row in connection.execute(derived)}
        by = overtaken(connection, places.values())
    assert set(outcomes.values()) == set(Outcome)
    assert {contact: place.record_id in by for contact, place in places.items()} == {
        contact: its in ON_ITS_WAY or (its in {Outcome.FAILED, Outcome.CANCELED} and contact in arrived)
        for contact, its in outcomes.items()
    }


def test_a_record_is_overtaken_by_a_newer_one_alone_and_in_corrections_by_no_older_ones_stand_in(
    engine: Engine, rows: Rows
) -> None:
    event_id = rows.event()
    batch_id = rows.batch(event_id, Status.PENDING)
    first, second, third = (next(rows.ids) for _ in range(3))
    stands_in = rows.record(batch_id, "ada", corrects=second)
    with engine.connect() as connection:

        def by(place: int, *, corrections: bool = False) -> int | None:
            return overtaken(connection, [Place(event_id, "ada", place)], corrections=corrections).get(place)

        assert [by(first), by(second), by(third)] == [stands_in] * 3
        assert [by(place, corrections=True) for place in (first, second, third)] == [stands_in, None, None]
        assert by(stands_in) is None


@dataclass(frozen=True)
class Sent:
    """A record as the brute force below knows it."""

    id: int
    contact: str
    event_id: int
    batch_id: int
    sendable: bool
    moved: bool


def scattered(rows: Rows, chance: random.Random) -> list[Sent]:
    """Batches in which records of a few people lie in any order, some moved, some still to be sent."""
    found = []
    places = list(range(500_000, 500_400))
    chance.shuffle(places)
    events = [rows.event(), rows.event()]
    for _ in range(40):
        event_id, status = chance.choice(events), chance.choice([Status.PENDING, *[Status.COMPLETE] * 4])
        origin, split_from = chance.choice(
            [(Origin.LIVE, None), (Origin.LIVE, None), (Origin.LIVE, 1), (Origin.RETRY, None)]
        )
        batch_id = rows.batch(event_id, status, origin, split_from)
        for contact in chance.sample(["ada", "bob", "cy"], 2):
            record_id = rows.record(batch_id, contact, places.pop())
            resolution = chance.choice([None, *[Resolution.DISMISSED] * 5])
            rows.error(record_id, batch_id, Outcome.FAILED, resolution)
            sendable = status is Status.PENDING or resolution is None
            moved = origin is Origin.RETRY or split_from is not None
            found.append(Sent(record_id, contact, event_id, batch_id, sendable, moved))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_what_can_still_be_sent_is_found_as_by_looking_at_every_record(engine: Engine, rows: Rows, seed: int) -> None:
    records = scattered(rows, random.Random(seed))
    upto = {(one.event_id, one.contact): one.batch_id for one in random.Random(seed).sample(records, 20)}
    oldest: dict[tuple[int, str], int] = {}
    for one in sorted(records, key=lambda one: one.batch_id, reverse=True):
        pair = one.event_id, one.contact
        if one.sendable and one.batch_id <= upto.get(pair, 0):
            oldest[pair] = one.id
    follow = {
        one.id
        for one in records
        for older in records
        if (older.event_id, older.contact) == (one.event_id, one.contact)
        and older.sendable
        and older.moved
        and older.id < one.id
    }
    assert oldest
    assert follow
    with engine.connect() as connection:
        assert oldest_sendable(connection, upto) == oldest
        assert after_sendable(connection, [Place(one.event_id, one.contact, one.id) for one in records]) == follow
