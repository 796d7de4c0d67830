"""The tables. Every index answers a query that the design names; nothing scans what grows.

Records and errors carry no foreign keys: each would cost a look-up and a row lock per record, and the books
(`turnout audit`) recount what a key would hold.
"""

from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Identity as Identified,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    SQLColumnExpression,
    Text,
    Time,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from models.words import (
    Action,
    AttemptKind,
    Door,
    Identity,
    Origin,
    Outcome,
    Resolution,
    Role,
    Stage,
    State,
    Status,
    Via,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, so that a migration can name it."""


def words(kind: type[StrEnum]) -> TypeEngine[Any]:
    """Make a column of one of our words: text in the database, held by a check."""
    return Enum(
        kind,
        name=kind.__name__.lower(),
        native_enum=False,
        create_constraint=True,
        length=12,
        values_callable=lambda members: [member.value for member in members],
    )


def fixed(word: StrEnum) -> ColumnElement[Any]:
    """Write one of our words into the statement itself.

    A parameter in its place would hide from a plan that is kept for every value that a partial index has the rows.
    """
    return literal_column(f"'{word.value}'", words(type(word)))


def ids(name: str) -> ColumnElement[Any]:
    """Give any id of the list that is the parameter of this name.

    As in `Batch.id == ids("batches")`; unlike an IN, the statement is the same for every number of them.
    """
    return any_(bindparam(name, type_=ARRAY(BigInteger)))


def seconds(name: str) -> ColumnElement[timedelta]:
    """Give the parameter of this name, a number of seconds, as an interval."""
    return bindparam(name, type_=Float) * literal_column("interval '1 second'", Interval)


class Base(DeclarativeBase):
    """The tables' common ground: types by annotation, names of constraints."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[object, object]] = {
        int: BigInteger,
        str: Text,
        bytes: LargeBinary,
        datetime: DateTime(timezone=True),
        time: Time(),
        timedelta: Interval(),
        UUID: Uuid,
        State: words(State),
        Identity: words(Identity),
        Status: words(Status),
        Origin: words(Origin),
        Outcome: words(Outcome),
        Resolution: words(Resolution),
        Door: words(Door),
        Role: words(Role),
        Stage: words(Stage),
        AttemptKind: words(AttemptKind),
        Action: words(Action),
        Via: words(Via),
        dict[str, object]: JSONB,
        list[object]: JSONB,
        list[int]: ARRAY(BigInteger),
        list[int | None]: ARRAY(BigInteger),
    }


NOW = text("now()")
NOBODY: ColumnElement[Any] = literal_column("'{}'")
"""No batch that is waited for, written as the partial indexes have it."""
BATCH_IDS = Sequence("batch_ids", metadata=Base.metadata)
"""Drawn under the event's lock: within an event a smaller batch id is an earlier acceptance."""
RECORD_IDS = Sequence("record_ids", metadata=Base.metadata)
"""Drawn under the event's lock: within an event a smaller record id is an earlier acceptance (its place)."""
SUBMISSION_IDS = Sequence("submission_ids", metadata=Base.metadata)


