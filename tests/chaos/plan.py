"""What a run does, drawn from its seed before it begins: who submits what, and what happens when. Pure.

The same seed draws the same plan on every machine: the same messages, and the same faults in the same order.
"""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.words import Identity, State
from tests.support.three_books import Attendance

PROCESSES: Final = ("web", "delivery1", "delivery2", "housekeeping1", "housekeeping2", "beat1", "beat2")
LEASE: Final = 5.0
"""Seconds that a claim holds a batch, in these runs."""
BATCH_SIZE: Final = 20
MESSAGES: Final = (28, 44)
PEOPLE: Final = 24
EVENTS: Final = 4
FAULTS: Final = (3, 6)
_WHEN: Final = 1_767_225_600_000


class Broker(StrEnum):
    """What brings wake-ups and tasks."""

    VALKEY = "Valkey"
    RABBITMQ = "RabbitMQ"


class Door(StrEnum):
    """A way to submit."""

    STREAM = "stream"
    HTTP = "http"
    TASK = "task"


class Kind(StrEnum):
    """What can happen in a run."""

    KILLED = "process killed"
    FROZEN = "process frozen for longer than the lease"
    NO_BEAT = "both beats killed"
    DATABASE_KILLED = "PostgreSQL killed"
    DATABASE_RESTARTED = "PostgreSQL restarted"
    DATABASE_READ_ONLY = "PostgreSQL read-only"
    DATABASE_FAILS_OVER = "PostgreSQL fails over"
    DATABASE_CROWDED = "PostgreSQL has no connections left"
    DATABASE_ENDS_SESSIONS = "sessions of PostgreSQL ended"
    BROKER_CUT = "broker out of reach"
    BROKER_SILENT = "connections to the broker silent"
    REDIS_KILLED = "Valkey killed"
    REDIS_RESTARTED = "Valkey restarted"
    REDIS_FLUSHED = "Valkey flushed"
    REDIS_FULL = "Valkey full"
    HUBSPOT_SLOW = "HubSpot slow"
    HUBSPOT_HANGS = "HubSpot silent, and did nothing"
    HUBSPOT_HANGS_LATE = "HubSpot silent, after it has stored"
    HUBSPOT_CUTS = "HubSpot closes connections"
    HUBSPOT_CUTS_LATE = "HubSpot closes connections, after it has stored"
    HUBSPOT_TRUNCATES = "HubSpot sends half an answer, after it has stored"
    HUBSPOT_LIES = "HubSpot says 200 and stores nothing"
    HUBSPOT_FORGETS = "HubSpot stores and names nobody"
    HUBSPOT_LIMITS = "HubSpot answers 429"
    HUBSPOT_FAILS = "HubSpot answers 503"
    HUBSPOT_FAILS_LATE = "HubSpot answers 502, after it has stored"
    HUBSPOT_REFUSES = "HubSpot refuses a contact"
    HUBSPOT_CLOSED = "nobody listens at HubSpot's address"
    RETRY = "an operator retries what failed"
    CANCEL = "an operator cancels what waits"
    CORRECT = "an operator corrects what was rejected"


WEIGHTS: Final = {
    Kind.KILLED: 26,
    Kind.FROZEN: 8,
    Kind.NO_BEAT: 2,
    Kind.DATABASE_KILLED: 5,
    Kind.DATABASE_RESTARTED: 4,
    Kind.DATABASE_READ_ONLY: 4,
    Kind.DATABASE_FAILS_OVER: 2,
    Kind.DATABASE_CROWDED: 4,
    Kind.DATABASE_ENDS_SESSIONS: 6,
    Kind.BROKER_CUT: 4,
    Kind.BROKER_SILENT: 2,
    Kind.REDIS_KILLED: 4,
    Kind.REDIS_RESTARTED: 3,
    Kind.REDIS_FLUSHED: 4,
    Kind.REDIS_FULL: 4,
    Kind.HUBSPOT_SLOW: 4,
    Kind.HUBSPOT_HANGS: 3,
    Kind.HUBSPOT_HANGS_LATE: 3,
    Kind.HUBSPOT_CUTS: 3,
    Kind.HUBSPOT_CUTS_LATE: 4,
    Kind.HUBSPOT_TRUNCATES: 3,
    Kind.HUBSPOT_LIES: 4,
    Kind.HUBSPOT_FORGETS: 4,
    Kind.HUBSPOT_LIMITS: 3,
    Kind.HUBSPOT_FAILS: 3,
    Kind.HUBSPOT_FAILS_LATE: 4,
    Kind.HUBSPOT_REFUSES: 4,
    Kind.HUBSPOT_CLOSED: 3,
    Kind.RETRY: 4,
    Kind.CANCEL: 3,
    Kind.CORRECT: 3,
}
"""How often each is drawn, against the others."""


class Progress(StrEnum):
    """What is counted until something happens."""

    SUBMITTED = "messages submitted"
    WRITES = "requests that HubSpot received"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens, once so much was done and all before it has happened."""

    after: int
    of: Progress
    kind: Kind
    target: str = ""
    """A process, or a contact."""
    seconds: float = 0.0
    """How long it lasts."""
    count: int = 0
    """How many requests of HubSpot's it meets."""

    def __str__(self) -> str:
        """Read as a line of a report."""
        more = [self.target, self.seconds and f"for {self.seconds:.1f} s", self.count and f"{self.count} times"]
        said = ", ".join(str(word) for word in more if word)
        return f"after {self.after} {self.of}: {self.kind}{said and f' ({said})'}"


