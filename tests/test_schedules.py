"""Retries that begin by themselves: once, at their time, not for ever; and the commands that say so."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from typing import TypedDict, Unpack
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, strategies as st
from sqlalchemy import Engine, func, update

from models.tables import Act, Error, Schedule
from models.words import Outcome, Resolution, Via
from tasks import sweep as sweeping
from tests.support.before import before
from tests.support.fixtures import Facts, Fail, Submit, Turnout
from tests.support.jobs import ME
from tests.support.ledger import Ledger, do, given_up, let_pass, message, outcomes, people, settled, take, taken
from worker import failures
from worker.context import Context
from worker.failures import Verb
from worker.operations import jobs, schedules
from worker.operations.audit_log import said
from worker.operations.schedules import OF_SETTINGS, ListedSchedule, RetrySchedule, after_quiet
from worker.queries.error_filter import Filter
from worker.settings import Settings

BERLIN = ZoneInfo("Europe/Berlin")


class More(TypedDict, total=False):
    """What else a schedule has."""

    filter: Filter
    most_retries: int
    time_zone: str
    quiet: tuple[time, time] | None


def put(engine: Engine, name: str = "nightly", crontab: str = "0 3 * * *", **more: Unpack[More]) -> None:
    schedule = RetrySchedule(name, crontab, **more)
    assert schedule.wrong() == []
    schedules.put(engine, ME, schedule)


def begun(engine: Engine) -> int:
    return len(Ledger(engine).jobs())


def named(engine: Engine, name: str = "nightly") -> ListedSchedule:
    (found,) = (row for row in schedules.listed(engine) if row.name == name)
    return found


def sweep(context: Context) -> None:
    schedules.run(context.engine, context.settings)


def work(context: Context) -> None:
    while jobs.step(context.engine, context.rules) is not None:
        pass


@pytest.fixture
def three_failed(failed: Fail) -> None:
    failed(*people(3))


# Once


@pytest.mark.usefixtures("three_failed")
def test_it_begins_once_however_many_sweeps_run_and_those_missed_begin_once(
    engine: Engine, ledger: Ledger, context: Context
) -> None:
    put(engine)
    sweep(context)
    assert begun(engine) == 0, "its time has not come"
    let_pass(engine, 24 * 5)
    with ThreadPoolExecutor(10) as ten:
        list(ten.map(lambda _: sweep(context), range(30)))
    assert begun(engine) == 1
    work(context)
    assert outcomes(engine) == {"pending": 3}
    row = named(engine)
    assert row.next_at > datetime.now(UTC)
    assert row.job_ended_at is not None
    (action,) = ledger.actions(Act.via == Via.SCHEDULE)
    assert (action.who, action.via, action.what, action.filter, action.number) == (
        "nightly",
        "schedule",
        "retry",
        {"outcomes": ["failed"], "most_retries": 10, "schedule": "nightly"},
        3,
    )


@pytest.mark.usefixtures("three_failed")
def test_one_that_another_sweep_has_begun_is_not_begun_again(
    engine: Engine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two beats: one has seen that it is due, and the other's job is over before the first goes on."""
    begin = schedules._run  # noqa: SLF001 - what follows the look

    def another() -> None:
        monkeypatch.setattr(schedules, "_run", begin)
        sweep(context)
        work(context)

    put(engine)
    let_pass(engine, 24)
    monkeypatch.setattr(schedules, "_run", before(another, begin))
    sweep(context)
    assert begun(engine) == 1


def test_while_its_last_job_is_under_way_it_begins_no_other(engine: Engine, context: Context) -> None:
    put(engine)
    for _ in range(3):
        let_pass(engine, 24)
        sweep(context)
    assert begun(engine) == 1
    work(context)
    let_pass(engine, 24)
    sweep(context)
    assert begun(engine) == 2


@pytest.mark.usefixtures("three_failed")
def test_a_record_is_not_retried_for_ever(engine: Engine, ledger: Ledger, context: Context) -> None:
    put(engine, most_retries=2)
    for _ in range(5):
        let_pass(engine, 24)
        sweep(context)
        work(context)
        while (claimed := take(engine)) is not None:
            given_up(engine, claimed)
    assert len(ledger.errors(Error.resolution == Resolution.RETRIED)) == 2 * 3
    assert outcomes(engine) == {"failed": 3}


