"""What operators and schedules do: the audit log, jobs with their results, schedules."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import TypedDict

from sqlalchemy import ColumnElement, Identity as Identified, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.input_check import WrittenReason
from models.tables.base import NOW, Base
from models.words import Action, Via


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
    """Of what: of a job its filter (`worker.queries.job_filter`), of others names with their values."""
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
    """How it is done (`models.job_params.JobParams`)."""
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

    @classmethod
    def is_under_way(cls) -> ColumnElement[bool]:
        """Give the condition of a job that has not ended, as `ix_jobs_under_way` has them."""
        return cls.ended_at.is_(None)


class JobItemResult(TypedDict, total=False):
    """What a job keeps of an item besides its columns. Releases that run side by side share these names."""

    size: int
    """Records of a batch when it was pinned."""
    reasons: Sequence[WrittenReason]
    """Why it was not done."""
    difference: Sequence[Sequence[str]]
    """What a correction changed: the name of each field, what it was, and what it is."""
    accepted: int
    """Of a refusal that was submitted again: how many records were accepted, were duplicates, were refused."""
    duplicates: int
    refused: int


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
    result: Mapped[JobItemResult] = mapped_column(JSONB, server_default="{}")

    @classmethod
    def waits(cls) -> ColumnElement[bool]:
        """Give the condition of one that waits for its turn."""
        return cls.done.is_(None)
