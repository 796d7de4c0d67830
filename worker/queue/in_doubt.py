"""Records that HubSpot may have although it did not say so: an earlier call for them brought no answer.

Each is looked for at HubSpot. Where its outcome is known all the same, that outcome stands until the record is found
there: it is `rejected`, it has `failed`, or a newer one took its place.
"""

from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, literal_column, or_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from models.tables import Attempt, Batch, Error, Record, fixed
from models.words import AttemptKind, Outcome

FIRST_READ: Final = 5.0
"""Seconds until what HubSpot left open is first looked for: a write is not readable at once."""

_Earlier: Final = aliased(Error, name="earlier")
_WAS_LOOKED_FOR: Final = and_(
    _Earlier.context.has_key(literal_column("'read_back'")),
    ~_Earlier.context[literal_column("'read_back'")].has_key(literal_column("'left'")),
)
"""And neither found nor given up when somebody moved it."""
MAY_HAVE_ARRIVED: Final[ColumnElement[bool]] = or_(
    exists()
    .where(
        Attempt.batch_id == func.coalesce(Batch.split_from, Batch.id),
        Attempt.kind != fixed(AttemptKind.READ_BACK),
        Attempt.answer.in_([literal_column("'ambiguous'"), literal_column("'lost'")]),
    )
    .correlate(Batch),
    exists()
    .where(
        _Earlier.record_id == Record.id,
        or_(_Earlier.outcome.in_([fixed(Outcome.FAILED), fixed(Outcome.UNCONFIRMED)]), _WAS_LOOKED_FOR),
    )
    .correlate(Record),
)
"""A call for a `Record` brought no answer, in its present `Batch` or in one that a retry moved it out of.

A call that is not over counts for nothing yet: it is completed before its batch is anybody else's.
"""
LOOKED_FOR: Final[ColumnElement[dict[str, object]]] = literal_column(
    """'{"read_back": {"because": "an earlier call brought no answer"}}'::jsonb""", JSONB
)
"""What is added to the context of an error whose record may have arrived: it is known by this after a retry too."""
