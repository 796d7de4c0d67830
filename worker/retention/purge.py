"""Purge: what was settled longer ago than the retention goes, a little at a time, and stays in the books.

Each step is one short transaction that finds its rows by an index, and folds what it deletes into running totals. A
batch goes whole, with its records, errors and attempts; then what was refused; then receipts of which nothing is left,
with what their webhooks were told; then what operators did, a job's results before the job.

What waits is never purged: neither an unsettled batch, nor one with a record that is still read back. An error that
nobody resolved for so long keeps nothing but what overtook its record: no record that arrived goes before an older one
of its contact and event that can still be sent, for it is what keeps that one from being sent after it. Nor does a job
that is under way go.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Final, NamedTuple, Self

from sqlalchemy import Connection, Engine, text

from models.outcome import LAST_ERROR, OUTCOME
from worker.context import Context
from worker.database import repeat
from worker.operations import audit_log
from worker.operations.audit_log import Actor, noted
from worker.queries import job_results
from worker.queue.contact_index import MAY_HAVE_ARRIVED, newest, oldest
from worker.queue.locks import lock_events

log = logging.getLogger(__name__)

MOST_RECORDS: Final = 2_000
"""Records that one transaction deletes, or little more."""
MOST_BATCHES: Final = 50
MOST_ROWS: Final = 500
"""Refusals, calls, receipts or actions that one transaction deletes."""
SOON: Final = 1.0
"""Seconds until the sweep's next purge where this one found something."""
LATER: Final = 600.0
"""Seconds until it begins again where it came to an end."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows went; of `refused` inputs."""

    batches: int = 0
    records: int = 0
    errors: int = 0
    attempts: int = 0
    refused: int = 0
    receipts: int = 0
    items: int = 0
    actions: int = 0

    def __add__(self, other: Self) -> "Counts":
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __bool__(self) -> bool:
        return any(astuple(self))


class Place(NamedTuple):
    """How far batches were looked at: the last one's `settled_at`, as text, and its id."""

    settled_at: str = "-infinity"
    batch_id: int = 0


BEGINNING: Final = Place()


def purge(engine: Engine, days: float) -> Counts:
    """Purge all that was settled more than so many days ago."""
    return _purge(engine, _cutoff(engine, days))


def purge_by_hand(engine: Engine, by: Actor, days: float) -> Counts:
    """Purge, and note who did: after the moment from which on things stay, so that this stays too."""
    cutoff = _cutoff(engine, days)
    with noted(engine, by, "purge", older_than_days=days) as action:
        gone = _purge(engine, cutoff)
        action.number = gone.records + gone.refused
    return gone


def _purge(engine: Engine, cutoff: str) -> Counts:
    total, looked = Counts(), Counts(batches=1)
    while looked.batches:  # what kept something may have gone after it
        looked, place = Counts(), BEGINNING
        while True:
            gone, following = repeat(lambda: _batches(engine, cutoff, place))  # noqa: B023 - run at once
            looked += gone
            if following is None:
                break
            place = following
        total += looked
    for step in REST:
        while gone := _run(step, engine, cutoff):
            total += gone
    return total


def preview(engine: Engine, days: float) -> Counts:
    """Count what a purge would delete first: batches, records and refused inputs; the rest goes with them."""
    cutoff = _cutoff(engine, days)
    total, place = Counts(), BEGINNING
    with engine.connect() as connection:
        while found := _old(connection, cutoff, place):
            free = _free(connection, [row.id for row in found])
            total += Counts(len(free), sum(row.size for row in found if row.id in free))
            place = Place(found[-1].settled_at, found[-1].id)
        after = 0
        while True:
            page = connection.execute(
                text(
                    "SELECT id, inputs, refused_at < CAST(:cutoff AS timestamptz) AS old FROM refused"
                    " WHERE id > :after ORDER BY id LIMIT :most"
                ),
                {"cutoff": cutoff, "after": after, "most": MOST_ROWS},
            ).all()
            total += Counts(refused=sum(row.inputs for row in page if row.old))
            if not page or not page[-1].old:
                return total
            after = page[-1].id


