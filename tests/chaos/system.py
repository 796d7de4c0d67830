"""The system that runs are made on: real servers behind proxies that can be cut, and the processes of two hosts.

The clock of the second host is an hour ahead.
"""

import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import redis
import requests
from pydantic import SecretStr

from tests.chaos.plan import BATCH_SIZE, LEASE, Broker
from tests.support.proxy import Proxy
from tests.support.rabbitmq import rabbitmqctl
from tests.support.replication import Pair, Server
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tests.support.services import Valkey
from tests.support.worker_processes import COMMANDS, Workers, until
from worker.context import Context
from worker.local.migrate import upgrade
from worker.local.services import free_port, is_taken
from worker.settings import Settings

CLOCK = Path(__file__).parent / "clock"
AHEAD = 3_600
"""Seconds that the second host's clock is ahead."""
BURST_LIMIT = 40
BURST_SECONDS = 1.0
WORKERS = 4
"""Processes that give heartbeats."""
OWNER = "turnout"
"""Turnout's role in PostgreSQL: no superuser, so that its connections can be limited."""


class Hosts(Workers):
    """What two hosts run: a web process, and two of everything else."""

    def __init__(self, settings: Settings, home: Path) -> None:
        super().__init__(settings, home)
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        ahead = ["env", f"PYTHONPATH={CLOCK}", f"CHAOS_CLOCK={AHEAD}"]
        self.commands: Mapping[str, list[str]] = {
            "web": [sys.executable, "-m", "cli", "serve", "--port", str(self.port)],
            **{f"{name}1": named(command, 1) for name, command in COMMANDS.items()},
            **{f"{name}2": [*ahead, *named(command, 2)] for name, command in COMMANDS.items()},
        }

    def ended(self) -> list[str]:
        """Name the processes that ended by themselves."""
        return [name for name in self.commands if not self.alive(name)]

    def answers(self) -> bool:
        """Say whether the web process takes requests."""
        try:
            return requests.get(f"{self.url}/openapi.json", timeout=5).ok
        except requests.RequestException:
            return False


def rabbitmq_answers() -> bool:
    """Say whether a RabbitMQ is here that runs can have a virtual host of."""
    return is_taken(5672) and shutil.which("rabbitmqctl") is not None


def named(command: list[str], host: int) -> list[str]:
    """Give a command whose worker has a name of this host's."""
    return [word.replace("@%h", f"{host}@%h") for word in command]


class Database:
    """PostgreSQL and its standby, behind one address."""

    def __init__(self, home: Path) -> None:
        self.pair = Pair(home)
        self.proxy = Proxy(self.pair.primary.port)
        self.url = f"postgresql://{OWNER}@127.0.0.1:{self.proxy.port}/turnout"
        for server in (self.pair.primary, self.pair.standby):
            server.configure("wal_retrieve_retry_interval = '200ms'", "wal_keep_size = '512MB'")
        self.do("SELECT pg_reload_conf()")
        self.do(f"CREATE ROLE {OWNER} LOGIN")
        self.do(f"ALTER DATABASE turnout OWNER TO {OWNER}")

    @property
    def primary(self) -> Server:
        return self.pair.primary

    def do(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement as the server's administrator."""
        writes = "-c default_transaction_read_only=off"  # also while the database is read-only to others
        with psycopg.connect(self.primary.url, autocommit=True, options=writes) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def end_sessions(self) -> None:
        self.do(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{OWNER}'")

    def kill(self) -> None:
        """Kill the primary, all its processes at once."""
        number = int((self.primary.home / "postmaster.pid").read_text().split()[0])
        server = psutil.Process(number)
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            process.kill()
        _, alive = psutil.wait_procs(processes, timeout=20)
        assert not alive, f"PostgreSQL outlives SIGKILL: {alive}"
        (self.primary.home / "postmaster.pid").unlink()  # of which pg_ctl would warn

    def start(self) -> None:
        """Start the primary, as soon as what is left of it allows."""
        ends = time.monotonic() + 60
        while True:
            try:
                self.primary.start()
            except subprocess.CalledProcessError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.2)
            else:
                return

    def fail_over(self) -> None:
        """Change the parts of the two, when the standby follows."""
        following = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        until(lambda: self.do(following) == [(1,)], 60, "the standby does not follow")
        self.pair.switch()
        self.proxy.point(self.primary.port)

    def stop(self) -> None:
        self.proxy.cut()
        self.pair.stop()


class System:
    """Everything that runs; made healthy, and kept so between runs."""

    def __init__(self, home: Path, broker: Broker, sandbox: RunningSandbox) -> None:
        self.broker = broker
        self.sandbox = sandbox
        self.home = home
        self.hubspot = Proxy(int(sandbox.url.rpartition(":")[2]))
        (home / "servers").mkdir(parents=True)
        self.database = Database(_open(home / "servers" / "postgres"))
        self.valkey = Valkey(home / "servers", appendfsync="always")
        self.redis_proxy = Proxy(self.valkey.port)
        self.redis = redis.Redis.from_url(self.valkey.url, socket_timeout=5)
        redis_url = f"redis://127.0.0.1:{self.redis_proxy.port}/0"
        if broker is Broker.RABBITMQ:
            self.virtual_host = f"turnout-{uuid.uuid4().hex}"
            rabbitmqctl("add_vhost", self.virtual_host)
            rabbitmqctl("set_permissions", "-p", self.virtual_host, "guest", ".*", ".*", ".*")
            self.broker_proxy = Proxy(5672)
            broker_url = f"amqp://guest:guest@127.0.0.1:{self.broker_proxy.port}/{self.virtual_host}"
        else:
            self.broker_proxy = self.redis_proxy
            broker_url = redis_url
        self.settings = Settings(
            _env_file=None,
            database_url=self.database.url,
            broker_url=broker_url,
            redis_url=redis_url,
            hubspot_url=f"http://127.0.0.1:{self.hubspot.port}",
            hubspot_token=SecretStr("chaos"),
            secret_key=SecretStr("a key of the tests"),
            data_dir=home / "data",
            batch_size=BATCH_SIZE,
            linger=0.1,
            timeout=2,
            lease=LEASE,
            burst_limit=BURST_LIMIT,
            burst_seconds=BURST_SECONDS,
            max_attempts=100,
            log_format="json",
        )
        self.context = Context(self.settings)
        upgrade(self.context.engine)
        logs = home / "logs"
        logs.mkdir()
        self.hosts = Hosts(self.settings, logs)
        self.hosts.start()
        self.hosts.until_ready(WORKERS)
        until(self.hosts.answers, 60, self.hosts.logs)

    def stop(self) -> None:
        try:
            self.hosts.stop()
        finally:
            self.context.engine.dispose()
            self.context.redis.close()
            self.redis.close()
            for proxy in {self.hubspot, self.redis_proxy, self.broker_proxy}:
                proxy.cut()
            self.valkey.stop()
            self.database.stop()
            if self.broker is Broker.RABBITMQ:
                rabbitmqctl("delete_vhost", self.virtual_host)
            shutil.rmtree(self.home / "servers", ignore_errors=True)


def _open(folder: Path) -> Path:
    """Make a folder that the servers' user may go through."""
    folder.mkdir()
    folder.chmod(0o755)
    return folder


@contextmanager
def running_system(home: Path, broker: Broker) -> Iterator[System]:
    """Run a system under a folder until the block ends."""
    with running_sandbox(
        burst_limit=BURST_LIMIT, burst_seconds=BURST_SECONDS, latency=0.05, keep_writes=True
    ) as sandbox:
        system = System(home, broker, sandbox)
        try:
            yield system
        finally:
            system.stop()
