"""Erase: a person is removed from everything kept, by e-mail address or contact id. The books stay as they are.

Their records are blanked: batch, position, outcome and fingerprint (a keyed hash) stay, so a re-import is a duplicate.
One that waits is canceled and stays a member of its batch, which sends the others. One that is being sent is waited
for. Then every text of every table is looked at, step by step by its key, for what still mentions them.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

import redis
from sqlalchemy import JSON, Column, Connection, Engine, Table, Text, cast, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import BYTEA

from models.erasure import ERASED, Person
from models.tables import Base
from worker.database import json, repeat
from worker.queue.contact_index import UNANSWERED
from worker.queue.locks import lock_event
from worker.stream import Stream

log = logging.getLogger(__name__)

STEP: Final = 5_000
"""Rows that one transaction looks at."""
MOST: Final = 500
"""Records that one transaction blanks."""
LATELY: Final = 1_000
"""The newest calls, among which are those that still run."""
POLL: Final = 0.2
NAMES: Final = frozenset({"accounts", "events", "keys", "secrets", "schedules"})
"""Tables whose texts are names that something is addressed by: no attendee's, and blanked they would break it."""
REASONS: Final = frozenset({"accounts.paused_because", "accounts.parked_because", "keys.webhook_error"})
"""Texts in these that are no names: HubSpot's words may stand there."""
NUMBERS: Final = frozenset({"accounts", "batches", "records", "submissions"})
"""Tables in whose texts the digits of a contact id are as a rule something else."""
GRACE: Final = 5.0
"""Seconds after its time-out within which an answer is noted."""


@dataclass
class Erased:
    """What came of it. The receipt that is stored is `rows` and `complete`; hints and reasons are only shown."""

    rows: Counter[str] = field(default_factory=Counter)
    """Rows changed, by table."""
    also: set[str] = field(default_factory=set)
    """Other names that HubSpot's answers tell of the same person: erased only when asked for."""
    left: list[str] = field(default_factory=list)
    """Why something had to be left for another time."""
    id: int = 0
    erased_at: datetime | None = None

    @property
    def complete(self) -> bool:
        """Say whether nothing was left."""
        return not self.left


def erase(engine: Engine, stream: Stream, person: Person, patience: float, timeout: float) -> Erased:
    """Erase a person; wait so many seconds for what is being sent, read back or accepted at this moment.

    Interrupted at any moment it is begun again. Where that waiting was in vain the rest is left, and said.
    """
    erased = Erased()
    until = time.monotonic() + patience
    reading = _reading(engine, timeout)
    while True:
        # In this order: what has left the stream is among the records, and what is blanked is read back no more.
        waiting = _in_stream(stream, person)
        reading = _reading(engine, timeout) if _blank(engine, person, erased) else reading & _reading(engine, timeout)
        busy = _sending(engine, person)
        busy += ["HubSpot's answer to a read-back, which may name them, is not noted yet"] if reading else []
        erased.left = waiting + busy
        if erased.complete or time.monotonic() > until:
            break
        time.sleep(POLL)
    if not busy:
        _everywhere(engine, person, erased)
    erased.also.discard(person.contact)
    with engine.begin() as connection:
        stored = connection.execute(
            text("INSERT INTO erasures (rows, complete) VALUES (CAST(:rows AS jsonb), :complete) RETURNING *"),
            {"rows": json(erased.rows), "complete": erased.complete},
        ).one()
    erased.id, erased.erased_at = stored.id, stored.erased_at
    log.info("erasure %d: %s", erased.id, dict(erased.rows))
    return erased


def _who(person: Person) -> dict[str, str]:
    return {"contact": person.contact}


def _in_stream(stream: Stream, person: Person) -> list[str]:
    try:
        number = sum(person.left_of(raw) != raw for raw in stream.messages())
    except redis.RedisError:
        return ["Redis is out of reach: whether a message of theirs waits in the stream is not known"]
    return [f"{number} messages that mention them wait in the stream to be accepted"] if number else []


def _sending(engine: Engine, person: Person) -> list[str]:
    """Say where records of theirs are left: in batches that are being sent, or were until this moment."""
    with engine.connect() as connection:
        left = connection.execute(
            text("""
            SELECT DISTINCT batch_id FROM records WHERE contact = :contact ORDER BY 1"""),
            _who(person),
        )
        return [f"batch {batch_id} holds a record of theirs and is being sent" for batch_id in left.scalars()]


