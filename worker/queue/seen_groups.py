"""Groups of errors, noted as seen before the transaction that stores their errors."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Engine, text

from models.error_signature import ErrorKind
from worker.database import json, repeat

_NOTE: Final = text("""
INSERT INTO error_groups (id, outcome, category, code, gist, event_id)
SELECT x.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id text, outcome text, category text,
  code text, gist text, event_id bigint)
WHERE NOT EXISTS (
  SELECT FROM error_groups g WHERE g.id = x.id AND g.last_seen > now() - interval '1 minute')
ORDER BY x.id ON CONFLICT (id) DO UPDATE SET last_seen = now()""")
"""Notes groups as seen, but for those that were within the last minute."""


def note_seen(engine: Engine, kinds: Collection[ErrorKind]) -> None:
    """Note that errors of these kinds come now, before the transaction that stores them.

    In a transaction of its own, so that nobody who settles waits for another's; a row is written once a minute.
    """
    if not kinds:
        return
    rows = json([{"id": kind.group_id, **kind._asdict()} for kind in kinds])

    def work() -> None:
        with engine.begin() as connection:
            connection.execute(_NOTE, {"rows": rows})

    repeat(work)
