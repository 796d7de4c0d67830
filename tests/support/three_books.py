"""Three sets of books, compared record by record: what producers submitted, what Turnout says, what the sandbox holds.

The comparison is pure. `what_turnout_says` reads the second book from a database; the third is read from what the
sandbox lists by `what_the_sandbox_holds`.
"""

from collections import defaultdict
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
class Call:
    """A call to HubSpot that may have carried a record."""

    began_at: float
    """Epoch milliseconds."""
    lost: bool = False
    """Whether it brought no answer that Turnout could read."""
    searched: bool = False
    """Whether HubSpot refused it whole, and its records were searched in parts."""
    after_search: bool = False
    """Whether it is a batch's call after one that was searched: the worker was lost before it settled that."""


@dataclass(frozen=True, slots=True)
class Said:
    """What Turnout says of a record."""

    attendance: Attendance
    outcome: str
    """An `Outcome`, `NOT_ACCEPTED`, `SUPERSEDED` or `CORRECTED`."""
    calls: Sequence[Call] = ()
    in_doubt: bool = False
    """Whether a call of these was lost, or HubSpot said neither yes nor no to it: HubSpot may have the record."""
    left_open: Sequence[float] = ()
    """When HubSpot answered and said neither yes nor no, and an operator had it sent again before it was found: epoch
    milliseconds."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One input of one write, as the sandbox received it."""

    attendance: Attendance
    held: bool
    """Whether the sandbox held the record afterwards."""
    named: bool = False
    """Whether a whole answer left that names the contact in its results."""
    status: str = "200"
    """Of the write; "0": no answer."""
    received_at: float = 0.0
    """Epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the sandbox holds."""

    stored: Sequence[Attendance]
    """In the order of storing."""
    sendings: Sequence[Sending] = ()
    """In the order of their coming; empty where the sandbox was not told to keep them."""


@dataclass(frozen=True, slots=True)
class Causes:
    """What happened in a run that lets a valid record end otherwise than delivered or not confirmed."""

    refused: Collection[str] = ()
    """Contacts that HubSpot refused."""
    canceled: Collection[str] = ()
    """Events of which an operator canceled what waited."""
    corrected: Collection[Attendance] = ()
    """Records that an operator corrected."""


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
    WRONG_ENDING = "ended so without a cause"


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
SUPERSEDED: Final = "superseded"
"""Of a canceled record: a newer one took its place."""
CORRECTED: Final = "corrected"
"""Of a canceled record: an operator had a corrected one sent in its place. From then on it is not looked for."""
_SEARCHED: Final = frozenset({"400", "413", "414", "422"})
"""Refused whole: then Turnout searches, and may send what was taken in parts once more, to learn whether it was too
large."""
_REFUSED: Final = _SEARCHED | {"429"}
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


def wrong_endings(submitted: Sequence[Submitted], said: Sequence[Said], causes: Causes) -> Iterator[Difference]:
    """List the records that ended otherwise than they can have, once all is drained. All that was submitted is valid.

    A record is not confirmed only where HubSpot gave no word of it: whether it has it is what `compare` finds. None
    fails: it is tried more often than anything goes wrong.
    """
    spans = _spans(submitted)
    contacts: dict[tuple[str, str], list[Attendance]] = defaultdict(list)
    for one in said:
        contacts[one.attendance.event, one.attendance.contact].append(one.attendance)
    for one in said:
        record = one.attendance
        match one.outcome:
            case Outcome.REJECTED:
                has_cause = record.contact in causes.refused
            case Outcome.CANCELED:
                has_cause = record.event in causes.canceled
            case str(outcome) if outcome == CORRECTED:
                has_cause = record in causes.corrected
            case str(outcome) if outcome == SUPERSEDED:
                of_contact = contacts[record.event, record.contact]
                has_cause = any(other != record and not _is_older(spans, other, record) for other in of_contact)
            case str(outcome) if outcome in {NOT_ACCEPTED, Outcome.FAILED}:
                has_cause = False
            case _:
                has_cause = True
        if not has_cause:
            yield Difference(Kind.WRONG_ENDING, record, one.outcome)


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
    for attendance, several in turnout.items():
        if any(one.outcome == Outcome.DELIVERED for one in several) and attendance not in there:
            yield Difference(Kind.NOT_THERE, attendance)
    for attendance in there:
        several = turnout.get(attendance, [])
        may_be = any(one.outcome == Outcome.DELIVERED or (one.outcome == CORRECTED and one.in_doubt) for one in several)
        if not may_be and (several or attendance not in forgotten):
            yield Difference(Kind.NOT_CALLED, attendance, ", ".join(one.outcome for one in several) or "unknown")