def _reading(engine: Engine, timeout: float) -> set[int]:
    """Name the calls that read back at this moment; the answer to one may name whoever was unconfirmed until now."""
    with engine.connect() as connection:
        running = connection.execute(
            text("""
            SELECT id FROM (SELECT * FROM attempts ORDER BY id DESC LIMIT :most) a
            WHERE kind = 'read-back' AND finished_at IS NULL
              AND started_at > now() - :timeout * interval '1 second'"""),
            {"most": LATELY, "timeout": timeout + GRACE},
        )
        return set(running.scalars())


def _blank(engine: Engine, person: Person, erased: Erased) -> int:
    """Blank the person's records, event by event, but for those that are being sent; give how many."""
    blanked = 0
    for event_id in _events(engine, person):
        while some := repeat(lambda: _blank_some(engine, event_id, person, erased)):  # noqa: B023 - run at once
            blanked += some
    return blanked


def _events(engine: Engine, person: Person) -> Sequence[int]:
    with engine.connect() as connection:
        found = connection.execute(
            text("""
            SELECT DISTINCT b.event_id FROM records r JOIN batches b ON b.id = r.batch_id
            WHERE r.contact = :contact ORDER BY 1"""),
            _who(person),
        )
        return list(found.scalars())


def _blank_some(engine: Engine, event_id: int, person: Person, erased: Erased) -> int:
    rows: Counter[str] = Counter()
    also: set[str] = set()
    with engine.begin() as connection:
        lock_event(connection, event_id)
        found = connection.execute(
            text("""
            SELECT r.id, b.status FROM records r JOIN batches b ON b.id = r.batch_id
            WHERE r.contact = :contact AND b.event_id = :event AND b.status <> 'PROCESSING'
            ORDER BY b.id LIMIT :most FOR UPDATE OF b"""),
            {"event": event_id, "most": MOST, **_who(person)},
        ).all()
        ids = {"ids": [row.id for row in found]}

        def change(table: str, statement: str) -> None:
            rows[table] += connection.execute(text(statement), ids).rowcount

        also.update(connection.execute(text(OTHER_IDS), ids).scalars())
        change("errors", CANCEL)
        change(
            "errors",
            """
            UPDATE errors SET message = 'erased', code = '', context = '{}', verify_at = NULL,
              resolution = coalesce(resolution, 'dismissed'), resolved_at = coalesce(resolved_at, now())
            WHERE record_id = ANY(:ids)""",
        )
        change(
            "batches",
            """
            UPDATE batches b SET contact_ids[r.position + 1] = NULL FROM records r
            WHERE r.id = ANY(:ids) AND b.id = r.batch_id AND b.contact_ids[r.position + 1] IS NOT NULL""",
        )
        change("records", BLANK)
    erased.rows += rows
    erased.also |= also
    return len(found)


CANCEL: Final = f"""
INSERT INTO errors (record_id, batch_id, outcome, category, message, resolution, resolved_at)
SELECT r.id, r.batch_id, 'canceled', 'ERASED', '{ERASED}', 'dismissed', now()
FROM records r JOIN batches b ON b.id = r.batch_id WHERE r.id = ANY(:ids) AND b.status = 'PENDING' AND {UNANSWERED}"""
BLANK: Final = f"""
UPDATE records SET contact = '{ERASED} ' || id, input = jsonb_strip_nulls(jsonb_build_object(
  'email', CASE WHEN input ? 'email' THEN '{ERASED}' END, 'interactionDateTime', input->'interactionDateTime',
  'properties', jsonb_build_object()))
WHERE id = ANY(:ids)"""
"""The contact stays one of its own, so that no batch holds it twice; the input keeps its shape."""
OTHER_IDS: Final = """
SELECT b.contact_ids[r.position + 1]::text AS contact FROM records r JOIN batches b ON b.id = r.batch_id
WHERE r.id = ANY(:ids) AND b.contact_ids[r.position + 1] IS NOT NULL
UNION SELECT named.id #>> '{}' FROM errors e, jsonb_path_query(e.context, '$.**.contactId') named(id)
WHERE e.record_id = ANY(:ids) AND named.id #>> '{}' <> ''"""


def _everywhere(engine: Engine, person: Person, erased: Erased) -> None:
    """Look through every table for what still mentions the person: others' errors, answers, refused messages."""
    if person.vid is not None:
        _by_key(engine, Base.metadata.tables["batches"], partial(_contact_ids, vid=person.vid, erased=erased))
    for table, columns in _texts(person):
        _by_key(engine, table, partial(_take_out, columns=columns, person=person, erased=erased))
    _by_key(engine, Base.metadata.tables["refused"], partial(_refused, person=person, erased=erased))


