"""One run: producers submit, what the plan says happens, all is drained, and the books are compared."""

import shutil
import threading
import time
import traceback
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from sqlalchemy import text

from models.words import Role
from tests.chaos.faults import Mischief, Unmet, met
from tests.chaos.plan import Door, Happening, Plan, Progress
from tests.chaos.producers import Books, Producer
from tests.chaos.system import BURST_LIMIT, System
from tests.support.api import key_for
from tests.support.ledger import wrong_now
from tests.support.three_books import (
    Causes,
    Difference,
    Held,
    Said,
    Submitted,
    compare,
    what_the_sandbox_holds,
    what_turnout_says,
    wrong_endings,
)
from worker.accounts import registry
from worker.database import repeat
from worker.queries.reconciliation import audit

STALLED: Final = 6.0
"""Seconds without progress after which the next thing happens all the same."""
DRAINED: Final = 300.0
"""Seconds that are too long for draining a run."""
EVERY: Final = 0.05
SHOWN: Final = 20
KEPT: Final = Path("build") / "chaos"
"""The folder of those that fail."""

_Compared = tuple[list[Said], list[Difference]]

_LEFT = text("""
SELECT (SELECT count(*) FROM batches WHERE status IN ('PENDING', 'PROCESSING'))
  + (SELECT count(*) FROM errors WHERE verify_at IS NOT NULL)
  + (SELECT count(*) FROM jobs WHERE ended_at IS NULL)""")
_LET_WAITS_END = (
    text("""
    WITH due AS (
      UPDATE lanes SET due_at = now() WHERE (event_id, origin) IN (
        SELECT event_id, origin FROM lanes WHERE NOT ready AND due_at > now() AND due_at < 'infinity'
        FOR UPDATE SKIP LOCKED)
      RETURNING event_id, origin)
    UPDATE batches SET due_at = now() WHERE id IN (
      SELECT b.id FROM batches b JOIN due ON due.event_id = b.event_id AND due.origin = b.origin
      WHERE b.status = 'PENDING' AND b.due_at > now() FOR UPDATE OF b SKIP LOCKED)"""),
    text("""
    UPDATE errors SET verify_at = now() WHERE id IN (
      SELECT id FROM errors WHERE verify_at > now() + interval '1 second'
      FOR UPDATE SKIP LOCKED)"""),
    text("""
    UPDATE accounts SET parked_until = now() WHERE id IN (
      SELECT id FROM accounts WHERE parked_until > now() FOR UPDATE SKIP LOCKED)"""),
    text("""
    UPDATE jobs SET due_at = now() WHERE id IN (
      SELECT id FROM jobs WHERE ended_at IS NULL AND due_at > now() FOR UPDATE SKIP LOCKED)"""),
)
"""Waits of minutes end at once. A lane is due no later than its batches, and nobody is waited for."""