def is_due(process: Context) -> bool:
    """Say whether the sweep is to purge a little."""
    with process.engine.connect() as connection:
        return bool(connection.execute(text("SELECT due_at <= now() FROM purged")).scalar())


def purge_a_little(process: Context) -> Counts:
    """Purge one step of everything, and note where to go on; whoever finds somebody else at it does nothing."""
    engine = process.engine
    with engine.begin() as connection:
        place = connection.execute(
            text("""
            UPDATE purged SET due_at = now() + :later * interval '1 second'
            WHERE id = (SELECT id FROM purged WHERE due_at <= now() FOR UPDATE SKIP LOCKED)
            RETURNING settled_at::text, batch_id"""),
            {"later": LATER},
        ).one_or_none()
    if place is None:
        return Counts()
    cutoff = _cutoff(engine, process.settings.retention_days)
    gone, following = repeat(lambda: _batches(engine, cutoff, Place(*place)))
    for step in REST:
        gone += _run(step, engine, cutoff)
    goes_on = following is not None or gone
    with engine.begin() as connection:
        connection.execute(
            text("""
            UPDATE purged SET due_at = now() + :wait * interval '1 second',
              settled_at = CAST(:settled_at AS timestamptz), batch_id = :batch_id"""),
            {"wait": SOON if goes_on else LATER, **(following or BEGINNING)._asdict()},
        )
    if gone:
        log.info("purged: %s", gone)
    return gone


def _cutoff(engine: Engine, days: float) -> str:
    with engine.connect() as connection:
        return str(
            connection.execute(text("SELECT (now() - :days * interval '1 day')::text"), {"days": days}).scalar_one()
        )


def _run(step: Callable[[Connection, str], Counts], engine: Engine, cutoff: str) -> Counts:
    def work() -> Counts:
        with engine.begin() as connection:
            _lock(connection)
            return step(connection, cutoff)

    return repeat(work)


def _lock(connection: Connection) -> None:
    """Let one purge at a time write; before any other lock."""
    connection.execute(text("SELECT FROM purged FOR UPDATE"))


class _Old(NamedTuple):
    id: int
    event_id: int
    size: int
    settled_at: str


def _old(connection: Connection, cutoff: str, place: Place) -> list[_Old]:
    """List the next batches that are settled and old, as many as one step takes."""
    rows = connection.execute(
        text("""
        SELECT id, event_id, size, settled_at::text FROM batches
        WHERE settled_at < CAST(:cutoff AS timestamptz)
          AND (settled_at, id) > (CAST(:settled_at AS timestamptz), :batch_id)
        ORDER BY settled_at, id LIMIT :most"""),
        {"cutoff": cutoff, "most": MOST_BATCHES, **place._asdict()},
    )
    few: list[_Old] = []
    records = 0
    for row in rows:
        few.append(_Old(*row))
        records += row.size
        if records >= MOST_RECORDS:
            break
    return few


CAN_BE_SENT: Final = """
(u.status IN ('PENDING', 'PROCESSING') OR EXISTS (
  SELECT FROM errors o WHERE o.record_id = r.id AND o.batch_id = u.id AND o.resolution IS NULL))"""
"""A record `r` of a batch `u` that waits, or whose error is open: an operator may retry or correct it, a read-back send
it once more."""
MOVED: Final = "(u.origin = 'retry' OR u.split_from IS NOT NULL)"
"""A batch that may be newer than that of what was accepted after its records."""


