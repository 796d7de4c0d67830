"""Each alert fires where its fault is made, and none does while all is well: judged by promtool.

The values are those that our own processes tell, before the fault and while it lasts.
"""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine

from tasks.deliver import deliver
from tests.support.contexts import open_context
from tests.support.fixtures import Submit, Turnout
from tests.support.ledger import do, fail_all, let_pass, message, people
from tests.support.monitors import Metrics, gathered, open_monitor, read_metrics, scrape
from tests.support.prometheus import judge, missing, rules
from tests.support.sandbox_server import RunningSandbox
from tests.support.services import Valkey
from tests.support.shop import Shop
from tests.support.webhook_receiver import Receiver
from tests.support.worker_processes import until
from worker import heartbeat
from worker.context import Context
from worker.monitor.exposition import OfProcess
from worker.monitor.readiness import ProcessKind
from worker.queries import last_audit, throughput
from worker.settings import Settings
from worker.stream import KEY as STREAM
from worker.task_names import TASKS
from worker.webhooks import notify

ALERTS = Path(__file__).parent.parent / "deploy" / "prometheus" / "alerts.yml"
RULES = rules(ALERTS)
DEFAULT = {"account": "default"}
NOWHERE = "redis://127.0.0.1:1/0"


def wake_nobody(*_: object, **__: object) -> int:
    return 0


@dataclass(frozen=True)
class Machine:
    """An installation that is well, until a test makes a fault."""

    context: Context
    turnout: Turnout
    home: Path

    def well(self) -> None:
        heartbeat.note(self.context, heartbeat.started_with(self.context.settings, TASKS))
        heartbeat.ticked(self.context)
        heartbeat.swept(self.context)

    def tell(self, **changed: object) -> Metrics:
        return gathered(self.context.settings.model_copy(update=changed))

    def fires(self, alert: str, before: Metrics, during: Metrics, *labels: dict[str, str]) -> None:
        judge(ALERTS, before, during, {alert: list(labels) or [{}]}, self.home)

    def deliver(self) -> None:
        deliver(self.context, "default", wake_nobody)


@pytest.fixture
def machine(sending: Context, turnout: Turnout, tmp_path: Path) -> Machine:
    machine = Machine(sending, turnout, tmp_path)
    machine.well()
    turnout("audit")
    return machine


@pytest.fixture
def well(machine: Machine) -> Metrics:
    """What is told while all is well."""
    return machine.tell()


def test_none_fires_while_all_is_well(machine: Machine, submit: Submit, settings: Settings) -> None:
    with open_monitor(settings, ProcessKind.WORKER) as url:
        submit(message(*people(30)))
        before = read_metrics(machine.tell().text + scrape(url).text + of_web(settings))
        machine.deliver()
        during = read_metrics(machine.tell().text + scrape(url).text + of_web(settings))
    assert during("turnout_records_finished_total", outcome="delivered", **DEFAULT) == 30
    judge(ALERTS, before, during, {name: [] for name in RULES}, machine.home)


def test_an_account_whose_token_hubspot_refuses_is_paused(
    machine: Machine, well: Metrics, submit: Submit, sandbox: RunningSandbox
) -> None:
    sandbox.fault(status=401, match="p0@example.com")
    submit(message(*people(1)))
    machine.deliver()
    machine.fires("TurnoutAccountPaused", well, machine.tell(), DEFAULT)


def test_records_that_hubspot_does_not_take_for_hours_are_too_old(
    machine: Machine, well: Metrics, submit: Submit, sandbox: RunningSandbox, engine: Engine
) -> None:
    sandbox.fault(status=503, match="p0@example.com")
    submit(message(*people(1)))
    machine.deliver()
    let_pass(engine, hours=2)
    do(engine, "UPDATE batches SET created_at = created_at - interval '2 hours'")
    machine.fires("TurnoutRecordsTooOld", well, machine.tell(), DEFAULT)


def test_without_enough_workers_delivery_falls_behind(
    machine: Machine, well: Metrics, submit: Submit, engine: Engine
) -> None:
    submit(message(*people(1)))
    let_pass(engine, hours=0.25)
    machine.fires("TurnoutDeliveryBehind", well, machine.tell(), DEFAULT)


