"""Errors, the history of each record, and what they have in common."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, TypedDict

import orjson
from sqlalchemy import (
    ColumnElement,
    Identity as Identified,
    Index,
    Integer,
    SmallInteger,
    and_,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import NOW, VACUUMED_EARLY, Base
from models.words import Outcome, Resolution


class ReadBack(TypedDict, total=False):
    """What an error keeps of looking for its record at HubSpot; each look leaves of what was there `first` alone.

    Releases that run side by side share these names. `worker.queue.read_back_results` has some of them in raw SQL.
    """

    because: str
    """Why it is looked for although its outcome stands; until its first look."""
    reads: int
    """Looks, with this one."""
    where: str
    """Which of HubSpot's views was read."""
    found: bool
    seen: Sequence[Mapping[str, object]]
    """Rows of that view."""
    refused: str
    """HubSpot's words, where it does not show the view."""
    by: int
    """The later record of ours that it shows."""
    left: str
    """Why it is looked for no longer."""
    first: str
    last: str
    """When it was looked for first and last."""
    sent_again: Literal[True]
    """It was looked for in vain, and sent once more."""
    stopped: str
    """Why nothing of its account can be read."""


class ErrorContext(TypedDict, total=False):
    """What Turnout itself adds to the context of an error; the rest is HubSpot's."""

    by: int
    """The record that took its place."""
    read_back: ReadBack


def looked_for(because: str) -> ColumnElement[dict[str, object]]:
    """Give what is added to the context of an error whose record is looked for although its outcome stands."""
    context = ErrorContext(read_back=ReadBack(because=because))
    return literal_column(f"'{orjson.dumps(context).decode()}'::jsonb", JSONB)


_READ_BACK: Final[ColumnElement[str]] = literal_column("'read_back'")


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
    """What HubSpot said beside the message, with our own (`ErrorContext`)."""
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

    @classmethod
    def is_left_in_doubt(cls) -> ColumnElement[bool]:
        """Give the condition of an error whose record was to be looked for, and neither found nor given up."""
        left = cls.context[_READ_BACK].has_key(literal_column("'left'"))
        return and_(cls.context.has_key(_READ_BACK), ~left)

    @classmethod
    def was_sent_again(cls) -> ColumnElement[bool]:
        """Give the condition of an error whose record was looked for in vain, and sent once more."""
        return cls.context.contains(ErrorContext(read_back=ReadBack(sent_again=True)))

    @classmethod
    def context_when_sent_again(cls) -> ColumnElement[dict[str, object]]:
        """Give the context by which `was_sent_again` knows it."""
        return func.jsonb_set(cls.context, literal_column("'{read_back,sent_again}'"), literal_column("'true'"))

    @classmethod
    def context_when_not_read(cls, because: ColumnElement[str]) -> ColumnElement[dict[str, object]]:
        """Give the context that says why nothing of its account can be read."""
        stopped = func.jsonb_build_object(literal_column("'stopped'"), because, type_=JSONB)
        read_back = func.coalesce(cls.context[_READ_BACK], literal_column("'{}'", JSONB)).concat(stopped)
        return cls.context.concat(func.jsonb_build_object(_READ_BACK, read_back, type_=JSONB))

    @classmethod
    def not_read_because(cls) -> ColumnElement[str | None]:
        """Give the same reason back, where that stopped the reading."""
        return func.jsonb_extract_path_text(cls.context, "read_back", "stopped")

    @classmethod
    def contact_id_seen(cls) -> ColumnElement[str | None]:
        """Give HubSpot's id of the contact, as the rows of a read-back name it."""
        return func.jsonb_extract_path_text(cls.context, "read_back", "seen", "0", "contactId")
