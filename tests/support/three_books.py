"""Three sets of books, compared record by record: what producers submitted, what Turnout says, what the sandbox holds.

The comparison is pure. `what_turnout_says` reads the second book from a database; the third is read from what the
sandbox lists by `what_the_sandbox_holds`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Engine, text

from models.message import Unreadable, read_message
from models.words import Outcome


@dataclass(frozen=True, slots=True)
class Attendance:
    """What the three books name a record by. Runs make no two records that differ in their properties alone."""

    event: str
    """The object id, or `externalAccountId/externalEventId`."""
    contact: str
    """The e-mail address in lower case, or the contact id."""
    state: str
    occurred_at: int
    """Epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A record that a producer submitted, once or again. A list of these is in the order of submission."""

    attendance: Attendance
    certain: bool = True
    """Whether the producer was told that it is accepted; if not, the answer was lost, and it may be or not."""
    producer: str | None = None
    """Whose records about one contact and event are to arrive in this order; None where no order is promised."""


@dataclass(frozen=True, slots=True)
class Said:
    """What Turnout says of a record."""

    attendance: Attendance
    outcome: str
    """An `Outcome`, or `NOT_ACCEPTED`."""
    answers_lost: int = 0
    """How many calls that may have carried it brought no answer that Turnout could read."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One input of one write, as the sandbox received it."""

    attendance: Attendance
    held: bool
    """Whether the sandbox held the record afterwards."""
    named: bool = False
    """Whether a whole answer left that names the contact in its results."""
    refused: bool = False
    """Whether the write was refused whole: then Turnout searches, and may send what was taken in parts once more, to
    learn whether it was too large."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the sandbox holds."""

    stored: Sequence[Attendance]
    """In the order of storing."""
    sendings: Sequence[Sending] = ()
    """In the order of their coming; empty where the sandbox was not told to keep them."""


class Kind(StrEnum):
    """How the books can differ."""

    LOST = "lost"
    """Certainly accepted, and Turnout knows nothing of it."""
    NEVER_SUBMITTED = "accepted and never submitted"
    TWICE = "accepted twice"
    UNFINISHED = "not finished"
    NOT_THERE = "called delivered and not there"
    NOT_CALLED = "there and never called delivered"
    ORDER = "arrived after a newer record of its contact"
    SENT_AGAIN = "sent again, and no answer was lost"


@dataclass(frozen=True, slots=True)
class Difference:
    """One record of which the books differ."""

    kind: Kind
    attendance: Attendance
    detail: str = ""

    def __str__(self) -> str:
        """Read as one line of a report."""
        return f"{self.kind}: {self.attendance}{self.detail and f' ({self.detail})'}"


NOT_ACCEPTED: Final = "not accepted"
"""What Turnout says of an input that it keeps to be fixed."""
_REFUSED: Final = frozenset({"400", "413", "414", "422"})
_UNFINISHED: Final = frozenset({Outcome.PENDING, Outcome.PROCESSING})


def compare(
    submitted: Sequence[Submitted], said: Iterable[Said], held: Held, forgotten: Collection[Attendance] = ()
) -> list[Difference]:
    """List each difference, once all is drained.

    `forgotten` are the records that an operator had purged or erased: of those Turnout may say nothing.
    """
    turnout: dict[Attendance, list[Said]] = defaultdict(list)
    for one in said:
        turnout[one.attendance].append(one)
    return [
        *_accepted_wrongly(submitted, turnout, forgotten),
        *_delivered_wrongly(turnout, held, forgotten),
        *_out_of_order(submitted, held),
        *_sent_again(turnout, held, forgotten),
    ]


def _accepted_wrongly(
    submitted: Sequence[Submitted], turnout: Mapping[Attendance, list[Said]], forgotten: Collection[Attendance]
) -> Iterator[Difference]:
    certain = dict.fromkeys(one.attendance for one in submitted if one.certain)
    for attendance in certain:
        if attendance not in turnout and attendance not in forgotten:
            yield Difference(Kind.LOST, attendance)
    known = {one.attendance for one in submitted}
    for attendance, several in turnout.items():
        accepted = [one for one in several if one.outcome != NOT_ACCEPTED]
        if attendance not in known:
            yield Difference(Kind.NEVER_SUBMITTED, attendance, several[0].outcome)
        if len(accepted) > 1:
            yield Difference(Kind.TWICE, attendance, ", ".join(one.outcome for one in accepted))
        for one in accepted:
            if one.outcome in _UNFINISHED:
                yield Difference(Kind.UNFINISHED, attendance, one.outcome)


def _delivered_wrongly(
    turnout: Mapping[Attendance, list[Said]], held: Held, forgotten: Collection[Attendance]
) -> Iterator[Difference]:
    there = dict.fromkeys(held.stored)
    called = {attendance: [one.outcome for one in several] for attendance, several in turnout.items()}
    for attendance, outcomes in called.items():
        if Outcome.DELIVERED in outcomes and attendance not in there:
            yield Difference(Kind.NOT_THERE, attendance)
    for attendance in there:
        outcomes = called.get(attendance, [])
        if Outcome.DELIVERED not in outcomes and (outcomes or attendance not in forgotten):
            yield Difference(Kind.NOT_CALLED, attendance, ", ".join(outcomes) or "unknown")