@dataclass(slots=True)
class _Span:
    """When a record was accepted: by any of its submissions, from the first to the one whose acceptance was told."""

    producer: str
    first: int
    last: int
    told: bool = False


def _spans(submitted: Iterable[Submitted]) -> dict[Attendance, _Span]:
    """Give the places of those that are to arrive in order."""
    spans: dict[Attendance, _Span] = {}
    for place, one in enumerate(submitted):
        if one.producer is None:
            continue
        span = spans.setdefault(one.attendance, _Span(one.producer, place, place))
        if not span.told:
            span.last, span.told = place, one.certain
    return spans


def _is_older(spans: Mapping[Attendance, _Span], one: Attendance, other: Attendance) -> bool:
    """Say whether one was certainly accepted before another: by the same producer, which keeps an order."""
    if one not in spans or other not in spans or spans[one].producer != spans[other].producer:
        return False
    return spans[one].last < spans[other].first


def _out_of_order(submitted: Sequence[Submitted], held: Held) -> Iterator[Difference]:
    """List what arrived after a newer record of its contact, event and producer."""
    spans = _spans(submitted)
    for arrivals in (held.stored, [one.attendance for one in held.sendings if one.held]):
        newest: dict[tuple[str, str, str], Attendance] = {}
        for attendance in arrivals:
            if attendance not in spans:
                continue
            lane = (spans[attendance].producer, attendance.event, attendance.contact)
            newer = newest.get(lane)
            if newer is not None and _is_older(spans, attendance, newer):
                yield Difference(Kind.ORDER, attendance, f"{newer} was there")
            if newer is None or spans[attendance].first > spans[newer].first:
                newest[lane] = attendance


def _sent_again(
    turnout: Mapping[Attendance, list[Said]], held: Held, forgotten: Collection[Attendance]
) -> Iterator[Difference]:
    """List what came again, after an answer had named it, more often than there is a reason.

    A reason is an answer that was lost of the call that was named or of a later one: one that was lost before then
    had its repeat. So is an answer since then that said neither yes nor no, where an operator did not wait for the look
    that finds it. And each search after a refusal, which may send what was named in a part once more: the parts'
    answers are stored one by one, and if the worker is lost before it settles them, the next claim sends all again, and
    may search anew. A repeat that HubSpot refuses itself stores nothing, and does not count.
    """
    came: dict[Attendance, list[Sending]] = defaultdict(list)
    for sending in held.sendings:
        came[sending.attendance].append(sending)
    for attendance, sendings in came.items():
        named = next((place for place, one in enumerate(sendings) if one.named), len(sendings))
        again = sum(one.status not in _REFUSED for one in sendings[named + 1 :])
        several = turnout.get(attendance, [])
        if not again or (not several and attendance in forgotten):
            continue
        calls = [call for one in several for call in one.calls]
        # The call that was named is the last that began before its write came.
        began_at = max((one.began_at for one in calls if one.began_at <= sendings[named].received_at), default=0.0)
        lost = sum(one.lost for one in calls if one.began_at >= began_at)
        left_open = sum(moment >= began_at for one in several for moment in one.left_open)
        searched = max(any(one.status in _SEARCHED for one in sendings), sum(one.searched for one in calls))
        after_search = sum(one.after_search for one in calls)
        if again > lost + left_open + searched + after_search:
            yield Difference(Kind.SENT_AGAIN, attendance, f"{again} times, {lost} answers lost")


