"""The queue: events, what the claim orders by, batches with their records, and the calls made of them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Identity as Identified,
    Index,
    Integer,
    Sequence,
    SmallInteger,
    and_,
    exists,
    func,
    literal_column,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import NOW, VACUUMED_EARLY, Base, fixed
from models.tables.errors import Error
from models.words import AttemptKind, Identity, Origin, State, Status

NOBODY: ColumnElement[Any] = literal_column("'{}'")
"""No batch that is waited for, written as the partial indexes have it."""
BATCH_IDS = Sequence("batch_ids", metadata=Base.metadata)
"""Drawn under the event's lock: within an event a smaller batch id is an earlier acceptance."""
RECORD_IDS = Sequence("record_ids", metadata=Base.metadata)
"""Drawn under the event's lock: within an event a smaller record id is an earlier acceptance (its place)."""


class Event(Base):
    """An account's event as addressed. Accept, settle, cancel and the claim of a retry lock its row first."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint(
            "(object_id IS NULL) = (external_event_id IS NOT NULL)"
            " AND (external_event_id IS NULL) = (external_account_id IS NULL)",
            name="address",
        ),
        Index(
            "uq_events_object", "account_id", "object_id", unique=True, postgresql_where=text("object_id IS NOT NULL")
        ),
        Index(
            "uq_events_external",
            "account_id",
            "external_account_id",
            "external_event_id",
            unique=True,
            postgresql_where=text("object_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Identified(always=True), primary_key=True)
    account_id: Mapped[int] = mapped_column(Integer, ForeignKey("accounts.id"))
    object_id: Mapped[str | None]
    external_event_id: Mapped[str | None]
    external_account_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)

    @classmethod
    def external_name(cls) -> ColumnElement[str]:
        """Give what an event without an object id is called: its external account and id, with a slash."""
        return cls.external_account_id.concat("/").concat(cls.external_event_id)

    @classmethod
    def label(cls) -> ColumnElement[str]:
        """Give what an event is called: its object id, else its external name."""
        return func.coalesce(cls.object_id, cls.external_name())

    @classmethod
    def named(cls, name: str | ColumnElement[str]) -> ColumnElement[bool]:
        """Give the condition of an event as people name it: by its object id, external id or external name."""
        return or_(cls.object_id == name, cls.external_event_id == name, cls.external_name() == name)


class Lane(Base):
    """What the claim orders by, per event and origin, apart from the row that accept locks.

    `due_at` is never later than the earliest due of the lane's batches that wait for no other batch; `ready` says
    that this moment was reached, so that a claim walks only lanes with work. Whoever makes a batch due lowers
    `due_at` in its own transaction; only the claim, holding the lane's row, raises it again.
    """

    __tablename__ = "lanes"
    __table_args__ = (
        Index("ix_lanes_ready", "account_id", "origin", "served_at", postgresql_where=text("ready")),
        Index("ix_lanes_next", "account_id", "due_at", postgresql_where=text("NOT ready")),
        {"postgresql_with": {"fillfactor": 50}},
    )

    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), primary_key=True)
    origin: Mapped[Origin] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(Integer)
    served_at: Mapped[datetime] = mapped_column(server_default=text("'-infinity'"))
    due_at: Mapped[datetime] = mapped_column(server_default=text("'infinity'"))
    ready: Mapped[bool] = mapped_column(server_default=text("false"))


class Batch(Base):
    """Records of one account, event, state and kind of identity: one POST."""

    __tablename__ = "batches"
    __table_args__ = (
        CheckConstraint("size >= 0", name="size"),
        CheckConstraint("(status = 'PROCESSING') = (lease_token IS NOT NULL)", name="lease"),
        CheckConstraint("after = '{}' OR status = 'PENDING'", name="after"),
        CheckConstraint("NOT open OR (status = 'PENDING' AND origin = 'live')", name="open"),
        Index("ix_batches_open", "event_id", "state", "identity", "id", postgresql_where=text("open")),
        Index(
            "ix_batches_claimable",
            "event_id",
            "origin",
            "due_at",
            "id",
            postgresql_where=text("status = 'PENDING' AND after = '{}'"),
        ),
        Index(
            "ix_batches_holding",
            "event_id",
            "id",
            postgresql_where=text("status = 'PROCESSING' OR (status = 'PENDING' AND origin <> 'retry')"),
        ),
        Index(
            "ix_batches_waiting",
            "after",
            postgresql_using="gin",
            postgresql_where=text("after <> '{}'"),
            postgresql_with={"fastupdate": False},
        ),
        Index("ix_batches_oldest_waiting", "id", postgresql_where=text("after <> '{}'")),
        Index("ix_batches_lease", "lease_until", postgresql_where=text("status = 'PROCESSING'")),
        Index(None, "status", "id"),
        Index(None, "event_id", "id"),
        Index("ix_batches_settled", "settled_at", "id", postgresql_where=text("settled_at IS NOT NULL")),
        Index(
            "ix_batches_moved",
            "event_id",
            "id",
            postgresql_where=text("origin = 'retry' OR split_from IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02}},
    )

    id: Mapped[int] = mapped_column(BATCH_IDS, primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(Integer, ForeignKey("accounts.id"))
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    state: Mapped[State]
    identity: Mapped[Identity]
    origin: Mapped[Origin]
    status: Mapped[Status]
    open: Mapped[bool]
    """Takes more records: never claimed, live, with room."""
    size: Mapped[int] = mapped_column(Integer)
    """Its present members."""
    positions: Mapped[int] = mapped_column(Integer)
    """Positions given out; a record that leaves shifts none."""
    after: Mapped[list[int]] = mapped_column(server_default="{}")
    """The unsettled batches of the event that held one of its contacts when it got that contact.

    Some of those for which another of them waits are left out (`models.batching.without_implied`).
    """
    due_at: Mapped[datetime]
    postponed_because: Mapped[str] = mapped_column(server_default="")
    claims: Mapped[int] = mapped_column(Integer, server_default="0")
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """Ambiguous answers settled; limits, pauses and lost leases spend none."""
    failing_since: Mapped[datetime | None]
    stopped_before: Mapped[timedelta] = mapped_column(server_default=text("interval '0'"))
    """What its account's `stopped` was then."""
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    split_from: Mapped[int | None]
    contact_ids: Mapped[list[int | None] | None]
    """HubSpot's contact ids out of the answer, by position from 0."""
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    settled_at: Mapped[datetime | None]

    @classmethod
    def holds_contacts(cls) -> ColumnElement[bool]:
        """Give the condition of a batch that keeps its contacts from newer ones: unsettled, and no waiting retry."""
        waits = and_(cls.status == fixed(Status.PENDING), cls.origin != fixed(Origin.RETRY))
        return or_(cls.status == fixed(Status.PROCESSING), waits)

    @classmethod
    def claimable(cls) -> ColumnElement[bool]:
        """Give the condition of a batch that is claimed once it is due: pending, and waiting for no other."""
        return and_(cls.status == fixed(Status.PENDING), cls.after == NOBODY)

    @classmethod
    def was_moved_to(cls) -> ColumnElement[bool]:
        """Give the condition of a batch that records were moved to, as `ix_batches_moved` has them."""
        return or_(cls.origin == fixed(Origin.RETRY), cls.split_from.is_not(None))

    @classmethod
    def waits(cls) -> ColumnElement[bool]:
        """Give the condition of a batch that waits for others."""
        return cls.after != NOBODY


