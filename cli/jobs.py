"""`turnout jobs`, `turnout job ID`, `turnout actions`: what was done in bulk, how far it is, and who did what."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.filters import Before, Limit
from cli.output import AsJson, fail, print_json, print_table, say, say_more, written
from cli.resources import open_engine
from models.words import word_of

if TYPE_CHECKING:
    from worker.queries.jobs import JobSummary

app = typer.Typer(help="Actions in bulk: how far they are, and stopping one.", epilog="Example: turnout jobs --limit 5")


@app.callback(invoke_without_command=True)
def jobs(context: typer.Context, *, before: Before = None, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the actions in bulk, the newest first, with how far they are."""
    if context.invoked_subcommand is not None:
        return
    from worker.queries.jobs import list_jobs

    found = [_with_words(job) for job in list_jobs(open_engine(), limit, before)]
    if as_json:
        print_json(found)
        return
    columns = ["id", "at", "who", "action", "what", "standing", "done", "skipped", "expected"]
    print_table(
        "Jobs",
        [{**one, "action": word_of(str(one["action"]))} for one in found],
        columns,
        "nothing was done in bulk yet",
    )
    say_more(found, limit)


@app.command(epilog="Example: turnout jobs stop 3")
def stop(job_id: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """End a job after the step it is at; what is done stays done."""
    from worker.operations import audit_log, jobs as known
    from worker.queries.jobs import find_job

    engine = open_engine()
    if not known.stop(engine, audit_log.at_the_terminal(), job_id):
        ended = find_job(engine, job_id)
        how = f"job {job_id} is {ended.standing} already: {ended.done:,} done" if ended else ""
        fail(f"{how or f'there is no job {job_id}'}; `turnout jobs` lists them")
    say(f"job {job_id} is stopped; what it did stays done: turnout job {job_id}")


def job(
    job_id: Annotated[int, typer.Argument(metavar="ID")],
    *,
    skipped: Annotated[bool, typer.Option("--skipped", help="Only those that were skipped, with why.")] = False,
    after: Annotated[int, typer.Option(help="Only those behind this one: the next page.")] = 0,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show one action in bulk: how far it is, the result of each record, and what the records are now."""
    from worker.queries import job_results
    from worker.queries.jobs import find_job

    engine = open_engine()
    found = find_job(engine, job_id)
    if found is None:
        fail(f"there is no job {job_id}; `turnout jobs` lists them")
    items = job_results.items(engine, job_id, limit, after, skipped=skipped)
    outcomes = job_results.outcomes(engine, job_id)
    shown = _with_words(found)
    if as_json:
        print_json({**shown, "outcomes": outcomes, "items": items})
        return
    say(f"job {job_id}: {word_of(found.action)} {shown['what']}", "bold")
    say(f"asked for by {found.who} ({found.via}) at {written(found.at)}")
    expected = "" if found.expected is None else f" of {found.expected:,}"
    say(f"{found.standing}: {found.done:,}{expected} done, {found.skipped:,} skipped")
    if outcomes:
        told = ", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.items())
        say(f"now (of the newest {job_results.COUNTED:,}): {told}")
    rows = [{**asdict(item), "why": item.why} for item in items]
    print_table("Results", rows, ["id", "item", "record_id", "contact", "done", "outcome", "why"], "nothing")
    if len(items) == limit:
        say(f"more: --after {items[-1].id}")


def _with_words(found: "JobSummary") -> dict[str, object]:
    from worker.operations.audit_log import of_what

    return {**found.as_json(), "what": of_what(found), "standing": found.standing}


def actions(
    *,
    who: Annotated[str | None, typer.Option(help="Only what this one did.")] = None,
    what: Annotated[str | None, typer.Option(help="Only this, such as retry or pause.")] = None,
    before: Before = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List what operators and schedules did, the newest first: who, when, of what, to how many."""
    from worker.operations import audit_log as log

    found = log.listed(open_engine(), limit, before, who, what)
    if as_json:
        print_json(found)
        return
    rows = [
        {
            **asdict(row),
            "what": word_of(row.what),
            "number": row.done,
            "of what": log.of_what(row),
            "job": row.is_job,
        }
        for row in found
    ]
    columns = ["id", "at", "who", "via", "what", "of what", "number", "because", "job", "last_error"]
    print_table("What was done", rows, columns, "nothing like that was done" if who or what else "nothing was done yet")
    say_more(found, limit)
