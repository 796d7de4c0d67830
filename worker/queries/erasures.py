"""Looking for a person without reading everything of theirs, and the receipts of those that were erased."""

from typing import Any, Final

from sqlalchemy import Engine, text

from models.input_check import comparable

COUNTED: Final = 20_000
"""Beyond it a person's records are only said to be more than that."""


def known(engine: Engine, contact: str) -> int:
    """Count a contact's records, no further than just beyond `COUNTED`."""
    with engine.connect() as connection:
        counted = connection.execute(
            text("SELECT count(*) FROM (SELECT FROM records WHERE contact = :contact LIMIT :most) few"),
            {"contact": comparable(contact), "most": COUNTED + 1},
        )
        return int(counted.scalar_one())


def as_said(count: int) -> str:
    """Write that count."""
    return f"more than {COUNTED:,}" if count > COUNTED else f"{count:,}"


def erasures(engine: Engine, before: int | None, limit: int) -> list[dict[str, Any]]:
    """List the receipts of erasures, the newest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT * FROM erasures WHERE id < :before ORDER BY id DESC LIMIT :limit"),
            {"before": 2**63 - 1 if before is None else before, "limit": limit},
        )
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its public name