class Record(Base):
    """One person's attendance at one event."""

    __tablename__ = "records"
    __table_args__ = (
        Index(None, "batch_id"),
        Index(None, "contact", "batch_id", postgresql_include=["id"]),
        Index(None, "submission_id"),
        {"postgresql_with": VACUUMED_EARLY},
    )

    id: Mapped[int] = mapped_column(RECORD_IDS, primary_key=True, autoincrement=False)
    """Also its place in the order of acceptance; kept for life."""
    fingerprint: Mapped[bytes] = mapped_column(unique=True)
    batch_id: Mapped[int]
    position: Mapped[int] = mapped_column(Integer)
    submission_id: Mapped[int]
    contact: Mapped[str]
    input: Mapped[dict[str, object]]
    """As HubSpot takes it; sent again it is the same."""
    corrects: Mapped[int | None]
    """The record in whose place it was put by an operator."""

    @classmethod
    def unanswered(cls) -> ColumnElement[bool]:
        """Give the condition of a member of an unsettled batch that is still to be sent: no error in this batch."""
        return ~exists().where(Error.record_id == cls.id, Error.batch_id == cls.batch_id)


class Attempt(Base):
    """One call to HubSpot. Inserted before the call, completed once after it."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index(None, "batch_id", "id"),
        Index("ix_attempts_of_several", "id", postgresql_where=text("batch_id IS NULL")),
        {"postgresql_with": {"fillfactor": 80, **VACUUMED_EARLY}},
    )

    id: Mapped[int] = mapped_column(Identified(always=True), primary_key=True)
    kind: Mapped[AttemptKind] = mapped_column(server_default="post")
    batch_id: Mapped[int | None]
    """None where a read-back asks for records of several batches."""
    account_id: Mapped[int | None] = mapped_column(Integer)
    """Whose call it is; none of those made before this was kept."""
    sent: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    finished_at: Mapped[datetime | None]
    answer: Mapped[str] = mapped_column(server_default="")
    """What it came to, in one word (`hubspot_api.answer`); `lost` where the worker never came back."""
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    duration_ms: Mapped[int | None] = mapped_column(Integer)
    delivered: Mapped[int] = mapped_column(Integer, server_default="0")
    rejected: Mapped[int] = mapped_column(Integer, server_default="0")
    unconfirmed: Mapped[int] = mapped_column(Integer, server_default="0")
    correlation_id: Mapped[str] = mapped_column(server_default="")
    excerpt: Mapped[str] = mapped_column(server_default="")
    """Of what came back, bounded, where it went wrong."""

    @classmethod
    def is_under_way(cls) -> ColumnElement[bool]:
        """Give the condition of a call that was not completed."""
        return cls.finished_at.is_(None)
