"""Redis is killed and started again, or is away: what waits is still there, and what can do without it goes on."""

from pathlib import Path

import redis
from door import running_door
from services import Valkey

from worker.context import Context
from worker.local.services import free_port
from worker.queries.reconciliation import audit
from worker.settings import Settings
from worker.stream import Stream


def test_what_waits_in_the_stream_outlives_a_redis_that_is_killed(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path)
    with redis.Redis.from_url(valkey.url) as client:
        stream = Stream(client)
        stream.join()
        for number in range(1_000):
            stream.add(b"%d" % number)
        read = stream.new()
        valkey.kill()
        valkey.start()
        assert stream.waiting() == 1_000
        assert stream.pending() == read[:1]
        assert stream.new()[0].raw == b"%d" % len(read)
    valkey.stop()


def test_the_http_api_accepts_while_redis_is_out_of_reach(settings: Settings) -> None:
    away = settings.model_copy(update={"broker_url": f"redis://127.0.0.1:{free_port()}/0"})
    process = Context(away)
    with running_door(process) as door:
        assert door.hand_in("ada@example.com").status_code == 200
    assert audit(process.engine).accepted == 1
    process.engine.dispose()
