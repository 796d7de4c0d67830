"""Open errors by what they have in common: the groups with a sample and advice."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ARRAY, Connection, Engine, RowMapping, Select, Text, any_, bindparam, func, select, text
from sqlalchemy.orm import aliased

from models.advice import Advice, Subject, Who, advise
from models.tables import Error, ErrorGroup, Event, Record, ids
from models.words import Outcome
from worker.queries.error_filter import Filter, looked_at, scan
from worker.queries.rows import AT_MOST, as_said, count
from worker.queries.scan import Span


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """A group that has open errors: what they have in common, how many, the newest as a sample, and advice."""

    id: str
    outcome: Outcome
    category: str
    code: str
    gist: str
    first_seen: datetime
    """Of those that are open, as the next one."""
    last_seen: datetime
    event_id: int | None
    event: str | None
    sample: str
    sample_record: int
    sample_contact: str
    count: int
    means: str
    who: Who
    action: str
    more: bool
    """There may be more than were counted."""
    verify_at: datetime | None = None
    """When the newest is looked for at HubSpot next."""

    @property
    def how_many(self) -> str:
        """Write its count."""
        return as_said(self.count, at_most=AT_MOST)


@dataclass(frozen=True, slots=True)
class DistinctError:
    """A group of some errors: what they have in common, how many they are, and what it means."""

    id: str
    outcome: Outcome
    category: str
    gist: str
    event: str | None
    count: int
    means: str
    who: Who


_GROUPED: Final = text("""
WITH RECURSIVE leap(id, number) AS (
  (SELECT group_id, 1 FROM errors WHERE resolution IS NULL AND group_id IS NOT NULL ORDER BY group_id LIMIT 1)
  UNION ALL SELECT (
    SELECT group_id FROM errors WHERE resolution IS NULL AND group_id > leap.id ORDER BY group_id LIMIT 1), number + 1
  FROM leap WHERE leap.id IS NOT NULL AND number < 1000),
shown AS (
  SELECT g.* FROM leap JOIN error_groups g USING (id) WHERE g.outcome = ANY(CAST(:outcomes AS text[]))
  ORDER BY g.last_seen DESC, g.id LIMIT CAST(:limit AS bigint))
SELECT g.id, g.outcome, g.category, g.code, g.gist, o.created_at AS first_seen, s.created_at AS last_seen, g.event_id,
  coalesce(ev.object_id, ev.external_account_id || '/' || ev.external_event_id) AS event, s.message AS sample,
  s.verify_at, s.record_id AS sample_record, r.contact AS sample_contact, (
    SELECT count(*) FROM (
      SELECT FROM errors e WHERE e.group_id = g.id AND e.resolution IS NULL LIMIT CAST(:at_most AS bigint) + 1) few
  ) AS count
FROM shown g CROSS JOIN LATERAL (
  SELECT * FROM errors e WHERE e.group_id = g.id AND e.resolution IS NULL ORDER BY e.id DESC LIMIT 1) s
CROSS JOIN LATERAL (
  SELECT created_at FROM errors e WHERE e.group_id = g.id AND e.resolution IS NULL ORDER BY e.id LIMIT 1) o
