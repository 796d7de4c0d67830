"""`turnout schedules …`: retries that begin by themselves."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.accounts import check
from cli.bulk_jobs import Consent, Expect, Wish, Yes, do
from cli.filters import AccountOption, Category, ErrorOptions, EventOption, GroupOption, OfState, OpenOutcome
from cli.output import AsJson, fail, print_json, print_table, say
from cli.resources import open_engine, open_process
from models.words import Action, Outcome

if TYPE_CHECKING:
    from worker.queries.error_filter import Filter

app = typer.Typer(help="Retries that begin by themselves, each as a job.", epilog="Example: turnout schedules")
ScheduleName = Annotated[str, typer.Argument(help="The schedule's name.")]


@app.callback(invoke_without_command=True)
def schedules(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the schedules, with when each begins next and how its last job stands."""
    if context.invoked_subcommand is not None:
        return
    from worker.operations import schedules as known
    from worker.operations.audit_log import said

    found = known.listed(open_engine())
    if as_json:
        print_json([row.as_json() for row in found])
        return
    rows = [
        {
            **asdict(row),
            "what": said(row.kept),
            "quiet": row.quiet,
            "next": "paused" if row.paused else row.next_at,
            "last job": row.job_id,
        }
        for row in found
    ]
    columns = ["name", "crontab", "time_zone", "what", "most_retries", "quiet", "next", "last job", "job_done"]
    print_table("Schedules", rows, columns, "nothing is scheduled: turnout schedules set NAME '0 3 * * *'")


@app.command("set", epilog="Example: turnout schedules set nightly '0 3 * * *' --time-zone Europe/Berlin")
def put(  # noqa: PLR0913 - one parameter an option
    name: ScheduleName,
    crontab: Annotated[str, typer.Argument(help="When: '0 3 * * *' is at three each day, '*/15 8-18 * * 1-5' …")],
    *,
    outcome: Annotated[
        list[OpenOutcome] | None,
        typer.Option(
            metavar="OUTCOME",
            help="Which outcomes, repeatable: failed (at first), unconfirmed, canceled; rejected only if asked for: "
            "unchanged it is rejected again.",
        ),
    ] = None,
    group: GroupOption = None,
    event: EventOption = None,
    account: AccountOption = None,
    state: OfState = None,
    category: Category = None,
    at_most: Annotated[
        int | None, typer.Option(help="A record that was retried so often is left to an operator; 10 at first.")
    ] = None,
    quiet: Annotated[
        str | None, typer.Option(metavar="FROM-TO", help="Hours in which it begins nothing: 22:00-06:30; '' for none.")
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="Whose clock it is: Europe/Berlin; UTC at first.")] = None,
) -> None:
    """Add a schedule, or change the one of this name: what no option names stays as it is; `''` takes a filter away."""
    from models.input_check import Reason
    from worker.operations import audit_log, schedules as known

    engine = open_engine()
    found = known.find(engine, name)
    was = found.plan if found else known.RetrySchedule(name, crontab, ErrorOptions().filter((Outcome.FAILED,)))
    hours = was.quiet if quiet is None else known.read_quiet(quiet) if quiet else None
    wrong = [hours] if isinstance(hours, Reason) else []
    schedule = known.RetrySchedule(
        name,
        crontab,
        _changed(was.filter, outcome, group=group, event=event, account=account, state=state, category=category),
        was.most_retries if at_most is None else at_most,
        time_zone or was.time_zone,
        None if isinstance(hours, Reason) else hours,
    )
    if wrong := wrong + schedule.wrong():
        raise typer.BadParameter("; ".join(map(str, wrong)))
    check(engine, account or None)
    is_new = known.put(engine, audit_log.at_the_terminal(), schedule)
    say(f"schedule {name} is {'added' if is_new else 'changed'}: turnout schedules says when it begins")


def _changed(was: "Filter", outcomes: list[OpenOutcome] | None, *, group: str | None, **given: str | None) -> "Filter":
    """Give a schedule's filter as the options change it; a named group is meant whatever its outcome."""
    from worker.queries.error_filter import ANY_OPEN

    named = {"group_id": group, **given}
    changed: dict[str, Any] = {name: value or None for name, value in named.items() if value is not None}
    if outcomes:
        changed["outcomes"] = tuple(map(Outcome, outcomes))
    elif group:
        changed["outcomes"] = ANY_OPEN
    return replace(was, **changed)


@app.command(epilog="Example: turnout schedules remove nightly")
def remove(name: ScheduleName) -> None:
    """Remove a schedule; its jobs stay."""
    _change(name, "remove", "is removed")


@app.command(epilog="Example: turnout schedules pause nightly")
def pause(name: ScheduleName) -> None:
    """Let a schedule begin nothing until it is resumed."""
    _change(name, "pause", "is paused")


@app.command(epilog="Example: turnout schedules resume nightly")
def resume(name: ScheduleName) -> None:
    """Let a paused schedule begin again, at its next time."""
    _change(name, "resume", "begins again")


@app.command(epilog="Example: turnout schedules begin nightly")
def begin(name: ScheduleName, *, yes: Yes = False, expect: Expect = None) -> None:
    """Begin a schedule's job now, whatever its hours.

    On a terminal it first shows several and asks; one alone, or without a terminal, goes on.
    """
    from worker.operations import schedules as known

    process = open_process()
    chosen = known.chosen_of(process.engine, name)
    if chosen is None:
        _none(name)
    wish = Wish(Action.RETRY, chosen, "retried", harmless=True)
    job = do(process, wish, Consent(yes, expect, background=True))
    if job is None:
        say(f"nothing of schedule {name} can be retried: no job begins")
        return
    known.begun(process.engine, name, job.id)
    say(f"job {job.id} has begun: turnout job {job.id}")


def _change(name: str, what: str, done: str) -> None:
    from worker.operations import audit_log, schedules as known

    change = {"remove": known.remove, "pause": known.pause, "resume": known.resume}[what]
    if not change(open_engine(), audit_log.at_the_terminal(), name):
        _none(name)
    say(f"schedule {name} {done}")


def _none(name: str) -> NoReturn:
    from worker.operations.schedules import OF_SETTINGS

    why = (
        "is the setting's: change the setting" if name == OF_SETTINGS else "is unknown; `turnout schedules` lists them"
    )
    fail(f"schedule {name} {why}")
