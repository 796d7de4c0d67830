"""How rows are read, counted and written."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from worker.queries import submissions

EVENT: Final = f"{submissions.EVENT} AS event"


MANY: Final = 10_000
"""Beyond it a count says only «more than»: 5 ms, where 100,000 errors take 45."""


Row = dict[str, Any]


def read(connection: Connection, statement: str, **facts: object) -> list[Row]:
    """Read rows, each by its columns' names."""
    return [dict(row._mapping) for row in connection.execute(text(statement), facts)]  # noqa: SLF001 - its public name


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
