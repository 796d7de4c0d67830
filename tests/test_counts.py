"""What a record costs PostgreSQL, in counts that no machine's speed changes: a change that needs more is seen here.

The bounds are what it takes today. Statements are those that do work; a trip is one wait for the server.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import orjson
import psycopg
import pytest
from sqlalchemy import Engine

import worker.database
import worker.queue.claim
from bench.counts import CountingProxy, wal_between, wal_place
from hubspot_api.answer import Settled
from models.accept_rules import Rules
from models.words import Door
from tests.support.api import running_api
from tests.support.contexts import open_context
from tests.support.ledger import message, people
from worker.database import make_engine
from worker.intake.accept import Inbound, accept
from worker.queue.attempts import AttemptResult
from worker.queue.claim import claim
from worker.queue.settle import settle
from worker.settings import Settings

CALL = AttemptResult("settled", 200, 42, "", "")
WARM = 8
"""Rounds after which each statement is prepared, and each event is there."""


@pytest.fixture
def proxy(database_url: str) -> Iterator[CountingProxy]:
    with CountingProxy(database_url) as proxy:
        yield proxy


@pytest.fixture
def counted(settings: Settings, proxy: CountingProxy) -> Iterator[Engine]:
    """An engine whose trips are counted."""
    engine = make_engine(settings.model_copy(update={"database_url": proxy.url()}))
    yield engine
    engine.dispose()


class Rounds:
    """Messages of so many new people each, accepted and delivered one after the other."""

    def __init__(self, engine: Engine, rules: Rules, size: int) -> None:
        self._engine, self.size = engine, size
        self._rules = Rules(rules.key, batch_size=size, linger=0)
        self._met = 0

    def accept(self) -> None:
        raw = orjson.dumps(message(*people(self.size, self._met)))
        self._met += self.size
        with self._engine.connect() as connection:
            (part,) = accept(connection, [Inbound(Door.STREAM, f"{self._met}-1", raw)], self._rules)
        assert part.accepted == self.size

    def deliver(self) -> None:
        claimed = claim(self._engine, 1, 120)
        assert claimed is not None
        assert len(claimed.members) == self.size
        assert settle(self._engine, claimed, Settled(dict.fromkeys(range(self.size), 7), {}, {}), CALL)


@pytest.fixture(params=[1, 100])
def rounds(request: pytest.FixtureRequest, counted: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch) -> Rounds:
    """Rounds, warm."""
    monkeypatch.setattr(worker.database, "ALIVE", 3_600.0)  # a busy machine is asked no more often
    monkeypatch.setattr(worker.queue.claim, "FLOOR", 0.0)  # retries are not looked for first now and then
    rounds = Rounds(counted, rules, request.param)
    for _ in range(WARM):
        rounds.accept()
        rounds.deliver()
    return rounds


def test_a_message_is_accepted_in_six_trips_and_two_commits_whatever_its_size(
    rounds: Rounds, proxy: CountingProxy
) -> None:
    found = proxy.asked_by(rounds.accept)
    assert found.statements <= 16, found
    assert found.trips <= 6, found
    assert found.commits <= 2, found


def test_a_batch_is_delivered_in_seven_trips_and_two_commits_whatever_its_size(
    rounds: Rounds, proxy: CountingProxy
) -> None:
    rounds.accept()
    found = proxy.asked_by(rounds.deliver)
    assert found.statements <= 17, found
    assert found.trips <= 7, found
    assert found.commits <= 2, found


def test_a_request_takes_one_trip_for_its_key_and_one_for_its_receipt_besides_accepting(
    settings: Settings, proxy: CountingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.database, "ALIVE", 3_600.0)
    with open_context(settings, database_url=proxy.url()) as context, running_api(context) as api:
        for number in range(4 * WARM):  # the threads use several connections, each of which prepares
            assert api.submit(f"p{number}@example.com").status_code == 200
        # What looks at the database every few seconds may do so during a request: the least of some is theirs.
        each = [proxy.asked_by(partial(api.submit, f"q{number}@example.com")) for number in range(6)]
        found = min(each, key=lambda one: one.trips)
    assert found.trips <= 8, found
    assert found.commits <= 4, found


def test_the_wal_of_a_record_is_its_rows_and_index_entries(rounds: Rounds, database_url: str) -> None:
    """A record of a full batch is one row with five index entries; what its batch needs is shared by all of it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        data_dir = Path(str(connection.execute("SHOW data_directory").fetchone()[0]))  # type: ignore[index]
        start = wal_place(connection)
        for _ in range(10):
            rounds.accept()
            rounds.deliver()
        wal = wal_between(data_dir, start, wal_place(connection))
    records = 10 * rounds.size
    assert wal.number / records <= (8.5 if rounds.size == 100 else 60), wal.records
