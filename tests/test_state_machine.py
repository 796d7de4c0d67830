"""Any sequence of steps against a model: every record has exactly one outcome, the model's, and none is lost.

One thread: interleavings are explicit. The machine holds several claims at once, some of them zombies whose lease ran
out or whose batch is settled, and several turns of reading back. The model knows nothing of `after`, lanes or tokens:
it knows who is a member of what, who overtakes whom, and what was sent in which order.

What only the database decides (which batch a new record lies in, which due batch is claimed, when a retry that is not
claimed loses what was overtaken) is read from it, and judged.
"""

import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings as setting, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Row, and_, case, select, text, true, update

import worker.queue.claim
from hubspot_api.answer import Settled
from hubspot_api.reaction import OUTAGE
from models import outcome as derived
from models.accept_rules import Rules
from models.outcome import LastError
from models.tables import Batch, ReadBack, Record
from models.words import Door, Origin, Outcome, Resolution, State, Status
from tasks.sweep import free_the_forgotten
from tests.support.jobs import cancel, retry
from tests.support.ledger import AT_EVERY_MOMENT, CALL, NO, SILENT, WHEN, account_id, do, let_pass
from worker.accounts import state as account_state
from worker.context import Context
from worker.intake.accept import Inbound, accept
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter
from worker.queries.reconciliation import RECOUNTS, audit
from worker.queue import read_back_results, settle, unconfirmed
from worker.queue.attempts import AttemptResult
from worker.queue.claim import Claim, claim
from worker.queue.expired_leases import reclaim
from worker.queue.in_doubt import FIRST_READ
from worker.queue.locks import lock_events
from worker.queue.read_back_results import ReadBackResult
from worker.queue.settle import NOTHING, PartialAnswer

if TYPE_CHECKING:
    from worker.queue.unconfirmed import Unconfirmed

SIZE: Final = 3
LINGER: Final = 600.0
LEASE: Final = 600.0
LOOKS: Final = 1
"""Looks that find nothing, before the last; after it a record is sent once more."""
SLACK: Final = 60.0
"""Seconds that an example may really take: by so much may something be due before the model's clock says so."""
EVENTS: Final = ("1", "1", "1", "2")
STATES: Final = (State.REGISTER, State.REGISTER, State.ATTEND, State.CANCEL)
CONTACTS: Final = ("7", "8", *(f"{name}@example.com" for name in "abcdef"))
OVERTAKE: Final = frozenset({Outcome.PENDING, Outcome.PROCESSING, Outcome.DELIVERED, Outcome.UNCONFIRMED})
AMBIGUOUS: Final = AttemptResult("ambiguous", 503, 5, "", "")
ENDED: Final = frozenset(Outcome) - {Outcome.PENDING, Outcome.PROCESSING}
ASKED_FOR: Final = (Outcome.FAILED, Outcome.REJECTED, Outcome.UNCONFIRMED, Outcome.CANCELED)

Key = tuple[str, State, str, int]
"""What makes two inputs one record: event, state, contact, time."""


@dataclass
class Known:
    """A record as the model knows it."""

    id: int
    key: Key
    batch: int
    outcome: Outcome = Outcome.PENDING
    open: bool = False
    """Has an error that nobody has resolved: it can be retried."""
    answered: bool = False
    """Has an error in its present batch."""
    contact_id: int | None = None
    last_sent: int = 0
    """The number of the last POST that held it."""
    reads: int = 0
    look_at: float = math.inf
    been: set[Outcome] = field(default_factory=set)
    """What answers and operators made of it, in whatever batch."""
    unwanted: bool = False
    """Canceled although HubSpot may have it: it is looked for, and never sent again by itself."""
    stands: bool = False
    """Has its outcome although HubSpot may have it: it is looked for, and delivered if it is there."""
    doubted: bool = False
    """Was moved while it was looked for so."""

    @property
    def lane(self) -> tuple[str, str]:
        return self.key[0], self.key[2]

    @property
    def overtakes(self) -> bool:
        """Say whether older ones must not be sent any more: HubSpot has it, will have it, or once left that open."""
        left_open = Outcome.UNCONFIRMED in self.been and self.outcome in {Outcome.FAILED, Outcome.CANCELED}
        return self.outcome in OVERTAKE or left_open or self.is_looked_for_although_it_stands

    @property
    def is_looked_for_although_it_stands(self) -> bool:
        return self.stands and self.look_at < math.inf


@dataclass
class Box:
    """A batch as the model knows it."""

    id: int
    event: str
    state: State
    vid: bool
    origin: Origin
    due: float
    status: Status = Status.PENDING
    open: bool = True
    claims: int = 0
    attempts: int = 0
    failing: float | None = None
    """The account's waking time at its first failure."""
    token: object = None
    lease_until: float = 0.0
    split_from: int | None = None
    doubtful: bool = False
    """A call for it brought no answer: HubSpot may have what is still to be sent."""


@dataclass
class Turn:
    """A claim that some worker holds, or thinks it holds."""

    claim: Claim
    sent: bool


