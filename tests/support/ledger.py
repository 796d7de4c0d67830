"""A ledger of what was sent, and what must hold of the tables: at every moment, and when all is drained.

Beside it the few steps that the tests of the claim, of retries and of the sweep share.
"""

import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Row,
    UpdateBase,
    func,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from hubspot_api.answer import Rejection, Settled
from models.tables import Account, Act, Attempt, Base, Batch, Error, Event, Job, Lane, Record, Refused
from models.words import Origin, Outcome, Resolution, Status
from worker.queries.reconciliation import audit
from worker.queue import settle
from worker.queue.attempts import AttemptResult
from worker.queue.claim import Claim, claim

_Where = ColumnElement[bool] | InstrumentedAttribute[bool]
Kind = TypeVar("Kind", bound=Base)

WHEN = 1_767_225_600_000
LEASE = 60.0
CALL = AttemptResult("settled", 200, 5, "", "")
NO = Rejection("VALIDATION_ERROR", "", "no")
SILENT = Rejection("UNCONFIRMED", "", "named nowhere")
UNSETTLED = (Status.PENDING, Status.PROCESSING)


class More(TypedDict, total=False):
    """What else is said of a message."""

    state: str
    event: str
    when: int


def message(*contacts: str, state: str = "register", event: str = "77", when: int = WHEN) -> dict[str, object]:
    """A message of these e-mail addresses; `when` tells two records of one contact and state apart."""
    properties = {"joinedAt": "2026-01-01T10:00:00Z", "leftAt": "2026-01-01T11:00:00Z"} if state == "attend" else {}
    inputs = [{"email": contact, "interactionDateTime": when, "properties": properties} for contact in contacts]
    return {"subscriber_state": state, "object_id": event, "inputs": inputs}


def people(number: int, first: int = 0) -> list[str]:
    return [f"p{index}@example.com" for index in range(first, first + number)]


class Ledger:
    """What stands in the database, as the mapped classes, each kind in the order of its key.

    A test of a story asks a command or a page (`facts("batch", …)`); the ledger is for what none of them shows.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self, kind: type[Kind], *where: _Where) -> list[Kind]:
        """All rows of a kind that fulfil these conditions."""
        with Session(self._engine) as session:
            return list(session.scalars(select(kind).where(*where).order_by(*inspect(kind).primary_key)))

    def batches(self, *where: _Where) -> list[Batch]:
        return self.all(Batch, *where)

    def batch(self, batch_id: int | None = None) -> Batch:
        """This batch, or the only one."""
        (batch,) = self.batches() if batch_id is None else self.batches(Batch.id == batch_id)
        return batch

    def records(self, *where: _Where) -> list[Record]:
        return self.all(Record, *where)

    def record(self, contact: str) -> Record:
        """The only record of a contact."""
        (record,) = self.records(Record.contact == contact)
        return record

    def stored(self, *where: _Where) -> list[tuple[Record, Batch, str]]:
        """All records in the order of their acceptance, each with its batch and the name of its event."""
        named = select(Record, Batch, Event.label()).join(Batch, Batch.id == Record.batch_id)
        named = named.join(Event, Event.id == Batch.event_id).where(*where).order_by(Record.id)
        with Session(self._engine) as session:
            return [(record, batch, event) for record, batch, event in session.execute(named)]

    def errors(self, *where: _Where) -> list[Error]:
        return self.all(Error, *where)

    def attempts(self, *where: _Where) -> list[Attempt]:
        return self.all(Attempt, *where)

    def account(self, name: str = "default") -> Account:
        (account,) = self.all(Account, Account.name == name)
        return account

    def jobs(self, *where: _Where) -> list[Job]:
        return self.all(Job, *where)

    def actions(self, *where: _Where) -> list[Act]:
        return self.all(Act, *where)

    def refused(self, *where: _Where) -> list[Refused]:
        return self.all(Refused, *where)


def read_back(error: Error) -> Mapping[str, Any]:
    """What is noted of the looks for a record."""
    noted = error.context["read_back"]
    assert isinstance(noted, dict)
    return noted


def account_id(engine: Engine) -> int:
    return Ledger(engine).account().id


def ask(engine: Engine, statement: Executable | str, **facts: object) -> list[Row[Any]]:
    """The rows of a statement over the mapped classes, or, where these cannot say it, in SQL."""
    with engine.connect() as connection:
        return list(connection.execute(_executable(statement), facts).all())


def do(engine: Engine, statement: UpdateBase | str, **facts: object) -> int:
    """Change what stands in the database, as nothing of ours would; how many rows."""
    with engine.begin() as connection:
        return int(connection.execute(_executable(statement), facts).rowcount)


def _executable(statement: Executable | str) -> Executable:
    return text(statement) if isinstance(statement, str) else statement


def resolve(engine: Engine, resolution: Resolution, *where: _Where) -> None:
    """Resolve errors, as somebody else does meanwhile."""
    do(engine, update(Error).where(*where).values(resolution=resolution, resolved_at=func.now()))


def idle_transactions(engine: Engine) -> int:
    """How many connections to this database hold a transaction open and do nothing in it."""
    return len(ask(engine, _IDLE))


_IDLE = "SELECT FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()"


@dataclass
class Span:
    """What the database's clock said before a piece of work, and after it."""

    begun: datetime
    ended: datetime

    def has(self, moment: datetime | None, *, before: float = 0.0) -> bool:
        """Say whether something that is so many seconds before a moment came in this span."""
        return moment is not None and self.begun <= moment - timedelta(seconds=before) <= self.ended