class Account(Base):
    """A HubSpot portal. One row, so that pausing or parking it is one update, which every claim looks at."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(Integer, Identified(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    token: Mapped[bytes | None]
    """What is sent, encrypted, as everything secret here; none: the settings hold it, or OAuth gave none yet."""
    token_set_at: Mapped[datetime | None]
    oauth: Mapped[bytes | None]
    """Client id, client secret and refresh token, encrypted JSON."""
    access_until: Mapped[datetime | None]
    """When the access token that OAuth gave ends."""
    refreshing_until: Mapped[datetime | None]
    """Until then nobody else asks OAuth for an access token: somebody is asking, or HubSpot said to wait."""
    hubspot_url: Mapped[str | None]
    hubspot_version: Mapped[str | None]
    burst_limit: Mapped[int | None] = mapped_column(Integer)
    burst_seconds: Mapped[float | None]
    daily_limit: Mapped[int | None] = mapped_column(Integer)
    batch_size: Mapped[int | None] = mapped_column(Integer)
    """These seven are the settings' where they are none."""
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    """Whose midnight begins the account's day."""
    paused_at: Mapped[datetime | None]
    paused_because: Mapped[str] = mapped_column(server_default="")
    parked_until: Mapped[datetime | None]
    parked_because: Mapped[str] = mapped_column(server_default="")
    in_a_row: Mapped[int] = mapped_column(Integer, server_default="0")
    """Ambiguous answers with no other answer between; from `OUTAGE` on one probe is sent at a time."""
    unknown_events: Mapped[list[int]] = mapped_column(server_default="{}")
    """Events that HubSpot did not know (404) since it last accepted something."""
    stopped_since: Mapped[datetime | None]
    """Since when it is paused, parked or backed off, until it sends again."""
    stopped: Mapped[timedelta] = mapped_column(server_default=text("interval '0'"))
    """All such time before that: no batch's age counts it."""
    removed_at: Mapped[datetime | None]
    """Since when nobody knows it any more; its history stays, and adding it again revives it."""
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)

    @classmethod
    def may_send(cls) -> ColumnElement[bool]:
        """Give the condition of an account that is neither paused nor parked."""
        return and_(cls.paused_at.is_(None), or_(cls.parked_until.is_(None), cls.parked_until <= func.now()))

    @classmethod
    def stopped_in_all(cls) -> ColumnElement[timedelta]:
        """Give how long it was stopped until now; no batch's age counts that time."""
        return cls.stopped + func.coalesce(func.now() - cls.stopped_since, literal_column("interval '0'"))

    @classmethod
    def stopped_because(cls) -> ColumnElement[str | None]:
        """Give why an account does not send, and until when, as people read it; null where it sends."""
        return case(
            (cls.removed_at.is_not(None), literal_column("'account removed: add it again, or cancel them'", Text)),
            (cls.paused_at.is_not(None), literal_column("'account paused: '", Text).concat(cls.paused_because)),
            (
                cls.parked_until > func.now(),
                literal_column("'account parked until '", Text)
                .concat(func.to_char(func.timezone("UTC", cls.parked_until), "YYYY-MM-DD HH24:MI:SS"))
                .concat(literal_column("'Z: '", Text))
                .concat(cls.parked_because),
            ),
        )


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
    """The unsettled batches of the event that held one of its contacts when it got that contact."""
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
        {"postgresql_with": {"fillfactor": 80}},
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


class ErrorGroup(Base):
    """What errors have in common. Its row is written at most once a minute, however many settle at once."""

    __tablename__ = "error_groups"

    id: Mapped[str] = mapped_column(primary_key=True)
    """Computed from the five below (`models.error_signature`)."""
    outcome: Mapped[Outcome]
    category: Mapped[str]
    code: Mapped[str]
    gist: Mapped[str]
    event_id: Mapped[int | None]
    """Where the errors are about their event: whose they all are."""
    first_seen: Mapped[datetime] = mapped_column(server_default=NOW)
    last_seen: Mapped[datetime] = mapped_column(server_default=NOW)


