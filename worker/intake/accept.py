"""Accept: many messages, one transaction. Receipts, new records stored with their batch, refusals with their reason.

The unit of redelivery is (submission, part): seen before, it changes no count. Events are locked in id order before
anything is read, and every look-up is a statement after that lock (READ COMMITTED gives each a new snapshot): so
fingerprints, open batches and ids are those of a moment in which nothing else is added to these events.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, Integer, LargeBinary, any_, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError

from models.accept_rules import Rules
from models.batching import Group
from models.fingerprint import FINGERPRINT_BYTES, fingerprint, submission_id
from models.input_check import Candidate, Reason, shown
from models.message import Message, Unreadable, read_message
from models.outcome import LastError, outcome
from models.refusal_kind import RefusalKind
from models.tables import Batch, Record
from models.words import Door, Identity, Outcome
from worker import tracing
from worker.database import is_datas_fault, repeat, sqlstate
from worker.intake import receipts, store
from worker.intake.addressed import addressed
from worker.intake.receipts import NewRefusal, Part
from worker.intake.store import NewRecord
from worker.log import get_logger
from worker.metrics import count
from worker.queue import lanes
from worker.queue.locks import lock_all
from worker.trip import Query, begins_with_trip, trip

log = get_logger(__name__)

MOST_INPUTS: Final = 20_000
"""Inputs in one transaction, at most."""
JudgedInput = Candidate | tuple[Reason, ...]
"""An input as it is sent, or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message as it was handed in. `part` names it where the message itself does not.

    The HTTP door has read its `message` already, and has no other text of it, and has `judged` its inputs, so that this
    costs nobody else's transaction; it knows whose key it came with and the request's digest, and the path of the
    request says which `identity` its inputs must have.
    """

    door: Door
    part: str
    raw: bytes = b""
    message: Message | None = None
    identity: Identity | None = None
    key_id: int | None = None
    digest: bytes | None = None
    judged: Sequence[JudgedInput] | None = None
    traceparent: str = ""
    """The producer's, as it came."""

    def read(self) -> Message | Unreadable:
        """Read the message."""
        return self.message or read_message(self.raw)

    @property
    def inputs(self) -> int:
        """Count its inputs; before it is read, about."""
        return len(self.message.inputs) if self.message else self.raw.count(b"interactionDateTime") or 1


def accept(connection: Connection, handed: Sequence[Inbound], rules: Rules) -> list[Part]:
    """Accept messages, in their order, and give what each came to.

    Where the data of many makes the transaction fail, each is accepted alone, and the one that fails alone is
    stored as refused, whole.

    A lost connection is not repeated: what the caller holds by it is lost with it.

    Raises:
        DBAPIError: where the database is out of reach.

    """
    with tracing.messages("accept", [one.traceparent for one in handed]) as spans:
        parts = _accept_all(connection, handed, rules)
        for span, part in zip(spans, parts, strict=False):  # none where traces are off
            span.set_attributes(part.counted())
    return parts


def _accept_all(connection: Connection, handed: Sequence[Inbound], rules: Rules) -> list[Part]:
    parts: list[Part] = []
    for few in _shared_out(handed):
        for committed in _accept_few(connection, few, rules):
            _count(committed)  # at once: what is committed stays so where a later transaction fails
            parts += committed
    return parts


def _accept_few(connection: Connection, few: Sequence[Inbound], rules: Rules) -> Iterator[list[Part]]:
    """Accept messages together, or one by one where that fails; give the parts of each transaction."""
    try:
        parts = repeat(lambda: _accept(connection, few, rules), when_lost=False)
    except DBAPIError as error:
        if not is_datas_fault(error):
            raise
        log.warning("messages accepted one by one", messages=len(few), sqlstate=sqlstate(error))
        for one in few:
            yield [_accept_alone(connection, one, rules)]
    else:
        yield parts


def _count(parts: Sequence[Part]) -> None:
    """Count what was committed."""
    if not count.is_on():
        return
    for door in {part.door for part in parts}:
        mine = [part for part in parts if part.door is door and not part.seen_before]
        numbers = {
            "accepted": sum(part.accepted for part in mine),
            "duplicate": sum(part.duplicates for part in mine),
            "refused": sum(part.refused for part in mine),
        }
        count.submitted(door, numbers)


