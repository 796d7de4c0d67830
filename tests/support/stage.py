"""A stage on which one verb is done again and again: each time database, Redis and HubSpot are as they were before.

Afterwards life goes on, as it would beside it: leases expire, sweeps come, tasks are woken, an operator resumes what
is paused; until nothing waits. Then the books are compared.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from sqlalchemy import make_url, text

from models.words import Door
from sandbox.allowance import Allowance
from sandbox.world import World
from tasks import job
from tasks.deliver import deliver
from tasks.intake import intake
from tasks.sweep import sweep
from tasks.verify import verify
from tests.support.databases import Databases, Rows
from tests.support.ledger import ask, do, let_pass, wrong_now
from tests.support.sandbox_server import RunningSandbox
from tests.support.three_books import (
    Attendance,
    Submitted,
    attendances,
    compare,
    what_the_sandbox_holds,
    what_turnout_says,
)
from tests.support.webhook_receiver import Receiver
from tests.support.worker_processes import environment
from worker.accounts import state
from worker.context import Context
from worker.intake.accept import Inbound, accept
from worker.queries.reconciliation import audit
from worker.retention.purge import purge_a_little
from worker.settings import Settings
from worker.task_names import DELIVER, INTAKE, JOB, NOTIFY, PURGE, VERIFY
from worker.webhooks.notify import notify

ROUNDS: Final = 30
"""Rounds of two hours after which what still waits is taken to wait for ever; fewer than a batch's age allows."""
PRODUCER: Final = "producer"
"""One producer whose messages come one after another."""
TASKS: Final[Mapping[str, Callable[..., object]]] = {
    INTAKE: intake,
    DELIVER: deliver,
    VERIFY: verify,
    NOTIFY: notify,
    JOB: job.work,
    PURGE: purge_a_little,
}
_LATER: Final = (
    "UPDATE purged SET due_at = due_at - :hours * interval '1 hour'",
    """UPDATE attempts SET started_at = started_at - :hours * interval '1 hour',
    finished_at = finished_at - :hours * interval '1 hour'""",
    "UPDATE jobs SET due_at = due_at - :hours * interval '1 hour'",
    "UPDATE notifications SET due_at = due_at - :hours * interval '1 hour'",
    "UPDATE keys SET webhook_due_at = webhook_due_at - :hours * interval '1 hour'",
)
_WAITING: Final = """
SELECT (SELECT count(*) FROM batches WHERE status IN ('PENDING', 'PROCESSING')) AS batches,
  (SELECT count(*) FROM errors WHERE verify_at IS NOT NULL) AS unconfirmed,
  (SELECT count(*) FROM jobs WHERE ended_at IS NULL AND NOT on_hold) AS jobs,
  (SELECT count(*) FROM notifications WHERE stage NOT IN ('told', 'given_up')) AS notifications,
  (SELECT count(*) FROM accounts WHERE paused_at IS NOT NULL) AS paused"""


