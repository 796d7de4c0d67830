"""Schedules: retries that begin by themselves, by the crontab of a time zone, once however many sweeps run.

Each begins a job, unless its last one is still under way. One that was missed begins once, as soon as a sweep runs.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from sqlalchemy import Connection, Engine, Row, text

from models.input_check import Reason
from models.words import Action, Via
from models.zones import name_of, read_place
from worker.database import json
from worker.operations import audit_log, jobs
from worker.operations.audit_log import Actor
from worker.queries.error_filter import ANY_OPEN, Filter
from worker.settings import Settings

log = logging.getLogger(__name__)

OF_SETTINGS: Final = "TURNOUT_RETRY_SCHEDULE"
"""The name of the one that the settings hold; no other can have it."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
AT_MOST: Final = 10
"""Retries of a record, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """What is scheduled."""

    name: str
    crontab: str
    filter: Filter = field(default_factory=Filter)
    most_retries: int = AT_MOST
    time_zone: str = "UTC"
    quiet: tuple[time, time] | None = None
    """It begins nothing from the first until the second, over midnight where that is the smaller."""

    def wrong(self) -> list[Reason]:
        """Say what of it cannot be used."""
        found = []
        if not NAME.fullmatch(self.name) or self.name == OF_SETTINGS:
            right = "1 to 63 letters, digits, dots, dashes and underscores, and not the setting's"
            found.append(Reason("name", f"{self.name!r} cannot be used", right))
        try:
            next(CronSim(self.crontab, datetime.now(UTC)))
        except (CronSimError, StopIteration, ValueError):  # the last where a number has thousands of digits
            right = "five fields such as '0 3 * * *' (at three each day) or '*/15 8-18 * * 1-5'"
            found.append(Reason("crontab", f"{self.crontab!r} names no time", right))
        zone = read_place(self.time_zone)
        if isinstance(zone, Reason):
            found.append(replace(zone, where="time zone"))
        if not 1 <= self.most_retries <= 1_000:  # noqa: PLR2004 - a bound
            found.append(Reason("at most", f"{self.most_retries} retries", "1 to 1,000: none is retried for ever"))
        if unfit := [one.value for one in self.filter.outcomes if one not in ANY_OPEN]:
            found.append(Reason("outcome", ", ".join(unfit), f"some of {', '.join(ANY_OPEN)}"))
        if self.quiet and self.quiet[0] == self.quiet[1]:
            found.append(Reason("quiet", "begin and end are the same", "such as 22:00-06:30"))
        return found


def read_quiet(written: str) -> tuple[time, time] | Reason:
    """Read quiet hours: `22:00-06:30`."""
    try:
        begin, end = (time.fromisoformat(one.strip()).replace(second=0, tzinfo=None) for one in written.split("-"))
    except ValueError:
        return Reason("quiet", f"{written!r} is no span of hours", "such as 22:00-06:30")
    return begin, end


def quiet_said(row: Mapping[str, Any]) -> str:
    """Write a schedule's quiet hours."""
    return f"{row['quiet_from']:%H:%M}-{row['quiet_to']:%H:%M}" if row["quiet_from"] is not None else ""


def put(engine: Engine, by: Actor, schedule: RetrySchedule) -> bool:
    """Add a schedule, or change the one of that name; say whether it is new. What `wrong` says was asked before."""
    zone = read_place(schedule.time_zone)
    time_zone = schedule.time_zone if isinstance(zone, Reason) else name_of(zone)
    with engine.begin() as connection:
        quiet = schedule.quiet or (None, None)
        is_new = connection.execute(
            text("""
            INSERT INTO schedules (name, crontab, next_at, time_zone, filter, most_retries, quiet_from, quiet_to)
            VALUES (:name, :crontab, :next_at, :time_zone, CAST(:filter AS jsonb), :most_retries, :begin, :end)
            ON CONFLICT (name) DO UPDATE SET crontab = excluded.crontab, next_at = excluded.next_at,
              time_zone = excluded.time_zone, filter = excluded.filter, most_retries = excluded.most_retries,
              quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to
            RETURNING xmax = 0"""),
            {
                "name": schedule.name,
                "crontab": schedule.crontab,
                "next_at": _following(schedule.crontab, time_zone, _now(connection), quiet),
                "time_zone": time_zone,
                "filter": json(schedule.filter.written),
                "most_retries": schedule.most_retries,
                "begin": quiet[0],
                "end": quiet[1],
            },
        ).scalar_one()
        facts = {"schedule": schedule.name, "crontab": schedule.crontab, **schedule.filter.written}
        audit_log.note(connection, by, "schedule", facts)
        return bool(is_new)


