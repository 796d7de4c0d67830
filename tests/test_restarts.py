"""Redis or PostgreSQL is killed and started again, or is away: what waits is still there, and what can goes on."""

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.accounted import enqueue, everything_is_accounted_for, left
from tests.support.api import running_api
from tests.support.sandbox_server import running_sandbox
from tests.support.services import Postgres, Valkey
from tests.support.worker_processes import SHORT, running_workers, told, until
from worker.context import Context
from worker.database import make_engine
from worker.local.migrate import upgrade
from worker.local.services import free_port
from worker.queries.reconciliation import audit
from worker.settings import Settings
from worker.stream import Entries, Stream


def test_what_waits_in_the_stream_outlives_a_redis_that_is_killed(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path, appendfsync="always")
    with redis.Redis.from_url(valkey.url) as client:
        stream = Stream(client)
        stream.join()
        for number in range(1_000):
            stream.add(b"%d" % number)
        read = stream.read().entries
        valkey.kill()
        valkey.start()
        assert stream.waiting() == 1_000
        assert stream.read() == Entries(read[:1], again=True)
        stream.done(read)
        assert stream.read().entries[0].raw == b"%d" % len(read)
    valkey.stop()


def test_the_http_api_accepts_while_redis_is_out_of_reach(settings: Settings) -> None:
    away = settings.model_copy(update={"broker_url": f"redis://127.0.0.1:{free_port()}/0"})
    context = Context(away)
    with running_api(context) as api:
        assert api.submit("ada@example.com").status_code == 200
    assert audit(context.engine).accepted == 1
    context.engine.dispose()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this test's own, at a short path: its socket lies in it."""
    home = Path(tempfile.mkdtemp(prefix="turnout-"))
    home.chmod(0o755)
    server = Postgres(home)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


def test_postgresql_restarted_in_the_middle_loses_nothing(
    settings: Settings, postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.start()
    engine = make_engine(settings.model_copy(update={"database_url": url}))
    upgrade(engine)
    with running_sandbox(burst_limit=100_000, latency=0.2) as sandbox:
        mine = told(settings, database_url=url, hubspot_url=sandbox.url, burst_limit=2_000, linger=0.2, **SHORT)
        with running_workers(mine, tmp_path) as workers:
            stream, chance = Context(mine).stream, random.Random(5)
            handed = enqueue(stream, chance, 1, 200)
            until(lambda: left(engine) > 0, 30, workers.logs)
            postgres.stop()
            time.sleep(2)
            assert postgres.start() == url
            engine.dispose()
            handed += enqueue(stream, chance, 2, 20)
            until(
                lambda: not stream.waiting() and not left(engine),
                90,
                lambda: f"{left(engine)} batches wait: {workers.logs()}",
            )
        everything_is_accounted_for(engine, sandbox, handed)
    engine.dispose()
