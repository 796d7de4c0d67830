"""What stays of what was purged or erased: numbers."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity as Identified, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import NOW, Base


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
