"""A bulk action whose process is killed in the middle, again and again: somebody else finishes it, each record once."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, true, update

from models.outcome import LastError, outcome
from models.tables import Account, Batch, JobItem, Record
from tests.support.ledger import Ledger, do, wrong_now
from tests.support.worker_processes import Workers, environment, until
from worker.queries.jobs import list_jobs
from worker.queries.reconciliation import audit
from worker.settings import Settings

COMMAND = [sys.executable, "-m", "cli", "retry", "--yes"]
FINISH = """
from worker.context import current
from worker.operations import jobs

process = current()
jobs.work(process.engine, process.rules, 300)
"""
GO_ON = [sys.executable, "-c", FINISH]


def failed_records(engine: Engine, number: int) -> None:
    """Store records that were given up, a hundred a batch, in seven events, as if they had come long ago."""
    do(engine, "INSERT INTO events (account_id, object_id) SELECT id, '7' || n FROM accounts, generate_series(0, 6) n")
    for statement in (
        """
        INSERT INTO submissions (id, submission, part, door, producer, account_id, accepted,
          duplicates, refused, repeats)
        SELECT nextval('submission_ids'), gen_random_uuid(), 'all', 'stream', '', id, :number, 0, 0, '{}'
        FROM accounts""",
        """
        INSERT INTO batches (id, account_id, event_id, state, identity, origin, status, open, size, positions,
          due_at, settled_at)
        SELECT nextval('batch_ids'), e.account_id, e.id, 'register', 'email', 'live', 'CANCELED', false, 100, 100,
          now(), now()
        FROM generate_series(0, CAST(:number AS int) / 100 - 1) n JOIN events e ON e.object_id = '7' || n % 7""",
        """
        INSERT INTO records (id, batch_id, position, submission_id, contact, input, fingerprint)
        SELECT nextval('record_ids'), b.id, p, s.id, c.contact, jsonb_build_object('email', c.contact,
          'interactionDateTime', 1767225600000, 'properties', jsonb_build_object()),
          CAST(lpad(to_hex(b.id * 100 + p), 32, '0') AS text)::bytea
        FROM batches b CROSS JOIN generate_series(0, 99) p CROSS JOIN submissions s
        CROSS JOIN LATERAL (SELECT 'p' || b.id || '.' || p || '@example.com' AS contact) c ORDER BY b.id, p""",
        """
        INSERT INTO errors (record_id, batch_id, outcome, category, message)
        SELECT id, batch_id, 'failed', 'GIVEN_UP', 'HTTP 503; 8 attempts' FROM records ORDER BY id""",
        "ANALYZE",
    ):
        do(engine, statement, **({"number": number} if ":number" in statement else {}))


def done(engine: Engine) -> int:
    return sum(job.done for job in list_jobs(engine))


def is_over(engine: Engine) -> bool:
    return all(job.ended_at is not None for job in list_jobs(engine))


def every_record_was_moved_once(engine: Engine, number: int) -> None:
    (ended,) = list_jobs(engine)
    assert (ended.done, ended.skipped, ended.last_error, ended.stopped) == (number, 0, "", False)
    ledger = Ledger(engine)
    assert [row.number for row in ledger.actions()] == [number]
    items = ledger.all(JobItem, JobItem.done.is_(True))
    assert (len(items), len({one.item for one in items}), len({one.record_id for one in items})) == (number,) * 3
    errors = ledger.errors()
    assert (len(errors), len({one.record_id for one in errors})) == (number, number)
    assert all(one.resolution for one in errors)
    with engine.connect() as connection:
        moved = connection.execute(
            select(outcome, Batch.origin, func.count())
            .select_from(Record)
            .join(Batch, Batch.id == Record.batch_id)
            .outerjoin(LastError, true())
            .group_by(outcome, Batch.origin)
        ).all()
    assert [tuple(row) for row in moved] == [("pending", "retry", number)]
    books = audit(engine)
    assert books.balanced, books.wrong
    with engine.connect() as connection:
        assert wrong_now(connection) == []


@pytest.fixture
def paused(settings: Settings, engine: Engine) -> Settings:
    """Settings of processes that send nothing: what is moved stays where it is."""
    do(engine, update(Account).values(paused_at=func.now(), stopped_since=func.now(), paused_because="the test"))
    told = settings.model_copy(update={"linger": 0.2})
    told.model_fields_set.update({"linger"})
    return told


def killed_and_finished_by_the_command(settings: Settings, engine: Engine, number: int, kills: int) -> None:
    """Kill the command that asked for it, then those that go on with it; the last is let finish."""
    failed_records(engine, number)
    chance = random.Random(number)
    for kill, words in enumerate([COMMAND, *[GO_ON] * kills]):
        before = done(engine)
        running = subprocess.Popen(words, env=environment(settings), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            if kill < kills:
                while done(engine) == before:
                    assert running.poll() is None, running.communicate()
                    time.sleep(0.01)
                time.sleep(chance.random() * 0.05)
                running.kill()
                assert running.wait(30) == -signal.SIGKILL
                assert not is_over(engine), "it was over before it could be killed"
            else:
                assert running.wait(300) == 0, running.communicate()
        finally:
            running.kill()
            running.communicate()
    every_record_was_moved_once(engine, number)


def test_a_bulk_retry_killed_twice_is_finished_by_another_process(paused: Settings, engine: Engine) -> None:
    killed_and_finished_by_the_command(paused, engine, 8_000, kills=2)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_bulk_retry_of_100000_killed_five_times_is_finished_by_another_process(
    paused: Settings, engine: Engine
) -> None:
    killed_and_finished_by_the_command(paused, engine, 100_000, kills=5)


@pytest.fixture
def workers(paused: Settings, tmp_path: Path) -> Iterator[Workers]:
    running = Workers(paused, tmp_path)
    yield running
    running.stop()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_bulk_retry_of_100000_left_to_workers_that_are_killed_is_finished_by_other_workers(
    workers: Workers, engine: Engine
) -> None:
    failed_records(engine, 100_000)
    subprocess.run([*COMMAND, "--background"], env=environment(workers.settings), check=True, capture_output=True)
    assert done(engine) == 0
    workers.start("housekeeping", "beat")
    for kill in range(2):
        until(lambda: done(engine) >= (kill + 1) * 25_000, 120, workers.logs)  # noqa: B023
        assert not is_over(engine), "it was over before it could be killed"
        workers.kill("housekeeping")
        workers.start("housekeeping")
    until(lambda: is_over(engine), 120, workers.logs)
    every_record_was_moved_once(engine, 100_000)
