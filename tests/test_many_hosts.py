"""Two of everything, on quorum queues and on a Redis: nothing is done twice, and whatever goes, work goes on."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import Engine, func

from models.tables import Schedule
from models.words import Via
from tests.support.accounted import enqueue, everything_is_accounted_for, left
from tests.support.ledger import Ledger, ask, do
from tests.support.sandbox_server import running_sandbox
from tests.support.worker_processes import COMMANDS, Workers, until
from worker import heartbeat
from worker.context import Context
from worker.operations import schedules
from worker.operations.audit_log import Actor
from worker.operations.schedules import RetrySchedule
from worker.settings import Settings
from worker.stream import connect

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
DUE = "UPDATE schedules SET next_at = now() WHERE name = 'nightly'"

SETTLED_TWICE = (
    "SELECT batch_id FROM attempts WHERE kind = 'post' AND answer = 'settled' GROUP BY 1 HAVING count(*) > 1"
)
AT_ONCE = """
SELECT a.batch_id FROM attempts a JOIN attempts b ON b.batch_id = a.batch_id AND b.id > a.id
WHERE a.kind = 'post' AND b.kind = 'post' AND b.started_at < a.finished_at"""
"""Batches that two workers sent at the same time."""


class Hosts(Workers):
    """What two hosts run."""

    commands: Mapping[str, list[str]] = {
        f"{name}{host}": [word.replace("@%h", f"{host}@%h") for word in command]
        for name, command in COMMANDS.items()
        for host in (1, 2)
    }


@pytest.mark.parametrize("broker", ["valkey", "rabbitmq quorum"])
def test_two_of_everything_and_beats_killed_in_turn(
    broker: str, request: pytest.FixtureRequest, settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    with running_sandbox(burst_limit=100_000, latency=0.05) as sandbox:
        told: dict[str, object] = {
            "hubspot_url": sandbox.url,
            "burst_limit": 2_000,
            "linger": 0.2,
            "timeout": 30,
            "lease": 60,
        }
        if broker != "valkey":
            port, host = request.getfixturevalue("rabbitmq").port, request.getfixturevalue("virtual_host")()
            told |= {
                "broker_url": f"amqp://guest:guest@127.0.0.1:{port}/{host}",
                "redis_url": settings.broker_url,
                "queue_type": "quorum",
            }
        here = settings.model_copy(update=told)
        here.model_fields_set.update(told)
        schedules.put(engine, Actor("a test", Via.TERMINAL), RetrySchedule("nightly", "0 3 1 1 *"))
        hosts, handed, chance, stream = Hosts(here, tmp_path), 0, random.Random(8), Context(here).stream
        try:
            hosts.start()
            hosts.until_ready(4)
            with connect(here.stream_url) as client:
                for serial, gone in enumerate(("beat1", "beat2", "beat1"), 1):
                    until(lambda: heartbeat.ticking(client), 30, hosts.logs)
                    hosts.kill(gone)
                    client.delete(heartbeat.TICK)
                    handed += enqueue(stream, chance, serial, 30)
                    until(lambda: heartbeat.ticking(client), 30, hosts.logs)  # the other one goes on
                    hosts.start(gone)
                    until(lambda: ended(engine), 30, hosts.logs)
                    do(engine, DUE)  # while both tick it begins once
                    until(lambda: not due(engine), 30, hosts.logs)
                    assert begun(engine) == serial
                hosts.kill("beat1", "beat2")
                until(lambda: not heartbeat.ticking(client), 60, hosts.logs)
                handed += enqueue(stream, chance, 4, 30)  # workers find it themselves
                until(lambda: not stream.waiting() and not left(engine), 120, hosts.logs)
                hosts.start("beat1", "beat2")
                until(lambda: heartbeat.ticking(client), 30, hosts.logs)
        finally:
            hosts.stop()
        everything_is_accounted_for(engine, sandbox, handed)
        assert ask(engine, SETTLED_TWICE) == []
        assert ask(engine, AT_ONCE) == []
        assert begun(engine) == 3


def begun(engine: Engine) -> int:
    return sum(action.what == "retry" and action.via is Via.SCHEDULE for action in Ledger(engine).actions())


def due(engine: Engine) -> bool:
    return bool(Ledger(engine).all(Schedule, Schedule.name == "nightly", Schedule.next_at <= func.now()))


def ended(engine: Engine) -> bool:
    return all(job.ended_at is not None for job in Ledger(engine).jobs())