@pytest.mark.parametrize("is_asked_for", ["", "asked"])
def test_what_was_rejected_is_retried_only_where_it_is_asked_for(
    submit: Submit, engine: Engine, context: Context, is_asked_for: str
) -> None:
    submit(message(*people(2)))
    settled(engine, taken(engine), rejected=[0])
    put(engine, filter=Filter((Outcome.FAILED, Outcome.REJECTED)) if is_asked_for else Filter())
    let_pass(engine, 24)
    sweep(context)
    work(context)
    assert outcomes(engine) == {"delivered": 1, "pending" if is_asked_for else "rejected": 1}


@pytest.mark.parametrize(
    "of_another_release",
    [{"time_zone": "Mars/Olympus"}, {"filter": {"outcomes": ["lost"]}}, {"filter": {"outcomes": [], "colour": "red"}}],
)
def test_one_that_cannot_be_read_here_keeps_no_other_from_beginning(
    engine: Engine, context: Context, of_another_release: dict[str, object]
) -> None:
    put(engine, "a-first")
    put(engine, "b-second")
    do(engine, update(Schedule).where(Schedule.name == "a-first").values(of_another_release))
    let_pass(engine, 24)
    sweep(context)
    assert begun(engine) == 1
    later = Ledger(engine).all(Schedule, Schedule.name == "a-first", Schedule.next_at > func.now())
    assert later, "it is not tried again at once"


# Changed


@pytest.mark.usefixtures("three_failed")
def test_a_paused_one_begins_nothing_and_a_resumed_one_not_what_it_missed(engine: Engine, context: Context) -> None:
    put(engine)
    assert schedules.pause(engine, ME, "nightly")
    let_pass(engine, 24 * 3)
    sweep(context)
    assert begun(engine) == 0
    assert schedules.resume(engine, ME, "nightly")
    sweep(context)
    assert begun(engine) == 0
    let_pass(engine, 24)
    sweep(context)
    assert begun(engine) == 1
    assert [schedules.pause(engine, ME, "none"), schedules.resume(engine, ME, "none")] == [False, False]


@pytest.mark.usefixtures("three_failed")
def test_one_is_begun_by_hand_whatever_its_hours_and_its_jobs_outlive_it(
    engine: Engine, context: Context, turnout: Turnout
) -> None:
    put(engine, quiet=(time(0, 0), time(23, 59)))
    schedules.pause(engine, ME, "nightly")
    said = turnout("schedules", "begin", "nightly").stdout
    assert said.startswith(f"job {named(engine).job_id} has begun")
    assert schedules.remove(engine, ME, "nightly")
    work(context)
    assert outcomes(engine) == {"pending": 3}
    assert not schedules.remove(engine, ME, "nightly")
    assert "is unknown" in turnout("schedules", "begin", "nightly", status=1).stderr


def test_the_settings_own_follows_the_setting_and_cannot_be_removed(
    engine: Engine, context: Context, settings: Settings, turnout: Turnout
) -> None:
    context.settings = settings.model_copy(update={"retry_schedule": "0 3 * * *"})
    sweep(context)
    first = named(engine, OF_SETTINGS)
    assert (first.crontab, first.of_settings, first.next_at.hour) == ("0 3 * * *", True, 3)
    assert not schedules.remove(engine, ME, OF_SETTINGS)
    assert "is the setting's: change the setting" in turnout("schedules", "remove", OF_SETTINGS, status=1).stderr
    assert "name" in turnout("schedules", "set", OF_SETTINGS, "0 3 * * *", status=2).stderr
    schedules.pause(engine, ME, OF_SETTINGS)
    context.settings = settings.model_copy(update={"retry_schedule": "30 4 * * *"})
    sweep(context)
    changed = named(engine, OF_SETTINGS)
    assert (changed.crontab, changed.next_at.hour, changed.paused) == ("30 4 * * *", 4, True)
    context.settings = settings
    sweep(context)
    assert schedules.listed(engine) == []


# Its hours


def test_a_crontab_is_read_by_the_clock_of_its_time_zone(engine: Engine) -> None:
    put(engine, time_zone="Asia/Kathmandu")
    next_at = named(engine).next_at.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert (next_at.hour, next_at.minute) == (3, 0)
    assert next_at.astimezone(UTC).minute == 15