@contextmanager
def spanned(engine: Engine) -> Iterator[Span]:
    """Note when a block begins and ends: so a test says how long a wait is, however long it takes to look at it."""
    span = Span(_now(engine), datetime.max.replace(tzinfo=UTC))
    yield span
    span.ended = _now(engine)


def _now(engine: Engine) -> datetime:
    (row,) = ask(engine, select(func.now().label("now")))
    return row.now  # type: ignore[no-any-return]


def make_due(engine: Engine) -> None:
    """Let no pending batch wait for its time."""
    do(engine, update(Batch).where(Batch.status == Status.PENDING).values(due_at=func.now()))
    do(engine, update(Lane).values(ready=True))


def batch(engine: Engine, batch_id: int) -> Batch:
    return Ledger(engine).batch(batch_id)


def on_its_way(engine: Engine) -> int:
    """Count, at one moment, what is on its way: batches, and records that are looked for."""
    batches = select(func.count()).select_from(Batch).where(Batch.status.in_(UNSETTLED)).scalar_subquery()
    looked_for = select(func.count()).select_from(Error).where(Error.verify_at.is_not(None)).scalar_subquery()
    (row,) = ask(engine, select((batches + looked_for).label("number")))
    return int(row.number)


def waits(engine: Engine) -> dict[int, list[int]]:
    """What every unsettled batch waits for."""
    return {row.id: row.after for row in Ledger(engine).batches(Batch.status.in_(UNSETTLED))}


def outcomes(engine: Engine) -> dict[str, int]:
    return {outcome.value: number for outcome, number in audit(engine).outcomes.items() if number}


def in_turn(engine: Engine) -> None:
    """Let the events be served in the order in which they came: of those never served, chance says which goes first."""
    do(engine, "UPDATE lanes SET served_at = to_timestamp(event_id) WHERE served_at = '-infinity'")


def take(engine: Engine) -> Claim | None:
    return claim(engine, account_id(engine), LEASE)


def taken(engine: Engine) -> Claim:
    claimed = take(engine)
    assert claimed is not None, "nothing was claimed"
    return claimed


def delivered(claimed: Claim, rejected: Collection[int] = (), unconfirmed: Collection[int] = ()) -> Settled:
    """An answer that names all but these indexes in its results."""
    no = {index: NO for index in range(len(claimed.members)) if index in rejected}
    silent = {index: SILENT for index in range(len(claimed.members)) if index in unconfirmed and index not in no}
    yes = {index: 1_000 + index for index in range(len(claimed.members)) if index not in no and index not in silent}
    return Settled(yes, no, silent)


def settled(engine: Engine, claimed: Claim, rejected: Collection[int] = (), unconfirmed: Collection[int] = ()) -> bool:
    return settle.settle(engine, claimed, delivered(claimed, rejected, unconfirmed), CALL)


def postponed(engine: Engine, claimed: Claim, seconds: float = 0, *, spends: bool = True) -> bool:
    return settle.postpone(engine, claimed, seconds, "HTTP 503", CALL, spends=spends)


def given_up(engine: Engine, claimed: Claim) -> bool:
    return settle.give_up(engine, claimed, "HTTP 503; 8 attempts", CALL)


