"""A flood beside others: `python -m bench.flood [--records N] [--shape events|event|people ...]`.

One account is flooded with N waiting records (a million), accepted as the product accepts them:

    events   spread over eight events, in full batches
    event    all of one event, in full batches
    people   all of one event, of a hundred people again and again: each batch waits for the one before it

Measured first, with no delivery: what the statements of the claim, settle, accept, the sweep and `turnout status` take
with a hundredth of the flood waiting, and with all of it. Then, with everything running (as `turnout up` runs
it), and a test server for HubSpot that takes 0.1 s for an answer: how long single records of another account, and of
another event of the flooded account, wait from handing in until settled: alone, before there was a flood, and beside
it; how many calls of the account went before a record of its other event; how many wake-ups the broker held.

To repeat, run it again on a machine that does nothing else. It takes three to five minutes a shape, and
a gigabyte of disk. The ratios hold from one machine to another, the times do not.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import uuid4

import orjson
import redis
from pydantic import SecretStr
from sqlalchemy import Engine, Row, text

from bench.installation import seconds
from bench.machine import LIMIT, Bench
from bench.workload import WHEN
from hubspot_api.answer import Settled
from models.accept_rules import Rules
from models.words import Action, Door, Origin
from tasks import sweep
from worker.accounts.registry import add
from worker.context import Context
from worker.database import make_engine
from worker.encryption import fingerprint_key
from worker.intake.accept import Inbound, accept
from worker.local.services import Postgres
from worker.operations import audit_log, jobs
from worker.queries.batches import BatchFilter, list_batches
from worker.queries.error_filter import Filter
from worker.queries.status import read_status
from worker.queue import settle, unconfirmed
from worker.queue.attempts import AttemptResult
from worker.queue.claim import Claim, claim
from worker.queue.expired_leases import reclaim
from worker.setting_sources import running as found_running
from worker.settings import Settings
from worker.stream import Stream, connect
from worker.task_names import DELIVER

SHAPES: Final = {
    "events": "one account, eight events",
    "event": "one event",
    "people": "one event, a hundred people again and again",
}
EVENTS: Final = 8
PEOPLE: Final = 100
MESSAGE: Final = 5_000
"""Records in a message of the flood."""
FLOODED: Final = "flooded"
OTHER: Final = "other"
LIMITS: Final = {"burst_limit": 40, "burst_seconds": 2.0}
"""Of the flooded account: it is at its limit all the time, and hardly gets smaller meanwhile."""
REPEATS: Final = 10
CLAIMS: Final = 100
LEASE: Final = 120.0
CALL: Final = AttemptResult("settled", 200, 42, "", "")
PAUSE: Final = 0.5
"""Seconds between two single records, on average."""
PATIENCE: Final = 60.0


@dataclass(slots=True)
class Flood:
    """Makes messages of a shape, and counts."""

    shape: str
    made: int = 0

    def message(
        self, records: int, *, event: str | None = None, account: str = FLOODED, new: bool | None = None
    ) -> Inbound:
        """Make a message of the flood, or of its people (`new`: of others) for another event."""
        first, self.made = self.made, self.made + records
        new = self.shape != "people" if new is None else new
        inputs = [
            {
                "email": f"person.{number if new else number % PEOPLE}@example.com",
                "interactionDateTime": WHEN + 1000 * number,
            }
            for number in range(first, self.made)
        ]
        if event is None:
            event = f"flood-{first // MESSAGE % EVENTS if self.shape == 'events' else 0}"
        fields = {"subscriber_state": "register", "object_id": event, "account": account, "inputs": inputs}
        return Inbound(Door.STREAM, str(uuid4()), orjson.dumps(fields))


@dataclass(slots=True)
class Still:
    """The database with no delivery, and the flood in it."""

    process: Context
    rules: Rules
    flood: Flood
    given_up: list[int]
    """Batches of people met once, older than the flood, that failed."""
    untouched: list[str]
    """Events of the other account, each with a batch that is older than the flood."""
    times: dict[str, list[list[float]]] = field(default_factory=dict)
    """By what is done, a list of seconds for each measuring."""

    def accept(self, handed: Inbound) -> None:
        """Accept one message, as the intake does."""
        with self.process.engine.connect() as connection:
            accept(connection, [handed], self.rules)

    def claim(self) -> Claim:
        """Claim a batch of the flooded account."""
        with self.process.engine.connect() as connection:
            account_id = connection.execute(
                text("SELECT id FROM accounts WHERE name = :name"), {"name": FLOODED}
            ).scalar_one()
        claimed = claim(self.process.engine, account_id, LEASE)
        assert claimed is not None
        return claimed

    def fill(self, records: int) -> None:
        """Accept until the flood is so large."""
        while self.flood.made < records:
            self.accept(self.flood.message(min(MESSAGE, records - self.flood.made)))

    def measure(self) -> None:
        """Time everything once more, with what waits now."""
        engine, flood = self.process.engine, self.flood
        with engine.begin() as connection:
            chosen = Filter(batch_id=self.given_up.pop())
            job_id = jobs.ask(connection, audit_log.at_the_terminal(), Action.RETRY, chosen)
        list(jobs.finish(engine, self.rules, job_id))
        claims: dict[Origin, list[float]] = {Origin.LIVE: [], Origin.RETRY: []}
        settles: list[float] = []
        while not claims[Origin.RETRY] or len(settles) < CLAIMS:
            begun = time.perf_counter()
            claimed = self.claim()
            claims[claimed.origin].append(time.perf_counter() - begun)
            everybody = Settled(dict.fromkeys(range(len(claimed.members))), {}, {})
            settles.append(seconds(lambda: settle.settle(engine, claimed, everybody, CALL)))  # noqa: B023 - run at once
        self._note("claim", claims[Origin.LIVE])
        self._note("claim of a retry older than the flood", claims[Origin.RETRY])
        self._note("settle", settles)
        self._note("accept one record more", self._accepting(lambda: flood.message(1)))
        self._note("accept one of a new person", self._accepting(lambda: flood.message(1, event="flood-0", new=True)))
        self._note(
            "accept 100 of its people elsewhere",
            self._accepting(lambda: flood.message(100, event=self.untouched.pop(), account=OTHER, new=False)),
        )
        for name, looked in (
            ("sweep: accounts with something due", lambda: sweep.due_accounts(self.process)),
            ("sweep: leases that ran out", lambda: reclaim(self.process.engine)),
            ("sweep: those that wait for nothing", lambda: sweep.free_the_forgotten(self.process)),
            ("sweep: what is to be read back", lambda: unconfirmed.accounts_due(engine)),
            ("turnout status", lambda: read_status(engine, self.process.settings)),
            ("turnout batches", lambda: list_batches(engine, BatchFilter())),
        ):
            self._note(name, [seconds(looked) for _ in range(REPEATS)])

    def _accepting(self, made: Callable[[], Inbound]) -> list[float]:
        messages = [made() for _ in range(REPEATS)]
        return [seconds(lambda: self.accept(message)) for message in messages]  # noqa: B023 - run at once

    def _note(self, name: str, took: list[float]) -> None:
        self.times.setdefault(name, []).append(took)


@contextmanager
def still(bench: Bench, shape: str) -> Iterator[Still]:
    """Run the installation's PostgreSQL alone, until the block ends."""
    server = Postgres(bench.home / "data")
    try:
        settings = Settings(
            _env_file=None,
            database_url=server.start(),
            broker_url="redis://127.0.0.1:1/0",  # status says that it is out of reach
            data_dir=bench.home / "data",
        )
        process = Context(settings)
        rules = Rules(fingerprint_key(process.engine, settings), settings.batch_size, linger=0)
        on = Still(process, rules, Flood(shape), [], [f"untouched-{number}" for number in range(2 * REPEATS)])
        for event in on.untouched:
            on.accept(Flood("", 10**9).message(1, event=event, account=OTHER, new=True))
        on.accept(Flood("", 2 * 10**9).message(2 * rules.batch_size, event="flood-0", new=True))
        for _ in range(2):
            claimed = on.claim()
            settle.give_up(process.engine, claimed, "the bench", AttemptResult("broken", 500, 1, "", ""))
            on.given_up.append(claimed.batch_id)
        yield on
        process.engine.dispose()
    finally:
        server.stop()