@dataclass(frozen=True, slots=True)
class Address:
    """An event, as messages name it."""

    account: str
    object_id: str = ""
    external_id: str = ""
    external_account: str = ""

    @property
    def label(self) -> str:
        """What the event is called in the books."""
        return self.object_id or f"{self.external_account}/{self.external_id}"


@dataclass(frozen=True, slots=True)
class Message:
    """What a producer submits at once: records of one event, state and kind of contact."""

    door: Door
    address: Address
    state: State
    identity: Identity
    contacts: Sequence[str]
    first: int
    """When the first of them took place, in epoch milliseconds; each next is a millisecond later."""
    key: uuid.UUID
    """Submitted again with the same key, it counts once."""
    insists: bool
    """Whether the producer submits it again until it is told that it is accepted."""

    @property
    def attendances(self) -> list[Attendance]:
        """The records that it stands for."""
        return [
            Attendance(self.address.label, contact, self.state.value, self.first + index)
            for index, contact in enumerate(self.contacts)
        ]


@dataclass(frozen=True, slots=True)
class Plan:
    """A run."""

    seed: int
    broker: Broker
    accounts: Sequence[str]
    events: Sequence[Address]
    messages: Sequence[Message]
    happenings: Sequence[Happening]

    @property
    def records(self) -> int:
        """How many different records are submitted."""
        return len({one for message in self.messages for one in message.attendances})

    def of(self, door: Door) -> list[Message]:
        """The messages of one producer, in its order."""
        return [message for message in self.messages if message.door is door]


def draw(seed: int) -> Plan:
    """Draw the plan of a seed."""
    dice = random.Random(f"chaos {seed}")
    accounts = [f"s{seed}a", f"s{seed}b"]
    events = [
        Address(accounts[number % 2], object_id=f"{seed}0{number}")
        if number % 3
        else Address(accounts[number % 2], external_id=f"webinar-{seed}-{number}", external_account="acme")
        for number in range(EVENTS)
    ]
    broker = Broker.RABBITMQ if dice.random() < 0.1 else Broker.VALKEY
    messages: list[Message] = []
    for serial in range(dice.randint(*MESSAGES)):
        messages.append(_message(dice, seed, serial, events, messages))
    records = sum(len(message.contacts) for message in messages)
    happenings = _happenings(dice, messages, records)
    return Plan(seed, broker, accounts, events, messages, happenings)


def _people(seed: int, identity: Identity) -> list[str]:
    """A person is known by e-mail address or by contact id, never by both."""
    if identity is Identity.VID:
        return [str(5_000_000_000 + seed * 1_000 + number) for number in range(0, PEOPLE, 4)]
    return [f"s{seed}p{number}@example.com" for number in range(PEOPLE) if number % 4]


def _message(
    dice: random.Random, seed: int, serial: int, events: Sequence[Address], before: Sequence[Message]
) -> Message:
    key = uuid.UUID(int=dice.getrandbits(128), version=4)
    if before and dice.random() < 0.15:
        again = dice.choice(before)
        if dice.random() < 0.5:
            return again
        return Message(
            again.door, again.address, again.state, again.identity, again.contacts, again.first, key, insists=True
        )
    (door,) = dice.choices(tuple(Door), (6, 3, 1))
    identity = dice.choice((Identity.EMAIL, Identity.EMAIL, Identity.VID))
    people = _people(seed, identity)
    contacts = dice.sample(people, dice.randint(1, min(len(people), 16)))
    state = dice.choice(tuple(State))
    insists = door is not Door.HTTP or dice.random() < 0.9
    return Message(door, dice.choice(events), state, identity, contacts, _WHEN + serial * 1_000, key, insists)


def _happenings(dice: random.Random, messages: Sequence[Message], records: int) -> list[Happening]:
    kinds = dice.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()), k=dice.randint(*FAULTS))
    if {Kind.RETRY, Kind.CORRECT} & set(kinds):
        kinds.append(Kind.HUBSPOT_REFUSES)  # so that there is something to retry and to correct
    kinds.sort(key=lambda kind: dice.random() - (kind is Kind.HUBSPOT_REFUSES))
    happenings = []
    for kind, share in zip(kinds, sorted(dice.uniform(0.05, 0.95) for _ in kinds), strict=True):
        of = dice.choice(tuple(Progress))
        after = int(share * (len(messages) if of is Progress.SUBMITTED else records / BATCH_SIZE))
        target, seconds, count = "", 0.0, 0
        match kind:
            case Kind.KILLED:
                target, seconds = dice.choice(PROCESSES), dice.choice((0.0, 0.0, 1.0, 2.0))
            case Kind.FROZEN:
                target, seconds = dice.choice(PROCESSES[:5]), LEASE + dice.uniform(0.5, 2)
            case Kind.DATABASE_FAILS_OVER | Kind.DATABASE_ENDS_SESSIONS | Kind.REDIS_FLUSHED | Kind.BROKER_SILENT:
                pass
            case Kind.RETRY | Kind.CANCEL | Kind.CORRECT:
                pass
            case Kind.HUBSPOT_REFUSES:
                later = [message for message in messages[int(share * len(messages)) :] if "@" in message.contacts[0]]
                target, count = dice.choice(dice.choice(later or [messages[0]]).contacts), dice.randint(1, 3)
            case Kind.HUBSPOT_CLOSED:
                seconds = dice.uniform(0.5, 3)
            case _ if kind.name.startswith("HUBSPOT"):
                count = dice.randint(1, 4)
            case _:
                seconds = dice.uniform(0.3, 3)
        happenings.append(Happening(after, of, kind, target, seconds, count))
    return happenings