def fail_all(engine: Engine, *, rejected: bool = False) -> list[int]:
    """Give up all that is due, or let HubSpot reject it; give the ids of its records."""
    ids: list[int] = []
    while (claimed := take(engine)) is not None:
        ids += [member.id for member in claimed.members]
        settled(engine, claimed, rejected=range(len(claimed.members))) if rejected else given_up(engine, claimed)
    return sorted(ids)


def deliver_all(engine: Engine, most: int = 1_000) -> int:
    """Settle everything that is due, all of it delivered; give how many batches that were."""
    for number in range(most):
        claimed = take(engine)
        if claimed is None:
            return number
        settled(engine, claimed)
    raise AssertionError(f"{most} batches were claimed, and there are more")


def let_pass(engine: Engine, hours: float) -> None:
    """Let so much time pass: whatever waits for a moment waits that much less. Nobody else may be at work."""
    with engine.begin() as connection:
        for table, columns in (
            ("batches", ("due_at", "lease_until", "failing_since")),
            ("lanes", ("due_at", "served_at")),
            ("accounts", ("parked_until", "paused_at", "stopped_since")),
            ("schedules", ("next_at",)),
            ("errors", ("verify_at",)),
        ):
            earlier = ", ".join(f"{column} = {column} - :hours * interval '1 hour'" for column in columns)
            connection.execute(text(f"UPDATE {table} SET {earlier}"), {"hours": hours})


def age(engine: Engine, days: float) -> None:
    """Let whatever is at an end be so much older, for the purge."""
    for table, columns in (
        ("batches", ("settled_at",)),
        ("attempts", ("started_at",)),
        ("refused", ("refused_at",)),
        ("submissions", ("received_at",)),
        ("jobs", ("ended_at",)),
        ("actions", ("at",)),
    ):
        earlier = ", ".join(f"{column} = {column} - :days * interval '1 day'" for column in columns)
        do(engine, f"UPDATE {table} SET {earlier}", days=days)


HOLDING = "(b.status = 'PROCESSING' OR (b.status = 'PENDING' AND b.origin <> 'retry'))"
UNANSWERED = "NOT EXISTS (SELECT FROM errors x WHERE x.record_id = m.id AND x.batch_id = m.batch_id)"
AT_EVERY_MOMENT: Mapping[str, str] = {
    "a batch that may be claimed is due before its lane says so": """
        SELECT b.id, b.due_at, l.due_at AS lane FROM batches b LEFT JOIN lanes l USING (event_id, origin)
        WHERE b.status = 'PENDING' AND b.after = '{}' AND (l.due_at IS NULL OR l.due_at > b.due_at)""",
    "a batch waits for one that is settled, or for none at all": """
        SELECT b.id, w.id AS waits_for, p.status FROM batches b CROSS JOIN LATERAL unnest(b.after) w(id)
        LEFT JOIN batches p ON p.id = w.id WHERE p.status IS NULL OR p.status IN ('COMPLETE', 'CANCELED')""",
    "a batch waits for a retry that waits itself": """
        SELECT b.id, w.id AS waits_for FROM batches b CROSS JOIN LATERAL unnest(b.after) w(id)
        JOIN batches p ON p.id = w.id WHERE p.status = 'PENDING' AND p.origin = 'retry'""",
    "a live batch waits for a newer one": """
        SELECT b.id, b.after FROM batches b WHERE b.origin = 'live' AND b.id <= ANY(b.after)""",
    "a contact is being sent by two batches of one event": f"""
        SELECT b.event_id, m.contact, array_agg(b.id) AS batches FROM batches b JOIN records m ON m.batch_id = b.id
        WHERE b.status = 'PROCESSING' AND {UNANSWERED} GROUP BY 1, 2 HAVING count(*) > 1""",
    "a record does not wait for an older one of its contact": f"""
        WITH RECURSIVE reach(id, older) AS (
          SELECT b.id, w.id FROM batches b CROSS JOIN LATERAL unnest(b.after) w(id)
          UNION SELECT reach.id, w.id FROM reach JOIN batches b ON b.id = reach.older
          CROSS JOIN LATERAL unnest(b.after) w(id)),
        held AS (
          SELECT m.id, m.batch_id, lag(m.batch_id) OVER (PARTITION BY b.event_id, m.contact ORDER BY m.id) AS older
          FROM batches b JOIN records m ON m.batch_id = b.id WHERE {HOLDING} AND {UNANSWERED})
        SELECT * FROM held WHERE older IS NOT NULL AND NOT EXISTS (
          SELECT FROM reach WHERE reach.id = held.batch_id AND reach.older = held.older)""",
    "a position is given out twice, or was never given out": """
        SELECT r.batch_id, r.position FROM records r JOIN batches b ON b.id = r.batch_id
        GROUP BY 1, 2, b.positions HAVING count(*) > 1 OR r.position >= b.positions""",
    "a complete batch keeps no contact id per position": """
        SELECT id FROM batches WHERE status = 'COMPLETE' AND cardinality(contact_ids) IS DISTINCT FROM positions""",
    "a record that is still to be sent has an unresolved error": """
        SELECT m.id, b.id AS batch_id, e.outcome FROM errors e JOIN records m ON (m.id, m.batch_id) = (e.record_id,
          e.batch_id) JOIN batches b ON b.id = m.batch_id WHERE b.status IN ('PENDING', 'PROCESSING')
        AND e.resolution IS NULL""",
    "a record has several unresolved errors": """
        SELECT record_id FROM errors WHERE resolution IS NULL GROUP BY 1 HAVING count(*) > 1""",
    "a call of a batch that nobody has is not over": """
        SELECT a.id, b.id AS batch_id, b.status FROM attempts a JOIN batches b ON b.id = a.batch_id
        WHERE a.finished_at IS NULL AND a.kind <> 'read-back' AND b.status <> 'PROCESSING'""",
}


