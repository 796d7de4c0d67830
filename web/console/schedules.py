"""Schedules: retries that begin by themselves."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from starlette.datastructures import QueryParams

from models.input_check import Reason
from models.words import Action, Outcome, State
from web.console import bulk
from web.console.base import ConsoleRequest, Page, PageError, Redirect
from web.console.selection import errors
from worker.operations import preview, schedules
from worker.operations.audit_log import said
from worker.operations.schedules import AT_MOST, RetrySchedule, read_quiet
from worker.queries.error_filter import ANY_OPEN

EMPTY: Final = {"name": "", "crontab": "0 3 * * *", "time_zone": "UTC", "most": str(AT_MOST), "quiet": "", "group": ""}
EMPTY_FILTER: Final = {"event": "", "account": "", "state": "", "category": "", "outcome_failed": "1"}


def listed(visit: ConsoleRequest) -> Page:
    """List the schedules, and ask for another."""
    return _shown(visit, EMPTY | EMPTY_FILTER)


def _shown(visit: ConsoleRequest, fields: Mapping[str, str], wrong: list[Reason] | None = None) -> Page:
    rows = [(one, said(one.filter)) for one in schedules.listed(visit.process.engine)]
    words = {"outcomes": list(ANY_OPEN), "states": list(State)}
    return Page(
        "schedules.html", {"rows": rows, "fields": fields, "wrong": wrong or [], **words}, 400 if wrong else 200
    )


def put(visit: ConsoleRequest, form: Mapping[str, str]) -> Page | Redirect:
    """Add a schedule, or change the one of its name; what cannot be used is shown as it was written."""
    fields = {name: form.get(name, "").replace("\0", "").strip() for name in EMPTY | EMPTY_FILTER}
    fields |= {f"outcome_{word}": form.get(f"outcome_{word}", "") for word in ANY_OPEN}
    named = [("outcome", word.value) for word in ANY_OPEN if fields[f"outcome_{word}"]]
    filters = [(name, fields[name]) for name in ("event", "account", "state", "category", "group")]
    quiet = read_quiet(fields["quiet"]) if fields["quiet"] else None
    most = fields["most"]
    schedule = RetrySchedule(
        fields["name"],
        fields["crontab"],
        errors(QueryParams([*named, *filters]), (Outcome.FAILED,)),
        int(most) if most.isascii() and most.isdecimal() and len(most) < 5 else 0,  # noqa: PLR2004
        fields["time_zone"],
        None if isinstance(quiet, Reason) else quiet,
    )
    if wrong := [*([quiet] if isinstance(quiet, Reason) else []), *schedule.wrong()]:
        return _shown(visit, fields, wrong)
    is_new = schedules.put(visit.process.engine, visit.by, schedule)
    return Redirect(f"schedule {schedule.name} is {'added' if is_new else 'changed'}", "/schedules")


def look(visit: ConsoleRequest) -> Page:
    """Show what a schedule's job would do now."""
    visit.must_operate()
    return bulk.shown(visit, Action.RETRY, _chosen(visit), {})


def begin(visit: ConsoleRequest, form: Mapping[str, str]) -> Redirect:
    """Begin a schedule's job now, as it was shown."""
    name = visit.path("schedule")
    done = preview.confirm(visit.process, visit.by, Action.RETRY, _chosen(visit), form.get("seal", ""))
    if not isinstance(done, int):
        return Redirect("", f"/schedules/{quote(name)}/begin?changed=1")
    schedules.begun(visit.process.engine, name, done)
    return Redirect("", f"/job/{done}")


def _chosen(visit: ConsoleRequest) -> dict[str, object]:
    chosen = schedules.chosen_of(visit.process.engine, name := visit.path("schedule"))
    if chosen is None:
        raise _unknown(name)
    return chosen


def changing(change: Callable[..., bool], done: str) -> Callable[[ConsoleRequest, Mapping[str, str]], Redirect]:
    """Give the action of a button that changes a schedule."""

    def action(visit: ConsoleRequest, _: Mapping[str, str]) -> Redirect:
        if not change(visit.process.engine, visit.by, name := visit.path("schedule")):
            raise _unknown(name)
        return Redirect(f"schedule {name} {done}", "/schedules")

    return action


def _unknown(name: str) -> PageError:
    return PageError(404, f"There is no schedule {name[:100]} to be changed", "The page of the schedules lists them.")
