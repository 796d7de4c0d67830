"""Actions in bulk: what one will do is shown first; then it is a job, whose page says how far it is and what it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.datastructures import QueryParams

from models.job_params import NO_PARAMS, JobParams
from models.words import Action
from web.console.base import ConsoleRequest, Page, PageError, Redirect
from web.console.sealed import sealed, unsealed
from web.console.selection import chosen, params, written
from worker.operations import audit_log, jobs, preview, tally
from worker.operations.audit_log import LoggedAction, filter_of, said
from worker.operations.duration import lasts
from worker.queries import job_results, refusal_groups
from worker.queries.error_filter import Filter
from worker.queries.error_groups import named
from worker.queries.job_filter import Chosen
from worker.queries.jobs import JobSummary, find_job, list_jobs

T = TypeVar("T", LoggedAction, JobSummary)

PAGE: Final = 50
VERBS: Final = {
    Action.RETRY: ("Retry", "sent again, behind what is live"),
    Action.DISMISS: ("Dismiss", "left as they are: resolved with your reason, and not delivered"),
    Action.CANCEL: (
        "Cancel",
        "taken out of the queue and not sent; a retry puts them back; those that HubSpot may have are looked for there",
    ),
    Action.DISCARD: ("Dismiss", "dismissed with your reason: open no more, and not sent"),
    Action.REPLAY: ("Submit again", "submitted as they are, behind what is live; what is still wrong stays here"),
}
LONGEST: Final = 500


def act(visit: ConsoleRequest) -> Page:
    """Show what an action will do: how many, which errors, ten of them, its calls, and when it will be over."""
    visit.must_operate()
    action = _action(visit)
    asked = visit.request.query_params
    if "marked" in asked and not (asked.getlist("error") or asked.getlist("id")):
        message = "Go back, and mark the rows that are meant; or take everything that matches."
        raise PageError(400, "Nothing is marked", message)
    wanted = chosen(action, asked)
    outcomes = [] if asked.getlist("error") else _outcomes(action, wanted, asked)
    return shown(visit, action, wanted, {"chosen": written(asked), "outcomes": outcomes}, params(action, asked))


def shown(
    visit: ConsoleRequest,
    action: Action,
    wanted: Chosen,
    more: Mapping[str, object],
    how: JobParams = NO_PARAMS,
) -> Page:
    """Show what an action will do to what is chosen, and the button that does just that."""
    found = preview.look(visit.process, action, wanted, how)
    verb, means = VERBS[action]
    return Page(
        "act.html",
        {
            "action": action,
            "verb": verb,
            "means": means,
            "what": told(visit, wanted),
            "found": found,
            "lasts": None if found.seconds is None else lasts(found.seconds),
            "chosen": "",
            "outcomes": [],
            "how": how,
            "problem": CHANGED if visit.asked("changed") else "",
            "because": unsealed(visit, "because") if visit.asked("because") else "",
            **more,
        },
    )


CHANGED: Final = (
    "What is chosen has changed since it was shown, so nothing was done. This is what would be done now: read it, and"
    " confirm it again."
)


@dataclass(frozen=True, slots=True)
class OfferedOutcome:
    """An outcome that a retry may be of as well."""

    word: str
    is_chosen: bool


def _outcomes(action: Action, wanted: Chosen, asked: QueryParams) -> list[OfferedOutcome]:
    """Offer a retry's other outcomes, where only a filter says which records."""
    if action is not Action.RETRY or not isinstance(wanted, Filter) or asked.get("group"):
        return []
    words = ("failed", "unconfirmed", "canceled", "rejected")
    return [OfferedOutcome(word, word in wanted.outcomes) for word in words]


def do(visit: ConsoleRequest, form: Mapping[str, str]) -> Redirect:
    """Ask for the job that the page showed."""
    action = _action(visit)
    asked = QueryParams(form.get("chosen", ""))
    wanted = chosen(action, asked)
    because = form.get("because", "").replace("\0", "").strip()[:LONGEST]
    if action in {Action.DISMISS, Action.DISCARD} and not because:
        raise PageError(
            400, "Dismiss them why?", "Go back and give the reason, for those who ask later; nothing was done."
        )
    how = params(action, asked, because)
    done = preview.confirm(visit.process, visit.by, action, wanted, form.get("seal", ""), params=how)
    if isinstance(done, int):
        return Redirect("", f"/job/{done}")
    again = [*QueryParams(form.get("chosen", "")).multi_items(), ("changed", "1")]
    if because:
        again.append(("because", sealed(visit, "because", because)))  # it may name people: no log is to tell
    return Redirect("", f"/act/{action}?{QueryParams(again)}")


def at_once(visit: ConsoleRequest, job_id: int) -> JobSummary:
    """Work at a small job to its end; one whose step failed is left to the workers, so that no page waits for it."""
    for job in jobs.finish(visit.process.engine, visit.process.rules, job_id):
        if job.last_error:
            break
    return job


