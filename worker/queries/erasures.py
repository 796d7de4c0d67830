"""Looking for a person without reading everything of theirs, and the receipts of those that were erased."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, bindparam, select, true

from models.input_check import comparable
from models.outcome import LastError
from models.tables import Batch, Erasure, Record
from worker.database import columns_of, rows_as
from worker.queries.rows import count
from worker.queries.submissions import contact_id

COUNTED: Final = 20_000
"""Beyond it a person's records are only said to be more than that."""
LOOKED_AT: Final = 100
"""Records of a person that are looked at for HubSpot's id of the contact."""


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """That somebody was erased: how many rows of which table, and whether that was everything."""

    id: int
    erased_at: datetime
    rows: dict[str, int]
    complete: bool


def known(engine: Engine, contact: str) -> int:
    """Count a contact's records, no further than just beyond `COUNTED`."""
    records = select(Record.id).where(Record.contact == comparable(contact))
    with engine.connect() as connection:
        return count(connection, records, COUNTED)


_CONTACT_IDS: Final = (
    select(contact_id(Record, Batch, LastError))
    .select_from(Record)
    .join(Batch, Batch.id == Record.batch_id)
    .outerjoin(LastError, true())
    .where(Record.contact == bindparam("contact"))
    .limit(LOOKED_AT)
)


def contact_ids(engine: Engine, contact: str) -> list[int]:
    """Give HubSpot's ids of a contact, as far as answers of some of its records told them."""
    with engine.connect() as connection:
        found = connection.execute(_CONTACT_IDS, {"contact": comparable(contact)}).scalars()
        return sorted({one for one in found if one is not None})


def erasure(engine: Engine, number: int) -> ErasureReceipt | None:
    """Find a receipt."""
    with engine.connect() as connection:
        found = connection.execute(select(*columns_of(Erasure, ErasureReceipt)).where(Erasure.id == number))
        return next(iter(rows_as(ErasureReceipt, found)), None)


def erasures(engine: Engine, before: int | None, limit: int) -> list[ErasureReceipt]:
    """List the receipts of erasures, the newest first."""
    listed = select(*columns_of(Erasure, ErasureReceipt)).order_by(Erasure.id.desc()).limit(limit)
    if before is not None:
        listed = listed.where(Erasure.id < before)
    with engine.connect() as connection:
        return rows_as(ErasureReceipt, connection.execute(listed))
