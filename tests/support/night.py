"""Two in the morning: 4,000 attendances were not delivered before tomorrow's campaign, for different causes.

A database of it is made once and then copied for each test; `working` does what the workers do.
"""

import json
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from hubspot_api.answer import Rejection, Settled
from models.accept_rules import Rules
from models.words import Door
from tasks import sweep
from tasks.deliver import deliver
from tests.support.background import beside
from tests.support.ledger import WHEN, delivered, take
from worker import heartbeat
from worker.accounts import registry, state as account_state
from worker.context import Context
from worker.database import make_engine
from worker.encryption import fingerprint_key
from worker.intake.accept import Inbound, accept
from worker.operations import jobs
from worker.queue import settle
from worker.queue.attempts import AttemptResult
from worker.queue.claim import Claim
from worker.settings import Settings
from worker.task_names import DELIVERY_QUEUES, HOUSEKEEPING_QUEUES

FIRST = (
    "ada",
    "alan",
    "barbara",
    "edsger",
    "frances",
    "grace",
    "hedy",
    "john",
    "katherine",
    "ken",
    "margaret",
    "radia",
)
LAST = ("allen", "backus", "dijkstra", "hamilton", "hopper", "johnson", "kay", "lamarr", "liskov", "lovelace", "turing")
SUMMIT, MISNAMED = "spring-summit-2026", "spring-sumit-2026"
OUTAGE, WRONG_EVENT, MISSPELT, TESTS = 3_600, 240, 150, 10
CALL = AttemptResult("refused whole", 400, 212, "", "")
CUT = AttemptResult("no answer", 503, 30_000, "", "upstream connect error or disconnect/reset before headers")


def settings_for(database_url: str, valkey_url: str, home: Path, hubspot_url: str = "http://127.0.0.1:9") -> Settings:
    return Settings(
        _env_file=None,
        database_url=database_url,
        broker_url=valkey_url,
        hubspot_url=hubspot_url,
        hubspot_token="test-token",
        secret_key="a key of the tests",
        data_dir=home / "data",
        linger=0,
        timeout=10,
        lease=20,
    )


def person(number: int, domain: str = "example.com") -> str:
    first, last = FIRST[number % len(FIRST)], LAST[number // len(FIRST) % len(LAST)]
    return f"{first}.{last}.{number}@{domain}"


def message(
    contacts: Sequence[str], event: str = SUMMIT, state: str = "register", account: str = "default"
) -> dict[str, object]:
    properties = {"joinedAt": "2026-03-01T10:00:00Z", "leftAt": "2026-03-01T11:00:00Z"} if state == "attend" else {}
    inputs = [{"email": contact, "interactionDateTime": WHEN, "properties": properties} for contact in contacts]
    named = {"external_event_id": event, "external_account_id": "acme-events"}
    return {"subscriber_state": state, **named, "inputs": inputs, "account": account, "producer": "registration-site"}


class Night:
    """What happened, in the order in which it did."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine, self.settings = engine, settings
        self._rules = Rules(fingerprint_key(engine, settings), settings.batch_size, 0)

    def submit(self, *messages: dict[str, object]) -> None:
        handed = [
            Inbound(Door.STREAM, f"{uuid.uuid4().int >> 80}-{index}", json.dumps(one).encode())
            for index, one in enumerate(messages)
        ]
        with self.engine.connect() as connection:
            accept(connection, handed, self._rules)

    def claims(self) -> Iterator[Claim]:
        while (claimed := take(self.engine)) is not None:
            yield claimed

    def rejected(self, category: str, code: str, said: str, call: AttemptResult = CALL) -> None:
        """Let HubSpot say no to all that waits; `said` may name the contact."""
        for claimed in self.claims():
            no = {
                index: Rejection(category, code, said.format(contact=member.contact))
                for index, member in enumerate(claimed.members)
            }
            settle.settle(self.engine, claimed, Settled({}, no, {}), call)

    def go_on(self) -> None:
        """Let everything go wrong that does."""
        self.submit(message([person(number) for number in range(200)], "webinar-42", "attend"))
        for claimed in self.claims():
            settle.settle(self.engine, claimed, delivered(claimed), AttemptResult("settled", 200, 180, "", ""))
        self.submit(*(message([person(number) for number in range(at, at + 400)]) for at in range(0, OUTAGE, 400)))
        for claimed in self.claims():
            settle.give_up(self.engine, claimed, "HTTP 503; 8 attempts", CUT)
        self.submit(message([person(5_000 + number) for number in range(WRONG_EVENT)], MISNAMED))
        unknown = f"No marketing event found for {MISNAMED}"
        self.rejected("OBJECT_NOT_FOUND", "", unknown, AttemptResult("not found", 404, 95, "", unknown))
        self.submit(message([person(6_000 + number, "example.con") for number in range(MISSPELT)]))
        self.rejected("VALIDATION_ERROR", "INVALID_EMAIL", "`{contact}` is not a valid email address")
        self.submit(message([f"test.entry.{number}@example.com" for number in range(TESTS)], "webinar-42", "attend"))
        self.rejected("VALIDATION_ERROR", "", "joinedAt param must be earlier than leftAt for `{contact}`")
        self.submit(message(["grace.hopper(at)example.com", person(7_000)], "webinar-42"))
        registry.add(self.engine, self.settings, "partner", {}, SecretStr("partner-token"))
        account_id = account_state.find(self.engine, "partner")
        assert account_id is not None
        account_state.pause(self.engine, account_id, "HubSpot does not accept the token: it expired")
        self.submit(message([person(8_000 + number) for number in range(40)], "partner-day", account="partner"))


def made(postgres_url: str, template: str, valkey_url: str, home: Path) -> str:
    """Make a database of the night, and give its name."""
    name = f"night_{uuid.uuid4().hex}"
    _admin(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    settings = settings_for(url_of(postgres_url, name), valkey_url, home)
    engine = make_engine(settings)
    Night(engine, settings).go_on()
    engine.dispose()
    return name


@contextmanager
def copied(postgres_url: str, night: str) -> Iterator[str]:
    """Give a database of one's own that is as the night's was."""
    name = f"t{uuid.uuid4().hex}"
    _admin(postgres_url, f"CREATE DATABASE {name} TEMPLATE {night}")
    yield url_of(postgres_url, name)
    _admin(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def url_of(postgres_url: str, name: str) -> str:
    return make_url(postgres_url).set(database=name).render_as_string(hide_password=False)


def _admin(postgres_url: str, statement: str) -> None:
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(statement))
    admin.dispose()


def working(context: Context) -> AbstractContextManager[None]:
    """Do in a thread what the workers do: deliver what is due, and work at jobs."""

    def work(stop: threading.Event) -> None:
        for number, queues in enumerate((DELIVERY_QUEUES, HOUSEKEEPING_QUEUES), start=1):
            started = heartbeat.started_with(context.settings, queues.split(","))
            heartbeat.note(context, replace(started, host="worker", name=f"worker:{number}"))
        heartbeat.ticked(context)
        jobs.work(context.engine, context.rules, 1, stop.is_set)
        for account in sweep.due_accounts(context):
            deliver(context, account)

    return beside(work, 0.1, "working")
