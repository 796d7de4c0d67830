"""Schedules: retries that begin by themselves."""

from collections.abc import Callable, Mapping
from dataclasses import replace
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
from worker.operations.schedules import AT_MOST, OF_SETTINGS, RetrySchedule, read_quiet
from worker.queries.error_filter import ANY_OPEN, Filter

EMPTY: Final = {
    "edit": "",
    "name": "",
    "crontab": "0 3 * * *",
    "time_zone": "UTC",
    "most": str(AT_MOST),
    "quiet": "",
    "group": "",
}
EMPTY_FILTER: Final = {"event": "", "account": "", "state": "", "category": "", "outcome_failed": "1"}


def listed(visit: ConsoleRequest) -> Page:
    """List the schedules, and ask for another, or for what one is to become."""
    edited = visit.asked("edit")
    if edited is None:
        return _shown(visit, EMPTY | EMPTY_FILTER)
    found = schedules.find(visit.process.engine, edited)
    if found is None or edited == OF_SETTINGS:
        raise _unknown(edited)
    return _shown(visit, _fields(found.plan))


def _fields(plan: RetrySchedule) -> dict[str, str]:
    """Fill the form with a schedule as it is."""
    quiet = "-".join(f"{one:%H:%M}" for one in plan.quiet or ())
    of = plan.filter
    which = {"event": of.event, "account": of.account, "state": of.state, "category": of.category, "group": of.group_id}
    return {
        "edit": plan.name,
        "name": plan.name,
        "crontab": plan.crontab,
        "time_zone": plan.time_zone,
        "most": str(plan.most_retries),
        "quiet": quiet,
        **{name: value or "" for name, value in which.items()},
        **{f"outcome_{word}": "1" for word in of.outcomes},
    }


def _shown(visit: ConsoleRequest, fields: Mapping[str, str], wrong: list[Reason] | None = None) -> Page:
    rows = [(one, said(one.kept)) for one in schedules.listed(visit.process.engine)]
    words = {"outcomes": list(ANY_OPEN), "states": list(State)}
    return Page(
        "schedules.html", {"rows": rows, "fields": fields, "wrong": wrong or [], **words}, 400 if wrong else 200
    )


def put(visit: ConsoleRequest, form: Mapping[str, str]) -> Page | Redirect:
    """Add a schedule, or change the one that is edited; what cannot be used is shown as it was written."""
    fields = {name: form.get(name, "").replace("\0", "").strip() for name in EMPTY | EMPTY_FILTER}
    fields |= {f"outcome_{word}": form.get(f"outcome_{word}", "") for word in ANY_OPEN}
    named = [("outcome", word.value) for word in ANY_OPEN if fields[f"outcome_{word}"]]
    filters = [(name, fields[name]) for name in ("event", "account", "state", "category", "group")]
    quiet = read_quiet(fields["quiet"]) if fields["quiet"] else None
    most = fields["most"]
    known = schedules.find(visit.process.engine, fields["name"])
    is_edited = known is not None and fields["edit"] == fields["name"]
    chosen = errors(QueryParams([*named, *filters]), (Outcome.FAILED,))
    schedule = RetrySchedule(
        fields["name"],
        fields["crontab"],
        _kept(known.plan.filter, chosen) if known is not None and is_edited else chosen,
        int(most) if most.isascii() and most.isdecimal() and len(most) < 5 else 0,  # noqa: PLR2004
        fields["time_zone"],
        None if isinstance(quiet, Reason) else quiet,
    )
    taken = [Reason("name", f"{known.name} is taken", "another name, or *Edit* beside that one")] if known else []
    wrong = [*([] if is_edited else taken), *([quiet] if isinstance(quiet, Reason) else []), *schedule.wrong()]
    if wrong:
        return _shown(visit, fields, wrong)
    is_new = schedules.put(visit.process.engine, visit.by, schedule)
    return Redirect(f"schedule {schedule.name} is {'added' if is_new else 'changed'}", "/schedules")


def _kept(was: Filter, chosen: Filter) -> Filter:
    """Keep of what a schedule chooses that which the form does not ask for."""
    asked = {name: getattr(chosen, name) for name in ("outcomes", "event", "account", "state", "category", "group_id")}
    return replace(was, **asked)


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


def _chosen(visit: ConsoleRequest) -> Filter:
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
