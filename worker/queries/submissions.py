"""What became of a submission: its receipt, and its records page by page, each read by an index and bounded.

Its records are those it stored, each once, and those of earlier submissions that its duplicates repeat, once a part.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    column,
    exists,
    false,
    func,
    literal_column,
    select,
    text,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import aliased

from models.outcome import last_error_of, outcome_of
from models.tables import Batch, Error, Event, Record, Refused, Submission, fixed
from models.words import Closing, Door, Identity, Outcome, Resolution, State, Status
from worker.database import rows_as

MANY: Final = 100_000
"""Beyond it a count says only «more than»."""


def contact_id(record: type[Record], batch: type[Batch], error: type[Error]) -> ColumnElement[int | None]:
    """Give HubSpot's id of a record's contact, as far as an answer or a read-back told it."""
    is_vid = (batch.identity == fixed(Identity.VID)) & record.contact.regexp_match("^[0-9]+$")
    seen = error.contact_id_seen()
    return func.coalesce(
        case((is_vid, cast(record.contact, BigInteger))),
        batch.contact_ids[record.position + 1],
        case((seen.regexp_match("^[0-9]{1,18}$"), cast(seen, BigInteger))),
    )


def _members(part: type[Submission]) -> FromClause:
    """Give the records of a part, and those of earlier submissions that its duplicates repeat."""
    member, own = aliased(Record), aliased(Submission)
    is_own = exists().where(own.id == member.submission_id, own.submission == part.submission).correlate(member, part)
    stored = select(member, false().label("duplicate")).where(member.submission_id == part.id)
    repeated = select(member, true().label("duplicate")).where(member.id == any_(part.repeated), ~is_own)
    both = (one.correlate(part) for one in (stored, repeated))
    return union_all(*both).offset(literal_column("0")).lateral("member")


_FIRST: Final = bindparam("part", type_=BigInteger)
_PART: Final = aliased(
    Submission,
    select(Submission)
    .where(Submission.submission == bindparam("submission"), Submission.id >= _FIRST)
    .order_by(Submission.id)
    .subquery("part"),
)
_MEMBER: Final = _members(_PART)
_WALKED: Final = (
    select(_MEMBER, _PART.id.label("part_id"))
    .select_from(_PART)
    .join(_MEMBER, true())
    .where(tuple_(_PART.id, _MEMBER.c.id) > tuple_(_FIRST, bindparam("record", type_=BigInteger)))
    .order_by(_PART.id, _MEMBER.c.id)
    .limit(bindparam("walk"))
    .subquery("walked")
)
"""The first `walk` of a submission's records behind a cursor, in the order of acceptance: part by part, each by its
keys."""
_RECORD: Final = aliased(Record, _WALKED)
_BATCH: Final = aliased(
    Batch, select(Batch).where(Batch.id == _RECORD.batch_id).offset(literal_column("0")).lateral("batch")
)
_ERROR: Final = last_error_of(_RECORD)
_OUTCOME: Final = outcome_of(_BATCH, _ERROR)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the receipt's number and the record's."""

    part: int = 0
    record: int = 0

    def __str__(self) -> str:
        """Write it as a link carries it."""
        return f"{self.part}-{self.record}"

    @classmethod
    def read(cls, written: str) -> "Cursor | None":
        """Read it; none where it is no cursor."""
        part, dash, record = written.partition("-")
        if dash and all(number.isdecimal() and number.isascii() and len(number) < 19 for number in (part, record)):  # noqa: PLR2004 - a bigint
            return cls(int(part), int(record))
        return None


@dataclass(frozen=True, slots=True)
class SubmissionCounts:
    """What was accepted and refused of a submission, and what became of it."""

    submission: UUID
    parts: int
    received_at: datetime
    producer: str
    door: Door
    accepted: int
    duplicates: int
    refused: int
    refused_open: int
    """Of these, as far as they are kept: neither submitted again, corrected nor dismissed."""
    purged: int
    status: Status
    completed_at: datetime | None
    outcomes: dict[str, int]
    all: bool
    """Whether `outcomes` counts everything, or only its first records."""


@dataclass(frozen=True, slots=True)
class SubmissionSummary(SubmissionCounts):
    """The same with whose it is."""

    account_ids: list[int | None]
    producers: list[str]


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """A record of a submission, with its outcome and its last error."""

    part_id: int
    id: int
    contact: str
    input: Mapping[str, Any]
    duplicate: bool
    """Whether it is of an earlier submission, and repeated by this one."""
    batch_id: int
    account_id: int
    state: State
    identity: Identity
    status: Status
    settled_at: datetime | None
    event: str
    outcome: Outcome
    category: str | None
    code: str | None
    message: str | None
    context: Mapping[str, Any] | None
    resolution: Resolution | None
    error_at: datetime | None
    contact_id: int | None


