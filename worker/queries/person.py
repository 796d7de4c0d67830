"""What became of a person's records, and of a submission's."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Engine, bindparam, func, select, true

from models.advice import Subject, advise
from models.input_check import comparable
from models.outcome import LastError, outcome
from models.tables import Account, Batch, Event, Key, Notification, Record, Submission
from models.words import Closing, Door, Origin, Outcome, OwnCategory, Resolution, Stage, State, Status
from worker.database import rows_as
from worker.queries import submissions, waiting
from worker.queries.history import PastAttempt, PastError, attempts_of, errors_of
from worker.queries.rows import NEWEST
from worker.queries.submissions import Cursor, SubmissionCounts, SubmissionRefusal

LOOKED_AT: Final = 5_000
"""Records of a submission that are looked at, at most."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A record of a submission that is not delivered."""

    id: int
    contact: str
    event: str
    state: State
    batch_id: int
    outcome: Outcome
    category: str | None
    message: str | None
    why: str | None
    """Why its batch waits, where it does."""


@dataclass(frozen=True, slots=True)
class WebhookStanding:
    """How far telling a webhook of a submission is."""

    key: str
    stage: Stage
    attempts: int
    last_error: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """What of a submission was refused, without the message."""

    id: int
    inputs: int
    reasons: list[dict[str, str]]
    standing: str
    """`open`, or how it ended."""
    closed_at: datetime | None
    closed_because: str
    replayed_at: datetime | None
    """When it was submitted again, where that closed it."""


@dataclass(frozen=True, slots=True)
class SubmissionDetail(SubmissionCounts):
    """A submission with the first of its records that are not delivered, and of what was refused."""

    not_delivered: list[Undelivered]
    webhooks: list[WebhookStanding]
    refusals: list[NotAccepted]


_WEBHOOKS: Final = (
    select(
        *(Key.name.label("key"), Notification.stage, Notification.attempts),
        *(Notification.last_error, Notification.due_at),
    )
    .join(Key, Key.id == Notification.key_id)
    .where(Notification.submission == bindparam("submission"))
    .order_by(Notification.id)
)


def find_submission(engine: Engine, submission_id: UUID, limit: int = 100) -> SubmissionDetail | None:
    """Show a submission: its receipt, its records by outcome, and the first that are not delivered or were refused.

    Its first `LOOKED_AT` records are looked at; `all` says whether there are no more.
    """
    with engine.connect() as connection:
        found = submissions.summary(connection, submission_id, LOOKED_AT)
        if found is None:
            return None
        undelivered = submissions.records(connection, submission_id, Cursor(), limit, LOOKED_AT)
        refused = submissions.refusals(connection, submission_id, 0, limit)
        webhooks = connection.execute(_WEBHOOKS, {"submission": submission_id})
        why = waiting.why(connection, {one.batch_id for one in undelivered})
        return SubmissionDetail(
            **{one.name: getattr(found, one.name) for one in fields(SubmissionCounts)},
            not_delivered=[
                Undelivered(
                    *(r.id, r.contact, r.event, r.state, r.batch_id, r.outcome, r.category, r.message),
                    why=why.get(r.batch_id),
                )
                for r in undelivered
            ],
            webhooks=rows_as(WebhookStanding, webhooks),
            refusals=[_not_accepted(one) for one in refused],
        )


def _not_accepted(one: SubmissionRefusal) -> NotAccepted:
    submitted_at = one.closed_at if one.closing in {None, Closing.SUBMITTED} else None
    return NotAccepted(one.id, one.inputs, one.reasons, one.standing, one.closed_at, one.closed_because, submitted_at)