_SAID: Final = text("""
WITH RECURSIVE labels AS (
  SELECT id, coalesce(object_id, external_account_id || '/' || external_event_id) AS event FROM events),
chosen AS (
  SELECT r.*, labels.event, b.state, b.status FROM labels JOIN batches b ON b.event_id = labels.id
  JOIN records r ON r.batch_id = b.id
  WHERE CAST(:events AS text[]) IS NULL OR labels.event = ANY(CAST(:events AS text[]))),
was_in(record_id, batch_id) AS (
  SELECT id, batch_id FROM chosen
  UNION SELECT e.record_id, e.batch_id FROM errors e JOIN chosen ON chosen.id = e.record_id
  UNION SELECT was_in.record_id, b.split_from FROM was_in JOIN batches b ON b.id = was_in.batch_id
  WHERE b.split_from IS NOT NULL),
calls AS (
  SELECT was_in.record_id, bool_or(a.answer IN ('', 'lost', 'ambiguous')) AS any_lost,
    jsonb_agg(jsonb_build_array(extract(epoch FROM a.started_at) * 1000, a.answer IN ('', 'lost', 'ambiguous'),
      a.kind = 'post' AND a.answer = 'refused whole', a.kind = 'post' AND EXISTS (
        SELECT FROM attempts s WHERE s.batch_id = a.batch_id AND s.id < a.id AND s.kind = 'post'
          AND s.answer = 'refused whole'))) AS all
  FROM was_in JOIN attempts a ON a.batch_id = was_in.batch_id WHERE a.kind <> 'read-back' GROUP BY 1)
SELECT r.event, r.contact, r.state, (r.input->>'interactionDateTime')::bigint AS occurred_at,
  CASE WHEN e.resolution = 'confirmed' THEN 'delivered'
    WHEN e.category = 'SUPERSEDED' THEN 'superseded' WHEN e.category = 'CORRECTED' THEN 'corrected'
    WHEN e.id IS NOT NULL THEN e.outcome
    WHEN r.status = 'COMPLETE' THEN 'delivered' ELSE lower(r.status) END AS outcome,
  coalesce(calls.all, '[]') AS calls, coalesce(calls.any_lost, false) OR EXISTS (
    SELECT FROM errors p WHERE p.record_id = r.id AND p.outcome = 'unconfirmed') AS in_doubt, ARRAY(
    SELECT extract(epoch FROM p.created_at)::float8 * 1000 FROM errors p
    WHERE p.record_id = r.id AND p.outcome = 'unconfirmed' AND p.resolution = 'retried'
      AND NOT p.context @> '{"read_back": {"sent_again": true}}') AS left_open
FROM chosen r
LEFT JOIN LATERAL (SELECT id, outcome, category, resolution FROM errors WHERE record_id = r.id AND batch_id = r.batch_id
  ORDER BY id DESC LIMIT 1) e ON true
LEFT JOIN calls ON calls.record_id = r.id WHERE r.contact NOT LIKE 'erased %' ORDER BY r.id""")
"""Its outcomes are derived here once more, apart from `models.outcome`: a book is not checked by itself."""
_NOT_ACCEPTED: Final = text("""
SELECT raw FROM refused WHERE raw <> ''::bytea AND (replayed_at IS NULL OR closing = 'dismissed') ORDER BY id""")


def what_turnout_says(engine: Engine, events: Collection[str] | None = None) -> list[Said]:
    """Read Turnout's book from its database, of these events or of all.

    Erased records and messages that cannot be read are left out.
    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        records = connection.execute(_SAID, {"events": None if events is None else list(events)}).all()
        not_accepted = connection.execute(_NOT_ACCEPTED).scalars().all()
    said = [
        Said(
            Attendance(row.event, row.contact, row.state, row.occurred_at),
            row.outcome,
            tuple(Call(float(began_at), *facts) for began_at, *facts in row.calls),
            row.in_doubt,
            tuple(row.left_open),
        )
        for row in records
    ]
    kept = [one for raw in not_accepted for one in attendances(raw) if events is None or one.event in events]
    return [*said, *(Said(one, NOT_ACCEPTED) for one in kept)]


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
            status=str(write["status"]),
            received_at=float(str(write["receivedAt"])),
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