def test_many_errors_are_noticed(machine: Machine, submit: Submit, sandbox: RunningSandbox, settings: Settings) -> None:
    for person in people(20):
        sandbox.fault(status=400, match=person)
    with open_monitor(settings, ProcessKind.WORKER) as url:
        before = scrape(url)
        submit(message(*people(30)))
        machine.deliver()
        during = scrape(url)
    assert during("turnout_records_finished_total", outcome="rejected", **DEFAULT) == 20
    machine.fires("TurnoutManyErrors", before, during, DEFAULT)


def test_a_quota_that_ends_before_the_day_is_noticed(
    machine: Machine, well: Metrics, submit: Submit, engine: Engine
) -> None:
    zone = "Etc/GMT+12" if time.gmtime().tm_hour >= 12 else "UTC"  # where half of the day is left
    do(engine, "UPDATE accounts SET daily_limit = 30, time_zone = :zone", zone=zone)
    submit(*(message(*people(1), event=str(number)) for number in range(6)))
    with open_context(machine.context.settings) as context:
        deliver(context, "default", wake_nobody)
        do(
            engine,
            "UPDATE attempts SET started_at = now() - interval '20 min', finished_at = now() - interval '19 min'",
        )
        throughput.add_up(context)
    during = machine.tell()
    assert during("turnout_daily_calls", **DEFAULT) == 6
    machine.fires("TurnoutQuotaEndsEarly", well, during, DEFAULT)


def test_a_stream_that_is_not_read_is_noticed(machine: Machine, well: Metrics) -> None:
    ten_minutes_ago = int((time.time() - 600) * 1000)
    machine.context.redis.xadd(STREAM, {b"message": b"{}"}, id=f"{ten_minutes_ago}-0")
    machine.fires("TurnoutStreamNotDrained", well, machine.tell())


def test_workers_that_are_gone_are_noticed_by_the_queues_that_none_reads(machine: Machine, well: Metrics) -> None:
    name = heartbeat.started_with(machine.context.settings, TASKS).name
    machine.context.redis.zadd(heartbeat.WORKERS, {name: time.time() - 2 * heartbeat.GONE})
    machine.fires("TurnoutNoHeartbeat", well, machine.tell(), *({"queue": queue} for queue in TASKS))


def test_sweeps_that_do_not_come_are_noticed(machine: Machine, well: Metrics) -> None:
    machine.context.redis.pexpire(heartbeat.SWEPT, heartbeat.FORGOTTEN_MS - 120_000)
    machine.fires("TurnoutSweepLate", well, machine.tell())


@pytest.mark.parametrize(
    ("service", "away"),
    [
        ("postgresql", {"database_url": "postgresql://u@127.0.0.1:1/d"}),
        ("redis", {"redis_url": NOWHERE}),
        ("broker", {"broker_url": NOWHERE, "redis_url": "…"}),
    ],
)
def test_a_service_that_does_not_answer_is_noticed(
    service: str, away: dict[str, str], machine: Machine, well: Metrics, valkey: Valkey
) -> None:
    during = machine.tell(**away | ({"redis_url": valkey.url} if service == "broker" else {}))
    machine.fires("TurnoutServiceAway", well, during, {"service": service})


def test_a_beat_that_is_not_scraped_is_noticed(machine: Machine, well: Metrics) -> None:
    machine.fires("TurnoutNotSeen", well, read_metrics(""))


def of_web(settings: Settings) -> str:
    """What a web process tells of itself alone; the rest is what every process in this test's process tells."""
    registry = CollectorRegistry()
    registry.register(OfProcess(ProcessKind.SERVE, settings))
    return "".join(line for line in generate_latest(registry).decode().splitlines(keepends=True) if "serve" in line)


def test_a_web_process_that_is_not_scraped_is_noticed(machine: Machine, well: Metrics, settings: Settings) -> None:
    serves = read_metrics(well.text + of_web(settings))
    machine.fires("TurnoutWebNotSeen", serves, well, {"process": "serve"})


def test_books_that_do_not_balance_are_noticed(machine: Machine, well: Metrics, submit: Submit, engine: Engine) -> None:
    submit(message(*people(2)))
    do(engine, "DELETE FROM records WHERE id = (SELECT min(id) FROM records)")
    machine.turnout("audit", status=1)
    machine.fires("TurnoutBooksOutOfBalance", well, machine.tell())