def _free(connection: Connection, batch_ids: Sequence[int]) -> set[int]:
    """Say which of these settled batches nothing keeps: no read-back, no batch that waits, no older record.

    The oldest record that can be sent is looked for once for each contact: many may have thousands in one event.
    """
    free = connection.execute(
        text(f"""
        WITH arrived AS MATERIALIZED (
          SELECT r.id, r.batch_id, r.contact, b.event_id FROM records r JOIN batches b ON b.id = r.batch_id {LAST_ERROR}
          WHERE r.batch_id = ANY(:ids) AND (
            {OUTCOME} IN ('delivered', 'unconfirmed') OR {OUTCOME} IN ('failed', 'canceled') AND {MAY_HAVE_ARRIVED})),
        oldest AS MATERIALIZED (
          SELECT x.contact, x.event_id, found.record_id
          FROM (SELECT contact, event_id, max(batch_id) AS upto FROM arrived GROUP BY 1, 2) x
          CROSS JOIN LATERAL {oldest(CAN_BE_SENT)} found),
        overtook AS MATERIALIZED (
          SELECT x.batch_id FROM arrived x JOIN oldest o USING (contact, event_id) WHERE o.record_id < x.id
          UNION SELECT x.batch_id FROM arrived x
          CROSS JOIN LATERAL {newest(MOVED, f"r.id < x.id AND {CAN_BE_SENT}")} older)
        SELECT b.id FROM batches b WHERE b.id = ANY(:ids) AND b.status IN ('COMPLETE', 'CANCELED')
          AND NOT EXISTS (SELECT FROM errors e WHERE e.batch_id = b.id AND e.verify_at IS NOT NULL)
          AND NOT EXISTS (SELECT FROM batches w WHERE w.after @> ARRAY[b.id] AND w.after <> '{{}}')
          AND NOT EXISTS (SELECT FROM overtook WHERE overtook.batch_id = b.id)"""),
        {"ids": list(batch_ids)},
    )
    return set(free.scalars())


def _batches(engine: Engine, cutoff: str, place: Place) -> tuple[Counts, Place | None]:
    """Delete the next batches that may go, with all that is theirs; say where to go on, none at the end."""
    with engine.begin() as connection:
        _lock(connection)
        found = _old(connection, cutoff, place)
        if not found:
            return Counts(), None
        # A retry moves records out of these, and a read-back confirms them: neither while they are counted and go.
        lock_events(connection, {row.event_id for row in found})
        ids = {"ids": [row.id for row in found]}
        connection.execute(text("SELECT FROM batches WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"), ids)
        connection.execute(text("SELECT FROM errors WHERE batch_id = ANY(:ids) ORDER BY id FOR UPDATE"), ids)
        free = sorted(_free(connection, ids["ids"]))
        return _delete(connection, free) if free else Counts(), Place(found[-1].settled_at, found[-1].id)


def _delete(connection: Connection, batch_ids: Sequence[int]) -> Counts:
    ids = {"ids": list(batch_ids)}
    counted = connection.execute(
        text(f"""
        SELECT r.submission_id, {OUTCOME} AS outcome, count(*) AS number
        FROM records r JOIN batches b ON b.id = r.batch_id {LAST_ERROR} WHERE r.batch_id = ANY(:ids) GROUP BY 1, 2"""),
        ids,
    ).all()
    outcomes: dict[str, int] = {}
    receipts: dict[int, int] = {}
    for row in counted:
        outcomes[row.outcome] = outcomes.get(row.outcome, 0) + row.number
        receipts[row.submission_id] = receipts.get(row.submission_id, 0) + row.number
    _fold(connection, outcomes)
    _note(connection, "records_purged", receipts)

    def delete(what: str) -> int:
        return int(connection.execute(text(f"DELETE FROM {what}"), ids).rowcount)

    # A record's history is its errors, in whichever batches; what moved away keeps only its younger ones.
    errors = delete("""errors WHERE id IN (
        SELECT id FROM errors WHERE batch_id = ANY(:ids)
        UNION SELECT e.id FROM records r JOIN errors e ON e.record_id = r.id WHERE r.batch_id = ANY(:ids))""")
    return Counts(
        errors=errors,
        records=delete("records WHERE batch_id = ANY(:ids)"),
        attempts=delete("attempts WHERE batch_id = ANY(:ids)"),
        batches=delete("batches WHERE id = ANY(:ids)"),
    )