@dataclass
class Model:
    records: dict[int, Known] = field(default_factory=dict)
    boxes: dict[int, Box] = field(default_factory=dict)
    duplicates: int = 0
    now: float = 0.0
    posts: int = 0
    paused: bool = False
    parked_until: float | None = None
    in_a_row: int = 0
    stopped: bool = False
    awake: float = 0.0
    """Time in which the account was not stopped: what a batch's age counts."""

    def members(self, box: int) -> list[Known]:
        return [record for record in self.records.values() if record.batch == box]

    def to_send(self, box: int) -> list[Known]:
        return [record for record in self.members(box) if not record.answered]

    def count(self, status: Status) -> int:
        return sum(box.status is status for box in self.boxes.values())

    def by_key(self) -> dict[Key, Known]:
        return {record.key: record for record in self.records.values()}

    def may_have_arrived(self, record: Known) -> bool:
        """Say whether a call for it brought no answer, in this batch or in one before."""
        left_open = not record.been.isdisjoint({Outcome.FAILED, Outcome.UNCONFIRMED})
        return self.boxes[record.batch].doubtful or left_open or record.doubted

    def newer(self, record: Known) -> list[Known]:
        return [other for other in self.records.values() if other.lane == record.lane and other.id > record.id]

    def is_overtaken(self, record: Known) -> bool:
        return any(newer.overtakes for newer in self.newer(record))

    def is_held_back(self, box: Box) -> bool:
        """Say whether an older record of a contact of its own is in a batch that must be sent first."""
        mine = {record.lane: record.id for record in self.to_send(box.id)}
        return any(
            self.holds(self.boxes[other.batch]) and other.batch != box.id and not other.answered
            for other in self.records.values()
            if other.id < mine.get(other.lane, 0)
        )

    @staticmethod
    def holds(box: Box) -> bool:
        return box.status is Status.PROCESSING or (box.status is Status.PENDING and box.origin is not Origin.RETRY)

    def may_send(self, slack: float = 0.0) -> bool:
        return not self.paused and (self.parked_until is None or self.parked_until <= self.now + slack)

    def end(self, box: Box, status: Status) -> None:
        box.status, box.token, box.open = status, None, False


RECORDS: Final = (
    select(
        Record.id,
        Record.batch_id,
        derived.outcome.label("outcome"),
        and_(LastError.id.is_not(None), LastError.resolution.is_(None)).label("open"),
        case((Batch.status == Status.COMPLETE, Batch.contact_ids[Record.position + 1])).label("contact_id"),
    )
    .outerjoin(Batch, Batch.id == Record.batch_id)
    .outerjoin(LastError, true())
    .order_by(Record.id)
)
BATCHES: Final = "SELECT id, status, origin, size, claims, attempts, open, split_from FROM batches ORDER BY id"
BOOKS: Final = """
SELECT coalesce(sum(accepted), 0) AS accepted, coalesce(sum(duplicates), 0) AS duplicates,
  (SELECT count(*) FROM attempts WHERE finished_at IS NULL) AS calls FROM submissions"""
ANYTHING_WRONG: Final = " UNION ALL ".join(
    [f"(SELECT '{what}' AS what, to_jsonb(wrong) AS row FROM ({sql}) wrong)" for what, sql in AT_EVERY_MOMENT.items()]
    + [f"(SELECT '{what}', to_jsonb(n) FROM ({sql}) wrong(n) WHERE n > 0)" for what, sql in RECOUNTS.items()]
)
"""All of it in one statement: it is asked after every step."""


def contact_field(contact: str) -> dict[str, object]:
    return {"email": contact} if "@" in contact else {"vid": int(contact)}


Handable = tuple[str, State, list[tuple[str, int]]]
INPUTS = st.lists(st.tuples(st.sampled_from(CONTACTS), st.integers(0, 5)), min_size=2, max_size=6)
MESSAGES = st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from(STATES), INPUTS), min_size=1, max_size=2)
Draw = Callable[[st.SearchStrategy[Any]], Any]
VERBS: Final = (
    *("claim_some", "settle") * 4,
    *("accept_some", "ambiguous", "cancel", "retry", "read_back") * 2,
    *("settle_some", "settle_some", "crash", "crash", "come_late", "come_late"),
    *("limited", "pass_time", "send_again"),
    "pause_or_resume",
)
PICK = st.integers(0, 11)
FATES = st.lists(
    st.sampled_from((Outcome.DELIVERED, Outcome.DELIVERED, Outcome.REJECTED, Outcome.UNCONFIRMED)),
    min_size=SIZE,
    max_size=SIZE,
)
PARTS = st.lists(
    st.sampled_from((None, Outcome.DELIVERED, Outcome.REJECTED, Outcome.UNCONFIRMED)), min_size=SIZE, max_size=SIZE
)
WAITS = st.sampled_from((0.0, 0.0, 600.0, 3600.0))


