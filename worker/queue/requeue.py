"""Records of settled batches, resolved and moved into new ones: what retries, corrections and verification share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, func, null, select, text, update

from models.batching import Group, Newcomer, plan
from models.tables import BATCH_IDS, Account, Batch, Error, Record, ids
from models.words import Identity, Resolution, State
from worker.database import draw, json, rows_as
from worker.queue import lanes

_RESOLVE: Final = (
    update(Error)
    .where(
        Error.id == ids("errors"),
        Error.is_unresolved(),
        Record.id == Error.record_id,
        Record.batch_id == Error.batch_id,
    )
    .values(
        resolution=bindparam("how"), resolved_at=func.now(), resolved_because=bindparam("because"), verify_at=null()
    )
    .returning(Error.record_id)
)


def resolve(connection: Connection, error_ids: Sequence[int], how: Resolution, because: str = "") -> list[int]:
    """Resolve errors that are still open, of records still in their batch; give the records whose errors were won."""
    won = connection.execute(_RESOLVE, {"errors": list(error_ids), "how": how, "because": because})
    return list(won.scalars())


@dataclass(frozen=True, slots=True)
class _Settled:
    """A record that is to be moved, and whose it is."""

    id: int
    contact: str
    event_id: int
    account_id: int
    state: State
    identity: Identity
    batch_size: int | None


_TO_MOVE: Final = (
    select(
        Record.id,
        Record.contact,
        Batch.event_id,
        Batch.account_id,
        Batch.state,
        Batch.identity,
        Account.batch_size,
    )
    .join(Batch, Batch.id == Record.batch_id)
    .join(Account, Account.id == Batch.account_id)
    .where(Record.id == ids("records"))
    .order_by(Record.id)
)
_STORE_BATCHES: Final = text("""
INSERT INTO batches (id, account_id, event_id, state, identity, origin, status, open, size, positions, due_at)
SELECT id, account_id, event_id, state, identity, 'retry', 'PENDING', false, size, size, now()
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, account_id int, event_id bigint, state text,
  identity text, size int)""")
"""Makes the batches that the records are moved to."""
_MOVE: Final = text("""
WITH x AS (
  SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, batch_id bigint, position int)),
left_behind AS (
  UPDATE batches b SET size = b.size - gone.number FROM (
    SELECT r.batch_id, count(*) AS number FROM x JOIN records r ON r.id = x.id GROUP BY r.batch_id) gone
  WHERE b.id = gone.batch_id)
UPDATE records r SET batch_id = x.batch_id, position = x.position FROM x WHERE r.id = x.id""")
"""Moves the records; the batches that they leave are so many smaller."""


def move(connection: Connection, record_ids: Sequence[int], batch_size: int) -> int:
    """Move settled records, whose events are locked, into new batches of origin `retry`, due now."""
    records = rows_as(_Settled, connection.execute(_TO_MOVE, {"records": list(record_ids)}))
    batches: list[dict[str, object]] = []
    moves: list[dict[str, object]] = []
    for size in sorted({record.batch_size or batch_size for record in records}):  # as a rule one
        some = [record for record in records if (record.batch_size or batch_size) == size]
        planned = plan(
            [Newcomer(Group(one.event_id, one.state, one.identity), one.contact) for one in some],
            {},
            [],
            size,
        )
        for batch, batch_id in zip(planned, draw(connection, BATCH_IDS, len(planned)), strict=True):
            account_id, number = some[batch.added[0]].account_id, len(batch.added)
            batches.append({"id": batch_id, "account_id": account_id, **batch.group._asdict(), "size": number})
            moves += [
                {"id": some[index].id, "batch_id": batch_id, "position": position}
                for position, index in enumerate(batch.added)
            ]
    connection.execute(_STORE_BATCHES, {"rows": json(batches)})
    connection.execute(_MOVE, {"rows": json(moves)})
    lanes.tell(connection, [int(str(batch["id"])) for batch in batches])
    return len(moves)
