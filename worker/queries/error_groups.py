"""Errors by what they have in common: noting that a group was seen, and showing the groups with open errors."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text

from models.advice import Subject, advise
from models.words import Outcome
from worker.queries import error_scan
from worker.queries.error_filter import Filter
from worker.queries.submissions import EVENT

COUNTED: Final = 10_000
"""Beyond it a group's count says only «more than»."""
WALKED: Final = 1_000
"""Groups with open errors that are looked at, at most."""
OF_EVENT: Final = "LEFT JOIN events ev ON ev.id = g.event_id"
"""The event of a group `g`, where its errors are about their event."""


def grouped(engine: Engine, outcomes: Sequence[Outcome], limit: int = 50) -> list[dict[str, Any]]:
    """List the groups that have open errors of these outcomes, the last seen first, with a sample and advice.

    The groups are found by leaping along the index of open errors, a probe each; each count goes no further than
    just beyond `COUNTED`.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"""
            WITH RECURSIVE leap(id, number) AS (
              (SELECT group_id, 1 FROM errors WHERE resolution IS NULL AND group_id IS NOT NULL
               ORDER BY group_id LIMIT 1)
              UNION ALL SELECT (SELECT group_id FROM errors WHERE resolution IS NULL AND group_id > leap.id
                ORDER BY group_id LIMIT 1), number + 1 FROM leap WHERE leap.id IS NOT NULL AND number < {WALKED}),
            shown AS (
              SELECT g.* FROM leap JOIN error_groups g USING (id) WHERE g.outcome = ANY(:outcomes)
              ORDER BY g.last_seen DESC, g.id LIMIT :limit)
            SELECT g.*, {EVENT} AS event, s.message AS sample, s.record_id AS sample_record,
              r.contact AS sample_contact,
              (SELECT count(*) FROM (
                SELECT FROM errors e WHERE e.group_id = g.id AND e.resolution IS NULL LIMIT {COUNTED + 1}) few) AS count
            FROM shown g CROSS JOIN LATERAL (
              SELECT * FROM errors e WHERE e.group_id = g.id AND e.resolution IS NULL ORDER BY e.id DESC LIMIT 1) s
            JOIN records r ON r.id = s.record_id {OF_EVENT} ORDER BY g.last_seen DESC, g.id"""),
            {"outcomes": list(outcomes), "limit": limit},
        )
        return [advised(dict(row._mapping)) for row in rows]  # noqa: SLF001 - its public name


def narrowed(engine: Engine, chosen: Filter, limit: int = 50) -> tuple[list[dict[str, Any]], bool]:
    """List the groups of what a filter chooses of the newest `COUNTED` unresolved errors, as `grouped` does.

    Says too whether there are older ones, which were not looked at.
    """
    with engine.connect() as connection:
        facts = error_scan.facts(chosen, None, COUNTED)
        rows = connection.execute(
            text(f"""
            SELECT g.*, {EVENT} AS event, s.message AS sample, s.record_id AS sample_record,
              r.contact AS sample_contact, f.count
            FROM (
              SELECT group_id, count(*) AS count, max(id) AS newest FROM ({error_scan.found(chosen)}) e GROUP BY 1) f
            JOIN error_groups g ON g.id = f.group_id
            JOIN errors s ON s.id = f.newest JOIN records r ON r.id = s.record_id {OF_EVENT}
            ORDER BY g.last_seen DESC, g.id LIMIT :limit"""),
            {**facts, "limit": limit},
        ).all()
        walked = f"SELECT count(*) FROM ({error_scan.unresolved(chosen, 'id')}) e"
        older = connection.execute(text(walked), {**facts, "walk": COUNTED + 1}).scalar_one() > COUNTED
    return [advised(dict(row._mapping)) for row in rows], older  # noqa: SLF001 - its public name


def matching(
    connection: Connection, chosen: Filter, until: int, most: int = COUNTED
) -> tuple[Sequence[Row[Any]], bool]:
    """Find the errors up to the id `until` that a filter chooses, the oldest `most`: `id`, `record_id`.

    Say too whether there are more. A filter that no index is of is looked for in any order first: it may choose few,
    and then walking from the oldest on would look at everything.
    """
    facts = {"outcomes": list(chosen.outcomes), "until": until, "most": most + 1, **chosen.facts}
    if not chosen.facts.keys() <= {"group_id"}:
        found = connection.execute(
            text(f"""
            SELECT e.id, e.record_id FROM errors e {error_scan.joined(chosen)}
            WHERE e.outcome = ANY(:outcomes) AND e.id <= :until AND {chosen.sql} LIMIT :most"""),
            facts,
        ).all()
        if len(found) <= most:
            return sorted(found, key=lambda row: row.id), False
    rows = connection.execute(text(error_scan.oldest(chosen)), facts).all()
    return rows[:most], len(rows) > most


def distinct(connection: Connection, error_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Give the groups of errors, each with its `count` of these, the largest first."""
    rows = connection.execute(
        text(f"""
        SELECT g.*, {EVENT} AS event, f.count, f.sample FROM (
          SELECT group_id, count(*) AS count, min(message) AS sample FROM errors WHERE id = ANY(:ids)
          GROUP BY group_id) f
        JOIN error_groups g ON g.id = f.group_id {OF_EVENT} ORDER BY f.count DESC, g.id"""),
        {"ids": list(error_ids)},
    )
    return [advised(dict(row._mapping)) for row in rows]  # noqa: SLF001 - its public name


def named(engine: Engine, group_ids: Collection[str]) -> dict[str, str]:
    """Say of groups what their errors have in common: `failed: HTTP 503; … attempts`, and of which event they are."""
    if not group_ids:
        return {}
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"SELECT g.*, {EVENT} AS event FROM error_groups g {OF_EVENT} WHERE g.id = ANY(:ids)"),
            {"ids": list(group_ids)},
        )
        return {row.id: f"{row.outcome}: {row.gist}{_of_event(row.event, row.gist)}" for row in rows}


def _of_event(event: str | None, gist: str) -> str:
    """Name a group's event, where what its errors have in common does not."""
    return "" if event is None or event.rpartition("/")[2] in gist else f", event {event}"


def as_said(count: int) -> str:
    """Write a bounded count."""
    return f"more than {COUNTED:,}" if count > COUNTED else f"{count:,}"


def advised(group: dict[str, Any]) -> dict[str, Any]:
    """Add the advice to a group that has a sample."""
    subject = Subject(group_id=group["id"])
    event = (group["event"] or "").rpartition("/")[2]
    of = (Outcome(group["outcome"]), group["category"], group["code"], group["sample"])
    advice = advise(*of, subject, event=event)
    return {**group, "means": advice.means, "who": advice.who, "action": advice.action}
