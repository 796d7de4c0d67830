"""Schedules: retries that begin by themselves, by the crontab of a time zone, once however many sweeps run.

Each begins a job, unless its last one is still under way. One that was missed begins once, as soon as a sweep runs.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from sqlalchemy import (
    Boolean,
    Connection,
    Delete,
    Engine,
    Result,
    Update,
    and_,
    delete,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from models.ids import NAME
from models.input_check import Reason
from models.tables import Job, Schedule
from models.words import Action, Via
from models.zones import name_of, read_place
from worker.database import columns_of
from worker.log import get_logger
from worker.operations import audit_log, jobs
from worker.operations.audit_log import Actor
from worker.queries.error_filter import ANY_OPEN, Filter
from worker.queries.job_filter import UnknownFilter, known, readable
from worker.queries.rows import in_stored_order
from worker.settings import Settings

log = get_logger(__name__)
S = TypeVar("S", bound="StoredSchedule")

OF_SETTINGS: Final = "TURNOUT_RETRY_SCHEDULE"
"""The name of the one that the settings hold; no other can have it."""
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
            found.append(Reason("quiet", "begin and end are the same", "hours such as 22:00-06:30"))
        return found


def read_quiet(written: str) -> tuple[time, time] | Reason:
    """Read quiet hours: `22:00-06:30`."""
    try:
        begin, end = (time.fromisoformat(one.strip()).replace(second=0, tzinfo=None) for one in written.split("-"))
    except ValueError:
        return Reason("quiet", f"{written!r} is no span of hours", "hours such as 22:00-06:30")
    return begin, end


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule as it is kept."""

    name: str
    crontab: str
    next_at: datetime
    time_zone: str
    filter: Filter | UnknownFilter
    most_retries: int
    quiet_from: time | None
    quiet_to: time | None
    paused: bool
    job_id: int | None

    @property
    def quiet(self) -> str:
        """Write its quiet hours."""
        return f"{self.quiet_from:%H:%M}-{self.quiet_to:%H:%M}" if self.quiet_from is not None else ""

    @property
    def plan(self) -> RetrySchedule:
        """Give what is scheduled, to be changed."""
        begin, end = self.quiet_from, self.quiet_to
        quiet = None if begin is None or end is None else (begin, end)
        chosen = known(self.filter, Filter)
        return RetrySchedule(self.name, self.crontab, chosen, self.most_retries, self.time_zone, quiet)

    @property
    def chosen(self) -> Filter:
        """Give what its job is done to."""
        return replace(known(self.filter, Filter), most_retries=self.most_retries, schedule=self.name)

    @property
    def kept(self) -> dict[str, object]:
        """Give its filter as it is kept; of the setting's there is nothing."""
        return {} if self.name == OF_SETTINGS else dict(self.filter.written)

    def following(self, now: datetime) -> datetime:
        """Give when it is due next."""
        return _following(self.crontab, self.time_zone, now, (self.quiet_from, self.quiet_to))


@dataclass(frozen=True, slots=True)
class ListedSchedule(StoredSchedule):
    """A schedule with how its last job stands."""

    job_done: int | None
    job_started_at: datetime | None
    job_ended_at: datetime | None
    of_settings: bool

    def as_json(self) -> dict[str, object]:
        """Write it as commands print it, its filter as it is kept."""
        return asdict(self) | {"filter": in_stored_order(self.kept)}


def _read(kind: type[S], result: Result[*tuple[Any, ...]]) -> list[S]:
    """Read rows of schedules, each as a `kind`: here their JSON is read."""
    return [kind(**{**row, "filter": readable(Filter.read, row["filter"])}) for row in result.mappings()]


_SCHEDULES: Final = select(*columns_of(Schedule, StoredSchedule))


def put(engine: Engine, by: Actor, schedule: RetrySchedule) -> bool:
    """Add a schedule, or put it in the place of the one of that name; say whether it is new.

    What `wrong` says was asked before.
    """
    zone = read_place(schedule.time_zone)
    time_zone = schedule.time_zone if isinstance(zone, Reason) else name_of(zone)
    begin, end = quiet = schedule.quiet or (None, None)
    with engine.begin() as connection:
        facts = {
            "crontab": schedule.crontab,
            "next_at": _following(schedule.crontab, time_zone, _now(connection), quiet),
            "time_zone": time_zone,
            "filter": schedule.filter.written,
            "most_retries": schedule.most_retries,
            "quiet_from": begin,
            "quiet_to": end,
        }
        stored = (
            insert(Schedule)
            .values(name=schedule.name, **facts)
            .on_conflict_do_update(index_elements=[Schedule.name], set_=facts)
            .returning(literal_column("xmax = 0", Boolean))
        )
        is_new = connection.execute(stored).scalar_one()
        written = {"schedule": schedule.name, "crontab": schedule.crontab, **schedule.filter.written}
        audit_log.note(connection, by, "schedule", written)
        return is_new


def remove(engine: Engine, by: Actor, name: str) -> bool:
    """Remove a schedule; false where there is none of that name, or it is the setting's."""
    removed = delete(Schedule).where(Schedule.name == name, Schedule.name != OF_SETTINGS)
    return _change(engine, by, name, "remove schedule", removed)


def pause(engine: Engine, by: Actor, name: str) -> bool:
    """Let a schedule begin nothing until it is resumed; false where there is none of that name."""
    return _change(engine, by, name, "pause schedule", _of(name).values(paused=True))