@dataclass
class Stage:
    """What a verb finds. A scene makes it so once; `begin` makes it so again."""

    databases: Databases
    settings: Settings
    sandbox: RunningSandbox
    world: World
    receiver: Receiver
    home: Path
    """A folder for the verb's files."""
    facts: dict[str, str] = field(default_factory=dict)
    """What the verb has to know, as its environment."""
    submitted: list[Submitted] = field(default_factory=list)
    forgotten: set[Attendance] = field(default_factory=set)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """What the webhook's receiver answers first."""
    _rows: Rows = field(init=False)
    _redis: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    _sandbox: dict[str, object] = field(default_factory=dict)
    _files: Path = field(init=False)

    def __post_init__(self) -> None:
        """Keep the scene's files apart."""
        self._files = self.home.with_name(f"{self.home.name}-files")

    def set_up(self, scene: Callable[["Stage"], None]) -> None:
        """Play a scene, and keep what is there then."""
        self.home.mkdir()
        self.sandbox.reset()
        client = self.context.redis
        client.flushall()
        do(self.context.engine, "UPDATE purged SET due_at = now() + interval '1 hour'")  # only where it is the verb
        scene(self)
        for key in client.scan_iter():
            content = client.dump(key)
            assert content is not None
            self._redis[key] = content, max(0, client.pttl(key))
        self._rows = self.databases.kept(self._name)
        self._sandbox = self.world.kept()
        self.home.rename(self._files)

    def begin(self) -> None:
        """Make everything as the scene left it."""
        self.databases.restore(self._name, self._rows)
        self.world.restore(self._sandbox)
        self.receiver.got.clear()
        self.receiver.answers = [*self.answers]
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self._files, self.home)
        client = self.context.redis
        client.flushall()
        client.script_flush()
        for key, (content, left) in self._redis.items():
            client.restore(key, left, content)

    @property
    def _name(self) -> str:
        return str(make_url(self.settings.database_url).database)

    @cached_property
    def context(self) -> Context:
        """What a process of Turnout holds, here."""
        return Context(self.settings)

    def close(self) -> None:
        """Close what is open."""
        self.context.engine.dispose()
        self.context.redis.close()
        self.context.limiter_redis.close()

    def environment(self) -> dict[str, str]:
        """Give the environment of a process that does the verb."""
        ours = environment(self.settings)
        return {name: value for name, value in ours.items() if name.startswith("TURNOUT_")} | self.facts

    # What scenes are made of

    def submit(self, *messages: Mapping[str, object] | bytes) -> None:
        """Accept messages, one after another, as one producer hands them in by the stream."""
        for number, message in enumerate(messages, len(self.submitted)):
            raw = message if isinstance(message, bytes) else json.dumps(message).encode()
            with self.context.engine.connect() as connection:
                accept(connection, [Inbound(Door.STREAM, f"1-{number}", raw)], self.context.rules)
            self.submitted += [Submitted(one, producer=PRODUCER) for one in attendances(raw)]

    def add(self, *messages: Mapping[str, object] | bytes) -> None:
        """Add messages to the stream."""
        for message in messages:
            raw = message if isinstance(message, bytes) else json.dumps(message).encode()
            self.context.stream.add(raw)
            self.submitted += [Submitted(one, producer=PRODUCER) for one in attendances(raw)]

    # What follows

    def live_on(self) -> list[str]:
        """Let life go on until nothing waits, and compare the books; say what is wrong."""
        self.context.forget("default")
        return self._drain(self.context) or self.wrong(self.context)

    def _drain(self, context: Context) -> list[str]:
        waiting: Mapping[str, int] = {}
        for _ in range(ROUNDS):
            self._pass_time(context)
            woken: list[tuple[str, dict[str, str]]] = []

            def wake(_: Context, task: str, places: int = 1, **facts: str) -> int:
                woken.append((task, facts))  # noqa: B023 - used within the round
                return places

            sweep(context, wake)
            for task, facts in woken:
                TASKS[task](context, **facts)
            waiting = dict(ask(context.engine, _WAITING)[0]._mapping)  # noqa: SLF001 - a row as a mapping
            if waiting["paused"]:
                state.resume(context.engine, "default")
            if not any(waiting.values()) and not context.stream.waiting():
                return []
        return [f"still waiting: {waiting}, {context.stream.waiting()} in the stream"]

    def _pass_time(self, context: Context, hours: float = 2) -> None:
        let_pass(context.engine, hours)
        with context.engine.begin() as connection:
            for statement in _LATER:
                connection.execute(text(statement), {"hours": hours})
        earlier = [replace(one, received_at=one.received_at - hours * 3_600) for one in self.world.writes]
        self.world.writes[:] = earlier  # as the attempts are
        for token, account in self.world.accounts.items():
            self.world.accounts[token] = replace(account, allowance=Allowance(self.world.options))  # of another day
        for key in list(context.redis.scan_iter()):
            if 0 < context.redis.pttl(key) < hours * 3_600_000 or key.startswith(b"turnout:limit:"):
                context.redis.delete(key)

    def wrong(self, context: Context) -> list[str]:
        """Say what of the books, and of the rules of the tables, does not hold."""
        held = what_the_sandbox_holds(self.sandbox.participations(), self.sandbox.writes())
        said = what_turnout_says(context.engine)
        found = [str(one) for one in compare(self.submitted, said, held, self.forgotten)]
        with context.engine.connect() as connection:
            found += wrong_now(connection)
        books = audit(context.engine)
        if not books.balanced:
            found.append(f"the books do not balance: {books}")
        return found