def unstorable(what: str) -> Reason:
    """Say why a message is not accepted, where its text does not show it."""
    return Reason("message", what, "a message that can be stored; this one is kept whole")


def refuse_whole(
    connection: Connection, one: Inbound, rules: Rules, reason: Reason, read: Message | Unreadable | None = None
) -> Part:
    """Store a message as refused, whole, for a reason that its text does not show.

    Where it was `read`, it belongs to its submission, as a part of its own: the same message, sent rightly, is
    accepted.
    """
    part = _refuse_whole(connection, one, rules, reason, read)
    _count([part])
    return part


def _refuse_whole(
    connection: Connection, one: Inbound, rules: Rules, reason: Reason, read: Message | Unreadable | None = None
) -> Part:
    whose = Unreadable((reason,), read.submission, None, read.producer) if read else Unreadable((reason,))

    def work() -> Part:
        part = _part(one, whose, rules.key)
        inputs = len(read.inputs) if isinstance(read, Message) else 1
        part.refuse(NewRefusal(one.message.whole() if one.message else one.raw, (reason,), inputs))
        with connection.begin():
            receipts.store(connection, receipts.number_unseen(connection, [part]))
        return part

    return repeat(work, when_lost=False)


def _accept_alone(connection: Connection, one: Inbound, rules: Rules) -> Part:
    try:
        return repeat(lambda: _accept(connection, [one], rules), when_lost=False)[0]
    except DBAPIError as error:
        if not is_datas_fault(error):
            raise
        reason = unstorable(f"the database cannot store it (SQLSTATE {sqlstate(error)})")
        return _refuse_whole(connection, one, rules, reason)


def _shared_out(handed: Sequence[Inbound]) -> Iterable[list[Inbound]]:
    """Share the messages out, so that no transaction gets more inputs than it may hold."""
    few: list[Inbound] = []
    inputs = 0
    for one in handed:
        if few and inputs + one.inputs > MOST_INPUTS:
            yield few
            few, inputs = [], 0
        few.append(one)
        inputs += one.inputs
    if few:
        yield few


def _part(one: Inbound, message: Message | Unreadable, key: bytes) -> Part:
    """Begin a message's receipt; where it names no submission it gets one that its redelivery gets too."""
    submission = message.submission
    if submission is None:
        submission = submission_id(key, one.door, one.part.encode() + b"\0" + one.raw)
    account = message.account if isinstance(message, Message) else ""
    part = message.part or one.part
    return Part(
        *(submission, part, one.door, message.producer, account),
        key_id=one.key_id,
        digest=one.digest,
        traceparent=tracing.sampled(one.traceparent),
    )


def _accept(connection: Connection, handed: Sequence[Inbound], rules: Rules) -> list[Part]:
    messages = [one.read() for one in handed]
    parts = [_part(one, message, rules.key) for one, message in zip(handed, messages, strict=True)]
    # Judged before anything is locked: what costs much to judge keeps nobody's event locked.
    verdicts = [_verdicts(one, message) for one, message in zip(handed, messages, strict=True)]
    begins_with_trip(connection)
    accounts, batch_sizes, events = addressed(connection, messages)
    with connection.begin():
        unseen = receipts.number_unseen(connection, parts, lock_all(events.values()))
        judged: list[NewRecord] = []
        for one, message, part, found in zip(handed, messages, parts, verdicts, strict=True):
            if part.seen_before:
                continue
            if isinstance(message, Unreadable):
                part.refuse(NewRefusal(one.raw, message.reasons))
                continue
            part.account_id = accounts.get(message.account)
            if part.account_id is None:
                right = "an account that `turnout accounts list` shows; then submit it again"
                reason = Reason("account", f"'{shown(message.account)}' is unknown", right)
                part.refuse(NewRefusal(one.raw, (reason,), len(message.inputs)))
            else:
                event_id = events[part.account_id, message.address]
                judged += _judged(part, message, found, Group(event_id, message.state, Identity.EMAIL), rules.key)
        fresh = _without_known(connection, judged)
        size_of = {
            event_id: batch_sizes[account_id] or rules.batch_size for (account_id, _), event_id in events.items()
        }
        filled = store.store(connection, fresh, size_of, rules.linger, rules.origin)
        _name_repeated(connection, unseen)
        trip(connection, *receipts.stored(unseen), lanes.told(filled), commit=True)
    return parts