def resume(engine: Engine, by: Actor, name: str) -> bool:
    """Let a paused schedule begin again, at its next time and not for those that were missed."""
    with engine.connect() as connection:
        found = _named(connection, name)
        following = found and found.following(_now(connection))
    changed = _of(name).values(paused=False, next_at=following)
    return found is not None and _change(engine, by, name, "resume schedule", changed)


def find(engine: Engine, name: str) -> StoredSchedule | None:
    """Find a schedule by its name."""
    with engine.connect() as connection:
        return _named(connection, name)


def chosen_of(engine: Engine, name: str) -> Filter | None:
    """Give what a schedule's job is done to; none where there is none of that name."""
    found = find(engine, name)
    return None if found is None else found.chosen


def begun(engine: Engine, name: str, job_id: int) -> None:
    """Note that an operator began a schedule's job."""
    with engine.begin() as connection:
        connection.execute(_of(name).values(job_id=job_id))


def listed(engine: Engine) -> list[ListedSchedule]:
    """List the schedules by name; each with how its last job stands."""
    listed = (
        _SCHEDULES.add_columns(
            Job.done.label("job_done"),
            Job.started_at.label("job_started_at"),
            Job.ended_at.label("job_ended_at"),
            (Schedule.name == OF_SETTINGS).label("of_settings"),
        )
        .outerjoin(Job, Job.id == Schedule.job_id)
        .order_by(Schedule.name)
        .limit(1000)
    )
    with engine.connect() as connection:
        return _read(ListedSchedule, connection.execute(listed))


_IS_DUE: Final = and_(Schedule.next_at <= func.now(), ~Schedule.paused)
_DUE: Final = select(Schedule.name).where(_IS_DUE).order_by(Schedule.name)


def run(engine: Engine, settings: Settings, told: Callable[[str, Exception | None], None] = lambda _, __: None) -> None:
    """Begin what is due; `told` how each schedule went."""
    _keep_settings(engine, settings.retry_schedule)
    with engine.connect() as connection:
        names = connection.execute(_DUE).scalars().all()
    for name in names:
        try:
            _run(engine, name)
        except (KeyError, ValueError) as error:  # a time zone, a crontab or a filter that another version of this knows
            log.exception("schedule not readable", schedule=name)
            told(name, error)
            with engine.begin() as connection:
                connection.execute(_of(name).values(next_at=func.now() + timedelta(hours=1)))
        else:
            told(name, None)


def _run(engine: Engine, name: str) -> None:
    due = _SCHEDULES.where(Schedule.name == name, _IS_DUE).with_for_update(skip_locked=True)
    with engine.begin() as connection:
        for schedule in _read(StoredSchedule, connection.execute(due)):
            _run_now(connection, schedule)


def _run_now(connection: Connection, schedule: StoredSchedule) -> None:
    now = _now(connection)
    begins = after_quiet(now.astimezone(ZoneInfo(schedule.time_zone)), schedule.quiet_from, schedule.quiet_to)
    if begins is None and not _is_under_way(connection, schedule.job_id):
        job_id = jobs.ask(connection, Actor(schedule.name, Via.SCHEDULE), Action.RETRY, schedule.chosen)
        connection.execute(_of(schedule.name).values(job_id=job_id))
        log.info("schedule began job", schedule=schedule.name, job=job_id)
    connection.execute(_of(schedule.name).values(next_at=begins or schedule.following(now)))


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


def _keep_settings(engine: Engine, crontab: str) -> None:
    """Keep the setting's schedule as the settings have it; where they change, it counts from now."""
    with engine.begin() as connection:
        if not crontab:
            connection.execute(delete(Schedule).where(Schedule.name == OF_SETTINGS))
            return
        facts = {"crontab": crontab, "next_at": _following(crontab, "UTC", _now(connection))}
        kept = insert(Schedule).values(name=OF_SETTINGS, **facts)
        connection.execute(
            kept.on_conflict_do_update(
                index_elements=[Schedule.name], set_=facts, where=Schedule.crontab != kept.excluded.crontab
            )
        )


def _following(
    crontab: str, time_zone: str, now: datetime, quiet: tuple[time | None, time | None] = (None, None)
) -> datetime:
    """Give when the crontab is due next, or where that is in the quiet hours, when these end."""
    following = next(CronSim(crontab, now.astimezone(ZoneInfo(time_zone))))
    return after_quiet(following, *quiet) or following


def _now(connection: Connection) -> datetime:
    return connection.execute(select(func.now())).scalar_one()


def _is_under_way(connection: Connection, job_id: int | None) -> bool:
    under_way = select(Job.id).where(Job.id == job_id, Job.is_under_way())
    return connection.execute(under_way).one_or_none() is not None


def _named(connection: Connection, name: str) -> StoredSchedule | None:
    found = _read(StoredSchedule, connection.execute(_SCHEDULES.where(Schedule.name == name)))
    return found[0] if found else None


def _of(name: str) -> Update:
    return update(Schedule).where(Schedule.name == name)


def _change(engine: Engine, by: Actor, name: str, what: str, change: Update | Delete) -> bool:
    with engine.begin() as connection:
        changed = connection.execute(change).rowcount
        if changed:
            audit_log.note(connection, by, what, {"schedule": name})
        return bool(changed)