@pytest.mark.parametrize("seconds_ago", [3 * 86_400, None])
def test_books_that_are_not_checked_are_noticed(seconds_ago: int | None, machine: Machine, well: Metrics) -> None:
    if seconds_ago is None:
        machine.context.redis.delete(last_audit.KEY)
    else:
        old = {"balanced": True, "at": int(time.time()) - seconds_ago}
        machine.context.redis.set(last_audit.KEY, json.dumps(old))
    machine.fires("TurnoutBooksNotChecked", well, machine.tell())


ON_A_SMALL_DISK = """
import sys, tempfile
from pathlib import Path
from prometheus_client import CollectorRegistry, generate_latest
from worker.monitor.exposition import OfProcess
from worker.monitor.readiness import ProcessKind
from worker.settings import Settings
registry = CollectorRegistry()
registry.register(OfProcess(ProcessKind.WORKER, Settings(_env_file=None, data_dir=Path(sys.argv[1]))))
print(generate_latest(registry).decode())
Path(sys.argv[1], "full").write_bytes(bytes(950_000))
print("---")
print(generate_latest(registry).decode())
"""


def test_a_disk_that_is_nearly_full_is_noticed(machine: Machine) -> None:
    unshare = shutil.which("unshare")
    disk = machine.home / "disk"
    disk.mkdir()
    mounted = 'mount -t tmpfs -o size=1000k none "$1" && exec "$2" -c "$3" "$1"'
    command = [unshare or "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, "sh"]
    done = subprocess.run(
        [*command, str(disk), sys.executable, ON_A_SMALL_DISK],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        missing(f"needs a mount of its own: {done.stderr.strip()[-200:]}")
    before, during = (only_data(read_metrics(said)) for said in done.stdout.split("---"))
    machine.fires("TurnoutDiskNearlyFull", before, during, {"directory": "data", "instance": "worker:9100"})


def only_data(told: Metrics) -> Metrics:
    """What is told of the small disk, with the instance that Prometheus adds."""
    samples = {
        (name, labels | {("instance", "worker:9100")}): value
        for (name, labels), value in told.samples.items()
        if ("directory", "data") in labels
    }
    return Metrics(told.text, samples)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Valkey]:
    (tmp_path / "valkey").mkdir()
    server = Valkey(tmp_path / "valkey", maxmemory="8mb")
    yield server
    server.stop()


def test_a_redis_that_cannot_write_to_its_disk_is_noticed(machine: Machine, own_redis: Valkey) -> None:
    before = machine.tell(redis_url=own_redis.url)
    with redis.Redis.from_url(own_redis.url) as client:
        shutil.rmtree(str(client.config_get("dir")["dir"]))
        client.set("a", 1)
        client.bgsave()
        until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", 30, "it was saved")
    during = machine.tell(redis_url=own_redis.url)
    machine.fires("TurnoutRedisDoesNotPersist", before, during)


def test_a_redis_whose_memory_is_nearly_used_up_is_noticed(machine: Machine, own_redis: Valkey) -> None:
    before = machine.tell(redis_url=own_redis.url)
    with redis.Redis.from_url(own_redis.url) as client:
        while client.info("memory")["used_memory"] < 0.9 * 8 * 1024 * 1024:
            client.rpush("large", bytes(100_000))
    machine.fires("TurnoutRedisNearlyFull", before, machine.tell(redis_url=own_redis.url))


def test_a_webhook_that_is_gone_is_noticed(
    machine: Machine, well: Metrics, receiver: Receiver, engine: Engine, settings: Settings
) -> None:
    with open_context(settings, webhook_private=True) as context:
        shop = Shop(context, receiver)
        shop.submit(*people(1))
        fail_all(engine)
        receiver.answers.append((410, {}, b""))
        notify.notify(context)
    machine.fires("TurnoutWebhookOff", well, machine.tell())


def test_each_alert_is_made_to_fire() -> None:
    made = set(re.findall(r'fires\("(\w+)"', Path(__file__).read_text()))
    assert made == RULES.keys()
