"""Actions in bulk: what one will do is shown first; then it is a job, whose page says how far it is and what it did."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.datastructures import QueryParams

from models.correction import Change
from models.words import Action
from web.console.choosing import chosen, written
from web.console.frame import Done, Refusal, Shown, Visit
from worker import actions, correct, jobs, preview, results
from worker.actions import said
from worker.groups import COUNTED, named

PAGE: Final = 50
VERBS: Final = {
    Action.RETRY: ("Retry", "sent again, behind what is live"),
    Action.DISMISS: ("Dismiss", "left as they are: resolved with your reason, and not delivered"),
    Action.CANCEL: ("Cancel", "taken out of the queue and not sent; a retry of canceled ones puts them back"),
    Action.REPLAY: ("Hand in again", "handed in as they are, behind what is live; what is still wrong stays here"),
}
LONGEST: Final = 500


def act(visit: Visit) -> Shown:
    """Show what an action will do: how many, which errors, ten of them, its calls, and when it will be over."""
    visit.must_operate()
    action = _action(visit)
    asked = visit.request.query_params
    if "marked" in asked and not asked.getlist("error"):
        message = "Go back, and mark the rows that are meant; or take everything that matches."
        raise Refusal(400, "Nothing is marked", message)
    wanted = chosen(action, asked)
    found = preview.look(visit.process, action, wanted)
    verb, means = VERBS[action]
    return Shown(
        "act.html",
        {
            "action": action,
            "verb": verb,
            "means": means,
            "what": told(visit, [wanted])[0],
            "found": found,
            "lasts": None if found.seconds is None else preview.lasts(found.seconds),
            "chosen": written(asked),
            "outcomes": [] if asked.getlist("error") else _outcomes(action, wanted, asked),
        },
    )


def _outcomes(action: Action, wanted: Mapping[str, Any], asked: QueryParams) -> list[dict[str, Any]]:
    """Offer a retry's other outcomes, where only a filter says which records."""
    if action is not Action.RETRY or asked.get("group"):
        return []
    words = ("failed", "unconfirmed", "canceled", "rejected")
    return [{"word": word, "is_chosen": word in wanted["outcomes"]} for word in words]


def do(visit: Visit, form: Mapping[str, str]) -> Done:
    """Ask for the job that the page showed."""
    action = _action(visit)
    wanted = chosen(action, QueryParams(form.get("chosen", "")))
    because = form.get("because", "").replace("\0", "").strip()[:LONGEST]
    if action is Action.DISMISS and not because:
        raise Refusal(400, "Dismiss them why?", "Go back and say why, for whoever asks later; nothing was done.")
    counted = form.get("count", "")
    expected = int(counted) if counted.isascii() and counted.isdecimal() and int(counted) <= COUNTED else None
    given = {"because": because} if because else {}
    with visit.process.engine.begin() as connection:
        job_id = jobs.ask(connection, visit.by, action, wanted, given=given, expected=expected)
    return Done("", f"/job/{job_id}")


def at_once(visit: Visit, job_id: int) -> dict[str, Any]:
    """Work at a small job to its end; one in trouble is left to the workers, so that no page waits for it."""
    for job in jobs.finish(visit.process.engine, visit.process.rules, job_id):
        if job["trouble"]:
            break
    return job


def _action(visit: Visit) -> Action:
    name = visit.path("action")
    if name not in set(VERBS):
        raise Refusal(404, f"There is no action {name[:100]}", f"There are {', '.join(VERBS)}.")
    return Action(name)


def listed(visit: Visit) -> Shown:
    """List jobs, the newest first."""
    rows = with_words(visit, jobs.listed(visit.process.engine, PAGE, visit.before()))
    more = rows[-1]["id"] if len(rows) == PAGE else None
    return Shown("jobs.html", {"rows": rows, "before": visit.before(), "more": more})


def job(visit: Visit) -> Shown:
    """Show a job: how far it is, what became of each, and what the records are by now."""
    engine, number = visit.process.engine, visit.number("job")
    found = jobs.show(engine, number)
    if found is None:
        raise Refusal(404, f"There is no job {number}", "It was purged, or never was.")
    passed = visit.asked("passed") is not None
    after = visit.after()
    items = results.items(engine, number, PAGE, after or 0, passed=passed)
    outcomes = results.outcomes(engine, number)
    is_over = found["ended_at"] is not None and not outcomes.keys() & {"pending", "processing"}
    return Shown(
        "job.html",
        {
            "job": with_words(visit, [found])[0],
            "items": items,
            "outcomes": outcomes,
            "counted": results.COUNTED,
            "is_over": is_over,
            "filters": {"passed": passed},
            "after": after,
            "more": items[-1]["id"] if len(items) == PAGE else None,
            "looked": _first_changes(visit, items) if found["held"] else [],
        },
    )


def _first_changes(visit: Visit, items: list[dict[str, Any]]) -> list[correct.Corrected]:
    """Say what the first changes of a mended file come to, before they are made."""
    first = {item["record_id"]: Change.read(item["change"]) for item in items[: preview.SAMPLES] if item["change"]}
    return correct.look(visit.process.engine, first)


def stop(visit: Visit, _: Mapping[str, str]) -> Done:
    """End a job after the step it is at."""
    number = visit.number("job")
    if not jobs.stop(visit.process.engine, visit.by, number):
        return Done(f"job {number} is not under way", f"/job/{number}")
    return Done(f"job {number} is stopped; what it did stays done", f"/job/{number}")


def begin(visit: Visit, _: Mapping[str, str]) -> Done:
    """Begin a job that was shown first."""
    number = visit.number("job")
    begun = jobs.begin(visit.process.engine, visit.by, number)
    return Done(f"job {number} is begun" if begun else f"job {number} was begun, or stopped, before", f"/job/{number}")


def log(visit: Visit) -> Shown:
    """List what operators and schedules did."""
    filters = {"who": visit.asked("who"), "what": visit.asked("what")}
    rows = actions.listed(visit.process.engine, PAGE, visit.before(), filters["who"], filters["what"])
    of = told(visit, [row["chosen"] for row in rows])
    shown = [row | {"of": what or ("everything" if row["is_job"] else "")} for row, what in zip(rows, of, strict=True)]
    more = rows[-1]["id"] if len(rows) == PAGE else None
    return Shown("actions.html", {"rows": shown, "filters": filters, "before": visit.before(), "more": more})


def told(visit: Visit, chosen: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write filters, a group with what its errors have in common."""
    names = named(visit.process.engine, {one["group_id"] for one in chosen if "group_id" in one})
    groups = [names.get(one.get("group_id", "")) for one in chosen]
    return [said(one) + (f" ({group})" if group else "") for one, group in zip(chosen, groups, strict=True)]


def with_words(visit: Visit, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add how each job stands, and of what it is, in words."""
    what = told(visit, [row["chosen"] for row in rows])
    return [
        row | {"what": one or "everything", "standing": jobs.standing(row)} for row, one in zip(rows, what, strict=True)
    ]
