"""Records that HubSpot may have although it did not say so: an earlier call for them brought no answer.

Each is looked for at HubSpot. Where its outcome is known all the same, that outcome stands until the record is found
there: it is `rejected`, it has `failed`, or a newer one took its place.
"""

from typing import Final

from sqlalchemy import ColumnElement, exists, func, literal_column, or_
from sqlalchemy.orm import aliased

from models.tables import Attempt, Batch, Error, Record, fixed, looked_for
from models.words import AttemptKind, Outcome

FIRST_READ: Final = 5.0
"""Seconds until what HubSpot left open is first looked for: a write is not readable at once."""

_Earlier: Final = aliased(Error, name="earlier")
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
        or_(_Earlier.outcome.in_([fixed(Outcome.FAILED), fixed(Outcome.UNCONFIRMED)]), _Earlier.is_left_in_doubt()),
    )
    .correlate(Record),
)
"""A call for a `Record` brought no answer, in its present `Batch` or in one that a retry moved it out of.

A call that is not over counts for nothing yet: it is completed before its batch is anybody else's.
"""
LOOKED_FOR: Final = looked_for("an earlier call brought no answer")
"""What is added to the context of an error whose record may have arrived: it is known by this after a retry too."""
