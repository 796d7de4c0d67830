"""Errors, the history of each record, and what they have in common."""

from datetime import datetime

from sqlalchemy import ColumnElement, Identity as Identified, Index, Integer, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import NOW, VACUUMED_EARLY, Base
from models.words import Outcome, Resolution


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
        {"postgresql_with": VACUUMED_EARLY},
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
    """The reason, where it was dismissed."""

    @classmethod
    def is_unresolved(cls) -> ColumnElement[bool]:
        """Give the condition of an error that did not end yet, as `ix_errors_unresolved` has them."""
        return cls.resolution.is_(None)

    @classmethod
    def is_looked_for(cls) -> ColumnElement[bool]:
        """Give the condition of an error whose record is read back, as `ix_errors_verify` has them."""
        return cls.verify_at.is_not(None)