class Attendance(RuleBasedStateMachine):
    """Whoever works on the tables, one step at a time."""

    context: Context
    key: bytes
    reader: Connection
    """One for all that is asked after every step, so that it is planned once."""

    @initialize(messages=MESSAGES)
    def begin(self, messages: Sequence[Handable]) -> None:
        self.engine = self.context.engine
        with self.engine.begin() as connection:
            connection.execute(
                text(
                    "TRUNCATE events, lanes, batches, records, attempts, errors, submissions, traces, refused"
                    " RESTART IDENTITY"
                )
            )
            for sequence in ("batch_ids", "record_ids", "submission_ids"):
                connection.execute(text(f"ALTER SEQUENCE {sequence} RESTART"))
            connection.execute(
                text("""
                UPDATE accounts SET paused_at = NULL, paused_because = '', parked_until = NULL, parked_because = '',
                  in_a_row = 0, stopped_since = NULL, stopped = interval '0'""")
            )
        self.account = account_id(self.engine)
        self.model = Model()
        self.held: list[Turn] = []
        self.past: list[Turn] = []
        self.looking: list[Unconfirmed] = []
        self.handed: list[list[Inbound]] = []
        self.last_error = 0
        self._hand_in(messages, again=None, lingers=False)

    @rule(verb=st.sampled_from(VERBS), data=st.data())
    def step(self, verb: str, data: st.DataObject) -> None:
        """One rule of all verbs: of many rules Hypothesis leaves some out, and few chains would be whole."""
        getattr(self, verb)(data.draw)

    def accept_some(self, draw: Draw) -> None:
        self._hand_in(draw(MESSAGES), draw(st.none() | PICK), lingers=draw(st.booleans()))

    def claim_some(self, draw: Draw) -> None:
        """Claim; where nothing can be claimed now, first accept something, or let time pass until something is due."""
        waiting = [box.due for box in self.model.boxes.values() if box.status is Status.PENDING]
        if not waiting:
            self.accept_some(draw)
        elif min(waiting) > self.model.now or not self.model.may_send():
            self._pass_time(draw(st.sampled_from((300, 900))))
        retries_first, sends = draw(st.booleans()), draw(PICK) > 0
        for _ in range(draw(st.integers(1, 3))):
            if self._claim(retries_first=retries_first, sends=sends) is None:
                break

    def _one_sent(self, draw: Draw) -> Turn | None:
        """Choose a claim that was sent; where there is none, claim."""
        sent = [turn for turn in self.held if turn.sent]
        if not sent:
            self.claim_some(draw)
        return sent[draw(PICK) % len(sent)] if sent else None

    def settle(self, draw: Draw) -> None:
        if turn := self._one_sent(draw):
            self._settle(turn, draw(FATES))

    def settle_some(self, draw: Draw) -> None:
        if turn := self._one_sent(draw):
            self._settle_some(turn, draw(PARTS), draw(WAITS), gives_up=draw(PICK) > 8)

    def ambiguous(self, draw: Draw) -> None:
        if turn := self._one_sent(draw):
            self._ambiguous(turn, draw(WAITS), gives_up=draw(st.booleans()))

    def limited(self, draw: Draw) -> None:
        if self.held:
            self._limited(draw(PICK), draw(WAITS), parks=draw(PICK) > 8)

    def crash(self, draw: Draw) -> None:
        if self.held:
            self._crash(draw(PICK))
            if draw(st.booleans()):  # somebody else claims the batch
                self._pass_time(300)
                self.claim_some(draw)

    def come_late(self, draw: Draw) -> None:
        """A zombie comes back, if there is one while its batch is somebody else's."""
        others = {turn.claim.batch_id for turn in self.held}
        zombies = [turn for turn in self.past if turn.claim.batch_id in others] or self.past
        if zombies:
            self._come_late(zombies[draw(PICK) % len(zombies)], draw(FATES))

    def pass_time(self, draw: Draw) -> None:
        self._pass_time(60 * draw(st.sampled_from((0, 5, 15, 120))))
        if draw(st.booleans()):
            self._take_back()

    def cancel(self, draw: Draw) -> None:
        if self.model.count(Status.PENDING):
            whose = draw(st.sampled_from(("batch", "batch", "batch", "event", "state")))
            self._cancel(whose, draw(PICK), draw(st.sampled_from(EVENTS)), draw(st.sampled_from(STATES)))

    def retry(self, draw: Draw) -> None:
        if any(record.open for record in self.model.records.values()):
            outcomes = draw(st.lists(st.sampled_from(ASKED_FOR), min_size=2, unique=True))
            event = draw(st.sampled_from((None, None, None, *EVENTS)))
            self._retry(outcomes, event, draw(PICK) if draw(PICK) > 8 else None)
            if draw(PICK) > 3:
                self._claim(retries_first=True)
                self.accept_some(draw)

    def pause_or_resume(self, draw: Draw) -> None:
        if self.model.paused or draw(PICK) > 3:
            self._pause_or_resume(pauses=draw(st.booleans()))

    def read_back(self, draw: Draw) -> None:
        if self.looking and draw(st.booleans()):
            verdicts = ("there", "not there", "not there", "not there, by the release before", "overtaken", "nothing")
            self._say(draw(PICK), draw(st.sampled_from(verdicts)))
        elif any(record.open or record.stands for record in self.model.records.values()):
            self._look(waits=draw(st.booleans()))
        else:
            self.settle(draw)

    def send_again(self, draw: Draw) -> None:
        if any(record.reads > LOOKS for record in self.model.records.values()):
            self._send_again(waits=draw(st.booleans()))
        else:
            self.read_back(draw)

    # Accept

    def _hand_in(self, messages: Sequence[Handable], again: int | None, *, lingers: bool) -> None:
        """Hand messages in; now and then such as were handed in before."""
        linger = LINGER if lingers else 0.0
        if again is not None:
            self._accept(self.handed[again % len(self.handed)], linger)
            self._stored([], linger)
        model = self.model
        known, fresh = set(model.by_key()), []
        handed = []
        for number, (event, state, inputs) in enumerate(messages):
            span = {"joinedAt": "2026-01-01T10:00:00Z", "leftAt": "2026-01-01T11:00:00Z"}
            raw = {
                "subscriber_state": state,
                "object_id": event,
                "inputs": [
                    {
                        **contact_field(contact),
                        "interactionDateTime": WHEN + when,
                        "properties": span if state is State.ATTEND else {},
                    }
                    for contact, when in inputs
                ],
            }
            handed.append(Inbound(Door.STREAM, f"{len(self.handed)}-{number}", json.dumps(raw).encode()))
            for contact, when in inputs:
                key = (event, state, contact, when)
                if key in known:
                    model.duplicates += 1
                else:
                    known.add(key)
                    fresh.append(key)
        self.handed.append(handed)
        assert sum(self._accept(handed, linger)) == len(fresh)
        self._stored(fresh, linger)

    def _accept(self, handed: Sequence[Inbound], linger: float) -> list[int]:
        with self.engine.connect() as connection:
            return [part.accepted for part in accept(connection, handed, Rules(self.key, SIZE, linger))]

    def _stored(self, fresh: Sequence[Key], linger: float) -> None:
        """New records, in the order of acceptance, each in one batch where it may lie."""
        model = self.model
        rows = self._ask(
            """
            SELECT r.id, r.contact, r.batch_id, ev.object_id, b.state, b.identity, b.origin, b.status,
              (r.input->>'interactionDateTime')::bigint - :when AS at
            FROM records r JOIN batches b ON b.id = r.batch_id JOIN events ev ON ev.id = b.event_id
            WHERE r.id > :newest ORDER BY r.id""",
            newest=max(model.records, default=0),
            when=WHEN,
        )
        assert [(row.object_id, State(row.state), row.contact, row.at) for row in rows] == fresh
        newest_box = max(model.boxes, default=0)
        for row, key in zip(rows, fresh, strict=True):
            vid = "@" not in key[2]
            assert (row.origin, row.status, row.identity) == ("live", "PENDING", "vid" if vid else "email")
            box = model.boxes.get(row.batch_id)
            if box is None:
                assert row.batch_id > newest_box
                due = model.now + linger
                box = model.boxes[row.batch_id] = Box(row.batch_id, key[0], key[1], vid, Origin.LIVE, due)
            assert box.open, f"record {row.id} joined batch {box.id}, which takes no more"
            assert (box.event, box.state, box.vid) == (key[0], key[1], vid)
            assert key[2] not in {other.key[2] for other in model.members(box.id)}
            model.records[row.id] = Known(row.id, key, box.id)
            if len(model.members(box.id)) == SIZE:
                box.open, box.due = False, min(box.due, model.now)

    def _ask(self, sql: str, **facts: object) -> Sequence[Row[Any]]:
        return self.reader.execute(text(sql), facts).all()

    # Claim

    def _claim(self, *, retries_first: bool = False, sends: bool = True) -> Claim | None:
        claimed = None
        for _ in range(len(self.model.boxes) + 1):
            due = self._surely_due()
            claimed = self._claim_once(due, retries_first=retries_first)
            if claimed is not None or not due or not self.model.may_send():
                break
            # A retry was made to wait, and its lane was passed over: the next claim finds what lies behind it.
            assert self._surely_due() != due, f"{sorted(due)} are due and wait for nobody: nothing was claimed"
        if claimed is not None:
            self._hold(claimed, sends=sends)
        return claimed

    def _surely_due(self) -> set[int]:
        """Batches that wait for no other and are due, whatever the clock."""
        free = {row.id for row in self._ask("SELECT id FROM batches WHERE status = 'PENDING' AND after = '{}'")}
        return {box.id for box in self.model.boxes.values() if box.id in free and box.due <= self.model.now}

    def _claim_once(self, due: set[int], *, retries_first: bool) -> Claim | None:
        model = self.model
        in_a_row, surely, maybe = model.in_a_row, model.may_send(), model.may_send(SLACK)
        with mock.patch.object(worker.queue.claim, "FLOOR", 1.0 if retries_first else 0.0):
            claimed = claim(self.engine, self.account, LEASE)
        assert maybe or claimed is None, "claimed, although the account is paused or parked"
        self._note_superseded()
        if surely or claimed is not None:
            if in_a_row >= OUTAGE:
                model.parked_until = model.now + LEASE if claimed is not None and claimed.members else None
            elif model.stopped:
                model.stopped, model.parked_until = False, None
        if claimed is None:
            return None
        assert claimed.tried.in_a_row == in_a_row
        if not retries_first and claimed.origin is not Origin.LIVE:
            live = {box for box in due if model.boxes[box].origin is Origin.LIVE}
            assert not live, f"a retry went before the live {live}"
        return claimed

    def _note_superseded(self) -> None:
        """Records that a claim took out of a retry, which it may do whether or not it then claims that batch."""
        taken_out = []
        for row in self._note_errors():
            record = self.model.records[row.record_id]
            assert (record.batch, record.outcome) == (row.batch_id, Outcome.PENDING)
            assert self.model.boxes[record.batch].origin is Origin.RETRY
            assert self.model.is_overtaken(record), f"record {record.id} is superseded, and none overtakes it"
            taken_out.append(record)
        for record in taken_out:
            record.outcome, record.answered, record.reads = Outcome.CANCELED, True, 0
            self._look_for(record, stands=self.model.may_have_arrived(record))

    def _note_errors(self) -> Sequence[Row[Any]]:
        """Give the errors of superseded records that came since this was last asked."""
        rows = self._ask(
            "SELECT id, record_id, batch_id FROM errors WHERE id > :last AND category = 'SUPERSEDED' ORDER BY id",
            last=self.last_error,
        )
        self.last_error = max([self.last_error, *(row.id for row in rows)])
        return rows

    def _hold(self, claimed: Claim, *, sends: bool) -> None:
        model, box = self.model, self.model.boxes[claimed.batch_id]
        assert box.status is Status.PENDING
        assert box.due <= model.now + SLACK, f"batch {box.id} was claimed before it was due"
        assert not model.is_held_back(box), f"batch {box.id} goes before an older record of one of its contacts"
        members = model.to_send(box.id)
        assert {member.id: member.contact for member in claimed.members} == {
            record.id: record.key[2] for record in members
        }
        assert len(claimed.members) == len(members)
        box.status, box.open, box.token = Status.PROCESSING, False, claimed.token
        box.claims += 1
        box.lease_until = model.now + LEASE
        assert (claimed.tried.attempts, claimed.origin) == (box.attempts, box.origin)
        age = 0.0 if box.failing is None else model.awake - box.failing
        assert abs(claimed.tried.age - age) < SLACK, f"batch {box.id} is {age} seconds old, not {claimed.tried.age}"
        for record in members:
            record.outcome = Outcome.PROCESSING
        if not members:
            assert settle.settle(self.engine, claimed, Settled({}, {}, {}), None)
            model.end(box, Status.COMPLETE)
            self.past.append(Turn(claimed, sent=False))
            return
        self.held.append(Turn(claimed, sends))
        if sends:
            self._post(members)

    def _post(self, members: Iterable[Known]) -> None:
        self.model.posts += 1
        for record in members:
            assert record.outcome is Outcome.PROCESSING
            for newer in self.model.newer(record):
                assert not (newer.last_sent and newer.overtakes), (
                    f"record {record.id} is sent after the newer record {newer.id}, which is {newer.outcome}"
                )
            record.last_sent = self.model.posts

    # What becomes of a claim: by who has it, and by zombies

    def _let_go(self, turn: Turn) -> bool:
        """Say whether the claim still has its batch; then it has it no longer."""
        box = self.model.boxes[turn.claim.batch_id]
        owns = box.status is Status.PROCESSING and box.token == turn.claim.token
        self.held.remove(turn)
        self.past.append(turn)
        return owns

    def _answer_came(self, *, noted: bool = False) -> None:
        """What a worker does first of all with any answer that is not ambiguous; to settle a batch notes it as well."""
        if not noted:
            account_state.answered(self.engine, self.account)
        if self.model.in_a_row >= OUTAGE and not self.model.paused:
            self.model.stopped, self.model.parked_until = False, None
        self.model.in_a_row = 0

    def _answer(self, turn: Turn, fates: Sequence[Outcome | None]) -> Settled:
        which: dict[Outcome | None, list[int]] = defaultdict(list)
        for index, fate in zip(range(len(turn.claim.members)), fates, strict=False):
            which[fate].append(index)
        return Settled(
            {index: 1_000 * self.model.posts + index for index in which[Outcome.DELIVERED]},
            dict.fromkeys(which[Outcome.REJECTED], NO),
            dict.fromkeys(which[Outcome.UNCONFIRMED], SILENT),
        )

    def _store(self, turn: Turn, answer: Settled) -> None:
        parts = (
            (Outcome.DELIVERED, answer.delivered),
            (Outcome.REJECTED, answer.rejected),
            (Outcome.UNCONFIRMED, answer.unconfirmed),
        )
        for outcome, indexes in parts:
            for index in indexes:
                record = self.model.records[turn.claim.members[index].id]
                assert record.last_sent, f"record {record.id} has an answer and was never sent"
                record.contact_id = answer.delivered.get(index)
                self._fail(record, outcome, is_error=outcome is not Outcome.DELIVERED)

    def _fail(self, record: Known, outcome: Outcome, *, is_error: bool = True) -> None:
        record.outcome, record.open, record.answered = outcome, is_error, is_error
        record.reads = 0
        may_be_there = outcome in {Outcome.REJECTED, Outcome.FAILED} and self.model.may_have_arrived(record)
        self._look_for(record, stands=may_be_there, decides=outcome is Outcome.UNCONFIRMED)
        record.been.add(outcome)

    def _look_for(self, record: Known, *, stands: bool, decides: bool = False) -> None:
        """Have a record looked for: its outcome stands unless it is found, or that decides it; or neither."""
        record.stands = stands
        record.look_at = self.model.now + FIRST_READ if stands or decides else math.inf

    def _settle(self, turn: Turn, fates: Sequence[Outcome]) -> None:
        answer = self._answer(turn, fates)
        self._answer_came(noted=True)
        owns = self._let_go(turn)
        assert settle.settle(self.engine, turn.claim, answer, CALL) is owns
        if owns:
            self._store(turn, answer)
            self.model.end(self.model.boxes[turn.claim.batch_id], Status.COMPLETE)

    def _settle_some(self, turn: Turn, parts: Sequence[Outcome | None], seconds: float, *, gives_up: bool) -> None:
        """A claim that was refused whole and searched, and ended before all had their answer."""
        answer = self._answer(turn, parts)
        apart = PartialAnswer(answer, dict.fromkeys(range(len(turn.claim.members)), turn.claim.attempt_id or 0))
        if len(apart.indexes) == len(turn.claim.members):
            self._settle(turn, [part or Outcome.DELIVERED for part in parts])
            return
        self._answer_came()
        self._end_early(turn, seconds, gives_up=gives_up, apart=apart)

    def _ambiguous(self, turn: Turn, seconds: float, *, gives_up: bool) -> None:
        if self.model.in_a_row >= OUTAGE or (self.model.parked_until or 0.0) <= self.model.now:
            self.model.in_a_row += 1  # what was under way when it was parked for another cause begins no outage
        assert account_state.count_ambiguous(self.engine, self.account) == self.model.in_a_row
        if self.model.in_a_row >= OUTAGE:
            self._park(LEASE)
            self._postpone(turn, 0.0, call=AMBIGUOUS)
        else:
            self._end_early(turn, seconds, gives_up=gives_up, spends=True, call=AMBIGUOUS)

    def _end_early(
        self,
        turn: Turn,
        seconds: float,
        *,
        gives_up: bool,
        apart: PartialAnswer = NOTHING,
        spends: bool = False,
        call: AttemptResult = CALL,
    ) -> None:
        if not gives_up:
            self._postpone(turn, seconds, spends=spends, apart=apart, call=call)
            return
        owns = self._let_go(turn)
        assert settle.give_up(self.engine, turn.claim, "HTTP 503; 8 attempts", call, apart) is owns
        if owns:
            self._split(turn, apart)
            box = self.model.boxes[turn.claim.batch_id]
            box.doubtful |= call is AMBIGUOUS
            for record in self.model.to_send(box.id):
                self._fail(record, Outcome.FAILED)
            box.attempts += 1
            self.model.end(box, Status.CANCELED)

    def _postpone(
        self,
        turn: Turn,
        seconds: float,
        *,
        spends: bool = False,
        apart: PartialAnswer = NOTHING,
        call: AttemptResult = CALL,
    ) -> None:
        owns = self._let_go(turn)
        made = call if turn.sent else None
        assert settle.postpone(self.engine, turn.claim, seconds, "why", made, spends=spends, apart=apart) is owns
        if owns:
            self._split(turn, apart)
            box = self.model.boxes[turn.claim.batch_id]
            self._put_back(box, self.model.now + seconds)
            box.doubtful |= made is AMBIGUOUS
            if spends:
                box.attempts += 1
                box.failing = self.model.awake if box.failing is None else box.failing

    def _put_back(self, box: Box, due: float) -> None:
        box.status, box.token, box.due = Status.PENDING, None, due
        for record in self.model.to_send(box.id):
            record.outcome = Outcome.PENDING

    def _split(self, turn: Turn, apart: PartialAnswer) -> None:
        if not apart.indexes:
            return
        old = self.model.boxes[turn.claim.batch_id]
        (row,) = self._ask("SELECT id, split_from FROM batches WHERE id > :newest", newest=max(self.model.boxes))
        assert row.split_from == old.id
        self.model.boxes[row.id] = new = Box(
            row.id, old.event, old.state, old.vid, old.origin, 0.0, claims=old.claims, split_from=old.id
        )
        self.model.end(new, Status.COMPLETE)
        self._store(turn, apart.answer)
        for index in apart.indexes:
            self.model.records[turn.claim.members[index].id].batch = new.id

    def _limited(self, pick: int, seconds: float, *, parks: bool) -> None:
        """HubSpot says that it is too much, or nothing was sent: no attempt is spent."""
        turn = self.held[pick % len(self.held)]
        if turn.sent:
            self._answer_came()
            if parks:
                self._park(1_800.0)
        else:
            account_state.end_probe(self.engine, self.account)
            if self.model.in_a_row >= OUTAGE and not self.model.paused:
                self.model.parked_until = None
        self._postpone(turn, seconds)

    def _come_late(self, turn: Turn, fates: Sequence[Outcome]) -> None:
        """A zombie, or the same said twice: it changes nothing but that HubSpot answers."""
        claimed = turn.claim
        answer = self._answer(Turn(claimed, sent=True), fates)
        some = Settled(dict(list(answer.delivered.items())[:1]), {}, {})
        assert not settle.settle(self.engine, claimed, answer, CALL)
        self._answer_came(noted=True)
        assert not settle.postpone(self.engine, claimed, 0, "late", CALL, spends=True)
        assert not settle.postpone(self.engine, claimed, 0, "late", CALL, spends=False, apart=PartialAnswer(some, {}))
        assert not settle.give_up(self.engine, claimed, "late", CALL)

    # Crashes, and time

    def _crash(self, pick: int) -> None:
        """One worker is lost: its lease runs out, others hold theirs."""
        box = self.model.boxes[self.held[pick % len(self.held)].claim.batch_id]
        do(
            self.engine,
            update(Batch).where(Batch.id == box.id).values(lease_until=Batch.lease_until - timedelta(hours=2)),
        )
        box.lease_until -= 7_200
        self._take_back()

    def _take_back(self) -> None:
        model = self.model
        lost = [box for box in model.boxes.values() if box.status is Status.PROCESSING and box.lease_until <= model.now]
        assert reclaim(self.context.engine) == len(lost)
        for box in lost:
            self._put_back(box, model.now + min(3_600, 2 ** min(box.claims, 12)))
            box.doubtful = True  # sent or not: only the lost worker knew
        gone = {box.id for box in lost}
        self.past += [turn for turn in self.held if turn.claim.batch_id in gone]
        self.held = [turn for turn in self.held if turn.claim.batch_id not in gone]

    def _pass_time(self, seconds: int) -> None:
        let_pass(self.engine, seconds / 3_600)
        self.model.now += seconds
        if not self.model.stopped:
            self.model.awake += seconds

    # Operators

    def _cancel(self, whose: str, pick: int, event: str, state: State) -> None:
        model = self.model
        waiting = [box for box in model.boxes.values() if box.status is Status.PENDING]
        if whose == "batch":
            any_box = sorted(model.boxes.values(), key=lambda box: (box.status is not Status.PENDING, box.id))
            some = any_box[pick % len(any_box)]
            chosen, waiting = CancelFilter(batch_id=some.id), [box for box in waiting if box is some]
        elif whose == "event":
            chosen, waiting = CancelFilter(event=event), [box for box in waiting if box.event == event]
        else:
            chosen, waiting = CancelFilter(state=state), [box for box in waiting if box.state is state]
        canceled = [record for box in waiting for record in model.to_send(box.id)]
        assert cancel(self.engine, chosen) == (len(waiting), len(canceled))
        for record in canceled:
            record.unwanted = model.may_have_arrived(record)
            self._fail(record, Outcome.UNCONFIRMED if record.unwanted else Outcome.CANCELED)
        for box in waiting:
            model.end(box, Status.CANCELED)

    def _retry(self, outcomes: Sequence[Outcome], event: str | None, pick: int | None) -> None:
        model = self.model
        batch = None if pick is None or not model.boxes else sorted(model.boxes)[pick % len(model.boxes)]
        chosen = [
            record
            for record in model.records.values()
            if record.open
            and record.outcome in outcomes
            and (event is None or record.key[0] == event)
            and (batch is None or record.batch == batch)
        ]
        assert retry(self.engine, SIZE, Filter(outcomes, batch_id=batch, event=event)) == len(chosen)
        self._moved(chosen)

    def _moved(self, chosen: Sequence[Known]) -> None:
        """These, and nobody else, lie in new batches of origin `retry`."""
        model = self.model
        newest = max(model.boxes, default=0)
        rows = self._ask(
            """
            SELECT r.id, r.batch_id, ev.object_id, b.state, b.identity, b.origin, b.split_from FROM records r
            JOIN batches b ON b.id = r.batch_id JOIN events ev ON ev.id = b.event_id WHERE b.id > :newest""",
            newest=newest,
        )
        assert {row.id for row in rows} == {record.id for record in chosen}
        for row in rows:
            record = model.records[row.id]
            vid = "@" not in record.key[2]
            assert (row.object_id, row.state, row.identity) == (*record.key[:2], "vid" if vid else "email")
            assert (row.origin, row.split_from) == ("retry", None)
            model.boxes.setdefault(
                row.batch_id,
                Box(row.batch_id, record.key[0], record.key[1], vid, Origin.RETRY, model.now, open=False),
            )
            record.batch, record.outcome, record.open, record.answered = row.batch_id, Outcome.PENDING, False, False
            record.doubted |= record.is_looked_for_although_it_stands
            record.contact_id, record.look_at, record.unwanted, record.stands = None, math.inf, False, False
        for number in Counter(row.batch_id for row in rows).values():
            assert number <= SIZE

    def _pause_or_resume(self, *, pauses: bool) -> None:
        if not pauses or self.model.paused:
            self._resume()
        else:
            account_state.pause(self.engine, self.account, "by an operator")
            self.model.paused = self.model.stopped = True

    def _resume(self) -> None:
        assert account_state.resume(self.engine, "default")
        self.model.paused, self.model.parked_until = False, None
        if self.model.stopped:
            self.model.in_a_row = max(self.model.in_a_row, OUTAGE)

    def _park(self, seconds: float) -> None:
        account_state.park(self.engine, self.account, seconds, "HubSpot asked for it")
        self.model.parked_until, self.model.stopped = self.model.now + seconds, True

    # Reading back

    def _look(self, *, waits: bool) -> None:
        if waits:
            self._pass_time(300)
        model = self.model
        unconfirmed.accounts_due(self.engine)
        turn = unconfirmed.take(self.engine, self.account, LEASE, LOOKS)
        due = [
            record
            for record in model.records.values()
            if (record.open or record.stands) and (record.reads <= LOOKS or record.unwanted)
        ]
        taken = {one.wanted.record_id for one in turn.records}
        assert {record.id for record in due if record.look_at <= model.now} <= taken
        assert taken <= {record.id for record in due if record.look_at <= model.now + SLACK}
        for one in turn.records:
            record = model.records[one.wanted.record_id]
            assert (record.batch, record.reads) == (one.batch_id, one.reads)
            assert (one.canceled, one.stands) == (record.unwanted, record.stands)
            assert record.stands is (record.outcome is not Outcome.UNCONFIRMED)
            record.look_at = model.now + LEASE
        self.looking += turn.records

    def _say(self, pick: int, verdict: str) -> None:
        """A reader, perhaps long after its turn, says what it saw; it changes only what is still open."""
        model = self.model
        one = self.looking.pop(pick % len(self.looking))
        record = model.records[one.wanted.record_id]
        decides = record.open and record.outcome is Outcome.UNCONFIRMED
        stands = record.stands and (record.open or record.look_at < math.inf)
        still = (stands if one.stands else decides) and record.batch == one.batch_id
        if verdict == "nothing":
            unconfirmed.put_back(self.engine, [one], 300.0)
            if still and record.look_at < math.inf:
                record.look_at = model.now + 300.0
            return
        newer = model.newer(record)
        leaves = one.reads >= LOOKS and (one.sent_again or one.stands)
        if verdict == "there":
            result = ReadBackResult(one, Resolution.CONFIRMED, {"found": True})
        elif verdict == "overtaken" and newer and not one.stands:
            result = ReadBackResult(one, Resolution.SUPERSEDED, {"by": max(other.id for other in newer)})
        elif verdict == "not there" and one.canceled and one.reads >= LOOKS:
            result = ReadBackResult(one, Resolution.DISMISSED, {"found": False}, because="it is not there")
            still = still and one.reads == record.reads and record.look_at < math.inf
        else:  # the release before knows nothing of what was canceled, and goes on
            said = ReadBack(found=False, left="it is not there") if leaves else ReadBack(found=False)
            result = ReadBackResult(one, None, said, None if leaves else 600.0)
            still = still and one.reads == record.reads and record.look_at < math.inf
        with self.engine.begin() as connection:
            lock_events(connection, {one.event_id})
            assert read_back_results.store(connection, [result]) == still
        if still and result.resolution is Resolution.CONFIRMED:
            record.outcome, record.open, record.stands = Outcome.DELIVERED, False, False
        elif still and result.resolution is Resolution.SUPERSEDED:
            record.outcome, record.open = Outcome.CANCELED, False
        elif still and result.resolution is Resolution.DISMISSED:
            self._fail(record, Outcome.CANCELED)
            record.unwanted = False
        elif still:
            record.reads += 1
            record.look_at = math.inf if leaves else model.now + 600.0
        self._note_errors()

    def _send_again(self, *, waits: bool) -> None:
        """What was looked for in vain goes into new batches."""
        if waits:
            self._pass_time(900)
        chosen = [
            record
            for record in self.model.records.values()
            if record.open and not (record.unwanted or record.stands)
            if record.reads > LOOKS and record.look_at <= self.model.now
        ]
        assert unconfirmed.send_again(self.engine, self.account, LOOKS, SIZE) == len(chosen)
        self._moved(chosen)

    # What holds after every step

    @invariant()
    def every_record_has_the_models_outcome_and_none_is_lost(self) -> None:
        model = self.model
        sizes = Counter(record.batch for record in model.records.values())
        records, boxes, (books,) = self.reader.execute(RECORDS).all(), self._ask(BATCHES), self._ask(BOOKS)
        assert [tuple(row) for row in records] == [
            (record.id, record.batch, record.outcome, record.open, record.contact_id)
            for record in sorted(model.records.values(), key=lambda record: record.id)
        ]
        assert [tuple(row) for row in boxes] == [
            (box.id, box.status, box.origin, sizes[box.id], box.claims, box.attempts, box.open, box.split_from)
            for box in sorted(model.boxes.values(), key=lambda box: box.id)
        ]
        assert (books.accepted, books.duplicates, books.calls) == (
            len(model.records),
            model.duplicates,
            len(self.held),
        )
        assert self._ask(ANYTHING_WRONG) == []

    def _audit(self) -> None:
        books = audit(self.engine)
        assert books.balanced, books
        assert (books.accepted, books.duplicates) == (len(self.model.records), self.model.duplicates)
        assert {outcome: number for outcome, number in books.outcomes.items() if number} == Counter(
            record.outcome for record in self.model.records.values()
        )

    def teardown(self) -> None:
        """Whatever was left is delivered, once everybody is well again; unless a step failed, which says more."""
        if sys.exc_info()[0] is None:
            self._drain()

    def _drain(self) -> None:
        self._audit()
        self._resume()
        for _ in range(4 * len(self.model.boxes) + 4):
            while self._claim() is not None:
                self._settle_all()
            if all(record.outcome in ENDED for record in self.model.records.values()):
                break
            self._pass_time(7_200)
            self._take_back()
        while self._claim() is not None:  # a retry of which nothing is left to send
            self._settle_all()
        assert {box.status for box in self.model.boxes.values()} <= {Status.COMPLETE, Status.CANCELED}
        assert free_the_forgotten(self.context) == 0
        self.every_record_has_the_models_outcome_and_none_is_lost()
        self._audit()

    def _settle_all(self) -> None:
        while self.held:
            turn = self.held[-1]
            if turn.sent:
                self._settle(turn, [Outcome.DELIVERED] * SIZE)
            else:
                self._postpone(turn, 0.0)


def run(here: Context, rules: Rules, examples: int, steps: int, *, derandomize: bool) -> None:
    """Run the machine on this test's own database."""

    with here.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:

        class Here(Attendance):
            context, key, reader = here, rules.key, connection

        run_state_machine_as_test(
            Here,
            settings=setting(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                derandomize=derandomize,
                phases=(Phase.reuse, Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.timeout(600)  # shrinking a failure takes its time
def test_any_sequence_of_steps_leaves_every_record_one_outcome_and_loses_none(context: Context, rules: Rules) -> None:
    run(context, rules, examples=8, steps=45, derandomize=True)


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_many_long_sequences_leave_every_record_one_outcome_and_lose_none(context: Context, rules: Rules) -> None:
    run(context, rules, examples=200, steps=60, derandomize=False)