def remove(engine: Engine, by: Actor, name: str) -> bool:
    """Remove a schedule; false where there is none of that name."""
    removed = f"DELETE FROM schedules WHERE name = :name AND name <> '{OF_SETTINGS}'"
    return _change(engine, by, name, "remove schedule", removed)


def pause(engine: Engine, by: Actor, name: str) -> bool:
    """Let a schedule begin nothing until it is resumed; false where there is none of that name."""
    return _change(engine, by, name, "pause schedule", "UPDATE schedules SET paused = true WHERE name = :name")


def resume(engine: Engine, by: Actor, name: str) -> bool:
    """Let a paused schedule begin again, at its next time and not for those that were missed."""
    with engine.begin() as connection:
        row = _named(connection, name)
        following = row and _next(row, _now(connection))
    changed = "UPDATE schedules SET paused = false, next_at = :next_at WHERE name = :name"
    return row is not None and _change(engine, by, name, "resume schedule", changed, next_at=following)


def begin_now(engine: Engine, by: Actor, name: str) -> int | None:
    """Begin a schedule's job at once, whatever its hours; give its id, none where there is none of that name."""
    with engine.begin() as connection:
        row = _named(connection, name)
        return None if row is None else _begin(connection, by, row)


def chosen_of(engine: Engine, name: str) -> dict[str, object] | None:
    """Give what a schedule's job is done to, as the job keeps it; none where there is none of that name."""
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM schedules WHERE name = :name"), {"name": name}).one_or_none()
    return None if row is None else _chosen(row)


def begun(engine: Engine, name: str, job_id: int) -> None:
    """Note that an operator began a schedule's job."""
    with engine.begin() as connection:
        _note_job(connection, name, job_id)


def listed(engine: Engine) -> list[dict[str, Any]]:
    """List the schedules by name; each with how its last job stands."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT s.*, j.done AS job_done, j.started_at AS job_started_at, j.ended_at AS job_ended_at
            FROM schedules s LEFT JOIN jobs j ON j.id = s.job_id ORDER BY s.name LIMIT 1000""")
        )
        return [{**row._mapping, "of_settings": row.name == OF_SETTINGS} for row in rows]  # noqa: SLF001


def run(engine: Engine, settings: Settings) -> None:
    """Begin what is due."""
    _keep_settings(engine, settings.retry_schedule)
    with engine.connect() as connection:
        due = connection.execute(text("SELECT name FROM schedules WHERE next_at <= now() AND NOT paused ORDER BY name"))
        names = list(due.scalars())
    for name in names:
        try:
            _run(engine, name)
        except (KeyError, ValueError):  # a time zone, a crontab or a filter that another version of this knows
            log.exception("schedule %s cannot be read", name)
            with engine.begin() as connection:
                later = text("UPDATE schedules SET next_at = now() + interval '1 hour' WHERE name = :name")
                connection.execute(later, {"name": name})


def _run(engine: Engine, name: str) -> None:
    with engine.begin() as connection:
        row = connection.execute(
            text("""
            SELECT * FROM schedules WHERE name = :name AND next_at <= now() AND NOT paused FOR UPDATE SKIP LOCKED"""),
            {"name": name},
        ).one_or_none()
        if row is not None:
            _run_now(connection, row)


