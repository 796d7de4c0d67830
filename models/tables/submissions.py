"""Submissions: their receipts, what of them was not accepted, and what webhooks are told of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Identity as Identified,
    Index,
    Integer,
    Sequence,
    String,
    and_,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.refusal_kind import UNGROUPED
from models.tables.base import NOW, VACUUMED_EARLY, Base, fixed
from models.words import Closing, Door, Stage

SUBMISSION_IDS = Sequence("submission_ids", metadata=Base.metadata)


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
        {"postgresql_with": VACUUMED_EARLY},
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


class Trace(Base):
    """The producer's span of a receipt whose records were accepted, where traces are on and it was sampled.

    The batches that hold its records are linked to it, wherever they move. It goes with its receipt, by a foreign key:
    so also where a release that does not know this table purges.
    """

    __tablename__ = "traces"

    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id", ondelete="CASCADE"), primary_key=True)
    traceparent: Mapped[str] = mapped_column(String(55))
    """Checked when it came: hexadecimal digits alone, and nobody's."""


class Refused(Base):
    """What was not accepted, kept so that it can be fixed and submitted again; open until it is closed."""

    __tablename__ = "refused"
    __table_args__ = (
        Index(None, "submission_id"),
        Index("ix_refused_waiting", "id", postgresql_where=text("replayed_at IS NULL")),
        Index("ix_refused_group", "group_id", "id", postgresql_where=text("replayed_at IS NULL")),
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
    group_id: Mapped[str] = mapped_column(server_default=UNGROUPED)
    """What it has in common with others (`models.refusal_kind`)."""
    source: Mapped[dict[str, object] | None] = mapped_column(JSONB(none_as_null=True))
    """Of a file's: the rows it came from, and how the file was read (`worker.files.source`)."""
    draft: Mapped[dict[str, object] | None] = mapped_column(JSONB(none_as_null=True))
    """What an operator made of it last that was still not accepted, with the reasons against that."""
    closed_at: Mapped[datetime | None] = mapped_column("replayed_at")
    """Since when it is offered no more. The column's name is that of the releases before, which may run beside."""
    closing: Mapped[Closing | None]
    closed_by: Mapped[str] = mapped_column(server_default="")
    closed_because: Mapped[str] = mapped_column(server_default="")
    """The operator's reason, or the submission that corrects it."""

    @classmethod
    def is_open(cls) -> ColumnElement[bool]:
        """Give the condition of one that is offered to be fixed: not closed, and not erased."""
        return and_(cls.closed_at.is_(None), cls.raw != literal_column("''::bytea"))


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
