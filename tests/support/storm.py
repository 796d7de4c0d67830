"""Storms: everybody at once, on a database that loses connections all the time.

A storm's seed decides what each thread does, not when the threads meet: the same seed storms alike, not identically.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.exc import DBAPIError

from models.accept_rules import Rules
from models.tables import Batch
from models.words import Door, Outcome, Status
from tasks.sweep import free_the_forgotten
from tests.support.jobs import cancel, retry
from tests.support.ledger import (
    CALL,
    LEASE,
    UNSETTLED,
    Ledger,
    Posts,
    account_id,
    ask,
    delivered,
    do,
    let_pass,
    wrong_now,
)
from worker.context import Context
from worker.database import sqlstate
from worker.intake.accept import Inbound, accept
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter
from worker.queries.reconciliation import audit
from worker.queue import settle
from worker.queue.claim import Claim, claim
from worker.queue.expired_leases import reclaim
from worker.retention.delete import Counts
from worker.retention.purge import purge

SHORT_LEASE: Final = 1.5
"""Seconds; a thread that could not send within half of it lets the batch go."""
PATIENCE: Final = 100
"""Seconds after which a thread is taken to hang."""
SIZE: Final = 10
LOST: Final = 5
"""Connections that are lost at least while a storm rages."""
GONE: Final = 20
"""Records that are purged at least while a storm rages."""
STATES: Final = ("register", "attend", "cancel")
ENDED: Final = frozenset({Outcome.DELIVERED, Outcome.REJECTED, Outcome.UNCONFIRMED, Outcome.FAILED, Outcome.CANCELED})
Key = tuple[str, str, str, int]


class Producer:
    """Makes messages of random sizes: repeats inside a message and of whole messages, as one part or as another."""

    def __init__(self, seed: str, events: int, people: int) -> None:
        self._random = random.Random(seed)
        self._seed, self._events, self._people = seed, events, people
        self._made: list[tuple[Inbound, set[Key]]] = []

    def some(self) -> tuple[list[Inbound], set[Key]]:
        """What is handed in together, and the records it stands for."""
        several = [self._one() for _ in range(self._random.choice((1, 1, 1, 2, 5)))]
        return [handed for handed, _ in several], set().union(*(keys for _, keys in several))

    def _one(self) -> tuple[Inbound, set[Key]]:
        dice = self._random
        part = f"{self._seed}-{len(self._made)}"
        if self._made and dice.random() < 0.15:
            again, keys = dice.choice(self._made)
            return (again if dice.random() < 0.5 else Inbound(again.door, part, again.raw)), keys
        event, state = str(dice.randrange(self._events)), dice.choice(STATES)
        span = {"joinedAt": "2026-01-01T10:00:00Z", "leftAt": "2026-01-01T11:00:00Z"} if state == "attend" else {}
        inputs: list[dict[str, object]] = []
        keys = set()
        for _ in range(dice.choice((1, 1, 2, 5, 12, 30))):
            if inputs and dice.random() < 0.05:
                inputs.append(dice.choice(inputs))
                continue
            when, number = dice.randrange(1_767_225_600_000, 1_767_225_690_000), dice.randrange(self._people)
            contact: dict[str, object] = {"vid": 1_000 + number} if number % 3 == 0 else {"email": f"p{number}@x.org"}
            inputs.append({**contact, "interactionDateTime": when, "properties": span})
            keys.add((event, state, str(next(iter(contact.values()))), when))
        raw = {"subscriber_state": state, "object_id": event, "inputs": inputs}
        self._made.append((Inbound(Door.TASK, part, json.dumps(raw).encode()), keys))
        return self._made[-1]


class Storm:
    """Accepting, delivering, sweeping, retrying and canceling threads, and one that kills their connections."""

    def __init__(self, engine: Engine, context: Context, rules: Rules, seed: int, calls: int) -> None:
        self.engine, self.context, self.rules, self.seed, self.calls = engine, context, rules, seed, calls
        self.posts = Posts()
        self.handed_in: set[Key] = set()
        self.wrong: list[str] = []
        self.killed = 0
        self._account = account_id(engine)
        self._producers = 3
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._claimed: list[Claim] = []

    def rage(self) -> None:
        self._until = time.monotonic() + PATIENCE / 2
        accepting = [self._thread(f"accept {n}", self._accept) for n in range(self._producers)]
        others = [self._thread(f"deliver {n}", self._deliver) for n in range(3)]
        others += [
            self._thread("sweep", self._every(0.05, self._sweep)),
            self._thread("retry", self._every(0.15, self._retry)),
            self._thread("cancel", self._every(0.08, self._cancel)),
            self._thread("kill", self._every(0.08, self._kill)),
            self._thread("inspect", self._every(0.25, self._inspect)),
        ]
        for thread in accepting:
            thread.join(PATIENCE)
        self._stop.set()
        for thread in others:
            thread.join(PATIENCE)
        if any(thread.is_alive() for thread in accepting + others):
            self.wrong.append("a thread hangs")

    def may_end(self) -> bool:
        """Say whether enough has happened to be judged, once all is submitted: a fast machine submits it at once."""
        return self.killed >= LOST or time.monotonic() > self._until

    def drain(self) -> None:
        """Let time pass, and deliver all that is left."""
        for _ in range(40):
            let_pass(self.engine, 2)
            reclaim(self.context.engine)
            while (claimed := claim(self.engine, self._account, LEASE)) is not None:
                self._send(claimed)
                settle.settle(self.engine, claimed, delivered(claimed), CALL if claimed.members else None)
                self.posts.note_settled(claimed.batch_id)
            if not (left := Ledger(self.engine).batches(Batch.status.in_(UNSETTLED))):
                return
        one = left[0]
        self.wrong.append(
            f"{len(left)} batches are never delivered, such as {one.id}: {one.status}, after {one.after}, {one.due_at}"
        )

    def judge(self) -> list[str]:
        """Say everything that went wrong."""
        stored = [
            (event, batch.state, record.contact, record.input["interactionDateTime"])
            for record, batch, event in Ledger(self.engine).stored()
        ]
        wrong = [*self.wrong, *self.posts.wrong(self.engine)]
        wrong += [f"lost: {key}" for key in self.handed_in - set(stored)]
        wrong += [f"never handed in: {key}" for key in set(stored) - self.handed_in]
        if len(stored) != len(set(stored)):
            wrong.append(f"{len(stored) - len(set(stored))} records are stored twice")
        if forgotten := free_the_forgotten(self.context):
            wrong.append(f"{forgotten} waited for what is settled")
        with self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            wrong += wrong_now(connection)
        books = audit(self.engine)
        wrong += books.wrong
        if books.accepted != len(self.handed_in) or not books.balanced:
            wrong.append(f"the books do not balance: {books}, {len(self.handed_in)} handed in")
        if unended := {outcome: n for outcome, n in books.outcomes.items() if n and outcome not in ENDED}:
            wrong.append(f"not at an end: {unended}")
        return wrong

    def _thread(self, name: str, work: Callable[[random.Random], None]) -> threading.Thread:
        def run() -> None:
            try:
                work(random.Random(f"{self.seed} {name}"))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                self.wrong.append(f"{name}: {type(error).__name__}: {error}"[:2_000])

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread

    def _every(self, seconds: float, work: Callable[[random.Random], None]) -> Callable[[random.Random], None]:
        def over_and_over(dice: random.Random) -> None:
            while not self._stop.wait(seconds * dice.uniform(0.5, 1.5)):
                with self._lost_connections():
                    work(dice)

        return over_and_over

    @contextmanager
    def _lost_connections(self) -> Iterator[None]:
        """Swallow what the killer did; anything else is a finding."""
        try:
            yield
        except DBAPIError as error:
            if sqlstate(error) not in {"", "57P01"} and not error.connection_invalidated:
                raise

    def _accept(self, _: random.Random) -> None:
        producer = Producer(f"{self.seed}-{threading.current_thread().name}", events=4, people=40)
        calls = 0
        while calls < self.calls or not self.may_end():
            calls += 1
            handed, keys = producer.some()
            with self._lock:
                self.handed_in |= keys
            accepted = False
            while not accepted:
                with self._lost_connections(), self.engine.connect() as connection:
                    accept(connection, handed, self.rules)
                    accepted = True

    def _deliver(self, dice: random.Random) -> None:
        zombies: list[Claim] = []
        while not self._stop.is_set():
            with self._lost_connections():
                began = time.monotonic()
                claimed = claim(self.engine, self._account, SHORT_LEASE)
                if claimed is None:
                    self._stop.wait(0.01)
                elif not claimed.members:
                    self._ended(claimed, settle.settle(self.engine, claimed, delivered(claimed), None))
                elif time.monotonic() - began > SHORT_LEASE / 2:
                    settle.postpone(self.engine, claimed, 0, "too late", CALL, spends=False)
                else:
                    self._fare(claimed, dice, zombies)
            if zombies and dice.random() < 0.05:
                with self._lost_connections():
                    zombie = zombies.pop(0)
                    self._ended(zombie, settle.settle(self.engine, zombie, delivered(zombie), CALL))

    def _fare(self, claimed: Claim, dice: random.Random, zombies: list[Claim]) -> None:
        """Send a batch, or crash before or after; then settle, postpone or give up."""
        fate = dice.random()
        if fate < 0.04:
            return
        self._send(claimed)
        if fate < 0.08:
            return
        if fate < 0.10:
            zombies.append(claimed)
        elif fate < 0.20:
            settle.postpone(self.engine, claimed, dice.choice((0, 0, 0.3)), "HTTP 503", CALL, spends=True)
        elif fate < 0.25:
            self._ended(claimed, settle.give_up(self.engine, claimed, "HTTP 503; 8 attempts", CALL))
        else:
            number = range(len(claimed.members))
            rejected = [index for index in number if dice.random() < 0.06]
            unconfirmed = [index for index in number if dice.random() < 0.06]
            answer = delivered(claimed, rejected, unconfirmed)
            self._ended(claimed, settle.settle(self.engine, claimed, answer, CALL))

    def _send(self, claimed: Claim) -> None:
        if claimed.members:
            self.posts.post(claimed)

    def _ended(self, claimed: Claim, owned: bool) -> None:  # noqa: FBT001 - what settling said
        if owned:
            self.posts.note_settled(claimed.batch_id)

    def _sweep(self, _: random.Random) -> None:
        reclaim(self.context.engine)
        if found := free_the_forgotten(self.context):
            self.wrong.append(f"in the storm {found} waited for what is settled")

    def _retry(self, dice: random.Random) -> None:
        chosen = dice.choice(
            (
                Filter((Outcome.FAILED, Outcome.UNCONFIRMED)),
                Filter((Outcome.CANCELED,)),
                Filter((Outcome.UNCONFIRMED, Outcome.REJECTED), event=str(dice.randrange(4))),
            )
        )
        retry(self.engine, SIZE, chosen)

    def _cancel(self, dice: random.Random) -> None:
        waiting = ask(self.engine, select(Batch.id).where(Batch.status == Status.PENDING).order_by(Batch.id).limit(50))
        if waiting:
            cancel(self.engine, CancelFilter(batch_id=dice.choice(waiting).id))

    def _kill(self, dice: random.Random) -> None:
        found = ask(
            self._killers_engine,
            """
            SELECT pid FROM pg_stat_activity
            WHERE application_name = 'turnout' AND datname = current_database() ORDER BY pid""",
        )
        if found:
            self.killed += 1
            ask(self._killers_engine, "SELECT pg_terminate_backend(:pid)", pid=dice.choice(found).pid)

    def _inspect(self, _: random.Random) -> None:
        with self._killers_engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            self.wrong += [f"in the storm {what}" for what in wrong_now(connection)]
        books = audit(self._killers_engine)
        if not books.balanced:
            self.wrong.append(f"in the storm the books do not balance: {books}")

    def with_killers_engine(self, url: str) -> Engine:
        self._killers_engine = create_engine(url, connect_args={"application_name": "killer"})
        return self._killers_engine


class PurgingStorm(Storm):
    """A storm in which what was settled a moment ago is old, and goes."""

    gone = Counts()

    def rage(self) -> None:
        purger = self._thread("purge", self._every(0.05, self._purge))
        super().rage()
        purger.join(30)

    def may_end(self) -> bool:
        """Wait for much to have gone while others worked, too."""
        return super().may_end() and (self.gone.records >= GONE or time.monotonic() > self._until)

    def _purge(self, _: random.Random) -> None:
        self.gone += purge(self.engine, 0.3 / 86_400)

    def judge(self) -> list[str]:
        """What was purged can be accepted anew, so what is stored is not judged by what was handed in."""
        do(self.engine, "INSERT INTO errors OVERRIDING SYSTEM VALUE SELECT * FROM gone")
        wrong = [*self.wrong, *self.posts.wrong(self.engine)]
        do(self.engine, "DELETE FROM errors USING gone WHERE errors.id = gone.id")
        counted = audit(self.engine)
        return wrong if counted.balanced else [*wrong, str(counted)]


def keep_what_goes(engine: Engine) -> None:
    """Keep the errors that are purged: the ledger must know of them."""
    for statement in (
        "CREATE TABLE gone (LIKE errors)",
        (
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN INSERT INTO gone SELECT old.*; RETURN old; END'"
        ),
        "CREATE TRIGGER keep BEFORE DELETE ON errors FOR EACH ROW EXECUTE FUNCTION keep()",
    ):
        do(engine, statement)
