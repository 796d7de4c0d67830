"""How rows are bounded, counted and written."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import CompoundSelect, Connection, Select, func, select

from models.counted import counted
from models.input_check import INT64_MAX

NEWEST: Final = INT64_MAX
"""An id beyond all others: where a list of the newest begins, and what leaves nothing out."""
AT_MOST: Final = 10_000
"""Rows that are looked at, or counted, where nothing else is said: 5 ms, where 100,000 errors take 45."""


def count(connection: Connection, selected: Select[int] | CompoundSelect[Any], at_most: int = AT_MOST) -> int:
    """Count rows, but no further than just beyond a bound."""
    few = selected.limit(at_most + 1).subquery("few")
    return connection.execute(select(func.count()).select_from(few)).scalar_one()


def as_said(count: int, noun: str = "", several: str = "", *, at_most: int = AT_MOST) -> str:
    """Write a number that was counted no further than just beyond a bound, and of what it is."""
    more = count > at_most
    said = min(count, at_most)
    return ("more than " if more else "") + (counted(said, noun, several) if noun else f"{said:,}")


def in_stored_order(document: object) -> object:
    """Give a JSON document with its names in the order in which PostgreSQL keeps them, and commands print them."""
    match document:
        case Mapping():
            names = sorted(document, key=lambda name: (len(name.encode()), name.encode()))
            return {name: in_stored_order(document[name]) for name in names}
        case list():
            return [in_stored_order(one) for one in document]
    return document


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Give what orjson cannot write by itself."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    return str(value)
