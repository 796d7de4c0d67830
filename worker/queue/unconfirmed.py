"""What reading back changes in the database: whose turn it is, and what became of an unconfirmed record.

Whatever resolves an error does it by one update guarded by `resolution IS NULL`, so an operator's retry, a second
reader and a repeat after a crash cannot both own it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, Engine, Row, text

from hubspot_api.participations import Wanted, wanted
from models.message import Address
from models.words import AttemptKind, State
from worker.accounts.state import SENDS, may_send
from worker.queue import attempts
from worker.queue.locks import lock_events
from worker.queue.requeue import move

MOST: Final = 100
"""Records that one turn takes: as many as a page shows, and more than a turn has permits for by contact."""
COUNTED: Final = 20_000
"""Due records that are counted by event, at most."""
PACKED: Final = 1_000
"""Records sent once more in one transaction, at most."""


class Breakdown(NamedTuple):
    """What one breakdown is asked for."""

    event_id: int
    state: State


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A record that HubSpot's answer did not name, by its open error."""

    error_id: int
    batch_id: int
    event_id: int
    contact: str
    wanted: Wanted
    reads: int
    """Looks that found nothing."""
    sent_again: bool
    """Sent once more already, after such looks."""

    @property
    def group(self) -> Breakdown:
        """Give what its breakdown is asked for."""
        return Breakdown(self.event_id, self.wanted.state)


@dataclass(frozen=True, slots=True)
class DueForReadBack:
    """The records of one turn, and how many are due in all by event and state."""

    records: Sequence[Unconfirmed]
    due: Mapping[Breakdown, int]


@dataclass(frozen=True, slots=True)
class ReadBackResult:
    """What one look changes of one record; `seconds` until the next step, none where there is none."""

    of: Unconfirmed
    evidence: Mapping[str, object]
    seconds: float | None = None


def accounts_due(engine: Engine) -> list[str]:
    """Name the accounts that may send and have unconfirmed records due."""
    with engine.connect() as connection:
        named = connection.execute(
            text(f"""
            SELECT a.name FROM accounts a WHERE a.removed_at IS NULL AND {SENDS} AND EXISTS (
              SELECT FROM errors e WHERE e.account_id = a.id AND e.verify_at <= now())""")
        )
        return list(named.scalars())


_OPEN: Final = """
SELECT e.id AS error_id, e.record_id, e.batch_id, e.reads, b.event_id, b.state, r.contact, r.input,
  ev.object_id, ev.external_event_id, ev.external_account_id, EXISTS (
    SELECT FROM errors p WHERE p.record_id = e.record_id AND p.id < e.id AND p.resolution = 'retried'
      AND p.context @> '{"read_back": {"sent_again": true}}') AS sent_again
FROM errors e JOIN records r ON r.id = e.record_id AND r.batch_id = e.batch_id
JOIN batches b ON b.id = e.batch_id JOIN events ev ON ev.id = b.event_id
WHERE e.outcome = 'unconfirmed' AND e.resolution IS NULL AND NOT EXISTS (
  SELECT FROM errors n WHERE n.record_id = e.record_id AND n.batch_id = e.batch_id AND n.id > e.id)"""


def take(engine: Engine, account_id: int, lease: float, most_reads: int) -> DueForReadBack:
    """Take the account's records that are due to be looked for; for `lease` seconds nobody else does.

    What was resolved meanwhile, by an operator say, is looked for no more.
    """
    with engine.begin() as connection:
        due = connection.execute(
            text("""
            SELECT b.event_id, b.state, sum(e.number)::bigint AS number FROM (
              SELECT batch_id, count(*) AS number FROM (
                SELECT batch_id FROM errors WHERE account_id = :account AND verify_at <= now() AND reads <= :reads
                ORDER BY verify_at LIMIT :most) few GROUP BY 1) e
            JOIN batches b ON b.id = e.batch_id GROUP BY 1, 2"""),
            {"account": account_id, "reads": most_reads, "most": COUNTED},
        ).all()
        ids = list(
            connection.execute(
                text("""
                UPDATE errors SET verify_at = now() + :lease * interval '1 second' WHERE id = ANY(ARRAY(
                  SELECT id FROM errors WHERE account_id = :account AND verify_at <= now() AND reads <= :reads
                  ORDER BY verify_at, id LIMIT :most FOR UPDATE SKIP LOCKED)) RETURNING id"""),
                {"account": account_id, "lease": lease, "reads": most_reads, "most": MOST},
            ).scalars()
        )
        rows = connection.execute(text(f"{_OPEN} AND e.id = ANY(:ids) ORDER BY e.id"), {"ids": ids}).all()
        over = set(ids) - {row.error_id for row in rows}
        connection.execute(text("UPDATE errors SET verify_at = NULL WHERE id = ANY(:ids)"), {"ids": list(over)})
    return DueForReadBack(
        [_unconfirmed(row) for row in rows], {Breakdown(row.event_id, State(row.state)): row.number for row in due}
    )


