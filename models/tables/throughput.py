"""What calls came to, added up by ten minutes."""

from datetime import datetime

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base


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