class Error(Base):
    """Why one record is not delivered. The history of a record is its errors."""

    __tablename__ = "errors"
    __table_args__ = (
        Index(None, "record_id", "id"),
        Index(None, "batch_id"),
        Index("ix_errors_unresolved", "outcome", "id", postgresql_where=text("resolution IS NULL")),
        Index("ix_errors_group", "group_id", "id", postgresql_where=text("resolution IS NULL")),
        Index("ix_errors_verify", "account_id", "verify_at", postgresql_where=text("verify_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(Identified(always=True), primary_key=True)
    record_id: Mapped[int]
    batch_id: Mapped[int]
    attempt_id: Mapped[int | None]
    outcome: Mapped[Outcome]
    category: Mapped[str]
    code: Mapped[str] = mapped_column(server_default="")
    message: Mapped[str]
    context: Mapped[dict[str, object]] = mapped_column(server_default="{}")
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    verify_at: Mapped[datetime | None]
    """When an unconfirmed record is read back next; none once that is over."""
    account_id: Mapped[int | None] = mapped_column(Integer)
    """Whose permits and whose turn the reading back is; the sweep fills it in."""
    reads: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """How often it was looked for and not found; after the last look it is due to be sent once more."""
    group_id: Mapped[str | None]
    """None for what is resolved from the first: superseded, corrected."""
    resolution: Mapped[Resolution | None]
    resolved_at: Mapped[datetime | None]
    resolved_because: Mapped[str] = mapped_column(server_default="")
    """The operator's reason, where it was dismissed."""


class Submission(Base):
    """A receipt: what one part of a submission came to when it was accepted."""

    __tablename__ = "submissions"
    __table_args__ = (
        Index(None, "submission", "part", unique=True),
        Index(
            "ix_submissions_spent",
            "id",
            postgresql_where=text("accepted = records_purged AND refused = refused_purged"),
        ),
    )

    id: Mapped[int] = mapped_column(SUBMISSION_IDS, primary_key=True, autoincrement=False)
    submission: Mapped[UUID]
    part: Mapped[str]
    door: Mapped[Door]
    producer: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(server_default=NOW)
    accepted: Mapped[int] = mapped_column(Integer)
    duplicates: Mapped[int] = mapped_column(Integer)
    refused: Mapped[int] = mapped_column(Integer)
    repeats: Mapped[dict[str, object]]
    """The duplicates, counted by the outcome that the repeated record had at that moment."""
    account_id: Mapped[int | None] = mapped_column(Integer)
    """None where the account it named was unknown, or none could be read."""
    key_id: Mapped[int | None] = mapped_column(Integer)
    """Whose key handed it in, by HTTP."""
    digest: Mapped[bytes | None]
    """Of the HTTP request, by which another under the same `Idempotency-Key` is told from a repeat."""
    repeated: Mapped[list[int]] = mapped_column(server_default="{}")
    """The records of other submissions that its duplicates repeat."""
    records_purged: Mapped[int] = mapped_column(Integer, server_default="0")
    refused_purged: Mapped[int] = mapped_column(Integer, server_default="0")
    """How many of those accepted and refused are purged; once all are, and it is old, the receipt goes too."""


class Refused(Base):
    """What was refused at the door, kept so that it can be corrected and handed in again."""

    __tablename__ = "refused"
    __table_args__ = (
        Index(None, "submission_id"),
        Index("ix_refused_waiting", "id", postgresql_where=text("replayed_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identified(always=True), primary_key=True)
    submission_id: Mapped[int]
    raw: Mapped[bytes]
    """A whole message: as it came where it was unreadable, else with the one refused input; empty once erased."""
    inputs: Mapped[int] = mapped_column(Integer)
    """How many inputs it holds; 1 where that could not be read."""
    reasons: Mapped[list[object]]
    """Objects of `where`, `what` and `right`."""
    refused_at: Mapped[datetime] = mapped_column(server_default=NOW)
    replayed_at: Mapped[datetime | None]
    """Since when it is handed in again: it is offered no more."""


class Key(Base):
    """A key to the HTTP door or the console; the key itself is shown once, and kept only as a hash."""

    __tablename__ = "keys"
    __table_args__ = (Index("uq_keys_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),)

    id: Mapped[int] = mapped_column(Integer, Identified(always=True), primary_key=True)
    name: Mapped[str]
    role: Mapped[Role]
    account_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    """The accounts that a producer's key reaches; an operator's and a viewer's reach all."""
    hash: Mapped[bytes]
    old_hash: Mapped[bytes | None]
    """The key's before it was rotated, good until `old_until`."""
    old_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    used_at: Mapped[datetime | None]
    """To the minute."""
    revoked_at: Mapped[datetime | None]
    webhook_url: Mapped[str | None]
    """Where its submissions are told of when they fail or are finished; none: nowhere."""
    webhook_secret: Mapped[bytes | None]
    """What that is signed with, encrypted."""
    webhook_failures: Mapped[int] = mapped_column(Integer, server_default="0")
    """Times in a row that it did not take what it was told."""
    webhook_due_at: Mapped[datetime | None]
    """Until then it is told nothing: it failed just now."""
    webhook_error: Mapped[str] = mapped_column(server_default="")
    """Why it failed last; nothing once it takes something again."""

    @classmethod
    def has_webhook(cls) -> ColumnElement[bool]:
        """Give the condition of a key whose webhook is told: it has one, and is not revoked."""
        return and_(cls.webhook_url.is_not(None), cls.revoked_at.is_(None))

    @classmethod
    def takes_posts(cls) -> ColumnElement[bool]:
        """Give the condition of a key whose webhook may be posted to now: it has one that did not fail just now."""
        return and_(cls.has_webhook(), func.coalesce(cls.webhook_due_at <= func.now(), true()))

    @classmethod
    def accepts(cls, hashed: SQLColumnExpression[bytes]) -> ColumnElement[bool]:
        """Give the condition of a key that a secret of this hash is good for: its own, or the one before it still."""
        before = and_(cls.old_hash == hashed, cls.old_until > func.now())
        return and_(cls.revoked_at.is_(None), or_(cls.hash == hashed, before))


class Notification(Base):
    """That a webhook is to be told of a submission: watched until there is something to tell, then told."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index(None, "submission", "key_id", unique=True),
        Index("ix_notifications_looked", "key_id", "due_at", postgresql_where=text("stage IN ('watched', 'warned')")),
        Index("ix_notifications_posted", "key_id", "due_at", postgresql_where=text("stage IN ('failing', 'finished')")),
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[int] = mapped_column(Identified(always=True), primary_key=True)
    key_id: Mapped[int] = mapped_column(Integer)
    submission: Mapped[UUID]
    stage: Mapped[Stage] = mapped_column(server_default="watched")
    due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    """When it is looked at or posted next. Whoever posts it moves this to where his lease ends, and is known by it."""
    occurred_at: Mapped[datetime | None]
    """Since when there is this to tell."""
    body: Mapped[bytes | None]
    """What is to be told; sent again it is the same."""
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    """Times that this was not taken."""
    last_error: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)

    @classmethod
    def is_to_look_at(cls) -> ColumnElement[bool]:
        """Give the condition of one whose submission is due to be looked at, as `ix_notifications_looked` has them."""
        return and_(cls.stage.in_([fixed(Stage.WATCHED), fixed(Stage.WARNED)]), cls.due_at <= func.now())

    @classmethod
    def is_to_post(cls) -> ColumnElement[bool]:
        """Give the condition of one that is due to be posted, as `ix_notifications_posted` has them."""
        return and_(cls.stage.in_([fixed(Stage.FAILING), fixed(Stage.FINISHED)]), cls.due_at <= func.now())


class Session(Base):
    """Somebody who signed in to the console, or may by a link. It holds while the very key it is tied to is good."""

    __tablename__ = "sessions"

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    """Of what the cookie holds; or, in another way, of what a sign-in link holds."""
    key_id: Mapped[int] = mapped_column(Integer)
    key_hash: Mapped[bytes]
    ends_at: Mapped[datetime]


class Throughput(Base):
    """What the calls begun within ten minutes came to, so that a day of them is read in 144 rows."""

    __tablename__ = "throughput"

    since: Mapped[datetime] = mapped_column(primary_key=True)
    calls: Mapped[int]
    calls_failed: Mapped[int]
    delivered: Mapped[int]
    undelivered: Mapped[int]
    attempts_to: Mapped[int]
    """The newest attempt counted: none up to the largest of these is counted again."""
    errors_to: Mapped[int]
    """The same of the errors, by which `undelivered` is counted."""


class ThroughputByAccount(Base):
    """The same by account, added up in the same transactions: `throughput` says what is counted already."""

    __tablename__ = "throughput_by_account"

    account_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    calls: Mapped[int]
    calls_failed: Mapped[int]
    delivered: Mapped[int]
    undelivered: Mapped[int]


class Secret(Base):
    """A key made once for this database, encrypted with the settings' key."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(primary_key=True)
    ciphertext: Mapped[bytes]


class Schedule(Base):
    """A retry that runs by itself. Its row is locked when it is due, so that it runs once however many beats tick."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(primary_key=True)
    crontab: Mapped[str]
    next_at: Mapped[datetime]
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    """Whose clock the crontab and the quiet hours mean."""
    filter: Mapped[dict[str, object]] = mapped_column(server_default="{}")
    """Which errors (`worker.queries.error_filter.Filter`)."""
    most_retries: Mapped[int] = mapped_column(SmallInteger, server_default="10")
    """A record that was retried so often is left to an operator."""
    quiet_from: Mapped[time | None]
    quiet_to: Mapped[time | None]
    """Between these it does not begin; where it would have, it begins at their end."""
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    job_id: Mapped[int | None]
    """Its last job; while that runs it begins no other."""


class Act(Base):
    """What an operator, or a schedule, did: the audit log."""

    __tablename__ = "actions"

    id: Mapped[int] = mapped_column(Identified(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    who: Mapped[str]
    """A key's name, a user's of the machine, a schedule's."""
    via: Mapped[Via]
    what: Mapped[str]
    filter: Mapped[dict[str, object]] = mapped_column(server_default="{}")
    """Which filter, or of what."""
    number: Mapped[int | None]
    """How many it was done to; none of what has no number, or while it goes on."""
    last_error: Mapped[str] = mapped_column(server_default="")
    """Why it was not done."""


class Job(Base):
    """An action in bulk. Each step is one transaction that locks this row, works, and moves `stage` and `after` on."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_under_way", "due_at", "id", postgresql_where=text("ended_at IS NULL")),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its action's."""
    action: Mapped[Action]
    params: Mapped[dict[str, object]]
    """What is changed (`change`), or why (`because`)."""
    expected: Mapped[int | None]
    """How many it was to be when it was asked for, as far as that was counted."""
    until: Mapped[int]
    """The newest id there was then: what comes later is none of its business."""
    stage: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    after: Mapped[int] = mapped_column(server_default="0")
    """How far it is: of which of the filter's outcomes, and the last id that was looked at."""
    done: Mapped[int] = mapped_column(server_default="0")
    skipped: Mapped[int] = mapped_column(server_default="0")
    """Those that it was not done to; `job_items` says why."""
    due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    """The one served longest ago goes next; one whose last step failed waits."""
    last_error: Mapped[str] = mapped_column(server_default="")
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    stopped: Mapped[bool] = mapped_column(server_default=text("false"))
    on_hold: Mapped[bool] = mapped_column(server_default=text("false"))
    """It is shown first, and waits until an operator confirms it."""
    pinned: Mapped[bool] = mapped_column(server_default=text("false"))
    """It is done to the items that were stored with it, as they were shown, and to nothing else."""


class JobItem(Base):
    """What became of one in a job; where what it is done to was pinned, also what waits for its turn."""

    __tablename__ = "job_items"
    __table_args__ = (
        Index(None, "job_id", "id"),
        Index("ix_job_items_skipped", "job_id", "id", postgresql_where=text("NOT done")),
    )

    id: Mapped[int] = mapped_column(Identified(always=True), primary_key=True)
    job_id: Mapped[int]
    item: Mapped[int]
    """The error's id, the batch's that was canceled, the refusal's; of a mended file, the line."""
    record_id: Mapped[int | None]
    change: Mapped[dict[str, object] | None]
    done: Mapped[bool | None]
    """None while it waits for its turn."""
    by: Mapped[int | None]
    """The record that took its place."""
    result: Mapped[dict[str, object]] = mapped_column(server_default="{}")
    """Why it was not done (`reasons`), what was changed (`difference`), what it came to."""


class Purged(Base):
    """Running totals of what was purged, so that the books balance without it; one row, which every purge locks."""

    __tablename__ = "purged"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    accepted: Mapped[int] = mapped_column(server_default="0")
    duplicates: Mapped[int] = mapped_column(server_default="0")
    refused: Mapped[int] = mapped_column(server_default="0")
    """Of the receipts that are purged."""
    delivered: Mapped[int] = mapped_column(server_default="0")
    rejected: Mapped[int] = mapped_column(server_default="0")
    unconfirmed: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    canceled: Mapped[int] = mapped_column(server_default="0")
    """Of the records that are purged."""
    due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    """When the sweep purges next."""
    settled_at: Mapped[datetime] = mapped_column(server_default=text("'-infinity'"))
    batch_id: Mapped[int] = mapped_column(server_default="0")
    """How far that came, by the batches' `settled_at` and id."""


class Erasure(Base):
    """That a person was erased, and how much of what; nothing of whom."""

    __tablename__ = "erasures"

    id: Mapped[int] = mapped_column(Identified(always=True), primary_key=True)
    erased_at: Mapped[datetime] = mapped_column(server_default=NOW)
    rows: Mapped[dict[str, object]]
    """How many rows of which table."""
    complete: Mapped[bool]
    """False where something had to be left for another time."""


class SchemaRevision(Base):
    """A migration whose release may run on these tables: the newest one's, and older ones' that it leaves working.

    Each migration adds its own revision. One after which older releases fail (a column renamed, a rule made stricter)
    deletes the others first.
    """

    __tablename__ = "schema_revisions"

    revision: Mapped[str] = mapped_column(primary_key=True)
