"""Actions in bulk: what one will do is shown first, then it runs as a job, here and beside the workers."""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.showing import Bar, ask, complain, print_table, say

if TYPE_CHECKING:
    from models.words import Action
    from worker.preview import Preview
    from worker.process import Process

Row = dict[str, Any]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Background = Annotated[
    bool, typer.Option("--background", help="Leave it to the workers; `turnout job ID` says how far it is.")
]


def open_process() -> "Process":
    """Make what actions need of the settings."""
    from worker.process import Process
    from worker.settings import load_settings

    return Process(load_settings())


def is_asked() -> bool:
    """Say whether there is somebody to ask."""
    return sys.stdin.isatty()


def agree(  # noqa: PLR0913 - one parameter an option
    process: "Process",
    action: "Action",
    chosen: Mapping[str, Any],
    done: str,
    *,
    yes: bool,
    as_json: bool,
    harmless: bool = False,
) -> int | None:
    """Show what the action will do and go on only where the operator agrees; give how many it will be, if counted.

    One alone needs no question. Where there is nobody to ask, what is harmless goes on, and the rest wants `--yes`.
    """
    from worker import preview

    asked = is_asked() and not as_json
    if yes or (not asked and harmless):
        return None
    found = preview.look(process, action, chosen)
    if found.count > 1:
        if not asked:
            raise typer.BadParameter(f"{_count(action, found)} would be {done}, and nobody is asked: say --yes")
        show(found)
        say(f"{_count(action, found)} will be {done}{_effort(found)}")
        ask("Go on?")
    return None if found.more else found.count


def show(found: "Preview") -> None:
    """Show the distinct errors of what is chosen, and ten of it."""
    from worker.groups import as_said

    if found.groups:
        columns = [name for name in ("id", "outcome", "category", "gist", "count", "means") if name in found.groups[0]]
        rows = [{**group, "count": as_said(group["count"])} for group in found.groups[:20]]
        print_table("Distinct errors", rows, columns, "")
    if found.samples:
        hidden = {"category", "code", "group_id", "input", "event_id", "account", "created_at", "batch_id", "outcome"}
        rows = [{**row, "reasons": first_reason(row["reasons"])} if "reasons" in row else row for row in found.samples]
        print_table("Ten of them", rows, [name for name in rows[0] if name not in hidden], "")


def first_reason(reasons: list[dict[str, str]]) -> str:
    """Write a refusal's first reason, and how many more there are."""
    told = "{where} {what}; right would be {right}".format(**reasons[0])
    return f"{told} (and {len(reasons) - 1} more)" if len(reasons) > 1 else told


def _count(action: "Action", found: "Preview") -> str:
    from models.words import Action

    of = {Action.REPLAY: "refusals", Action.DISMISS: "errors"}.get(action, "records")
    return f"{found.said} {of}" + (f" in {found.batches:,} batches" if found.batches and not found.more else "")


def _effort(found: "Preview") -> str:
    """Say what it costs, and when it will be over."""
    from worker.preview import lasts

    if not found.calls:
        return ""
    calls = f"; {'more than ' if found.more else ''}{found.calls:,} {'call' if found.calls == 1 else 'calls'}"
    when = f", {lasts(found.seconds)} at the present rate" if found.seconds is not None else ""
    return calls + when + "".join(f"; {why}" for why in found.because)


def run(  # noqa: PLR0913
    process: "Process",
    action: "Action",
    chosen: Mapping[str, Any],
    *,
    given: Mapping[str, Any] | None = None,
    expected: int | None = None,
    background: bool = False,
) -> Row:
    """Ask for a job and work at it until it has ended; where it is left to the workers, give how it stands."""
    from worker import actions, jobs

    with process.engine.begin() as connection:
        by = actions.at_the_terminal()
        job_id = jobs.ask(connection, by, action, chosen, given=given, expected=expected)
    return follow(process, job_id, background=background)


def follow(process: "Process", job_id: int, *, background: bool = False) -> Row:
    """Work at a job until it has ended."""
    from worker import jobs

    job: Row | None = jobs.show(process.engine, job_id)
    if background:
        complain(f"job {job_id} is left to the workers: turnout job {job_id}")
    else:
        try:
            for job in _shown(jobs.finish(process.engine, process.rules, job_id)):  # noqa: B007 - the last counts
                pass
        except KeyboardInterrupt:
            complain(f"job {job_id} goes on in the workers; to end it: turnout jobs stop {job_id}")
            raise typer.Exit(130) from None
    assert job is not None
    return job


def _shown(steps: Iterator[Row]) -> Iterator[Row]:
    """Show a job's steps as a bar, where there is somebody to see it."""
    with Bar("…", None, shown=sys.stdout.isatty(), stays=False) as bar:
        for job in steps:
            what = f"job {job['id']}: {job['action']}" + (f", {job['trouble']}" if job["trouble"] else "")
            done, of = job["done"] + job["passed"], job["expected"]
            bar.show(what, f"{done:,}/{'?' if of is None else f'{of:,}'}", done=done, of=of)
            yield job


def tell(job: Row, said: Callable[[Row], str]) -> None:
    """Say what a job came to."""
    if job["ended_at"] is None:
        return
    if job["stopped"]:
        say(f"job {job['id']} was stopped")
    say(f"{said(job)} (job {job['id']})" if job["done"] or job["passed"] else said(job))