def _by_key(engine: Engine, table: Table, step: Callable[[Connection, Any, Any], None]) -> None:
    """Walk a table by its key, a bounded number of rows a transaction; not what comes while this runs."""
    (key,) = table.primary_key.columns
    with engine.connect() as connection:
        last = connection.execute(select(func.max(key))).scalar()
    after: Any = None

    def work() -> Any:  # noqa: ANN401 - a key
        with engine.begin() as connection:
            page = select(key).order_by(key).limit(STEP)
            page = page if after is None else page.where(key > after)
            until = connection.execute(select(func.max(page.subquery().c[key.name]))).scalar()
            if until is not None:
                step(connection, after, until)
            return until

    while last is not None and (after is None or after < last):
        after = repeat(work)
        if after is None:
            return


def _texts(person: Person) -> Iterator[tuple[Table, list[Column[Any]]]]:
    """Name every column of text or JSON of every table in which a person may be mentioned."""
    for table in Base.metadata.sorted_tables:
        if person.vid is not None and table.name in NUMBERS:
            continue
        columns = [
            column
            for column in table.columns
            if isinstance(column.type, Text | JSON)
            and not column.primary_key
            and str(column) != "records.contact"
            and (table.name not in NAMES or str(column) in REASONS)
        ]
        if columns:
            yield table, columns


def _take_out(  # noqa: PLR0913
    connection: Connection,
    after: Any,  # noqa: ANN401 - a key
    until: Any,  # noqa: ANN401
    *,
    columns: Sequence[Column[Any]],
    person: Person,
    erased: Erased,
) -> None:
    table = columns[0].table
    assert isinstance(table, Table)
    (key,) = table.primary_key.columns
    said = func.lower(func.concat_ws(" ", *(cast(column, Text) for column in columns)))
    whose = [] if table.name != "records" else [table.c.contact != person.contact]  # theirs came since, whole
    rows = connection.execute(
        select(key, *columns)
        .where(key <= until, *([] if after is None else [key > after]), *whose)
        .where(or_(*(func.strpos(said, needle) > 0 for needle in person.needles)))
        .order_by(key)
        .with_for_update()
    ).all()
    for row in rows:
        changed = {
            column.name: without
            for column, kept in zip(columns, row[1:], strict=True)
            if (without := person.taken_out(kept)) != kept
        }
        if "part" in changed:
            changed["part"] += f" {row[0]}"  # unique in its submission
        if changed:
            connection.execute(update(table).where(key == row[0]).values(**changed))
            erased.rows[f"{table.name}"] += 1  # orjson writes no keys of SQLAlchemy's own text


def _contact_ids(connection: Connection, after: int | None, until: int, *, vid: int, erased: Erased) -> None:
    """Forget a contact id in the answers of a span of batches, and name whom HubSpot meant by it."""
    facts = {"vid": vid, "after": after or 0, "until": until}
    of_them = "b.id > :after AND b.id <= :until AND :vid = ANY(b.contact_ids)"
    named = connection.execute(
        text(f"""
        SELECT r.contact FROM batches b JOIN records r ON r.batch_id = b.id AND b.contact_ids[r.position + 1] = :vid
        WHERE {of_them}"""),
        facts,
    )
    erased.also |= {contact for contact in named.scalars() if not contact.startswith(f"{ERASED} ")}
    erased.rows["batches"] += connection.execute(
        text(f"UPDATE batches b SET contact_ids = array_replace(b.contact_ids, :vid, NULL) WHERE {of_them}"), facts
    ).rowcount


def _refused(connection: Connection, after: int | None, until: int, *, person: Person, erased: Erased) -> None:
    """Take the person out of a span of refused messages, and blank what is said of theirs.

    Any letter may be escaped in JSON: messages that escape some are read, whatever they hold.
    """
    table = Base.metadata.tables["refused"]
    said = func.lower(func.replace(func.encode(cast(table.c.raw, BYTEA), "escape"), r"\000", ""))
    rows = connection.execute(
        select(table.c.id, table.c.raw, table.c.reasons)
        .where(table.c.id > (after or 0), table.c.id <= until)
        .where(or_(*(func.strpos(said, one) > 0 for one in [*person.needles, r"\\u00"])))
        .order_by(table.c.id)
        .with_for_update()
    )
    for row in rows.all():
        left = person.left_of(bytes(row.raw))
        if left != row.raw:
            reasons = [{"where": one["where"], "what": ERASED, "right": ""} for one in row.reasons]
            values = {"raw": left} if left else {"raw": left, "reasons": reasons}
            connection.execute(update(table).where(table.c.id == row.id).values(**values))
            erased.rows["refused"] += 1