def wrong_now(connection: Connection) -> list[str]:
    """Say what does not hold at this moment; the connection's transaction must read one snapshot."""
    said = []
    for what, sql in AT_EVERY_MOMENT.items():
        rows = connection.execute(text(sql)).mappings().all()
        if rows:
            said.append(f"{what} ({len(rows)} times): {dict(rows[0])}")
    return said


@dataclass(frozen=True, slots=True)
class Sent:
    """One POST, as the oracle saw it."""

    batch_id: int
    event_id: int
    origin: Origin
    records: tuple[tuple[int, str], ...]
    """Record ids and contacts."""


@dataclass
class Posts:
    """What a fake HubSpot was sent, in order. It answers nothing: the test decides what comes back."""

    sent: list[Sent] = field(default_factory=list)
    settled: dict[int, int] = field(default_factory=dict)
    """How many POSTs there were before a batch was known to be settled."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, claimed: Claim) -> None:
        records = tuple((member.id, member.contact) for member in claimed.members)
        with self._lock:
            self.sent.append(Sent(claimed.batch_id, claimed.event_id, claimed.origin, records))

    def note_settled(self, batch_id: int) -> None:
        with self._lock:
            self.settled[batch_id] = len(self.sent)

    def wrong(self, engine: Engine) -> list[str]:
        """Say what was sent in the wrong order, too often or never, judged by how everything ended."""
        ended = Ledger(engine).errors(Error.outcome.in_([Outcome.REJECTED, Outcome.FAILED, Outcome.CANCELED]))
        did_not_arrive = {(row.record_id, row.batch_id) for row in ended}
        said: list[str] = []
        before: dict[tuple[int, str], dict[int, int]] = defaultdict(dict)
        first: dict[int, Sent] = {}
        for number, sent in enumerate(self.sent):
            if self.settled.get(sent.batch_id, number) < number:
                said.append(f"batch {sent.batch_id} is sent again (POST {number}) after it was settled")
            same = first.setdefault(sent.batch_id, sent)
            if sent.origin is Origin.LIVE and not set(sent.records) <= set(same.records):  # a split leaves fewer
                said.append(f"batch {sent.batch_id} is sent again with other records (POST {number})")
            for record_id, contact in sent.records:
                earlier = before[sent.event_id, contact]
                said += [
                    f"record {record_id} of {contact} is sent (POST {number}, batch {sent.batch_id}, {sent.origin})"
                    f" after the newer record {newer} (batch {batch_id})"
                    for newer, batch_id in earlier.items()
                    if newer > record_id and (newer, batch_id) not in did_not_arrive
                ]
                earlier[record_id] = sent.batch_id
        posted = {(record_id, sent.batch_id) for sent in self.sent for record_id, _ in sent.records}
        arrived = ask(
            engine,
            """
            SELECT r.id, r.batch_id FROM records r JOIN batches b ON b.id = r.batch_id AND b.status = 'COMPLETE'
            WHERE NOT EXISTS (SELECT FROM errors e WHERE e.record_id = r.id AND e.batch_id = r.batch_id)""",
        )
        said += [
            f"record {row.id} counts as delivered by batch {row.batch_id}, which never sent it"
            for row in arrived
            if (row.id, row.batch_id) not in posted
        ]
        return said
