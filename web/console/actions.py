"""What each button does: the functions of the commands, and their words."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from models.counted import counted, is_or_are
from models.words import Action as Bulk, Outcome
from web.console import bulk, corrections, fix_table, person, refusals, schedules as schedule_pages
from web.console.base import ActionFunction, ConsoleRequest, PageError, Redirect
from web.console.form import FormLimits
from worker.accounts import registry, state
from worker.operations import jobs, preview, schedules
from worker.operations.audit_log import noted
from worker.queries.error_filter import Filter
from worker.queries.job_filter import CancelFilter, Chosen
from worker.queries.jobs import JobSummary


def retry_batch(visit: ConsoleRequest, _: Mapping[str, str]) -> Redirect:
    """Send a batch's failed records again."""
    number = visit.number("batch")
    job = _at_once(visit, Bulk.RETRY, Filter((Outcome.FAILED,), number))
    if job is None or (job.ended_at and not job.done):
        return Redirect("no record matches: nothing is retried", f"/batch/{number}")
    if job.ended_at is None:
        return Redirect("", f"/job/{job.id}")
    return Redirect(f"{counted(job.done, 'record')} {is_or_are(job.done)} retried", f"/batch/{number}")


def cancel_batch(visit: ConsoleRequest, _: Mapping[str, str]) -> Redirect:
    """Take a batch that waits out of the queue."""
    number = visit.number("batch")
    job = _at_once(visit, Bulk.CANCEL, CancelFilter(number))
    if job is None or (job.ended_at and not job.done):
        return Redirect("the batch waits no longer: nothing is canceled", f"/batch/{number}")
    if job.ended_at is None:
        return Redirect("", f"/job/{job.id}")
    return Redirect(
        f"{counted(job.done, 'record')} in 1 batch {is_or_are(job.done)} taken out of the queue", f"/batch/{number}"
    )


def _at_once(visit: ConsoleRequest, action: Bulk, chosen: Chosen) -> JobSummary | None:
    """Do something small to its end, as the job that it is; none where there is nothing to do."""
    if not preview.is_any(visit.process.engine, chosen):
        return None
    with visit.process.engine.begin() as connection:
        job_id = jobs.ask(connection, visit.by, action, chosen)
    return bulk.at_once(visit, job_id)


def pause(visit: ConsoleRequest, form: Mapping[str, str]) -> Redirect:
    """Let an account send nothing."""
    name = visit.path("account")
    account_id = state.find(visit.process.engine, name)
    if account_id is None:
        raise _unknown(name)
    because = form.get("because", "").strip()[:255].replace("\0", "") or "by an operator"
    with noted(visit.process.engine, visit.by, "pause", account=name, because=because) as action:
        state.pause(visit.process.engine, account_id, because)
        action.number = 1
    return Redirect(f"account {name} is paused", f"/accounts#{quote(name)}")


def resume(visit: ConsoleRequest, _: Mapping[str, str]) -> Redirect:
    """Let a paused or waiting account send again, beginning with one batch as a probe."""
    name = visit.path("account")
    found = registry.listed(visit.process.engine, visit.process.settings, name)
    if not found:
        raise _unknown(name)
    with noted(visit.process.engine, visit.by, "resume", account=name) as action:
        action.number = int(state.resume(visit.process.engine, name))
    return Redirect(found[0].resumed, f"/accounts#{quote(name)}")


ACTIONS: Final[Mapping[str, ActionFunction]] = {
    "/batch/{batch}/retry": retry_batch,
    "/batch/{batch}/cancel": cancel_batch,
    "/accounts/{account}/pause": pause,
    "/accounts/{account}/resume": resume,
    "/refused/{refusal}": refusals.fix,
    "/act/{action}": bulk.do,
    "/job/{job}/stop": bulk.stop,
    "/job/{job}/begin": bulk.begin,
    "/correct": corrections.mend,
    "/correct/file": corrections.take,
    "/schedules": schedule_pages.put,
    "/schedules/{schedule}/begin": schedule_pages.begin,
    "/schedules/{schedule}/pause": schedule_pages.changing(schedules.pause, "is paused"),
    "/schedules/{schedule}/resume": schedule_pages.changing(schedules.resume, "begins again"),
    "/schedules/{schedule}/remove": schedule_pages.changing(schedules.remove, "is removed"),
    "/erase": person.look,
    "/erasures": person.erase_now,
}
LIMITS: Final[Mapping[str, FormLimits]] = {
    "/refused/{refusal}": FormLimits(
        fix_table.LARGEST,
        "A larger message is fixed in a file: turnout refused --out FILE, then turnout refused retry --from FILE.",
        fields=fix_table.MOST_CELLS + 100,
    ),
    "/erasures": FormLimits(is_slow=True),
    "/job/{job}/begin": FormLimits(is_slow=True),
    "/correct/file": FormLimits(
        corrections.LARGEST_FILE,
        "A larger file is submitted by the command: turnout correct --from FILE.",
        is_slow=True,
        slowest=60.0,
    ),
}
"""Where they are not those of every form."""


def _unknown(name: str) -> PageError:
    return PageError(404, f"There is no account {name[:100]}", "The page of the accounts lists them.")