JOIN records r ON r.id = s.record_id LEFT JOIN events ev ON ev.id = g.event_id ORDER BY s.id DESC""")
"""The groups that have open errors, the last seen first. They are found by leaping along the index of open errors, a
probe each, a thousand at most; each count goes no further than just beyond a bound."""

_NAMED: Final = (
    select(ErrorGroup.id, ErrorGroup.outcome, ErrorGroup.gist, Event.label().label("event"))
    .outerjoin(Event, Event.id == ErrorGroup.event_id)
    .where(ErrorGroup.id == any_(bindparam("ids", type_=ARRAY(Text))))
)

_COUNTED: Final = (
    select(Error.group_id, func.count().label("count"), func.min(Error.message).label("sample"))
    .where(Error.id == ids("ids"))
    .group_by(Error.group_id)
    .subquery("counted")
)
_DISTINCT: Final = (
    select(ErrorGroup.id, ErrorGroup.outcome, ErrorGroup.category, ErrorGroup.code, ErrorGroup.gist)
    .add_columns(Event.label().label("event"), _COUNTED.c.count, _COUNTED.c.sample)
    .join(_COUNTED, _COUNTED.c.group_id == ErrorGroup.id)
    .outerjoin(Event, Event.id == ErrorGroup.event_id)
    .order_by(_COUNTED.c.count.desc(), ErrorGroup.id)
)


def grouped(engine: Engine, outcomes: Sequence[Outcome], limit: int = 50) -> list[OpenGroup]:
    """List the groups that have open errors of these outcomes, the last seen first, with a sample and advice."""
    with engine.connect() as connection:
        rows = connection.execute(_GROUPED, {"outcomes": list(outcomes), "limit": limit, "at_most": AT_MOST})
        return [_open_group(row, more=row["count"] > AT_MOST) for row in rows.mappings()]


def narrowed(engine: Engine, chosen: Filter, limit: int = 50) -> tuple[list[OpenGroup], int | None]:
    """List the groups of what a filter chooses of the newest `AT_MOST` unresolved errors, as `grouped` does.

    Says too how many these are, where there are older ones, which were not looked at.
    """
    span = Span(at_most=AT_MOST, newest_first=True)
    with engine.connect() as connection:
        rows = connection.execute(_narrowed(scan(chosen, span, "id", "group_id")).limit(limit)).mappings().all()
        older = count(connection, looked_at(chosen, replace(span, at_most=AT_MOST + 1), Error.id), AT_MOST) > AT_MOST
    return [_open_group(row, more=older) for row in rows], AT_MOST if older else None


def _narrowed(errors: Select[Any]) -> Select[Any]:
    error = errors.subquery("chosen").c
    few = select(error.group_id, func.count().label("count"), func.max(error.id).label("newest"))
    few = few.add_columns(func.min(error.id).label("oldest"))
    found, sample, oldest = few.group_by(error.group_id).subquery("found"), aliased(Error), aliased(Error)
    return (
        select(ErrorGroup.id, ErrorGroup.outcome, ErrorGroup.category, ErrorGroup.code, ErrorGroup.gist)
        .add_columns(ErrorGroup.event_id, oldest.created_at.label("first_seen"), sample.created_at.label("last_seen"))
        .add_columns(sample.verify_at, Event.label().label("event"), sample.message.label("sample"))
        .add_columns(sample.record_id.label("sample_record"), Record.contact.label("sample_contact"), found.c.count)
        .join(found, found.c.group_id == ErrorGroup.id)
        .join(sample, sample.id == found.c.newest)
        .join(oldest, oldest.id == found.c.oldest)
        .join(Record, Record.id == sample.record_id)
        .outerjoin(Event, Event.id == ErrorGroup.event_id)
        .order_by(found.c.newest.desc())
    )


def distinct(connection: Connection, error_ids: Sequence[int]) -> list[DistinctError]:
    """Say what errors have in common, with their counts, the largest first."""
    rows = connection.execute(_DISTINCT, {"ids": list(error_ids)}).mappings()
    shown = ("id", "outcome", "category", "gist", "event", "count")
    return [DistinctError(**{name: row[name] for name in shown}, means=(advice := _advice(row)).means, who=advice.who)
            for row in rows]  # fmt: skip


def named(engine: Engine, group_ids: Collection[str]) -> dict[str, str]:
    """Say of groups what their errors have in common: `failed: HTTP 503; … attempts`, and of which event they are."""
    if not group_ids:
        return {}
    with engine.connect() as connection:
        rows = connection.execute(_NAMED, {"ids": list(group_ids)})
        return {id_: f"{outcome}: {gist}{_of_event(event, gist)}" for id_, outcome, gist, event in rows}


def _of_event(event: str | None, gist: str) -> str:
    """Name a group's event, where what its errors have in common does not."""
    return "" if event is None or event.rpartition("/")[2] in gist else f", event {event}"


def _open_group(row: RowMapping, *, more: bool) -> OpenGroup:
    advice = _advice(row, is_looked_for=row["verify_at"] is not None)
    return OpenGroup(**row, means=advice.means, who=advice.who, action=advice.action, more=more)


def _advice(row: RowMapping, *, is_looked_for: bool = False) -> Advice:
    """Advise on a group that has a sample."""
    of = (Outcome(row["outcome"]), row["category"], row["code"], row["sample"])
    event = (row["event"] or "").rpartition("/")[2]
    return advise(*of, Subject(group_id=row["id"]), event=event, is_looked_for=is_looked_for)