class _Verdict(NamedTuple):
    """An input as it was judged, and the group of what is wrong with it."""

    judged: JudgedInput
    group_id: str = ""


def _verdicts(one: Inbound, message: Message | Unreadable) -> list[_Verdict]:
    if not isinstance(message, Message):
        return []
    every = message.judged(one.identity) if one.judged is None else one.judged
    return [
        _Verdict(judged) if isinstance(judged, Candidate) else _Verdict(judged, RefusalKind.of(judged).group_id)
        for judged in every
    ]


def _judged(
    part: Part, message: Message, verdicts: Sequence[_Verdict], group: Group, key: bytes
) -> Iterable[NewRecord]:
    groups = {identity: group._replace(identity=identity) for identity in Identity}
    for index, (judged, group_id) in enumerate(verdicts):
        if isinstance(judged, Candidate):
            yield NewRecord(
                part, groups[judged.identity], judged, fingerprint(key, group.event_id, message.state, judged)
            )
        else:
            part.refuse(NewRefusal(message.alone(index), judged, group_id=group_id))


class Known(NamedTuple):
    """A record that is there already, by its fingerprint."""

    fingerprint: bytes
    id: int
    outcome: Outcome


_IN_A_ROW: Final = bindparam("fingerprints", type_=LargeBinary)
"""Fingerprints, one behind the other: a list of thousands costs psycopg more than the look-up."""
_BEGINS: Final = func.generate_series(1, func.length(_IN_A_ROW), FINGERPRINT_BYTES, type_=Integer).column_valued(
    "begins"
)
_EACH: Final = select(func.substr(_IN_A_ROW, _BEGINS, FINGERPRINT_BYTES))
_OF_THESE: Final = Record.fingerprint == any_(func.array(_EACH.scalar_subquery(), type_=ARRAY(LargeBinary)))
_KNOWN: Final = (
    select(Record.fingerprint, Record.id, outcome.label("outcome"))
    .join(Batch, Batch.id == Record.batch_id)
    .outerjoin(LastError, true())
    .where(_OF_THESE)
)


def known(connection: Connection, fingerprints: Collection[bytes]) -> dict[bytes, Known]:
    """Find the records of these fingerprints."""
    (found,) = trip(connection, Query(_KNOWN, {"fingerprints": b"".join(fingerprints)}, Known))
    return {row.fingerprint: row for row in found.rows}


def _without_known(connection: Connection, judged: Sequence[NewRecord]) -> list[NewRecord]:
    """Count the duplicates, by the outcome of what they repeat; give the rest."""
    if not judged:
        return []
    there = known(connection, [one.fingerprint for one in judged])
    begun: dict[bytes, Part] = {}
    fresh = []
    for one in judged:
        if row := there.get(one.fingerprint):
            one.part.duplicates += 1
            one.part.repeats[row.outcome] += 1
            one.part.repeated.add(row.id)
        elif first := begun.get(one.fingerprint):
            one.part.duplicates += 1
            one.part.repeats[Outcome.PENDING] += 1
            if first is not one.part:
                one.part.repeats_new.add(one.fingerprint)
        else:
            begun[one.fingerprint] = one.part
            one.part.accepted += 1
            fresh.append(one)
    return fresh


_STORED: Final = select(Record.fingerprint, Record.id).where(_OF_THESE)


def _name_repeated(connection: Connection, parts: Sequence[Part]) -> None:
    """Name the records that this transaction stored for one part and another part repeats."""
    wanted = {fingerprint for part in parts for fingerprint in part.repeats_new}
    if not wanted:
        return
    stored = connection.execute(_STORED, {"fingerprints": b"".join(wanted)})
    ids = dict(stored.all())
    for part in parts:
        part.repeated |= {ids[fingerprint] for fingerprint in part.repeats_new}