@dataclass
class Report:
    """What a run came to."""

    plan: Plan
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)
    records: int = 0
    """Records that were submitted, each once."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """What Turnout says of them."""
    happened: Sequence[Happening] = ()
    """What was done and met."""
    not_met: Sequence[Unmet] = ()

    @property
    def ok(self) -> bool:
        return not self.differences

    @property
    def name(self) -> str:
        """What its folder is called."""
        return str(self.plan.seed)

    def __str__(self) -> str:
        """One line: the seed, what happened, how many records, how long, and whether the books agree."""
        names = ", ".join(happening.kind for happening in self.happened)
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in self.outcomes.most_common())
        verdict = "ok" if self.ok else f"{len(self.differences)} DIFFERENCES"
        return f"seed {self.plan.seed}: {verdict}; {self.records} records ({outcomes}), {self.seconds:.1f} s; {names}"

    def whole(self) -> str:
        """Everything that is known of it."""
        plan = [f"  {happening}" for happening in self.plan.happenings]
        return "\n".join(
            [
                str(self),
                f"on {self.plan.broker}; what was planned, in this order:",
                *plan,
                *map(str, self.not_met),
                *(["how the books differ:"] if self.differences else []),
                *(f"  {one}" for one in self.differences[:SHOWN]),
                f"replay it: make chaos SEED={self.plan.seed}",
            ]
        )


@dataclass(frozen=True)
class Late:
    """What differs once all runs on one system are over."""

    seeds: Sequence[int]
    differences: list[str]

    @property
    def ok(self) -> bool:
        return not self.differences

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.seeds[0]}-to-{self.seeds[-1]}"

    def whole(self) -> str:
        """Everything that is known of it."""
        return "\n".join(
            [
                f"after {len(self.seeds)} runs on one system, seeds {', '.join(map(str, self.seeds))}:",
                f"{len(self.differences)} DIFFERENCES that no run showed at its own end:",
                *(f"  {one}" for one in self.differences[:SHOWN]),
            ]
        )


class Run:
    """A plan, made on a system that is healthy."""

    def __init__(self, system: System, plan: Plan) -> None:
        self.system, self.plan, self.books = system, plan, Books()
        self._mischief = Mischief(system, plan, self.books)
        self.causes = Causes()
        self._logged = {path: path.stat().st_size for path in self._logs()}

    def go(self) -> Report:
        """Make it. What fails in making it is a difference too, so that its plan is told."""
        report = Report(self.plan)
        began = time.monotonic()
        try:
            report.differences += self._made()
            report.not_met = self._mischief.end()
            report.happened = met(self._mischief.done, report.not_met)
            self.causes = self._mischief.causes(report.happened)
            report.differences += self._compared(report)
        except Exception:  # noqa: BLE001 - whatever it is, it is a finding
            report.differences.append(f"the run failed: {traceback.format_exc()}")
            report.happened = report.happened or self._mischief.done
        report.seconds = time.monotonic() - began
        return report

    def _made(self) -> list[str]:
        producers = self._producers()
        threads = [threading.Thread(target=producer.run, daemon=True) for producer in producers]
        self._written = self._writes()
        for thread in threads:
            thread.start()
        for happening in self.plan.happenings:
            self._wait_for(happening, threads)
            self._mischief.begin(happening)
        while any(thread.is_alive() for thread in threads):
            self._mischief.undo_due()
            time.sleep(EVERY)
        self._mischief.undo_all()
        return [*self._drained(), *(trouble for producer in producers for trouble in producer.troubles)]

    def keep(self, report: "Report | Late") -> None:
        """Keep a report, and what the processes have logged since the run began."""
        folder = KEPT / report.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "report.txt").write_text("\n".join([report.whole(), "", *report.differences, ""]))
        for path in self._logs():
            (folder / path.name).write_bytes(self._logged_since(path))

    def _producers(self) -> list[Producer]:
        """Make the accounts of this run, and who submits for them."""
        context, keys = self.system.context, {}
        for account in self.plan.accounts:
            registry.add(context.engine, context.settings, account, {}, SecretStr(token_of(account)))
            keys[account] = key_for(context, f"producer of {account}", Role.PRODUCER, account)
        return [Producer(self.system, self.books, self.plan, door, keys) for door in Door]

    def _writes(self) -> int:
        return int(self.system.sandbox.stats()["requests"])

    def _done(self, of: Progress) -> int:
        return self.books.messages if of is Progress.SUBMITTED else self._writes() - self._written

    def _wait_for(self, happening: Happening, threads: Collection[threading.Thread]) -> None:
        """Wait until so much is done, or nothing more is."""
        progress, stalls_at = -1, 0.0
        while (done := self._done(happening.of)) < happening.after:
            self._mischief.undo_due()
            if done > progress:
                progress, stalls_at = done, time.monotonic() + STALLED
            if time.monotonic() > stalls_at:
                return
            if not any(thread.is_alive() for thread in threads) and not self._left():
                return
            time.sleep(EVERY)

    def _left(self) -> int:
        """Count what is on its way; what cannot be asked counts too."""
        try:
            waiting = self.system.redis.xlen("turnout:intake")
            with self.system.context.engine.connect() as connection:
                left = int(connection.execute(_LEFT).scalar_one()) + int(str(waiting))
            return left or self.system.handed_to_rabbitmq()
        except Exception:  # noqa: BLE001 - a server that is away
            return 1

    def _drained(self) -> list[str]:
        """Wait until nothing is on its way, with every process there; say what stays."""
        ends = time.monotonic() + DRAINED
        while self._left():
            if time.monotonic() > ends:
                return [f"not drained in {DRAINED:.0f} s: {self._left()} wait"]
            repeat(self._let_waits_end)
            time.sleep(0.2)
        return []

    def _let_waits_end(self) -> None:
        for statement in _LET_WAITS_END:
            with self.system.context.engine.begin() as connection:
                connection.execute(statement)

    def _compared(self, report: Report) -> Iterator[str]:
        """Say everything in which the books differ, or in which the system is not well."""
        engine, sandbox = self.system.context.engine, self.system.sandbox
        events = [event.label for event in self.plan.events]
        stored = [row for account in self.plan.accounts for row in sandbox.participations(token_of(account))]
        held = what_the_sandbox_holds(stored, sandbox.writes(*events))
        said, differences = _books(self.system, self.books.submitted, held, self.causes, *events)
        report.records = len({one.attendance for one in self.books.submitted})
        report.outcomes = Counter(one.outcome for one in said)
        yield from map(str, differences)
        books = audit(engine)
        if not books.balanced:
            yield f"the books do not balance: {books}"
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            yield from wrong_now(connection)
        most = int(sandbox.stats()["max_in_window"])
        if most > BURST_LIMIT:
            yield f"{most} calls in one window of HubSpot's, which allows {BURST_LIMIT}"
        yield from (f"{name} ended by itself" for name in self.system.hosts.ended())
        yield from self._bugs()

    def _logs(self) -> list[Path]:
        return sorted(self.system.hosts.home.glob("*.log"))

    def _logged_since(self, path: Path) -> bytes:
        with path.open("rb") as log:
            log.seek(self._logged.get(path, 0))
            return log.read()

    def _bugs(self) -> Iterator[str]:
        """What processes said that only a bug makes them say."""
        for path in self._logs():
            for line in self._logged_since(path).splitlines():
                if b"Traceback" in line or b'"bug: ' in line:
                    yield f"{path.name}: {line.decode(errors='replace')[:500]}"


def token_of(account: str) -> str:
    """Name the token of an account; HubSpot's test server lists what it holds by it."""
    return f"token of {account}"


def _books(system: System, submitted: Sequence[Submitted], held: Held, causes: Causes, *events: str) -> _Compared:
    """Read what Turnout says of these events, or of all, and compare it with the other two books."""
    said = what_turnout_says(system.context.engine, events or None)
    return said, [*compare(submitted, said, held), *wrong_endings(submitted, said, causes)]


def late_differences(runs: Sequence[Run]) -> Late:
    """Compare all the books of the runs on one system once more, now that all are over."""
    system = runs[0].system
    submitted = [one for run in runs for one in run.books.submitted]
    held = what_the_sandbox_holds(system.sandbox.participations(), system.sandbox.writes())
    causes = Causes(
        [contact for run in runs for contact in run.causes.refused],
        [event for run in runs for event in run.causes.canceled],
        {one for run in runs for one in run.causes.corrected},
    )
    _, differences = _books(system, submitted, held, causes)
    return Late([run.plan.seed for run in runs], list(map(str, differences)))