def test_a_zone_is_kept_by_its_own_name_however_it_was_written(engine: Engine) -> None:
    put(engine, time_zone="asia/kathmandu")
    assert named(engine).time_zone == "Asia/Kathmandu"


def test_in_its_quiet_hours_it_begins_nothing_and_at_their_end_it_begins(engine: Engine, context: Context) -> None:
    now = datetime.now(UTC)
    around = ((now - timedelta(hours=2)).time(), (now + timedelta(hours=2)).time().replace(second=0, microsecond=0))
    put(engine, quiet=around)
    let_pass(engine, 24)
    sweep(context)
    assert begun(engine) == 0
    next_at = named(engine).next_at
    assert next_at.time() == around[1]
    assert timedelta(hours=1) < next_at - now < timedelta(hours=3)
    do(
        engine,
        update(Schedule).values(next_at=func.now(), quiet_from=around[1], quiet_to=(now + timedelta(hours=3)).time()),
    )
    sweep(context)
    assert begun(engine) == 1


@pytest.mark.parametrize(
    ("now", "begin", "end", "ends"),
    [
        ("2026-03-10T12:00", "08:00", "18:00", "2026-03-10T18:00"),
        ("2026-03-10T18:00", "08:00", "18:00", None),
        ("2026-03-10T07:59", "08:00", "18:00", None),
        ("2026-03-10T23:30", "22:00", "06:30", "2026-03-11T06:30"),
        ("2026-03-11T06:29", "22:00", "06:30", "2026-03-11T06:30"),
        ("2026-03-11T06:30", "22:00", "06:30", None),
        ("2026-03-28T23:30", "22:00", "03:00", "2026-03-29T03:00"),  # the clocks go forward at two
        ("2026-10-24T23:30", "22:00", "03:00", "2026-10-25T03:00"),  # and back at three
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(now: str, begin: str, end: str, ends: str | None) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=BERLIN)
    found = after_quiet(moment, time.fromisoformat(begin), time.fromisoformat(end))
    assert found == (None if ends is None else datetime.fromisoformat(ends).replace(tzinfo=BERLIN))


MINUTES = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - UTC is added
    MINUTES, MINUTES, st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
)  # fmt: skip
@example(datetime(2026, 3, 29, 0, 30), time(1, 0), time(2, 30), "Europe/Berlin")  # noqa: DTZ001
@example(datetime(2026, 10, 25, 0, 10), time(1, 0), time(2, 30), "Europe/Berlin")  # noqa: DTZ001
@example(datetime(2026, 10, 25, 1, 10), time(1, 0), time(2, 30), "Europe/Berlin")  # noqa: DTZ001
def test_quiet_hours_end_later_within_a_day_and_are_over_then(at: datetime, begin: time, end: time, zone: str) -> None:
    assume(begin != end)  # what a schedule refuses
    now = at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    ends = after_quiet(now, begin, end)
    clock = now.time()
    is_quiet = begin <= clock < end or (begin > end and (clock >= begin or clock < end))
    assert (ends is not None) is is_quiet
    seen = 0
    while ends is not None:
        then = ends.astimezone(UTC)
        assert timedelta(0) < then - now.astimezone(UTC) <= timedelta(hours=25)
        now = then.astimezone(ZoneInfo(zone))
        ends = after_quiet(now, begin, end)
        seen += 1
        assert seen <= 2, "only an end that the clocks leap over is no end"


# The commands


