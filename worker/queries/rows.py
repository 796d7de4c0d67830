"""How rows are read, counted and written."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from worker.queries import submissions

EVENT: Final = f"{submissions.EVENT} AS event"


STOPPED: Final = """
CASE WHEN a.removed_at IS NOT NULL THEN 'account removed: add it again, or cancel them'
     WHEN a.paused_at IS NOT NULL THEN 'account paused: ' || a.paused_because
     WHEN a.parked_until > now() THEN 'account parked: ' || a.parked_because END"""
"""Why an account `a` does not send; null where it does."""


MANY: Final = 10_000
"""Beyond it a count says only «more than»: 5 ms, where 100,000 errors take 45."""


Row = dict[str, Any]


def read(connection: Connection, statement: str, **facts: object) -> list[Row]:
    """Read rows, each by its columns' names."""
    return [dict(row._mapping) for row in connection.execute(text(statement), facts)]  # noqa: SLF001 - its public name


def count(connection: Connection, selected: str, **facts: object) -> int:
    """Count rows, but no further than just beyond `MANY`."""
    counted = connection.execute(text(f"SELECT count(*) FROM ({selected} LIMIT {MANY + 1}) few"), facts)
    return int(counted.scalar_one())


def as_said(count: int) -> str:
    """Write a bounded count."""
    return f"more than {MANY:,}" if count > MANY else f"{count:,}"


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Give what orjson cannot write by itself."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    return str(value)