def _action(visit: ConsoleRequest) -> Action:
    name = visit.path("action")
    if name not in set(VERBS):
        raise PageError(404, f"There is no action {name[:100]}", f"There are {', '.join(VERBS)}.")
    return Action(name)


def listed(visit: ConsoleRequest) -> Page:
    """List jobs, the newest first."""
    rows = with_words(visit, list_jobs(visit.process.engine, PAGE, visit.before()))
    more = rows[-1][0].id if len(rows) == PAGE else None
    return Page("jobs.html", {"rows": rows, "before": visit.before(), "more": more})


def job(visit: ConsoleRequest) -> Page:
    """Show a job: how far it is, the result of each, and what the records are now."""
    engine, number = visit.process.engine, visit.number("job")
    found = find_job(engine, number)
    if found is None:
        raise PageError(404, f"There is no job {number}", "It was purged, or never was.")
    skipped = visit.asked("skipped") is not None
    after = visit.after()
    items = job_results.items(engine, number, PAGE, after or 0, skipped=skipped)
    outcomes = job_results.outcomes(engine, number)
    is_over = found.ended_at is not None and not outcomes.keys() & {"pending", "processing"}
    return Page(
        "job.html",
        {
            "job": found,
            "what": with_words(visit, [found])[0][1],
            "items": items,
            "outcomes": outcomes,
            "counted": job_results.COUNTED,
            "is_over": is_over,
            "filters": {"skipped": skipped},
            "after": after,
            "more": items[-1].id if len(items) == PAGE else None,
            "tally": found.params.tally if found.on_hold else None,
            "problem": _problem(visit, found),
        },
    )


def _problem(visit: ConsoleRequest, job: JobSummary) -> str:
    """Say why a job that was to begin did not, on the page that it leads back to."""
    if not job.on_hold:
        return ""
    return CHANGED if visit.asked("changed") else mistyped(visit.request.query_params.get("typed"))


def mistyped(typed: str | None) -> str:
    """Say that a number was typed that is not the one that is asked for."""
    if typed is None:
        return ""
    if not typed.strip():
        return "No number was typed, so nothing was done."
    return f"{typed[:20]!r} was typed, which is not the number of records that is asked for, so nothing was done."


def typed_in(form: Mapping[str, str]) -> int | None:
    """Read the number of records that was typed, as people write it."""
    return tally.number_typed(form.get("typed", ""))


def stop(visit: ConsoleRequest, _: Mapping[str, str]) -> Redirect:
    """End a job after the step it is at."""
    number = visit.number("job")
    if not jobs.stop(visit.process.engine, visit.by, number):
        return Redirect(f"job {number} is not running", f"/job/{number}")
    return Redirect(f"job {number} is stopped; what it did stays done", f"/job/{number}")


def begin(visit: ConsoleRequest, form: Mapping[str, str]) -> Redirect:
    """Begin a job that was shown first, where it would still do what was shown."""
    number = visit.number("job")
    found = find_job(visit.process.engine, number)
    if found is not None and found.on_hold and found.ended_at is None:
        now = tally.of_job(visit.process.engine, visit.process.rules, number)
        if now.seal != form.get("seal"):
            jobs.hold(visit.process.engine, number, now)
            return Redirect("", f"/job/{number}?changed=1")
        if now.is_move and typed_in(form) != now.will:
            return Redirect("", f"/job/{number}?{QueryParams(typed=form.get('typed', ''))}")
    begun = jobs.begin(visit.process.engine, visit.by, number)
    return Redirect(
        f"job {number} has begun" if begun else f"job {number} had begun or was stopped already", f"/job/{number}"
    )


def log(visit: ConsoleRequest) -> Page:
    """List what operators and schedules did."""
    filters = {"who": visit.asked("who"), "what": visit.asked("what")}
    rows = audit_log.listed(visit.process.engine, PAGE, visit.before(), filters["who"], filters["what"])
    more = rows[-1].id if len(rows) == PAGE else None
    return Page(
        "actions.html", {"rows": with_words(visit, rows), "filters": filters, "before": visit.before(), "more": more}
    )


def told(visit: ConsoleRequest, chosen: Chosen) -> str:
    """Write a filter, a group with what its errors have in common."""
    group = _groups(visit, [chosen.written])[0]
    return said(chosen.written) + (f" ({group})" if group else "")


def with_words(visit: ConsoleRequest, rows: Sequence[T]) -> list[tuple[T, str]]:
    """Add of what each was done, in words."""
    groups = _groups(visit, [filter_of(row) for row in rows])
    return [(row, audit_log.of_what(row, group)) for row, group in zip(rows, groups, strict=True)]


def _groups(visit: ConsoleRequest, chosen: Sequence[Mapping[str, object]]) -> list[str]:
    """Give what the errors of each filter's group have in common; nothing where it names none."""
    engine, ids = visit.process.engine, [str(one.get("group_id", "")) for one in chosen]
    some = {*ids} - {""}
    names = named(engine, some)
    names |= {id_: refusal_groups.named(engine, id_) for id_ in some - names.keys()}
    return [names.get(id_, "") for id_ in ids]
