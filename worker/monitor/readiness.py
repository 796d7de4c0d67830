"""Readiness: whether a process has what it cannot work without. All else is for metrics and alerts.

The answer may be read by anybody: it names the service and the kind of fault, and never quotes what a driver says,
which may name hosts and users. `turnout doctor` gives the reason.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from kombu.connection import Connection

from worker import startup
from worker.broker import closed_after, connecting
from worker.database import make_engine
from worker.finding import Finding
from worker.monitor.latest import Latest
from worker.settings import Settings

KEEP: Final = 2.0
"""Seconds for which an answer is used again: who asks more often costs no more."""
PATIENCE: Final = 4.0
"""Seconds within which a service must have answered."""


class Need(StrEnum):
    """What a process cannot work without; these words are in the answer."""

    DATABASE = "database"
    REDIS = "redis"
    BROKER = "broker"


class ProcessKind(StrEnum):
    """The processes of Turnout."""

    SERVE = "serve"
    WORKER = "worker"
    BEAT = "beat"


NEEDS: Final[Mapping[ProcessKind, Sequence[Need]]] = {
    # What comes by HTTP is stored without Redis, and delivered when that is back.
    ProcessKind.SERVE: (Need.DATABASE,),
    ProcessKind.WORKER: (Need.DATABASE, Need.REDIS, Need.BROKER),
    ProcessKind.BEAT: (Need.BROKER,),
}


@dataclass(frozen=True, slots=True)
class ReadinessCheck:
    """Whether one of the needs is met, and what is not as it must be."""

    name: str
    ok: bool
    detail: str = ""


class Readiness:
    """The needs of a process, looked at when it is asked."""

    def __init__(self, settings: Settings, kind: ProcessKind) -> None:
        """Take the settings and what kind of process it is."""
        looks: Mapping[Need, Callable[[], ReadinessCheck]] = {
            Need.DATABASE: _database_of(settings),
            Need.REDIS: partial(_redis, settings),
            Need.BROKER: partial(_broker, settings),
        }
        self._latest = {need: Latest(looks[need], KEEP) for need in NEEDS[kind]}

    def checks(self) -> list[ReadinessCheck]:
        """Say of each need whether it is met."""
        for latest in self._latest.values():
            latest.begin()
        late = f"did not answer within {PATIENCE:g} s"
        return [
            latest.get(PATIENCE) or ReadinessCheck(need, ok=False, detail=late) for need, latest in self._latest.items()
        ]


def body(checks: Collection[ReadinessCheck]) -> tuple[int, dict[str, object]]:
    """Give the status and the JSON of an answer to `/readyz`."""
    if all(check.ok for check in checks):
        return 200, {"status": "ready"}
    listed = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks]
    return 503, {"status": "not ready", "checks": listed}


ALIVE: Final[Mapping[str, object]] = {"status": "alive"}
"""The JSON of the answer to `/healthz`."""


def _database_of(settings: Settings) -> Callable[[], ReadinessCheck]:
    engine = make_engine(settings, pool=1)  # of its own: a busy process with no connection left is ready

    def look() -> ReadinessCheck:
        try:
            return _check(Need.DATABASE, startup.of_tables(engine))
        finally:
            engine.dispose()  # a connection for each look, so that no process keeps one for its probes

    return look


def _redis(settings: Settings) -> ReadinessCheck:
    return _check(Need.REDIS, startup.of_redis(settings))


def is_broker_there(settings: Settings) -> bool:
    """Say whether the broker answers."""
    try:
        looked = Connection(settings.broker_url, **connecting(settings))  # type: ignore[no-untyped-call]
        with closed_after(looked) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except Exception:  # noqa: BLE001 - transports raise errors of no common class
        return False
    return True


def _broker(settings: Settings) -> ReadinessCheck:
    is_there = is_broker_there(settings)
    return ReadinessCheck(Need.BROKER, ok=is_there, detail="" if is_there else "the broker is out of reach")


_QUOTED: Final = re.compile(r" \(.*\)", re.DOTALL)
"""What findings quote of a driver, a server or a URL stands in brackets."""


def _check(need: Need, found: Sequence[Finding]) -> ReadinessCheck:
    wrong = [_QUOTED.sub("", one.text) for one in found if one.stops or one.waits]
    return ReadinessCheck(need, ok=not wrong, detail="; ".join(wrong))