@dataclass(frozen=True, slots=True)
class SubmissionRefusal:
    """A refused input, or message, of a submission."""

    id: int
    inputs: int
    reasons: list[dict[str, str]]
    raw: bytes
    closed_at: datetime | None
    replayed_at: datetime | None
    """The same, by the name that programs read it by before."""
    closing: Closing | None
    """None where it is open, or an earlier release closed it: submitted again."""
    closed_because: str

    @property
    def standing(self) -> str:
        """Say whether it is open, or how it ended."""
        if self.closed_at is None:
            return "open"
        return {Closing.CORRECTED: "corrected by a file", Closing.DISMISSED: "dismissed"}.get(
            self.closing or Closing.SUBMITTED, "submitted again"
        )


_RECEIPT: Final = select(
    func.count().label("parts"),
    func.min(Submission.received_at).label("received_at"),
    func.min(Submission.producer).label("producer"),
    func.min(Submission.door).label("door"),
    func.array_agg(Submission.account_id.distinct()).label("account_ids"),
    func.array_agg(Submission.producer.distinct()).label("producers"),
    *(
        cast(func.sum(counted), BigInteger).label(name)
        for name, counted in {
            "accepted": Submission.accepted,
            "duplicates": Submission.duplicates,
            "refused": Submission.refused,
            "purged": Submission.records_purged,
        }.items()
    ),
).where(Submission.submission == bindparam("submission"))
_REFUSED: Final = (
    select(Refused.inputs, Refused.is_open().label("is_open"))
    .join(Submission, Submission.id == Refused.submission_id)
    .where(Submission.submission == bindparam("submission"))
    .limit(bindparam("walk"))
    .subquery("looked_at")
    .c
)
_OPEN: Final = select(cast(func.coalesce(func.sum(_REFUSED.inputs).filter(_REFUSED.is_open), 0), BigInteger))
"""What is open of so many refusals that are looked at, at most."""
_OUTCOMES: Final = (
    select(_OUTCOME.label("outcome"), func.count().label("records"), func.max(_BATCH.settled_at).label("settled_at"))
    .select_from(_RECORD)
    .join(_BATCH, true())
    .outerjoin(_ERROR, true())
    .group_by(_OUTCOME)
    .order_by("outcome")
)