def _run_now(connection: Connection, row: Row[Any]) -> None:
    now = _now(connection)
    begins = after_quiet(now.astimezone(ZoneInfo(row.time_zone)), row.quiet_from, row.quiet_to)
    if begins is None and not _is_under_way(connection, row.job_id):
        job_id = _begin(connection, Actor(row.name, Via.SCHEDULE), row)
        log.info("schedule %s: job %d is begun", row.name, job_id)
    connection.execute(
        text("UPDATE schedules SET next_at = :next_at WHERE name = :name"),
        {
            "name": row.name,
            "next_at": begins or _following(row.crontab, row.time_zone, now, (row.quiet_from, row.quiet_to)),
        },
    )


def after_quiet(now: datetime, begin: time | None, end: time | None) -> datetime | None:
    """Say when the quiet hours end that it is in now, in its own time zone; none where it is in none."""
    if begin is None or end is None:
        return None
    clock = now.time()
    quiet = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not quiet:
        return None
    ends = now.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
    return ends if ends > now else ends + timedelta(days=1)


def _begin(connection: Connection, by: Actor, row: Row[Any]) -> int:
    job_id = jobs.ask(connection, by, Action.RETRY, _chosen(row))
    _note_job(connection, row.name, job_id)
    return job_id


def _chosen(row: Row[Any]) -> dict[str, object]:
    chosen = replace(Filter.read(row.filter), most_retries=row.most_retries)
    return {**chosen.written, "schedule": row.name}


def _note_job(connection: Connection, name: str, job_id: int) -> None:
    connection.execute(text("UPDATE schedules SET job_id = :job WHERE name = :name"), {"job": job_id, "name": name})


def _keep_settings(engine: Engine, crontab: str) -> None:
    """Keep the setting's schedule as the settings have it; where they change, it counts from now."""
    with engine.begin() as connection:
        if not crontab:
            connection.execute(text("DELETE FROM schedules WHERE name = :name"), {"name": OF_SETTINGS})
            return
        connection.execute(
            text("""
            INSERT INTO schedules (name, crontab, next_at) VALUES (:name, :crontab, :next_at)
            ON CONFLICT (name) DO UPDATE SET crontab = excluded.crontab, next_at = excluded.next_at
            WHERE schedules.crontab <> excluded.crontab"""),
            {
                "name": OF_SETTINGS,
                "crontab": crontab,
                "next_at": _following(crontab, "UTC", _now(connection)),
            },
        )


def _following(
    crontab: str, time_zone: str, now: datetime, quiet: tuple[time | None, time | None] = (None, None)
) -> datetime:
    """Give when the crontab is due next, or where that is in the quiet hours, when these end."""
    following = next(CronSim(crontab, now.astimezone(ZoneInfo(time_zone))))
    return after_quiet(following, *quiet) or following


def _next(row: Row[Any], now: datetime) -> datetime:
    return _following(row.crontab, row.time_zone, now, (row.quiet_from, row.quiet_to))


def _now(connection: Connection) -> datetime:
    now: datetime = connection.execute(text("SELECT now()")).scalar_one()
    return now


def _is_under_way(connection: Connection, job_id: int | None) -> bool:
    statement = text("SELECT EXISTS (SELECT FROM jobs WHERE id = :id AND ended_at IS NULL)")
    return bool(connection.execute(statement, {"id": job_id}).scalar_one())


def _named(connection: Connection, name: str) -> Row[Any] | None:
    found = connection.execute(text("SELECT * FROM schedules WHERE name = :name FOR UPDATE"), {"name": name})
    return found.one_or_none()


def _change(engine: Engine, by: Actor, name: str, what: str, statement: str, **facts: object) -> bool:
    with engine.begin() as connection:
        changed = connection.execute(text(statement), {"name": name, **facts}).rowcount
        if changed:
            audit_log.note(connection, by, what, {"schedule": name})
        return bool(changed)
