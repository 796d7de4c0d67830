"""What all tables stand on: types by annotation, names of constraints, and values as statements write them."""

from collections.abc import Collection
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Enum,
    Float,
    Interval,
    LargeBinary,
    MetaData,
    Text,
    Time,
    Uuid,
    any_,
    bindparam,
    literal,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeEngine

from models.words import (
    Action,
    AttemptKind,
    Closing,
    Door,
    Identity,
    Origin,
    Outcome,
    Resolution,
    Role,
    Stage,
    State,
    Status,
    Via,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, so that a migration can name it."""


VACUUMED_EARLY = {"autovacuum_vacuum_scale_factor": 0.02, "autovacuum_analyze_scale_factor": 0.02}
"""Storage options of a table of a hundred million rows: PostgreSQL's own 0.2 would let twenty million die."""


def words(kind: type[StrEnum]) -> TypeEngine[Any]:
    """Make a column of one of our words: text in the database, held by a check."""
    return Enum(
        kind,
        name=kind.__name__.lower(),
        native_enum=False,
        create_constraint=True,
        length=12,
        values_callable=lambda members: [member.value for member in members],
    )


def fixed(word: StrEnum) -> ColumnElement[Any]:
    """Write one of our words into the statement itself.

    A parameter in its place would hide from a plan that is kept for every value that a partial index has the rows.
    """
    return literal_column(f"'{word.value}'", words(type(word)))


def ids(name: str) -> ColumnElement[Any]:
    """Give any id of the list that is the parameter of this name.

    As in `Batch.id == ids("batches")`; unlike an IN, the statement is the same for every number of them.
    """
    return any_(bindparam(name, type_=ARRAY(BigInteger)))


def among(numbers: Collection[int]) -> ColumnElement[Any]:
    """Give any of these ids, where a statement is built for them: as `ids`, the same for every number of them."""
    return any_(literal(list(numbers), ARRAY(BigInteger)))


def seconds(name: str) -> ColumnElement[timedelta]:
    """Give the parameter of this name, a number of seconds, as an interval."""
    return bindparam(name, type_=Float) * literal_column("interval '1 second'", Interval)


class Base(DeclarativeBase):
    """The tables' common ground: types by annotation, names of constraints."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[object, object]] = {
        int: BigInteger,
        str: Text,
        bytes: LargeBinary,
        datetime: DateTime(timezone=True),
        time: Time(),
        timedelta: Interval(),
        UUID: Uuid,
        State: words(State),
        Identity: words(Identity),
        Status: words(Status),
        Origin: words(Origin),
        Outcome: words(Outcome),
        Resolution: words(Resolution),
        Door: words(Door),
        Closing: words(Closing),
        Role: words(Role),
        Stage: words(Stage),
        AttemptKind: words(AttemptKind),
        Action: words(Action),
        Via: words(Via),
        dict[str, object]: JSONB,
        list[object]: JSONB,
        list[int]: ARRAY(BigInteger),
        list[int | None]: ARRAY(BigInteger),
    }


NOW = text("now()")