HISTORY: Final = 5_000
"""Errors, and attempts, of one page of a person, at most."""


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A record of a person, with everything that happened to it and what happens next."""

    id: int
    contact: str
    input: Mapping[str, Any]
    corrects: int | None
    contact_id: int | None
    account: str
    event: str
    state: State
    outcome: Outcome
    batch_id: int
    status: Status
    origin: Origin
    split_from: int | None
    after: list[int]
    due_at: datetime
    is_due: bool
    postponed_because: str
    settled_at: datetime | None
    stopped: str | None
    """Why its account does not send."""
    submission: UUID
    producer: str
    door: Door
    received_at: datetime
    errors: list[PastError]
    next: str
    batches: list[int]
    attempts: list[PastAttempt]

    @property
    def error(self) -> PastError | None:
        """Give its last error in its present batch."""
        return next((error for error in reversed(self.errors) if error.batch_id == self.batch_id), None)


def follows(record: PersonRecord) -> str:
    """Say what happens next to a record."""
    error = record.error
    match record.outcome:
        case Outcome.DELIVERED:
            return "delivered: HubSpot shows it" if error else "delivered"
        case Outcome.PROCESSING:
            return "is being sent"
        case Outcome.PENDING if record.after:
            return f"waits for batch {', '.join(map(str, record.after))}"
        case Outcome.PENDING if record.stopped:
            return record.stopped
        case Outcome.PENDING:
            because = f" ({record.postponed_because})" if record.postponed_because else ""
            return f"waits for its turn{because}" if record.is_due else f"due at {_at(record.due_at)}{because}"
    return _follows_error(record, error) if error else str(record.outcome)  # so many, or purged just now


def _follows_error(record: PersonRecord, error: PastError) -> str:
    looked_for = f"; it may have arrived, and is read back at {_at(error.verify_at)}" if error.verify_at else ""
    if record.outcome == Outcome.CANCELED and error.category in {OwnCategory.SUPERSEDED, OwnCategory.CORRECTED}:
        return f"{error.category.lower()} by record {error.context.get('by')}{looked_for}"
    if error.resolution == Resolution.DISMISSED:
        return f"{record.outcome}, dismissed: {error.resolved_because}"
    if error.verify_at and record.outcome == Outcome.UNCONFIRMED:
        return f"is read back at {_at(error.verify_at)}"
    advice = advise(record.outcome, error.category, error.code, error.message, Subject(record_id=record.id))
    return f"{record.outcome}: {'; '.join(advice.action.splitlines())}{looked_for}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


_THEIRS: Final = (
    select(Record.id)
    .where(Record.contact == bindparam("contact"), Record.id < bindparam("before"))
    .cte("theirs")
    .prefix_with("MATERIALIZED")
)
"""By the index of contacts, whatever the planner takes the limit for: somebody may have very many records, or few."""
_PAGE: Final = select(_THEIRS.c.id).order_by(_THEIRS.c.id.desc()).limit(bindparam("limit")).subquery("page")
_RECORDS: Final = (
    select(
        *(Record.id, Record.contact, Record.input, Record.corrects),
        submissions.contact_id(Record, Batch, LastError).label("contact_id"),
        Account.name.label("account"),
        Event.label().label("event"),
        Batch.state,
        outcome.label("outcome"),
        *(Batch.id.label("batch_id"), Batch.status, Batch.origin, Batch.split_from, Batch.after, Batch.due_at),
        (Batch.due_at <= func.now()).label("is_due"),
        *(Batch.postponed_because, Batch.settled_at),
        Account.stopped_because().label("stopped"),
        *(Submission.submission, Submission.producer, Submission.door, Submission.received_at),
    )
    .select_from(_PAGE)
    .join(Record, Record.id == _PAGE.c.id)
    .join(Batch, Batch.id == Record.batch_id)
    .outerjoin(LastError, true())
    .join(Account, Account.id == Batch.account_id)
    .join(Event, Event.id == Batch.event_id)
    .join(Submission, Submission.id == Record.submission_id)
    .order_by(Record.id.desc())
)


def list_records_of(engine: Engine, contact: str, limit: int = 20, before: int | None = None) -> list[PersonRecord]:
    """List a contact's records, the newest first, each with its attempts, its errors and what happens next."""
    facts = {"contact": comparable(contact), "before": NEWEST if before is None else before, "limit": limit}
    with engine.connect() as connection:
        rows = connection.execute(_RECORDS, facts).mappings().all()
        errors = errors_of(connection, [row["id"] for row in rows], HISTORY)
        of_record = {row["id"]: [error for error in errors if error.record_id == row["id"]] for row in rows}
        batches = {row["id"]: {row["batch_id"], *(one.batch_id for one in of_record[row["id"]])} for row in rows}
        asked = {row["id"]: batches[row["id"]] | {row["split_from"]} - {None} for row in rows}
        calls = attempts_of(connection, set().union(*asked.values()), HISTORY)
    found = [
        PersonRecord(
            **row,
            errors=of_record[row["id"]],
            next="",
            batches=sorted(batches[row["id"]]),
            attempts=[call for call in calls if call.batch_id in asked[row["id"]]],
        )
        for row in rows
    ]
    return [replace(record, next=follows(record)) for record in found]
