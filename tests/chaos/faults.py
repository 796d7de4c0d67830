"""How each thing that can happen is done to a system, and undone."""

import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import redis
from sqlalchemy import select

from models.correction import Change
from models.tables import Batch, Error, Event, Record
from models.words import Action, Outcome, Via
from tests.chaos.plan import Happening, Kind, Plan
from tests.chaos.producers import Books
from tests.chaos.system import OWNER, System
from tests.support.proxy import Proxy
from tests.support.three_books import Attendance, Causes
from tests.support.worker_processes import until
from worker.database import repeat
from worker.operations import jobs
from worker.operations.audit_log import Actor
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter
from worker.stream import KEY

Undo = Callable[[], object]
OPERATOR: Final = Actor("an operator", Via.TERMINAL)
SLOW: Final = 1.0
HANG: Final = 4.0
"""Seconds: longer than the time-out."""
FLUSH_IF_DRAINED: Final = f"if redis.call('XLEN', '{KEY}') == 0 then redis.call('FLUSHALL') return 1 end return 0"

AT_HUBSPOT: Final[Mapping[Kind, dict[str, object]]] = {
    Kind.HUBSPOT_SLOW: {"slow": SLOW},
    Kind.HUBSPOT_HANGS: {"hang": HANG},
    Kind.HUBSPOT_HANGS_LATE: {"hang": HANG, "applied": True},
    Kind.HUBSPOT_CUTS: {"cut": True},
    Kind.HUBSPOT_CUTS_LATE: {"cut": True, "applied": True},
    Kind.HUBSPOT_TRUNCATES: {"truncate": True, "applied": True},
    Kind.HUBSPOT_LIES: {"drop": True},
    Kind.HUBSPOT_FORGETS: {"drop": True, "applied": True},
    Kind.HUBSPOT_LIMITS: {"status": 429, "headers": {"Retry-After": "1"}},
    Kind.HUBSPOT_FAILS: {"status": 503},
    Kind.HUBSPOT_FAILS_LATE: {"status": 502, "applied": True},
    Kind.HUBSPOT_REFUSES: {"status": 400},
}
"""What the test server is told; `docs/testing.md` has the fields."""


@dataclass(frozen=True, slots=True)
class Unmet:
    """A fault of HubSpot's that fewer requests met than were to."""

    happening: Happening
    left: int
    """How many requests more it was for."""

    def __str__(self) -> str:
        """Read as a line of a report."""
        return f"  not met by {self.left} of {self.happening.count} requests: {self.happening}"


def ordered(happening: Happening) -> dict[str, object]:
    """Give what the test server is told, without the count."""
    return {**AT_HUBSPOT[happening.kind], **({"match": happening.target} if happening.target else {})}


def unmet(done: Sequence[Happening], removed: Iterable[Mapping[str, object]]) -> list[Unmet]:
    """Say which of the happenings the faults belong to that the test server had left, in the order of ordering.

    Of two that are alike the first is spent first, so what is left is the last's.
    """
    at_hubspot = [happening for happening in done if happening.kind in AT_HUBSPOT]
    found = []
    for fault in reversed(list(removed)):
        told = {name: value for name, value in fault.items() if name != "count"}
        place = max(place for place, one in enumerate(at_hubspot) if ordered(one) == told)
        found.append(Unmet(at_hubspot.pop(place), int(str(fault["count"]))))
    return found[::-1]


def met(done: Sequence[Happening], not_met: Sequence[Unmet]) -> list[Happening]:
    """Leave out what no request met."""
    never = [one.happening for one in not_met if one.left == one.happening.count]
    return [happening for happening in done if happening not in never]