@dataclass(frozen=True, slots=True)
class Waits:
    """What single records waited for."""

    handed_in: dict[str, list[float]]
    """Seconds from handing in until settled, by account."""
    accepted: dict[str, list[float]]
    """Seconds of these from acceptance on: up to one goes by until the sweep finds what the stream holds."""
    went_before: list[int]
    """Calls of the flooded account between the acceptance of a record of its quiet event and that record's call."""
    queued: int
    """Wake-ups of `deliver` in the broker, at most."""
    waiting: int
    """Batches that still waited in the end."""


@contextmanager
def everything(bench: Bench) -> Iterator[tuple[Settings, Engine]]:
    """Run everything but the test server, until the block ends."""
    with bench.running("up", "--no-sandbox"):
        settings = Settings(_env_file=None, data_dir=bench.home / "data")
        settings = settings.model_copy(update=found_running(settings.data_dir))
        engine = make_engine(settings)
        yield settings, engine
        engine.dispose()


def wait(settings: Settings, engine: Engine, number: int) -> Waits:
    """Submit single records of the other account and of the flooded one's quiet event, in turn."""
    stream, broker = Stream(connect(settings.stream_url)), redis.Redis.from_url(settings.broker_url)
    handed: dict[str, tuple[str, float]] = {}
    queued = 0
    for _ in range(number):
        for account in (OTHER, FLOODED):
            contact = f"{uuid4().hex}@example.com"
            inputs = [{"email": contact, "interactionDateTime": WHEN}]
            fields = {"subscriber_state": "register", "object_id": "quiet", "account": account, "inputs": inputs}
            handed[contact] = account, time.time()
            stream.add(orjson.dumps(fields))
            time.sleep(random.uniform(0.0, 2 * PAUSE))
            queued = max(queued, int(broker.llen(DELIVER)))
    until = time.monotonic() + PATIENCE
    while len(rows := _settled(engine, list(handed))) < len(handed):
        if time.monotonic() > until:
            sys.exit(f"after {PATIENCE:.0f} s {len(rows)} of {len(handed)} single records are settled")
        time.sleep(PAUSE)
    waits = Waits({OTHER: [], FLOODED: []}, {OTHER: [], FLOODED: []}, [], queued, _waiting(engine))
    for row in rows:
        account, at = handed[row.contact]
        waits.handed_in[account].append(row.settled_at - at)
        waits.accepted[account].append(row.took)
        if account == FLOODED:
            waits.went_before.append(row.before)
    return waits


