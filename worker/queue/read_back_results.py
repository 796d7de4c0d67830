"""What looking for unconfirmed records came to: they are delivered, superseded, canceled, or looked for again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from models.error_signature import CANCELED
from models.tables import ReadBack
from models.words import Resolution
from worker.database import json
from worker.queue.unconfirmed import Unconfirmed


@dataclass(frozen=True, slots=True)
class ReadBackResult:
    """What one look came to for one record."""

    of: Unconfirmed
    resolution: Resolution | None
    """Confirmed where HubSpot shows it, superseded where it shows a later one of ours, dismissed where it does not
    show what an operator canceled; else none."""
    evidence: ReadBack
    seconds: float | None = None
    """Until the next step; none where there is none."""
    because: str = ""
    """Why it is dismissed."""


_STORE: Final = text("""
WITH changed AS (
  UPDATE errors e SET resolution = coalesce(x.resolution, e.resolution),
    resolved_at = CASE WHEN x.resolution IS NOT NULL THEN now() ELSE e.resolved_at END,
    resolved_because = x.because, reads = e.reads + CASE WHEN x.resolution IS NULL THEN 1 ELSE 0 END,
    verify_at = now() + x.seconds * interval '1 second',
    context = e.context || jsonb_build_object('read_back', x.evidence || jsonb_build_object('last', now(),
      'first', coalesce(e.context #> '{read_back,first}', to_jsonb(now()))))
  FROM jsonb_to_recordset(CAST(:results AS jsonb))
    AS x(error_id bigint, resolution text, because text, reads int, evidence jsonb, seconds float8), records r
  WHERE e.id = x.error_id AND r.id = e.record_id AND r.batch_id = e.batch_id
    AND (e.resolution IS NULL OR (e.resolution = 'superseded' AND e.verify_at IS NOT NULL))
    AND (x.resolution <> 'dismissed' OR (e.reads = x.reads AND e.verify_at IS NOT NULL))
  RETURNING e.record_id, e.batch_id, x.resolution, (e.context #>> '{read_back,by}')::bigint AS by),
superseded AS (
  INSERT INTO errors (record_id, batch_id, outcome, category, message, context, resolution, resolved_at)
  SELECT record_id, batch_id, 'canceled', 'SUPERSEDED',
    'HubSpot shows record ' || by || ', accepted later, in its place', jsonb_build_object('by', by),
    'superseded', now()
  FROM changed WHERE resolution = 'superseded'),
canceled AS (
  INSERT INTO errors (record_id, batch_id, outcome, category, message, group_id)
  SELECT record_id, batch_id, 'canceled', :category, :gist, :group_id FROM changed WHERE resolution = 'dismissed')
SELECT count(*) FROM changed""")
"""Stores what looks came to, with the evidence: an error is resolved, or one more look at it has found nothing.

A look that found nothing counts once: a second look at the same time changes nothing more. What is superseded from
the first stays so unless it is found.
"""

_CANCELED: Final = {"category": CANCELED.category, "gist": CANCELED.gist, "group_id": CANCELED.group_id}


def store(connection: Connection, results: Sequence[ReadBackResult]) -> int:
    """Store what looks came to, and give for how many records that changed something.

    Confirmed they are delivered; superseded or dismissed they are canceled, and their events must be locked.
    """
    rows = [
        {
            "error_id": result.of.error_id,
            "resolution": result.resolution,
            "because": result.because,
            "reads": result.of.reads,
            "evidence": result.evidence,
            "seconds": result.seconds,
        }
        for result in results
    ]
    facts = {"results": json(rows), **_CANCELED}
    return int(connection.execute(_STORE, facts).scalar_one()) if rows else 0
