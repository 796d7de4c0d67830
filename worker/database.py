"""PostgreSQL: the engine, and repeating what a deadlock or a lost connection interrupted."""

import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import Connection, Engine, Result, Sequence, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase

from worker.log import get_logger
from worker.settings import Settings

log = get_logger(__name__)
T = TypeVar("T")

POOL: Final = 12
"""Connections a process: its threads (8) and a few for intake, status and the sweep."""
REPEATS: Final = 5
DEADLOCK: Final = frozenset({"40P01", "40001", "55P03"})
"""Deadlock, serialization failure, lock time-out: the same transaction, again, is right."""
DATA: Final = ("22", "23")
"""SQLSTATE classes for which the data is to blame."""

OPTIONS: Final = (
    "-c statement_timeout=60s -c lock_timeout=20s -c idle_in_transaction_session_timeout=60s -c timezone=UTC"
    " -c random_page_cost=1.1"
)
"""Every statement is to go by an index. PostgreSQL's own cost of a look-up is a spinning disk's: where ten thousand
batches were to be looked up, it read all there are (200 ms for 107,000)."""


def make_engine(settings: Settings, pool: int = POOL) -> Engine:
    """Make the engine for one process; it connects when first used."""
    return create_engine(
        settings.database_url,
        pool_size=pool,
        max_overflow=2,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text goes into the log, and they are people's addresses
        json_serializer=json,
        json_deserializer=orjson.loads,
        connect_args={
            "connect_timeout": 3,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "options": OPTIONS,
            "application_name": "turnout",
        },
    )


def json(value: object) -> str:
    """Write a value as a parameter that a statement casts to jsonb."""
    return orjson.dumps(value).decode()


def sqlstate(error: DBAPIError) -> str:
    """Give the SQLSTATE of a database error, or nothing for one that has none (a lost connection)."""
    return getattr(error.orig, "sqlstate", None) or ""


def is_datas_fault(error: DBAPIError) -> bool:
    """Say whether the data is to blame, so that repeating would fail again."""
    return sqlstate(error).startswith(DATA)


def repeat(work: Callable[[], T], *, when_lost: bool = True) -> T:
    """Do a whole transaction, again where a deadlock or (if `when_lost`) a lost connection interrupted it.

    A COMMIT that errors is ambiguous, so what is repeated must be idempotent: every transaction here is, by its
    keys or by its fence.

    Raises:
        DBAPIError: where it did not succeed in the end, or the data is to blame.

    """
    for left in reversed(range(REPEATS)):
        try:
            return work()
        except DBAPIError as error:
            lost = error.connection_invalidated or not sqlstate(error)
            if not left or not ((lost and when_lost) or sqlstate(error) in DEADLOCK):
                raise
            log.warning("transaction repeated", sqlstate=sqlstate(error) or None)
            time.sleep(0.05 * (REPEATS - left))
    raise AssertionError


def rows_as(kind: Callable[..., T], result: Result[*tuple[Any, ...]]) -> list[T]:
    """Read rows, each as a `kind` (a dataclass) whose fields are the columns' names."""
    return [kind(**row) for row in result.mappings()]


def columns_of(table: type[DeclarativeBase], kind: type) -> list[Any]:
    """Give the columns of a table after which the fields of a dataclass are named, in their order."""
    return [getattr(table, one.name) for one in fields(kind) if one.name in table.__mapper__.columns]


_DRAW: Final = text("SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, :count)")
"""Draws so many ids from a sequence."""


def draw(connection: Connection, sequence: Sequence, count: int) -> list[int]:
    """Draw ids from a sequence, in ascending order."""
    if not count:
        return []
    return sorted(connection.execute(_DRAW, {"sequence": sequence.name, "count": count}).scalars())
