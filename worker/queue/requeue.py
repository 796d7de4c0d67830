"""Records of settled batches, resolved and moved into new ones: what retries, corrections and verification share."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from models.batching import Group, Newcomer, plan
from models.words import Identity, Resolution, State
from worker.database import draw, json
from worker.queue import lanes


def resolve(connection: Connection, error_ids: Sequence[int], how: Resolution, because: str = "") -> list[int]:
    """Resolve errors that are still open, of records still in their batch; give the records whose errors were won."""
    won = connection.execute(
        text("""
        UPDATE errors e SET resolution = :how, resolved_at = now(), resolved_because = :because, verify_at = NULL
        FROM records r
        WHERE e.id = ANY(:ids) AND e.resolution IS NULL AND r.id = e.record_id AND r.batch_id = e.batch_id
        RETURNING e.record_id"""),
        {"ids": list(error_ids), "how": how, "because": because},
    )
    return list(won.scalars())


def move(connection: Connection, record_ids: Sequence[int], batch_size: int) -> int:
    """Move settled records, whose events are locked, into new batches of origin `retry`, due now."""
    records = connection.execute(
        text("""
        SELECT r.id, r.contact, b.event_id, b.account_id, b.state, b.identity, a.batch_size FROM records r
        JOIN batches b ON b.id = r.batch_id JOIN accounts a ON a.id = b.account_id
        WHERE r.id = ANY(:ids) ORDER BY r.id"""),
        {"ids": list(record_ids)},
    ).all()
    batches: list[dict[str, object]] = []
    moves: list[dict[str, object]] = []
    for size in sorted({record.batch_size or batch_size for record in records}):  # as a rule one
        some = [record for record in records if (record.batch_size or batch_size) == size]
        planned = plan(
            [Newcomer(Group(one.event_id, State(one.state), Identity(one.identity)), one.contact) for one in some],
            {},
            [],
            size,
        )
        for batch, batch_id in zip(planned, draw(connection, "batch_ids", len(planned)), strict=True):
            account_id, number = some[batch.added[0]].account_id, len(batch.added)
            batches.append({"id": batch_id, "account_id": account_id, **batch.group._asdict(), "size": number})
            moves += [
                {"id": some[index].id, "batch_id": batch_id, "position": position}
                for position, index in enumerate(batch.added)
            ]
    connection.execute(
        text("""
        INSERT INTO batches (id, account_id, event_id, state, identity, origin, status, open, size, positions, due_at)
        SELECT id, account_id, event_id, state, identity, 'retry', 'PENDING', false, size, size, now()
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, account_id int, event_id bigint, state text,
          identity text, size int)"""),
        {"rows": json(batches)},
    )
    connection.execute(
        text("""
        WITH x AS (
          SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, batch_id bigint, position int)),
        left_behind AS (
          UPDATE batches b SET size = b.size - gone.number FROM (
            SELECT r.batch_id, count(*) AS number FROM x JOIN records r ON r.id = x.id GROUP BY r.batch_id) gone
          WHERE b.id = gone.batch_id)
        UPDATE records r SET batch_id = x.batch_id, position = x.position FROM x WHERE r.id = x.id"""),
        {"rows": json(moves)},
    )
    lanes.tell(connection, [int(str(batch["id"])) for batch in batches])
    return len(moves)