@pytest.mark.parametrize(
    ("words", "what", "right"),
    [
        (["Not a name", "0 3 * * *"], "name: 'Not a name'", "letters, digits"),
        (["nightly", "every night"], "crontab: 'every night' names no time", "'0 3 * * *'"),
        (["nightly", "0 0 30 2 *"], "crontab: '0 0 30 2 *' names no time", "'0 3 * * *'"),
        (["nightly", "0 3 * * *", "--time-zone", "Mars/Olympus"], "time zone: Mars/Olympus is not", "Europe/Berlin"),
        (["nightly", "0 3 * * *", "--time-zone", "EST"], "EST is an abbreviation", "America/New_York"),
        (["nightly", "0 3 * * *", "--time-zone", "CET"], "CET is an abbreviation", "Europe/Berlin"),
        (["nightly", "0 3 * * *", "--time-zone", "Etc/GMT+5"], "Etc/GMT+5 means -05:00", "the name of a place"),
        (["nightly", "0 3 * * *", "--time-zone", "-05:00"], "-05:00 is an offset", "the name of a place"),
        (["nightly", "0 3 * * *", "--time-zone", "../etc"], "time zone: ../etc is not", "Europe/Berlin"),
        (["nightly", "0 3 * * *", "--at-most", "0"], "at most: 0 retries", "1 to 1,000"),
        (["nightly", "0 3 * * *", "--quiet", "at night"], "quiet: 'at night'", "22:00-06:30"),
        (["nightly", "0 3 * * *", "--quiet", "25:00-06:30"], "quiet: '25:00-06:30'", "22:00-06:30"),
        (["nightly", "0 3 * * *", "--quiet", "06:00-06:00"], "quiet: begin and end", "22:00-06:30"),
        (["nightly", "0 3 * * *", "--outcome", "delivered"], "'delivered' is not one of", "failed"),
    ],
)
def test_what_cannot_be_used_is_said_with_what_would_be_right(
    turnout: Turnout, engine: Engine, words: list[str], what: str, right: str
) -> None:
    refused = " ".join(turnout("schedules", "set", *words, status=2).stderr.replace("│", " ").split())
    assert what.replace(": ", " ") in refused.replace(": ", " ")
    assert right in refused
    assert schedules.listed(engine) == []


def test_schedules_are_set_shown_changed_and_removed_by_commands(turnout: Turnout, facts: Facts) -> None:
    assert "nothing is scheduled" in turnout("schedules").output
    added = turnout("schedules", "set", "nightly", "0 3 * * *", "--event", "77", "--quiet", "22:00-06:30",
                    "--time-zone", "Europe/Berlin", "--at-most", "4")  # fmt: skip
    assert "nightly is added" in added.output
    (shown,) = facts("schedules")
    assert (shown["name"], shown["most_retries"], shown["time_zone"], shown["of_settings"]) == (
        "nightly", 4, "Europe/Berlin", False,
    )  # fmt: skip
    assert said(shown["filter"]) == "outcome failed, event 77"
    table = turnout("schedules").output
    for cell in ("nightly", "0 3 * * *", "22:00-06:30", "Europe/Berlin", "event 77"):
        assert cell in table
    was = {name: value for name, value in shown.items() if name not in {"crontab", "next_at"}}
    assert "is changed" in turnout("schedules", "set", "nightly", "0 4 * * *").output
    (shown,) = facts("schedules")
    assert {name: shown[name] for name in was} == was, "what no option names stays as it is"
    turnout("schedules", "set", "nightly", "0 4 * * *", "--event", "", "--quiet", "", "--at-most", "3")
    (shown,) = facts("schedules")
    assert ("event" in shown["filter"], shown["quiet_from"], shown["most_retries"]) == (False, None, 3)
    assert shown["crontab"] == "0 4 * * *"
    turnout("schedules", "pause", "nightly")
    assert "paused" in turnout("schedules").output
    turnout("schedules", "resume", "nightly")
    assert "no job begins" in turnout("schedules", "begin", "nightly").output
    turnout("schedules", "remove", "nightly")
    for word in ("pause", "resume", "remove", "begin"):
        assert "is unknown" in turnout("schedules", word, "nightly", status=1).stderr
    assert facts("schedules") == []


def test_a_schedule_that_cannot_be_read_is_noted_until_it_can(context: Context) -> None:
    put(context.engine)
    is_due = update(Schedule).values(next_at=func.now() - timedelta(minutes=1))
    do(context.engine, is_due.values(time_zone="Atlantis/Poseidonis"))
    context.redis.delete("turnout:swept")
    sweeping.sweep(context, lambda *_, **__: 0)
    (noted,) = failures.last(context.redis)
    assert (noted.verb, noted.account) == (Verb.SCHEDULE, "nightly")
    assert "Atlantis" not in noted.error, "what others wrote is not kept"
    do(context.engine, is_due.values(time_zone="UTC"))
    context.redis.delete("turnout:swept")
    sweeping.sweep(context, lambda *_, **__: 0)
    assert failures.last(context.redis) == []