def _settled(engine: Engine, contacts: Sequence[str]) -> Sequence[Row[Any]]:
    with engine.connect() as connection:
        return connection.execute(
            text("""
            SELECT r.contact, extract(epoch FROM b.settled_at)::float8 AS settled_at,
              extract(epoch FROM b.settled_at - b.created_at)::float8 AS took, (
                SELECT count(*) FROM attempts t JOIN batches o ON o.id = t.batch_id WHERE o.account_id = b.account_id
                AND t.started_at > b.created_at AND t.started_at < mine.started_at) AS before
            FROM records r JOIN batches b ON b.id = r.batch_id AND b.status = 'COMPLETE'
            JOIN attempts mine ON mine.batch_id = b.id WHERE r.contact = ANY(:contacts)"""),
            {"contacts": contacts},
        ).all()


def _waiting(engine: Engine) -> int:
    with engine.connect() as connection:
        waiting = connection.execute(text("SELECT count(*) FROM batches WHERE status = 'PENDING'"))
        return int(waiting.scalar_one())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000, help="that wait [%(default)s]")
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=list(SHAPES), help="of the flood [all]")
    parser.add_argument("--single", type=int, default=40, help="single records of each kind beside it [%(default)s]")
    asked = parser.parse_args()
    for shape in asked.shape:
        home = Path(tempfile.mkdtemp(prefix="turnout-bench-"))
        home.chmod(0o755)
        try:
            _flood(home, shape, asked.records, asked.single)
        finally:
            shutil.rmtree(home, ignore_errors=True)


def _flood(home: Path, shape: str, records: int, single: int) -> None:
    bench = Bench(home)
    bench.env["TURNOUT_LINGER"] = "0"
    # Its window is the flooded account's: what an answer's headers say of it is believed.
    limits = ["--burst-limit", str(LIMIT), "--burst-seconds", "2", "--daily-limit", str(100 * LIMIT)]
    print(f"\n{SHAPES[shape]}: {records:,} records", flush=True)
    with bench.running("sandbox", "--latency", "0.1", "--port", bench.sandbox.rpartition(":")[2], *limits):
        with everything(bench) as (settings, engine):
            add(engine, settings, FLOODED, LIMITS, SecretStr("token-of-flooded"))
            add(engine, settings, OTHER, {}, SecretStr("token-of-other"))
            wait(settings, engine, 2)  # processes, caches and connections warm up
            alone = wait(settings, engine, single)
        with still(bench, shape) as on:
            few = max(records // 100, 2 * CLAIMS * on.rules.batch_size)
            on.fill(few)
            on.measure()
            took = seconds(lambda: on.fill(records))
            print(f"accepted at {(records - few) / took:,.0f} records/s")
            on.measure()
        print(f"{'median, ms':42}{few:>12,}{records:>12,}{'ratio':>8}{'slowest':>9}")
        for name, (before, after) in on.times.items():
            low, high = median(before) * 1000, median(after) * 1000
            print(f"{name:42}{low:>12.1f}{high:>12.1f}{high / low:>8.2f}{max(after) * 1000:>9.1f}")
        with everything(bench) as (settings, engine):
            beside = wait(settings, engine, single)
            books = bench.facts("audit")
    assert books["balanced"], books
    print(f"{'median wait, s':42}{'alone':>12}{'beside':>12}{'ratio':>8}{'slowest':>9}")
    for name, before, after in (
        ("another account, from handing in", alone.handed_in[OTHER], beside.handed_in[OTHER]),
        ("another account, from acceptance", alone.accepted[OTHER], beside.accepted[OTHER]),
        ("another event, from acceptance", alone.accepted[FLOODED], beside.accepted[FLOODED]),
    ):
        low, high = median(before), median(after)
        print(f"{name:42}{low:>12.2f}{high:>12.2f}{high / low:>8.2f}{max(after):>9.2f}")
    print(f"calls of the account that went before one of its other event: median {median(beside.went_before):.0f},")
    print(f"  most {max(beside.went_before)}; wake-ups of deliver in the broker: most {beside.queued}")
    print(f"{beside.waiting:,} batches still waited; the books balance: {books['accepted']:,} accepted", flush=True)


if __name__ == "__main__":
    main()