def _fold(connection: Connection, numbers: Mapping[str, int]) -> None:
    if numbers:
        added = ", ".join(f"{column} = {column} + :{column}" for column in numbers)
        connection.execute(text(f"UPDATE purged SET {added}"), dict(numbers))


def _note(connection: Connection, column: str, numbers: Mapping[int, int]) -> None:
    """Note on receipts how much of them is purged."""
    connection.execute(
        text(f"""
        UPDATE submissions s SET {column} = s.{column} + x.number
        FROM unnest(CAST(:ids AS bigint[]), CAST(:numbers AS int[])) x(id, number) WHERE s.id = x.id"""),
        {"ids": list(numbers), "numbers": list(numbers.values())},
    )


def _refused(connection: Connection, cutoff: str) -> Counts:
    """Delete the oldest refused inputs, by id: what was refused earlier has the smaller one."""
    gone = connection.execute(
        text("""
        DELETE FROM refused WHERE refused_at < CAST(:cutoff AS timestamptz)
          AND id IN (SELECT id FROM refused ORDER BY id LIMIT :most) RETURNING submission_id, inputs"""),
        {"cutoff": cutoff, "most": MOST_ROWS},
    )
    receipts: dict[int, int] = {}
    for row in gone:
        receipts[row.submission_id] = receipts.get(row.submission_id, 0) + row.inputs
    _note(connection, "refused_purged", receipts)
    return Counts(refused=sum(receipts.values()))


def _reads(connection: Connection, cutoff: str) -> Counts:
    """Delete the oldest calls that read back records of several batches; the others go with their batch."""
    gone = connection.execute(
        text("""
        DELETE FROM attempts WHERE started_at < CAST(:cutoff AS timestamptz)
          AND id IN (SELECT id FROM attempts WHERE batch_id IS NULL ORDER BY id LIMIT :most)"""),
        {"cutoff": cutoff, "most": MOST_ROWS},
    )
    return Counts(attempts=gone.rowcount)


def _receipts(connection: Connection, cutoff: str) -> Counts:
    """Delete the oldest receipts of which nothing is left."""
    gone = connection.execute(
        text("""
        WITH gone AS (
          DELETE FROM submissions WHERE received_at < CAST(:cutoff AS timestamptz) AND id IN (
            SELECT id FROM submissions WHERE accepted = records_purged AND refused = refused_purged
            ORDER BY id LIMIT :most) RETURNING submission, accepted, duplicates, refused)
        SELECT array_agg(DISTINCT submission) AS submissions,
          count(*) AS receipts, coalesce(sum(accepted), 0)::bigint AS accepted,
          coalesce(sum(duplicates), 0)::bigint AS duplicates, coalesce(sum(refused), 0)::bigint AS refused
        FROM gone"""),
        {"cutoff": cutoff, "most": MOST_ROWS},
    ).one()
    _fold(connection, {name: getattr(gone, name) for name in ("accepted", "duplicates", "refused")})
    connection.execute(
        text("""
        DELETE FROM notifications n WHERE n.submission = ANY(:gone)
          AND NOT EXISTS (SELECT FROM submissions s WHERE s.submission = n.submission)"""),
        {"gone": gone.submissions or []},
    )
    return Counts(receipts=gone.receipts)


def _jobs(connection: Connection, cutoff: str) -> Counts:
    """Delete results of the oldest jobs, and the jobs of which none are left, each with its action."""
    return Counts(**job_results.forget(connection, cutoff, MOST_ROWS, MOST_RECORDS))


def _actions(connection: Connection, cutoff: str) -> Counts:
    """Delete the oldest actions that are no job's."""
    return Counts(actions=audit_log.forget(connection, cutoff, MOST_ROWS))


REST: Final = (_refused, _reads, _receipts, _jobs, _actions)
