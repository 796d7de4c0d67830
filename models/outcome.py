"""A record's outcome, derived in this one place: that of its last error in its present batch, else its batch's.

Only the resolution `confirmed` makes an error's record delivered; `dismissed` changes nothing.
"""

from typing import Final

from models.words import Outcome, Status

LAST_ERROR: Final = """
LEFT JOIN LATERAL (
  SELECT e.* FROM errors e WHERE e.record_id = r.id AND e.batch_id = r.batch_id ORDER BY e.id DESC LIMIT 1
) e ON true"""
"""Joins the last error `e` of a record `r` in its present batch."""

OUTCOME: Final = """
CASE WHEN e.resolution = 'confirmed' THEN 'delivered'
     WHEN e.id IS NOT NULL THEN e.outcome
     WHEN b.status = 'COMPLETE' THEN 'delivered'
     ELSE lower(b.status) END"""
"""The outcome of a record with its batch `b` and its last error `e`."""


def of_batch(status: str) -> str:
    """Give the outcome of a record without an error, by its batch's status."""
    return Outcome.DELIVERED.value if status == Status.COMPLETE else status.lower()