def _out_of_order(submitted: Sequence[Submitted], held: Held) -> Iterator[Difference]:
    """List what arrived after a newer record of its contact, event and producer.

    A record submitted several times counts from its first submission to the one whose acceptance was told: it may
    have been accepted by any of these.
    """
    first: dict[Attendance, int] = {}
    last: dict[Attendance, int] = {}
    producers: dict[Attendance, str] = {}
    settled: set[Attendance] = set()
    for place, one in enumerate(submitted):
        if one.producer is None or one.attendance in settled:
            continue
        producers.setdefault(one.attendance, one.producer)
        first.setdefault(one.attendance, place)
        last[one.attendance] = place
        if one.certain:
            settled.add(one.attendance)
    for arrivals in (held.stored, [one.attendance for one in held.sendings if one.held]):
        newest: dict[tuple[str, str, str], Attendance] = {}
        for attendance in arrivals:
            if attendance not in first:
                continue
            lane = (producers[attendance], attendance.event, attendance.contact)
            newer = newest.get(lane)
            if newer is not None and first[newer] > last[attendance]:
                yield Difference(Kind.ORDER, attendance, f"{newer} was there")
            if newer is None or first[attendance] > first[newer]:
                newest[lane] = attendance


def _sent_again(
    turnout: Mapping[Attendance, list[Said]], held: Held, forgotten: Collection[Attendance]
) -> Iterator[Difference]:
    """List what came again after an answer had named it, more often than an answer was lost or a write refused."""
    named: set[Attendance] = set()
    refused = Counter(one.attendance for one in held.sendings if one.refused)
    again: Counter[Attendance] = Counter()
    for sending in held.sendings:
        if sending.attendance in named:
            again[sending.attendance] += 1
        if sending.named:
            named.add(sending.attendance)
    for attendance, times in again.items():
        several = turnout.get(attendance, [])
        lost = sum(one.answers_lost for one in several)
        if times > lost + refused[attendance] and (several or attendance not in forgotten):
            yield Difference(Kind.SENT_AGAIN, attendance, f"{times} times, {lost} answers lost")


_SAID: Final = text("""
WITH RECURSIVE was_in(record_id, batch_id) AS (
  SELECT id, batch_id FROM records
  UNION SELECT record_id, batch_id FROM errors
  UNION SELECT was_in.record_id, b.split_from FROM was_in JOIN batches b ON b.id = was_in.batch_id
  WHERE b.split_from IS NOT NULL),
lost AS (
  SELECT was_in.record_id, count(*) AS number FROM was_in JOIN attempts a ON a.batch_id = was_in.batch_id
  WHERE a.kind <> 'read-back' AND a.answer IN ('', 'lost', 'ambiguous') GROUP BY 1)
SELECT coalesce(v.object_id, v.external_account_id || '/' || v.external_event_id) AS event, r.contact,
  b.state, (r.input->>'interactionDateTime')::bigint AS occurred_at,
  CASE WHEN e.resolution = 'confirmed' THEN 'delivered' WHEN e.id IS NOT NULL THEN e.outcome
    WHEN b.status = 'COMPLETE' THEN 'delivered' ELSE lower(b.status) END AS outcome,
  coalesce(lost.number, 0) AS answers_lost
FROM records r JOIN batches b ON b.id = r.batch_id JOIN events v ON v.id = b.event_id
LEFT JOIN LATERAL (SELECT id, outcome, resolution FROM errors WHERE record_id = r.id AND batch_id = r.batch_id
  ORDER BY id DESC LIMIT 1) e ON true
LEFT JOIN lost ON lost.record_id = r.id WHERE r.contact NOT LIKE 'erased %' ORDER BY r.id""")
"""Its outcomes are derived here once more, apart from `models.outcome`: a book is not checked by itself."""
_NOT_ACCEPTED: Final = text("""
SELECT raw FROM refused WHERE raw <> ''::bytea AND (replayed_at IS NULL OR closing = 'dismissed') ORDER BY id""")


def what_turnout_says(engine: Engine) -> list[Said]:
    """Read Turnout's book from its database; erased records and messages that are no JSON are left out."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        records = connection.execute(_SAID).all()
        not_accepted = connection.execute(_NOT_ACCEPTED).scalars().all()
    said = [
        Said(Attendance(row.event, row.contact, row.state, row.occurred_at), row.outcome, row.answers_lost)
        for row in records
    ]
    return [*said, *(Said(one, NOT_ACCEPTED) for raw in not_accepted for one in attendances(raw))]


def attendances(raw: bytes) -> list[Attendance]:
    """Give the records that a message stands for, in its order; none of one that cannot be read."""
    message = read_message(raw)
    if isinstance(message, Unreadable):
        return []
    found = []
    for one in message.inputs:
        if isinstance(one, dict) and isinstance(moment := one.get("interactionDateTime"), int):
            contact = str(one.get("email") or one.get("vid")).lower()
            found.append(Attendance(str(message.address), contact, message.state.value, moment))
    return found


def what_the_sandbox_holds(
    participations: Iterable[Mapping[str, object]], writes: Iterable[Mapping[str, object]] = ()
) -> Held:
    """Read the sandbox's book from what `/_sandbox/participations` and `/_sandbox/writes` list."""
    sendings = [
        Sending(
            _attendance({**write, **one}),
            held=bool(one["held"]),
            named=bool(one["named"]),
            refused=write["status"] in _REFUSED,
        )
        for write in writes
        for one in _inputs(write)
    ]
    return Held([_attendance(row) for row in participations], sendings)


def _attendance(row: Mapping[str, object]) -> Attendance:
    return Attendance(str(row["event"]), str(row["contact"]), str(row["state"]), int(str(row["occurredAt"])))


def _inputs(write: Mapping[str, object]) -> list[Mapping[str, object]]:
    inputs = write["inputs"]
    assert isinstance(inputs, list)
    return inputs
