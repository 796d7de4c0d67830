"""Blank: a person's own records, event by event, but for those that are being sent.

Batch, position, outcome and fingerprint (a keyed hash) stay, so the books stay as they are and a re-import is a
duplicate. A record that waits is canceled and stays a member of its batch, which sends the others.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Engine, Text, any_, bindparam, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from models.erasure import ERASED, Changes, Person
from models.tables import Batch, Error, Record, fixed, ids
from models.words import Outcome, Resolution, Status
from worker.database import repeat
from worker.queue.locks import lock_event

MOST_RECORDS: Final = 500
"""Records that one transaction blanks."""

OF_THEM: Final = Record.contact == any_(bindparam("contacts", type_=ARRAY(Text)))
"""The condition of a person's records."""
EVENTS: Final = (
    select(Batch.event_id).join(Record, Record.batch_id == Batch.id).where(OF_THEM).distinct().order_by(Batch.event_id)
)
NOT_BEING_SENT: Final = (
    select(Record.id)
    .join(Batch, Batch.id == Record.batch_id)
    .where(
        OF_THEM,
        Batch.event_id == bindparam("event"),
        Batch.status != fixed(Status.PROCESSING),
    )
    .order_by(Batch.id)
    .limit(bindparam("most"))
    .with_for_update(of=Batch)
)
"""The person's records of an event that are to be blanked, their batches locked."""

OTHER_NAMES: Final = text("""
SELECT b.contact_ids[r.position + 1]::text FROM records r JOIN batches b ON b.id = r.batch_id
WHERE r.id = ANY(:records) AND b.contact_ids[r.position + 1] IS NOT NULL
UNION SELECT named.id #>> '{}' FROM errors e, jsonb_path_query(e.context, '$.**.contactId') named(id)
WHERE e.record_id = ANY(:records) AND named.id #>> '{}' <> ''""")
"""The contact ids by which HubSpot's answers and read-backs name whose records these are."""
CANCEL: Final = (
    insert(Error)
    .from_select(
        ["record_id", "batch_id", "outcome", "category", "message", "resolution", "resolved_at"],
        select(
            Record.id,
            Record.batch_id,
            fixed(Outcome.CANCELED),
            literal("ERASED"),
            literal(ERASED),
            fixed(Resolution.DISMISSED),
            func.now(),
        )
        .join(Batch, Batch.id == Record.batch_id)
        .where(Record.id == ids("records"), Batch.status == fixed(Status.PENDING), Record.unanswered()),
    )
    .returning(Error.id)
)
"""Cancels those that wait."""
BLANK_ERRORS: Final = (
    update(Error)
    .where(Error.record_id == ids("records"))
    .values(
        message=ERASED,
        code="",
        context={},
        verify_at=None,
        resolution=func.coalesce(Error.resolution, fixed(Resolution.DISMISSED)),
        resolved_at=func.coalesce(Error.resolved_at, func.now()),
    )
)
BLANK_CONTACT_IDS: Final = text("""
UPDATE batches b SET contact_ids[r.position + 1] = NULL FROM records r
WHERE r.id = ANY(:records) AND b.id = r.batch_id AND b.contact_ids[r.position + 1] IS NOT NULL""")
"""Forgets the contact ids that came back for the records."""
BLANK_RECORDS: Final = text("""
UPDATE records SET contact = CAST(:erased AS text) || ' ' || id, input = jsonb_strip_nulls(jsonb_build_object(
  'email', CASE WHEN input ? 'email' THEN CAST(:erased AS text) END,
  'interactionDateTime', input->'interactionDateTime', 'properties', jsonb_build_object()))
WHERE id = ANY(:records)""")
"""The contact stays one of its own, so that no batch holds it twice; the input keeps its shape."""


def blank(engine: Engine, person: Person) -> Changes:
    """Blank the person's records; those that are being sent stay as they are."""
    changes = Changes()
    with engine.connect() as connection:
        event_ids = connection.execute(EVENTS, {"contacts": person.contacts}).scalars().all()
    for event_id in event_ids:
        while some := repeat(lambda: blank_some(engine, event_id, person)):  # noqa: B023 - run at once
            changes += some
    return changes


def blank_some(engine: Engine, event_id: int, person: Person) -> Changes:
    """Blank some of the person's records of an event."""
    with engine.begin() as connection:
        lock_event(connection, event_id)
        some = {"contacts": person.contacts, "event": event_id, "most": MOST_RECORDS}
        found = connection.execute(NOT_BEING_SENT, some).scalars().all()
        return _blank(connection, found) if found else Changes()


def _blank(connection: Connection, record_ids: Sequence[int]) -> Changes:
    records = {"records": list(record_ids)}
    other_names = set(connection.execute(OTHER_NAMES, records).scalars())
    canceled = len(connection.execute(CANCEL, records).all())
    rows = Counter(
        errors=canceled + connection.execute(BLANK_ERRORS, records).rowcount,
        batches=connection.execute(BLANK_CONTACT_IDS, records).rowcount,
        records=connection.execute(BLANK_RECORDS, {**records, "erased": ERASED}).rowcount,
    )
    return Changes(rows, other_names)
