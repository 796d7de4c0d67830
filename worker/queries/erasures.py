"""Looking for a person without reading everything of theirs, and the receipts of those that were erased."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, select

from models.input_check import comparable
from models.tables import Erasure, Record
from worker.database import columns_of, rows_as
from worker.queries.rows import count

COUNTED: Final = 20_000
"""Beyond it a person's records are only said to be more than that."""


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


def erasures(engine: Engine, before: int | None, limit: int) -> list[ErasureReceipt]:
    """List the receipts of erasures, the newest first."""
    listed = select(*columns_of(Erasure, ErasureReceipt)).order_by(Erasure.id.desc()).limit(limit)
    if before is not None:
        listed = listed.where(Erasure.id < before)
    with engine.connect() as connection:
        return rows_as(ErasureReceipt, connection.execute(listed))
