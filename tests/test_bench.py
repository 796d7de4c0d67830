"""What `make bench` stands on: its counts are exact, and its stand-in for HubSpot answers as the test server does."""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import requests

from bench import standin
from bench.contest import PEERS, SCRIPTS, contestants
from bench.counts import CountingProxy, wal_between, wal_place
from bench.machine import TURNOUT
from bench.processes import environment, started
from bench.results import divisor, friendly
from bench.workload import SHAPES, Workload
from hubspot_api.answer import Settled, read_answer
from hubspot_api.participations import ParticipationPage, read_page
from hubspot_api.response import Response
from models.words import Identity
from tests.support.sandbox_calls import by_email, object_path
from tests.support.sandbox_server import running_sandbox
from worker.local.services import free_port

ROOT = Path(__file__).parent.parent
INPUTS = [by_email("ada@example.com"), by_email("rejected.bob@example.com"), by_email("dropped.cy@example.com")]
CONTACTS = [str(one["email"]) for one in INPUTS]


@pytest.fixture
def proxy(database_url: str) -> Iterator[CountingProxy]:
    with CountingProxy(database_url) as proxy:
        yield proxy


@pytest.fixture
def connection(proxy: CountingProxy) -> Iterator[psycopg.Connection]:
    """A connection through the proxy."""
    with psycopg.connect(proxy.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE counted (number int PRIMARY KEY, word text)")
        yield connection


def test_a_statement_alone_is_a_trip_and_a_commit(proxy: CountingProxy, connection: psycopg.Connection) -> None:
    found = proxy.asked_by(lambda: connection.execute("SELECT 1"))
    assert (found.statements, found.trips, found.commits) == (1, 1, 1)


def test_the_frame_of_a_transaction_is_no_statement(proxy: CountingProxy, connection: psycopg.Connection) -> None:
    def work() -> None:
        connection.execute("BEGIN; SET LOCAL timezone = 'UTC'")
        connection.execute("INSERT INTO counted VALUES (1, 'one')")
        connection.execute("UPDATE counted SET word = 'eins'")
        connection.execute("COMMIT")

    found = proxy.asked_by(work)
    assert (found.statements, found.trips, found.commits) == (2, 4, 1)
    assert found.tags == Counter({"BEGIN": 1, "SET": 1, "INSERT": 1, "UPDATE": 1, "COMMIT": 1})


def test_what_is_rolled_back_or_fails_is_no_commit(proxy: CountingProxy, connection: psycopg.Connection) -> None:
    def work() -> None:
        connection.execute("BEGIN")
        connection.execute("SELECT 1")
        connection.execute("ROLLBACK")
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")

    found = proxy.asked_by(work)
    assert (found.statements, found.trips, found.commits) == (1, 4, 0)


def test_a_pipeline_is_one_trip(proxy: CountingProxy, connection: psycopg.Connection) -> None:
    def work() -> None:
        with connection.pipeline():
            for number in range(10):
                connection.execute("INSERT INTO counted VALUES (%s, 'x')", (number,))

    found = proxy.asked_by(work)
    assert (found.statements, found.trips) == (10, 1)


def test_a_pipeline_that_waits_for_a_result_is_a_trip_more(
    proxy: CountingProxy, connection: psycopg.Connection
) -> None:
    def work() -> None:
        with connection.pipeline():
            connection.execute("SELECT 1").fetchone()
            connection.execute("SELECT 2")

    assert proxy.asked_by(work).trips == 2


def test_a_copy_is_two_trips(proxy: CountingProxy, connection: psycopg.Connection) -> None:
    def work() -> None:
        with connection.cursor().copy("COPY counted FROM STDIN") as copy:
            for number in range(20_000):
                copy.write_row((number, "x" * 50))

    found = proxy.asked_by(work)
    assert (found.tags, found.trips, found.commits) == (Counter({"COPY": 1}), 2, 1)


def test_what_is_larger_than_a_packet_is_one_message(proxy: CountingProxy, connection: psycopg.Connection) -> None:
    def work() -> None:
        connection.execute("INSERT INTO counted VALUES (1, %s)", ("\x01\x02C\x04Z" * 300_000,))
        assert connection.execute("SELECT length(word) FROM counted").fetchone() == (1_500_000,)
        connection.execute("SELECT word FROM counted").fetchall()

    found = proxy.asked_by(work)
    assert (found.tags, found.trips) == (Counter({"INSERT": 1, "SELECT": 2}), 3)


def test_the_wal_is_counted_by_kind(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        data_dir = Path(str(connection.execute("SHOW data_directory").fetchone()[0]))  # type: ignore[index]
        connection.execute("CREATE TABLE counted (number int)")
        start = wal_place(connection)
        for number in range(5):
            connection.execute("INSERT INTO counted VALUES (%s)", (number,))
        connection.execute("SELECT * FROM counted")
        wal = wal_between(data_dir, start, wal_place(connection))
    assert sum(number for kind, number in wal.records.items() if kind.startswith("Heap/INSERT")) == 5
    assert wal.commits == 5
    assert wal.number >= 10
    assert wal.bytes > 5 * 50
    assert wal_between(data_dir, start, start).bytes == 0


def write(world: standin.World, inputs: list[dict[str, object]]) -> dict[str, Any]:
    answer = world.write(object_path().encode(), orjson.dumps({"inputs": inputs}))
    return dict(orjson.loads(answer))


def test_the_stand_in_answers_what_the_test_server_answers() -> None:
    with running_sandbox(malformed="error") as sandbox:
        url, head = sandbox.url + object_path(), {"Authorization": "Bearer x"}
        known = [by_email("ada@example.com"), by_email("no address")]
        theirs = requests.post(url, json={"inputs": known}, headers=head, timeout=60)
    ours = write(standin.World(), INPUTS[:2])
    assert ours.keys() == theirs.json().keys()
    for part in ("results", "errors"):
        (one,), (other,) = ours[part], theirs.json()[part]
        assert one.keys() == other.keys()
        assert {name: type(value) for name, value in one.items()} == {
            name: type(value) for name, value in other.items()
        }
    limits = {name.lower() for name in theirs.headers if name.lower().startswith("x-hubspot-ratelimit")}
    assert limits == set(re.findall(r"x-hubspot-ratelimit-[\w-]+", standin.HEAD.decode().lower()))


def test_turnout_reads_the_stand_ins_answers_as_they_are_meant() -> None:
    body = orjson.dumps(write(standin.World(), INPUTS))
    answer = read_answer(Response(200, {}, body, 0.0), Identity.EMAIL, CONTACTS)
    assert isinstance(answer, Settled)
    assert (set(answer.delivered), set(answer.rejected), set(answer.unconfirmed)) == ({0}, {1}, {2})


def test_what_the_stand_in_does_not_name_is_there_when_it_is_looked_for() -> None:
    world = standin.World()
    world.reset(keep=True, arrivals=False)
    write(world, INPUTS)
    view = world.read(b"/marketing/v3/marketing-events/participations/77/breakdown?limit=100&state=REGISTERED")
    assert view is not None
    page = read_page(Response(200, {}, view, 0.0))
    assert isinstance(page, ParticipationPage)
    shown = {contact for row in page.rows for contact in row.contacts}
    assert {"ada@example.com", "dropped.cy@example.com"} <= shown
    assert "rejected.bob@example.com" not in shown


def test_a_late_look_finds_nothing_and_is_no_error() -> None:
    view = standin.World().read(b"/marketing/v3/marketing-events/participations/contacts/a%40example.com/breakdown")
    assert view is not None
    assert read_page(Response(200, {}, view, 0.0)) == ParticipationPage([], 0, None)


def test_the_stand_in_speaks_http_and_tells_when_a_contact_came(tmp_path: Path) -> None:
    port = free_port()
    command = [TURNOUT[0], "-m", "bench.standin", "--port", str(port)]
    with started(command, environment(), ROOT, tmp_path / "log") as program, requests.Session() as session:
        program.drain()
        url = f"http://127.0.0.1:{port}"
        session.post(f"{url}/_bench/reset?arrivals", timeout=60).raise_for_status()
        for _ in range(2):
            session.post(url + object_path(), json={"inputs": INPUTS}, timeout=60).raise_for_status()
        stats = session.get(f"{url}/_bench/stats", timeout=60).json()
        arrivals = session.get(f"{url}/_bench/arrivals", timeout=60).json()
    assert stats == {"requests": 2, "inputs": 6, "results": 2, "rejected": 2, "dropped": 2, "reads": 0}
    assert list(arrivals) == CONTACTS


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("each", [1, 100])
def test_a_workload_has_the_records_that_it_says(shape: str, each: int) -> None:
    workload = Workload("w", 400, each, shape)
    messages = [orjson.loads(message) for message in workload.messages()]
    inputs = [one for message in messages for one in message["inputs"]]
    assert (len(inputs), len(messages)) == (400, 400 // each)
    assert len({(one["email"], one["interactionDateTime"]) for one in inputs}) == 400
    assert len({one["email"] for one in inputs}) == (40 if shape == "recurring" else 400)
    assert len({message["object_id"] for message in messages}) == (1 if shape == "event" else 4)
    assert sum(not one["email"].startswith("p.") for one in inputs) == workload.spoilt
    assert workload.spoilt == (40 if shape in {"rejected", "dropped"} else 0)


def test_every_line_is_measured_by_one_that_there_is() -> None:
    lines = [line for one in contestants(100_000) for line in one.lines]
    names = [line.name for line in lines]
    assert len(set(names)) == len(names) > 20
    assert {divisor(line) for line in lines} <= set(names)
    assert {near for line in lines if (near := friendly(line))} <= set(names)
    assert set(PEERS) <= set(names)


@pytest.mark.parametrize("name", sorted({workers.script for workers in PEERS.values()}))
def test_a_contestant_has_a_script_that_is_described(name: str) -> None:
    assert (SCRIPTS / f"{name}.py").exists()
    described = (SCRIPTS / "README.md").read_text()
    assert name.removesuffix("_app").replace("batches", "celery-batches") in described


def test_turnouts_packages_are_not_the_contestants() -> None:
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "bench" / "requirements.txt").read_text(), re.MULTILINE))
    assert {"celery-batches", "dramatiq", "procrastinate", "taskiq"} <= pinned
    ours = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE))
    assert not {"celery-batches", "dramatiq", "procrastinate", "taskiq"} & ours


def test_the_bench_names_its_lines() -> None:
    command = [TURNOUT[0], "-m", "bench", "--list"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
    said = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout.split()
    assert said == [line.name for one in contestants(100_000) for line in one.lines]