def put_back(engine: Engine, records: Sequence[Unconfirmed], seconds: float) -> None:
    """Let records that were not looked for be due again after so many seconds."""
    with engine.begin() as connection:
        connection.execute(
            text("""
            UPDATE errors SET verify_at = now() + :seconds * interval '1 second'
            WHERE id = ANY(:ids) AND verify_at IS NOT NULL AND resolution IS NULL"""),
            {"ids": [record.error_id for record in records], "seconds": seconds},
        )


def put_off(engine: Engine, account_id: int, because: str, seconds: float) -> None:
    """Let nothing of the account be due before so many seconds have passed, and keep with each error why."""
    with engine.begin() as connection:
        connection.execute(
            text("""
            UPDATE errors SET verify_at = now() + :seconds * interval '1 second',
              context = context || jsonb_build_object('read_back',
                coalesce(context -> 'read_back', '{}') || jsonb_build_object('stopped', CAST(:because AS text)))
            WHERE id = ANY(ARRAY(
              SELECT id FROM errors WHERE account_id = :account AND verify_at <= now() + :seconds * interval '1 second'
              ORDER BY verify_at, id LIMIT :most FOR UPDATE SKIP LOCKED))"""),
            {"account": account_id, "because": because, "seconds": seconds, "most": COUNTED},
        )


def open_of(
    connection: Connection, account_id: int, contacts: Collection[str], event_id: int | None
) -> list[Unconfirmed]:
    """List every unconfirmed record of these contacts, taken or not: one call may settle several."""
    of_event = "" if event_id is None else "AND b.event_id = :event"
    rows = connection.execute(
        text(f"{_OPEN} AND r.contact = ANY(:contacts) AND b.account_id = :account {of_event} ORDER BY e.id"),
        {"contacts": list(contacts), "account": account_id, "event": event_id},
    )
    return [_unconfirmed(row) for row in rows]


def ours(connection: Connection, contact: str, event_ids: Collection[int]) -> dict[int, list[Wanted]]:
    """Give every record of a contact in these events, by event."""
    rows = connection.execute(
        text("""
        SELECT r.id AS record_id, r.input, b.event_id, b.state, ev.object_id, ev.external_event_id,
          ev.external_account_id
        FROM records r JOIN batches b ON b.id = r.batch_id JOIN events ev ON ev.id = b.event_id
        WHERE r.contact = :contact AND b.event_id = ANY(:events)"""),
        {"contact": contact, "events": list(event_ids)},
    )
    found: dict[int, list[Wanted]] = {event_id: [] for event_id in event_ids}
    for row in rows:
        found[row.event_id].append(_wanted(row))
    return found


def begin(engine: Engine, account_id: int, lease: float, asked: Sequence[Unconfirmed]) -> int | None:
    """Put a call on record before it is made, and give its attempt's id.

    None where the account may not send, which is asked anew for every call.
    """
    batch_ids = {record.batch_id for record in asked}
    with engine.begin() as connection:
        if may_send(connection, account_id, lease) is None:
            return None
        batch_id = batch_ids.pop() if len(batch_ids) == 1 else None
        return attempts.begin(connection, AttemptKind.READ_BACK, account_id, batch_id, len(asked))


_EVIDENCE: Final = """
context = e.context || jsonb_build_object('read_back', x.evidence || jsonb_build_object('last', now(),
  'first', coalesce(e.context #> '{read_back,first}', to_jsonb(now()))))"""
_STILL_OPEN: Final = """
e.id = x.error_id AND e.resolution IS NULL AND r.id = e.record_id AND r.batch_id = e.batch_id"""
_CHANGES: Final = (
    "jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(error_id bigint, evidence jsonb, reads int, seconds float8)"
)