def summary(connection: Connection, submission: UUID, most: int = MANY) -> SubmissionSummary | None:
    """Say what was accepted, refused and what became of it; none where nothing of it was accepted yet.

    `outcomes` counts its first `most` records, each once; `all` says whether there are no more. Where there are, and
    all of these are settled, its newest are looked at too, which are settled last.
    """
    receipt = connection.execute(_RECEIPT, {"submission": submission}).mappings().one()
    if not receipt["parts"]:
        return None
    facts = {"submission": submission, "part": 0, "record": 0, "walk": most}
    outcomes = connection.execute(_OUTCOMES, facts).all()
    everything = sum(row.records for row in outcomes) < most
    unsettled: Sequence[str] = [row.outcome for row in outcomes if row.outcome in {Outcome.PENDING, Outcome.PROCESSING}]
    if not everything and not unsettled:
        unsettled = _newest_unsettled(connection, submission, most // 10)
    settled = [row.settled_at for row in outcomes if row.settled_at]
    return SubmissionSummary(
        submission=submission,
        **receipt,
        refused_open=connection.execute(_OPEN, facts).scalar_one() if receipt["refused"] else 0,
        status=Status(max(unsettled).upper()) if unsettled else Status.COMPLETE,
        completed_at=None if unsettled else max(settled, default=receipt["received_at"]),
        outcomes={row.outcome.value: row.records for row in outcomes},
        all=everything,
    )


_NEWEST_UNSETTLED: Final = text("""
SELECT DISTINCT lower(b.status) FROM (
  SELECT m.batch_id FROM (SELECT id FROM submissions WHERE submission = :submission ORDER BY id DESC) s
  CROSS JOIN LATERAL (SELECT id, batch_id FROM records WHERE submission_id = s.id OFFSET 0) m
  ORDER BY s.id DESC, m.id DESC LIMIT :most) m
CROSS JOIN LATERAL (
  SELECT status FROM batches WHERE id = m.batch_id AND status IN ('PENDING', 'PROCESSING') OFFSET 0) b""")
"""Which outcomes the newest `most` records of a submission have that wait for their answer."""


def _newest_unsettled(connection: Connection, submission: UUID, most: int) -> Sequence[str]:
    return connection.execute(_NEWEST_UNSETTLED, {"submission": submission, "most": most}).scalars().all()


_RECORDS: Final = (
    select(
        *(_WALKED.c.part_id, _RECORD.id, _RECORD.contact, _RECORD.input, _WALKED.c.duplicate, _RECORD.batch_id),
        *(_BATCH.account_id, _BATCH.state, _BATCH.identity, _BATCH.status, _BATCH.settled_at),
        Event.label().label("event"),
        _OUTCOME.label("outcome"),
        *(_ERROR.category, _ERROR.code, _ERROR.message, _ERROR.context, _ERROR.resolution),
        _ERROR.created_at.label("error_at"),
        contact_id(_RECORD, _BATCH, _ERROR).label("contact_id"),
    )
    .select_from(_RECORD)
    .join(_BATCH, true())
    .outerjoin(_ERROR, true())
    .join(Event, Event.id == _BATCH.event_id)
    .order_by(_WALKED.c.part_id, _RECORD.id)
    .limit(bindparam("limit"))
)
_UNDELIVERED: Final = _RECORDS.where(_OUTCOME.is_distinct_from(fixed(Outcome.DELIVERED)))


def records(
    connection: Connection, submission: UUID, after: Cursor, limit: int, walk: int | None = None
) -> list[SubmissionRecord]:
    """List its records, in the order of acceptance, from a cursor on; each with its outcome and its last error.

    Given a `walk`, only those that are not delivered, of so many that are looked at.
    """
    facts = {"submission": submission, "part": after.part, "record": after.record, "limit": limit}
    if walk is None:
        return rows_as(SubmissionRecord, connection.execute(_RECORDS, {**facts, "walk": limit}))
    return rows_as(SubmissionRecord, connection.execute(_UNDELIVERED, {**facts, "walk": walk}))


_REFUSALS: Final = (
    select(Refused.id, Refused.inputs, Refused.reasons, Refused.raw, Refused.closed_at.label("closed_at"))
    .add_columns(Refused.closed_at.label("replayed_at"), Refused.closing, Refused.closed_because)
    .join(Submission, Submission.id == Refused.submission_id)
    .where(Submission.submission == bindparam("submission"), Refused.id > bindparam("after"))
    .order_by(Refused.id)
    .limit(bindparam("limit"))
)


def refusals(connection: Connection, submission: UUID, after: int, limit: int) -> list[SubmissionRefusal]:
    """List what of it was refused, with the reasons, from a number on."""
    facts = {"submission": submission, "after": after, "limit": limit}
    return rows_as(SubmissionRefusal, connection.execute(_REFUSALS, facts))


def _failing() -> Select[UUID]:
    asked = func.unnest(bindparam("asked", type_=ARRAY(Uuid))).table_valued(column("id", Uuid)).render_derived("asked")
    member = _members(Submission)
    record = aliased(Record, member)
    error = last_error_of(record)
    failed = (
        select(Submission.id)
        .select_from(Submission)
        .join(member, true())
        .join(Batch, Batch.id == record.batch_id)
        .outerjoin(error, true())
        .where(
            Submission.submission == asked.c.id,
            outcome_of(Batch, error).in_([fixed(Outcome.REJECTED), fixed(Outcome.FAILED)]),
        )
    )
    return select(asked.c.id).where(failed.exists())


_FAILING: Final = _failing()
_SETTLED: Final = text("""
SELECT x.id FROM unnest(CAST(:asked AS uuid[])) x(id) WHERE NOT EXISTS (
  SELECT FROM submissions s CROSS JOIN LATERAL (
    SELECT m.batch_id FROM records m WHERE m.submission_id = s.id
    UNION ALL SELECT m.batch_id FROM records m WHERE m.id = ANY(s.repeated) OFFSET 0) r
  JOIN batches b ON b.id = r.batch_id WHERE s.submission = x.id AND b.status IN ('PENDING', 'PROCESSING'))""")
"""Which of the submissions `asked` have no record left that waits for its answer."""


def failing(connection: Connection, asked: Collection[UUID]) -> Sequence[UUID]:
    """Say which of these submissions have a record that was rejected or has failed."""
    return connection.execute(_FAILING, {"asked": list(asked)}).scalars().all()


def settled(connection: Connection, asked: Collection[UUID]) -> Sequence[UUID]:
    """Say which of these submissions have no record left that waits for its answer."""
    return connection.execute(_SETTLED, {"asked": list(asked)}).scalars().all()