@dataclass
class Mischief:
    """Does what a plan says, one thing after the other, and undoes each in its time."""

    system: System
    plan: Plan
    books: Books
    done: list[Happening] = field(default_factory=list)
    _corrected: set[Attendance] = field(default_factory=set)
    _to_undo: list[tuple[float, Happening, Undo]] = field(default_factory=list)

    def begin(self, happening: Happening) -> None:
        """Do it; what lasts on the same service is undone before."""
        for undone in [one for one in self._to_undo if _service(one[1]) == _service(happening)]:
            self._undo(undone)
        corrected = len(self._corrected)
        undo = self._done(happening)
        if happening.kind is not Kind.CORRECT or len(self._corrected) > corrected:  # there was something to correct
            self.done.append(happening)
        if undo is not None:
            self._to_undo.append((time.monotonic() + happening.seconds, happening, undo))

    def undo_due(self) -> None:
        """Undo what has lasted long enough."""
        for one in [one for one in self._to_undo if one[0] <= time.monotonic()]:
            self._undo(one)

    def undo_all(self) -> None:
        """Undo everything, each in its time."""
        while self._to_undo:
            self._undo(min(self._to_undo, key=lambda one: one[0]))

    def end(self) -> list[Unmet]:
        """Remove the faults that HubSpot has left, so that the next run begins healthy; say which those are."""
        return unmet(self.done, self.system.sandbox.remove_faults())

    def causes(self, happened: Sequence[Happening]) -> Causes:
        """Say what of all this lets a record end otherwise than delivered or not confirmed."""
        kinds = {happening.kind for happening in happened}
        return Causes(
            refused=[one.target for one in happened if one.kind is Kind.HUBSPOT_REFUSES],
            canceled=[self._canceled_of(account) for account in self.plan.accounts] if Kind.CANCEL in kinds else [],
            corrected=self._corrected,
        )

    def _canceled_of(self, account: str) -> str:
        """Give the event of which an operator cancels what waits."""
        return next(event.label for event in self.plan.events if event.account == account)

    def _undo(self, one: tuple[float, Happening, Undo]) -> None:
        at, _, undo = one
        time.sleep(max(0.0, at - time.monotonic()))
        undo()
        self._to_undo.remove(one)

    def _done(self, happening: Happening) -> Undo | None:  # noqa: C901, PLR0911, PLR0912 - it reads as a table
        system, database = self.system, self.system.database
        match happening.kind:
            case Kind.KILLED:
                return _killed(system, happening.target)
            case Kind.FROZEN:
                system.hosts.send(signal.SIGSTOP, happening.target)
                return partial(system.hosts.send, signal.SIGCONT, happening.target)
            case Kind.NO_BEAT:
                return _killed(system, "beat1", "beat2")
            case Kind.DATABASE_KILLED:
                database.kill()
                return database.start
            case Kind.DATABASE_RESTARTED:
                database.primary.stop()
                return database.start
            case Kind.DATABASE_READ_ONLY:
                return _changed(system, "ALTER DATABASE turnout SET default_transaction_read_only = {}", "on", "off")
            case Kind.DATABASE_FAILS_OVER:
                database.fail_over()
            case Kind.DATABASE_CROWDED:
                return _changed(system, f"ALTER ROLE {OWNER} CONNECTION LIMIT {{}}", "2", "-1")
            case Kind.DATABASE_ENDS_SESSIONS:
                database.end_sessions()
            case Kind.BROKER_CUT:
                system.broker_proxy.cut()
                return partial(_restored, system.broker_proxy)
            case Kind.BROKER_SILENT:
                system.broker_proxy.silence()
            case Kind.REDIS_KILLED:
                system.valkey.kill()
                return system.valkey.start
            case Kind.REDIS_RESTARTED:
                system.valkey.stop()
                return system.valkey.start
            case Kind.REDIS_FLUSHED:
                self.undo_all()
                with self.books.paused():
                    until(lambda: _flushed(system.redis), 60, "the stream is never drained")
            case Kind.REDIS_FULL:
                system.redis.config_set("maxmemory", "1")
                return partial(system.redis.config_set, "maxmemory", "0")
            case Kind.HUBSPOT_CLOSED:
                system.hubspot.cut()
                return partial(_restored, system.hubspot)
            case Kind.RETRY | Kind.CANCEL | Kind.CORRECT:
                self.undo_all()  # an operator's commands need the database
                repeat(partial(self._operate, happening.kind))
            case _:
                system.sandbox.fault(**ordered(happening), count=happening.count)
        return None

    def _operate(self, kind: Kind) -> None:
        engine = self.system.context.engine
        for account in self.plan.accounts:
            match kind:
                case Kind.RETRY:
                    chosen = Filter((Outcome.REJECTED, Outcome.FAILED, Outcome.UNCONFIRMED), account=account)
                    with engine.begin() as connection:
                        jobs.ask(connection, OPERATOR, Action.RETRY, chosen)
                case Kind.CANCEL:
                    event = self._canceled_of(account)
                    with engine.begin() as connection:
                        jobs.ask(connection, OPERATOR, Action.CANCEL, CancelFilter(event=event))
                case _:
                    self._correct(account)

    def _correct(self, account: str) -> None:
        """Give what was rejected another address, as an operator who found out the right one."""
        rejected = (
            select(Record.id, Record.contact, Event.label().label("event"), Batch.state, Record.input)
            .join(Error, (Error.record_id == Record.id) & (Error.batch_id == Record.batch_id))
            .join(Batch, Batch.id == Record.batch_id)
            .join(Event, Event.id == Batch.event_id)
            .where(Error.resolution.is_(None), Error.outcome == Outcome.REJECTED, Record.contact.contains("@"))
            .where(Event.label().in_([event.label for event in self.plan.events if event.account == account]))
        )
        engine = self.system.context.engine
        with engine.connect() as connection:
            found = connection.execute(rejected).all()
        if not found:
            return
        for row in found:
            when = int(str(row.input["interactionDateTime"]))
            self._corrected.add(Attendance(row.event, row.contact, row.state.value, when))
            self.books.note(Attendance(row.event, f"fixed-{row.contact}", row.state.value, when))
        changes = [(0, row.id, Change(email=f"fixed-{row.contact}")) for row in found]
        jobs.ask_to_mend(engine, OPERATOR, changes)


def _service(happening: Happening) -> str:
    """Name what is hit: two things that last on the same service follow one another."""
    match happening.kind:
        case Kind.KILLED | Kind.FROZEN:
            return happening.target.rstrip("12")
        case Kind.NO_BEAT:
            return "beat"
        case Kind.BROKER_CUT | Kind.BROKER_SILENT:
            return "REDIS"
        case kind:
            return kind.name.partition("_")[0]


def _restored(proxy: Proxy) -> None:
    """Let it listen again, as soon as no connection of another program's has its port."""
    ends = time.monotonic() + 60
    while True:
        try:
            proxy.restore()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
        else:
            return


def _killed(system: System, *names: str) -> Undo:
    system.hosts.kill(*names)
    return partial(system.hosts.start, *names)


def _changed(system: System, statement: str, bad: str, good: str) -> Undo:
    """Change what holds for new sessions, and end those there are; afterwards again."""

    def change(value: str) -> None:
        system.database.do(statement.format(value))
        system.database.end_sessions()

    change(bad)
    return partial(change, good)


def _flushed(client: redis.Redis) -> bool:
    return bool(client.eval(FLUSH_IF_DRAINED, 0))