def confirm(connection: Connection, found: Sequence[ReadBackResult]) -> int:
    """Confirm records that HubSpot shows: delivered. Give how many were still open."""
    changed = connection.execute(
        text(f"""
        UPDATE errors e SET resolution = 'confirmed', resolved_at = now(), verify_at = NULL, {_EVIDENCE}
        FROM {_CHANGES}, records r WHERE {_STILL_OPEN}"""),
        {"rows": _rows(found)},
    )
    return int(changed.rowcount)


def supersede(connection: Connection, overtaken: Sequence[ReadBackResult]) -> int:
    """Cancel records in whose place HubSpot shows a later one of ours; their events are locked."""
    changed = connection.execute(
        text(f"""
        WITH won AS (
          UPDATE errors e SET resolution = 'superseded', resolved_at = now(), verify_at = NULL, {_EVIDENCE}
          FROM {_CHANGES}, records r WHERE {_STILL_OPEN}
          RETURNING e.record_id, e.batch_id, (e.context #>> '{{read_back,by}}')::bigint AS by)
        INSERT INTO errors (record_id, batch_id, outcome, category, message, context, resolution, resolved_at)
        SELECT record_id, batch_id, 'canceled', 'SUPERSEDED',
          'HubSpot shows record ' || by || ', accepted later, in its place', jsonb_build_object('by', by),
          'superseded', now() FROM won"""),
        {"rows": _rows(overtaken)},
    )
    return int(changed.rowcount)


def note_absent(connection: Connection, absent: Sequence[ReadBackResult]) -> None:
    """Note looks that found nothing, each once: whoever looked at the same time changes nothing more."""
    connection.execute(
        text(f"""
        UPDATE errors e SET reads = x.reads + 1, verify_at = now() + x.seconds * interval '1 second', {_EVIDENCE}
        FROM {_CHANGES}, records r WHERE {_STILL_OPEN} AND e.reads = x.reads AND e.verify_at IS NOT NULL"""),
        {"rows": _rows(absent)},
    )


def send_again(engine: Engine, account_id: int, most_reads: int, batch_size: int) -> int:
    """Move records that were looked for in vain, and whose time has come, into new batches; give how many."""
    with engine.begin() as connection:
        facts: dict[str, Any] = {"account": account_id, "reads": most_reads}
        due = connection.execute(
            text("""
            SELECT e.id, b.event_id FROM errors e JOIN batches b ON b.id = e.batch_id
            WHERE e.account_id = :account AND e.verify_at <= now() AND e.reads > :reads
            ORDER BY e.verify_at LIMIT :most"""),
            {**facts, "most": PACKED},
        ).all()
        if not due:
            return 0
        lock_events(connection, {row.event_id for row in due})
        won = connection.execute(
            text("""
            UPDATE errors e SET verify_at = NULL, resolution = 'retried', resolved_at = now(),
              context = jsonb_set(e.context, '{read_back,sent_again}', 'true')
            FROM records r WHERE e.id = ANY(:ids) AND e.resolution IS NULL AND e.verify_at <= now() AND e.reads > :reads
              AND r.id = e.record_id AND r.batch_id = e.batch_id RETURNING e.record_id"""),
            {**facts, "ids": [row.id for row in due]},
        )
        moved = move(connection, list(won.scalars()), batch_size)
        connection.execute(
            text("UPDATE errors SET verify_at = NULL WHERE id = ANY(:ids) AND resolution IS NOT NULL"),
            {"ids": [row.id for row in due]},
        )
        return moved


def _rows(changes: Sequence[ReadBackResult]) -> str:
    return orjson.dumps(
        [
            {
                "error_id": change.of.error_id,
                "evidence": change.evidence,
                "reads": change.of.reads,
                "seconds": change.seconds,
            }
            for change in changes
        ]
    ).decode()


def _unconfirmed(row: Row[Any]) -> Unconfirmed:
    return Unconfirmed(row.error_id, row.batch_id, row.event_id, row.contact, _wanted(row), row.reads, row.sent_again)


def _wanted(row: Row[Any]) -> Wanted:
    address = Address(row.object_id, row.external_event_id, row.external_account_id)
    return wanted(row.record_id, address, State(row.state), row.input)
