"""The system that runs are made on: real servers behind proxies that can be cut, and the processes of two hosts.

The clock of the second host is an hour ahead.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import psycopg
import redis
import requests
from pydantic import SecretStr

from tests.chaos.plan import BATCH_SIZE, LEASE, Broker
from tests.support.proxy import Proxy
from tests.support.rabbitmq import held_in, rabbitmqctl
from tests.support.replication import Pair, Server
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tests.support.services import Valkey
from tests.support.worker_processes import COMMANDS, Workers, until
from worker.context import Context
from worker.local.migrate import upgrade
from worker.local.services import free_port, is_taken
from worker.settings import Settings
from worker.task_names import ACCEPT

CLOCK = Path(__file__).parent / "clock"
AHEAD = 3_600
"""Seconds that the second host's clock is ahead."""
BURST_LIMIT = 40
BURST_SECONDS = 1.0
RABBITMQ = 5672
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
        return [name for name in self.commands if name not in self._running or not self.alive(name)]

    def end(self) -> None:
        """Stop all in order, also what is frozen."""
        for process in self._running.values():
            process.send_signal(signal.SIGCONT)
        self.stop()

    def answers(self) -> bool:
        """Say whether the web process takes requests."""
        try:
            return requests.get(f"{self.url}/openapi.json", timeout=5).ok
        except requests.RequestException:
            return False


def rabbitmq_answers() -> bool:
    """Say whether a RabbitMQ is here that runs can have a virtual host of."""
    return is_taken(RABBITMQ) and shutil.which("rabbitmqctl") is not None


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

    def __init__(self, home: Path, broker: Broker, sandbox: RunningSandbox, stack: ExitStack) -> None:
        self.broker, self.sandbox = broker, sandbox
        servers, logs = home / "servers", home / "logs"
        for folder in (servers, servers / "postgres", logs):
            folder.mkdir()
            folder.chmod(0o755)  # PostgreSQL runs as a user of its own, where the tests are root's
        self.database = Database(servers / "postgres")
        stack.callback(self.database.stop)
        self.valkey = Valkey(servers, appendfsync="always")
        stack.callback(self.valkey.stop)
        self.redis = redis.Redis.from_url(self.valkey.url, socket_timeout=5)
        stack.callback(self.redis.close)
        self.hubspot = self._proxy(int(sandbox.url.rpartition(":")[2]), stack)
        self.redis_proxy = self._proxy(self.valkey.port, stack)
        redis_url = f"redis://127.0.0.1:{self.redis_proxy.port}/0"
        self.broker_proxy, broker_url = self.redis_proxy, redis_url
        self._virtual_host = ""
        if broker is Broker.RABBITMQ:
            self.broker_proxy = self._proxy(RABBITMQ, stack)
            self._virtual_host = _virtual_host(stack)
            broker_url = f"amqp://guest:guest@127.0.0.1:{self.broker_proxy.port}/{self._virtual_host}"
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
        stack.callback(self.context.redis.close)
        stack.callback(self.context.engine.dispose)
        upgrade(self.context.engine)
        self.hosts = Hosts(self.settings, logs)
        stack.callback(self.hosts.end)
        self.hosts.start()
        self.hosts.until_ready(WORKERS)
        until(self.hosts.answers, 60, self.hosts.logs)

    def handed_to_rabbitmq(self) -> int:
        """Count the messages that producers gave RabbitMQ and no worker has acknowledged.

        What it sent into a connection that went silent it sends again once it has closed that, after a minute or two.
        """
        return held_in(ACCEPT, self._virtual_host) if self._virtual_host else 0

    @staticmethod
    def _proxy(port: int, stack: ExitStack) -> Proxy:
        proxy = Proxy(port)
        stack.callback(proxy.cut)
        return proxy


def _virtual_host(stack: ExitStack) -> str:
    """Make a virtual host of RabbitMQ's, of this system alone."""
    name = f"turnout-{uuid.uuid4().hex}"
    rabbitmqctl("add_vhost", name)
    stack.callback(rabbitmqctl, "delete_vhost", name)
    rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
    return name


@contextmanager
def running_system(broker: Broker) -> Iterator[System]:
    """Run a system, in a folder of its own, until the block ends."""
    home = Path(tempfile.mkdtemp(prefix="chaos-"))
    home.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        sandbox = stack.enter_context(
            running_sandbox(burst_limit=BURST_LIMIT, burst_seconds=BURST_SECONDS, latency=0.05, keep_writes=True)
        )
        yield System(home, broker, sandbox, stack)
