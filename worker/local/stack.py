"""Everything on one machine, for `turnout up`: services, migrations, workers, beat, the web process, the sandbox."""

import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

import redis
from pydantic import SecretStr
from sqlalchemy import Engine

from worker import heartbeat, startup
from worker.data_dir import make, tighten, write
from worker.database import make_engine
from worker.local import migrate
from worker.local.services import Postgres, free_port, is_taken, valkey_command
from worker.local.supervisor import ManagedProcess, Supervisor, inherited
from worker.queries.status import destination
from worker.setting_sources import RUNNING, SettingsError, running
from worker.settings import Settings
from worker.stream import connect
from worker.task_names import DELIVERY_QUEUES, HOUSEKEEPING_QUEUES, WORKER_OPTIONS

WORKERS: Final = 2
"""Processes that give signs of life: delivery, and intake with housekeeping."""
MONITORED: Final = ("delivery", "housekeeping", "beat", "web")
"""Parts with a monitor port, each its own, whatever the settings name."""
LOOPBACK: Final = "127.0.0.1"
STARTING: Final = 60.0
"""Seconds until everything must run."""


class Machine:
    """The parts of one machine and what they are told; `on_ready` is called once, when all of them run."""

    def __init__(  # noqa: PLR0913 - what `turnout up` is told
        self,
        settings: Settings,
        web_port: int,
        sandbox_port: int | None,
        say: Callable[[str], None],
        on_ready: Callable[[Engine], None],
        *,
        known_events: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._web_port = web_port
        self._say = say
        self._on_ready = on_ready
        given = bool(settings.model_fields_set & {"hubspot_url", "hubspot_token"})
        self._sandbox_port = None if given else sandbox_port
        self._known_events = known_events
        self._postgres: Postgres | None = None
        self._supervisor = Supervisor()
        self._stops = 0

    def ask_to_stop(self) -> None:
        """Stop in order; asked a second time, at once."""
        self._stops += 1
        if self._stops > 1:
            self._supervisor.kill()

    def run(self) -> int:
        """Start everything, look after it until asked to stop, and give the exit status.

        Raises:
            SettingsError: where another `turnout up` runs on the same data directory, or a port is taken.
            CannotStart: where something is wrong that waiting does not mend.

        """
        data_dir = self._settings.data_dir
        if running(data_dir):
            raise SettingsError(f"another `turnout up` runs on {data_dir}: stop it, or set TURNOUT_DATA_DIR")
        for option, port in (("--port", self._web_port), ("--sandbox-port", self._sandbox_port)):
            if port is not None and is_taken(port):
                raise SettingsError(f"port {port} is taken by another program: choose one with {option}")
        if self._known_events and self._sandbox_port is None:
            raise SettingsError("--known-event is for HubSpot's test server, which is not started here")
        os.umask(0o077)  # whatever a part writes is ours alone
        make(data_dir)
        tighten(data_dir, but=data_dir / "postgres")
        if self._sandbox_port is not None:
            self._settings = self._settings.model_copy(
                update={
                    "hubspot_url": f"http://127.0.0.1:{self._sandbox_port}",
                    "hubspot_token": SecretStr("sandbox"),
                }
                | ({} if "webhook_private" in self._settings.model_fields_set else {"webhook_private": True})
            )
            # While nothing goes to HubSpot, a producer may try its webhook on this machine.
            self._settings.model_fields_set.update({"hubspot_url", "hubspot_token", "webhook_private"})
        self._say(f"turnout delivers to {destination(self._settings)}")
        try:
            known = self._start()
            if not self._stops and not self._ready(known):
                return 0 if self._was_asked_to_stop() else 1
            while not self._stops:
                for line in self._supervisor.watch():
                    self._say(line)
                if self._postgres is not None and (said := self._postgres.watch()):
                    self._say(said)
                time.sleep(0.2)
        finally:
            self._stop()
        return 0

    def _was_asked_to_stop(self) -> bool:
        return self._stops > 0

    def _start(self) -> dict[str, str]:
        settings = self._settings
        known = {"database_url": settings.database_url, "broker_url": settings.broker_url}
        if not known["database_url"]:
            self._postgres = Postgres(settings.data_dir)
            known["database_url"] = self._postgres.start()
        if not known["broker_url"]:
            port, password = free_port(), secrets.token_urlsafe(32)
            self._supervisor.start(self._part("valkey", valkey_command(settings.data_dir, port, password), inherited()))
            known["broker_url"] = f"redis://:{password}@127.0.0.1:{port}/0"
            self._await_redis(known["broker_url"])
        known["redis_url"] = settings.redis_url or settings.model_copy(update=known).stream_url
        if not known["redis_url"]:
            raise SettingsError(
                "TURNOUT_REDIS_URL is not set: the stream and the limiter need a Redis beside the broker"
            )
        if self._sandbox_port is not None:
            command = [sys.executable, "-m", "cli", "sandbox", "--port", str(self._sandbox_port)]
            command += [f"--known-event={event}" for event in self._known_events]
            self._supervisor.start(self._part("sandbox", command, inherited()))
        self._prepare(settings.model_copy(update=known))
        if self._stops:
            return known
        told = inherited() | self._told(known)
        ports = {name: free_port() for name in MONITORED}

        def environment(name: str) -> dict[str, str]:
            return told | {"TURNOUT_MONITOR_PORT": str(ports[name]), "TURNOUT_MONITOR_HOST": LOOPBACK}

        celery = [sys.executable, "-m", "celery", "-A", "worker"]
        patience = settings.timeout + 10
        for name, queues in (("delivery", DELIVERY_QUEUES), ("housekeeping", HOUSEKEEPING_QUEUES)):
            command = [*celery, "worker", *WORKER_OPTIONS, "-Q", queues, "-n", f"{name}@%h"]
            self._supervisor.start(self._part(name, command, environment(name), patience))
        self._supervisor.start(self._part("beat", [*celery, "beat"], environment("beat")))
        serve = [sys.executable, "-m", "cli", "serve", "--port", str(self._web_port)]
        self._supervisor.start(self._part("web", serve, environment("web"), patience))
        monitors = " ".join(f"{name}=http://{LOOPBACK}:{port}" for name, port in ports.items())
        told_others = {"hubspot_url": settings.hubspot_url, "webhook_private": str(settings.webhook_private)}
        return known | told_others | {"monitors": monitors}

    def _prepare(self, settings: Settings) -> None:
        """Wait for the database, bring its tables to the present, and wait for the rest.

        Raises:
            CannotStart: where something is wrong that waiting does not mend.

        """
        engine = make_engine(settings)
        startup.stop_at_first(startup.wait(lambda: startup.of_reach(engine), self._say, self._was_asked_to_stop))
        if not self._stops:
            migrate.upgrade(engine)
            startup.start(settings, engine, self._say, self._was_asked_to_stop)
        engine.dispose()

    def _told(self, known: dict[str, str]) -> dict[str, str]:
        """Give the settings as the environment of a part: ours, and where what was started is."""
        given = {name: os.environ[name] for name in os.environ if name.startswith("TURNOUT_")}
        for name in self._settings.model_fields_set:
            value = getattr(self._settings, name)
            text = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
            given[f"TURNOUT_{name.upper()}"] = text
        given |= {f"TURNOUT_{name.upper()}": value for name, value in known.items()}
        given["TURNOUT_DATA_DIR"] = str(self._settings.data_dir.resolve())
        return given

    def _part(self, name: str, command: list[str], env: dict[str, str], patience: float = 5.0) -> ManagedProcess:
        logs = self._settings.data_dir / "logs"
        logs.mkdir(exist_ok=True)
        return ManagedProcess(name, command, env, logs / f"{name}.log", patience)

    def _await_redis(self, url: str) -> None:
        until = time.monotonic() + STARTING
        with connect(url) as client:
            while not self._stops:
                try:
                    client.ping()
                except redis.RedisError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.05)
                else:
                    return

    def _ready(self, known: dict[str, str]) -> bool:
        """Wait until the workers and beat give signs of life; then say so, and let other commands find this."""
        until = time.monotonic() + STARTING
        with connect(known["redis_url"]) as client:
            while not self._stops:
                for line in self._supervisor.watch():
                    self._say(line)
                if heartbeat.workers(client) >= WORKERS and heartbeat.ticking(client) and is_taken(self._web_port):
                    break
                if time.monotonic() > until:
                    self._say(f"not ready after {STARTING:.0f} s: see {self._settings.data_dir / 'logs'}")
                    return False
                time.sleep(0.05)
            else:
                return False
        facts = {"pid": os.getpid(), **known, "url": f"http://127.0.0.1:{self._web_port}"}
        write(self._settings.data_dir / RUNNING, json.dumps(facts))
        engine = make_engine(self._settings.model_copy(update=known))
        self._on_ready(engine)
        engine.dispose()
        return True

    def _stop(self) -> None:
        if self._stops:
            self._say("stopping: what is being sent is finished first (Ctrl-C again: at once)")
        (self._settings.data_dir / RUNNING).unlink(missing_ok=True)
        self._supervisor.stop(["beat", "web"])
        self._supervisor.stop(["delivery", "housekeeping"])
        self._supervisor.stop()
        if self._postgres is not None:
            self._postgres.stop()
        if self._stops:
            self._say("stopped")
