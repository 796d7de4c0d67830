"""Actions in bulk: what one will do is shown first, then it runs as a job, here and beside the workers."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.output import AsJson, Bar, ask, complain, fail, print_table, prompt, say
from models.counted import counted
from models.job_params import NO_PARAMS, JobParams
from models.words import word_of

if TYPE_CHECKING:
    from models.tally import Tally
    from models.words import Action
    from worker.context import Context
    from worker.operations.preview import Preview
    from worker.queries.job_filter import Chosen
    from worker.queries.jobs import JobSummary

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def _number(text: str) -> int:
    """Read the value of `--expect`, also as a preview writes it: `9,000`."""
    from worker.operations import tally

    number = tally.number_typed(text)
    if number is None:
        raise typer.BadParameter(f"{text!r} is not a number of records, such as 9000 or 9,000")
    return number


Expect = Annotated[
    int | None,
    typer.Option(
        parser=_number, metavar="N", help="Do it only if it comes to exactly N; otherwise show the preview, and fail."
    ),
]
Background = Annotated[
    bool, typer.Option("--background", help="Leave it to the workers; `turnout job ID` says how far it is.")
]


def is_asked() -> bool:
    """Say whether there is somebody to ask."""
    return sys.stdin.isatty()


@dataclass(frozen=True)
class Consent:
    """How an operator agrees: when asked, or unasked, and to how many; and how the job is followed."""

    yes: Yes = False
    expect: Expect = None
    background: Background = False
    as_json: AsJson = False

    @property
    def can_ask(self) -> bool:
        """Say whether there is somebody to ask."""
        return is_asked() and not self.as_json


@dataclass(frozen=True)
class Wish:
    """What is to be done to what, and what that is called once it is done."""

    action: "Action"
    filter: "Chosen"
    done: str
    params: JobParams = NO_PARAMS
    harmless: bool = False
    """Where there is nobody to ask, it goes on."""


def do(process: "Context", wish: Wish, consent: Consent) -> "JobSummary | None":
    """Show what an action will do, and do just that where the operator agrees; give the job as it stands then.

    None where nothing matches: then there is nothing to do, and no job is made of it.

    One alone needs no question. Where there is nobody to ask, what is harmless goes on, and the rest wants `--yes`;
    several that would go to another event want their number, typed or by `--expect`.
    """
    from worker.operations import audit_log, jobs, preview
    from worker.queries.rows import AT_MOST

    by = audit_log.at_the_terminal()
    change = wish.params.change
    is_move = change is not None and change.is_move
    if consent.expect is None and not is_move and (consent.yes or (wish.harmless and not consent.can_ask)):
        if not preview.is_any(process.engine, wish.filter):
            return None
        with process.engine.begin() as connection:
            job_id = jobs.ask(connection, by, wish.action, wish.filter, params=wish.params)
        return follow(process, job_id, background=consent.background)
    most = max(AT_MOST, consent.expect or 0)
    found = preview.look(process, wish.action, wish.filter, wish.params, most=most)
    would = f"{count(wish.action, found)} would be {wish.done}"
    one = found.count <= 1 and change is None
    show_it = partial(_show, wish, found)
    agree(consent, found.tally, would, show_it, more=found.more, harmless=wish.harmless, one=one)
    if not found.count:
        return None
    again = preview.look(process, wish.action, wish.filter, wish.params, until=found.until, most=most)
    if again.seal != found.seal:
        _show(wish, preview.look(process, wish.action, wish.filter, wish.params))
        fail(CHANGED)
    job_id = preview.ask(process, by, wish.action, wish.filter, again, params=wish.params)
    return follow(process, job_id, background=consent.background)


CHANGED: Final = "what is chosen has changed since it was shown: nothing is done; above is what it would be now"


def agree(  # noqa: PLR0913 - what an answer depends on
    consent: Consent,
    found: "Tally",
    would: str,
    show_it: Callable[[], None],
    *,
    more: bool = False,
    harmless: bool = False,
    one: bool = False,
) -> None:
    """Go on only where the operator agrees to what is shown."""
    beyond = " (and more are chosen)" if more else ""
    show_it = (lambda: None) if consent.as_json else show_it
    if consent.expect is not None and (found.will != consent.expect or more):
        show_it()
        fail(f"{would}{beyond}, and --expect says {consent.expect:,}: nothing is done")
    is_unsaid = found.is_move and consent.expect is None
    right = f"--expect {'N, the number of all of them' if more else found.will}"
    if consent.yes or (harmless and not consent.can_ask):
        if is_unsaid:
            show_it()
            wanted = f"{would}, {found.moved:,} of them by a change of the event: if that is right, add {right}"
            raise typer.BadParameter(wanted)
    elif not one and (found.will or found.skips):
        if not consent.can_ask:
            raise typer.BadParameter(
                f"{would}; cannot ask for confirmation (not a terminal): pass --yes{f' {right}' if is_unsaid else ''}"
            )
        show_it()
        _ask(found, is_move=is_unsaid)


def _ask(found: "Tally", *, is_move: bool) -> None:
    from worker.operations import tally

    if not found.will:
        fail("nothing is done")
    if not is_move:
        ask("Go on?")
        return
    asked = f"{counted(found.will, 'record')} will be corrected, {found.moved:,} of them by a change of the event"
    typed = prompt(f"{asked}. Type the number of records")
    if tally.number_typed(typed) != found.will:
        fail(f"{typed!r} is not the number of records that will be corrected: nothing is done")


def _show(wish: Wish, found: "Preview") -> None:
    show(found)
    say(f"{count(wish.action, found)} will be {wish.done}{_effort(found)}")
    if found.more:
        unasked = "--yes --expect N" if found.tally.is_move else "--yes"
        say(f"more than these are chosen, and they are left as they are; to do it to all, unasked: {unasked}")


def show(found: "Preview") -> None:
    """Show what changes, the distinct errors of what is chosen, and ten of it."""
    show_tally(found.tally)
    if found.groups:
        columns = [one.name for one in fields(found.groups[0]) if one.name != "who"]
        title = "Of which events" if "state" in columns else "Distinct errors"
        rows = [{**asdict(group), "count": f"{group.count:,}"} for group in found.groups[:SHOWN]]
        print_table(title, rows, columns, "")
        if len(found.groups) > SHOWN:
            say(f"and {len(found.groups) - SHOWN:,} more")
    if found.samples:
        hidden = {"category", "code", "group_id", "input", "event_id", "account", "created_at", "batch_id", "outcome"}
        hidden |= {"source", "draft"}
        rows = [asdict(sample) for sample in found.samples]
        if "reasons" in rows[0]:
            hidden |= {"raw", "message", "text"}
            rows = [{**row, "reasons": first_reason(row["reasons"])} for row in rows]
        print_table(
            "Ten of them" if len(rows) == TEN else "Which", rows, [name for name in rows[0] if name not in hidden], ""
        )


TEN: Final = 10
SHOWN: Final = 50
"""Distinct errors, or events, that are shown."""


def show_tally(tally: "Tally") -> None:
    """Show each distinct change with its count, and how many are skipped and why."""
    if tally.changes:
        rows = [
            {"field": one.field, "is": one.was or "–", "becomes": one.becomes or "–", "count": one.count}
            for one in tally.changes
        ]
        print_table("Distinct changes", rows, ["field", "is", "becomes", "count"], "")
    if tally.more_changes:
        say(f"and {tally.more_changes:,} more distinct changes")
    for skip in tally.skips:
        say(f"{skip.count:,} will be skipped: {skip.what}")
    if tally.more_skips:
        say(f"and for {tally.more_skips:,} more reasons")


def first_reason(reasons: list[dict[str, str]]) -> str:
    """Write a refusal's first reason, and how many more there are."""
    told = "{where} {what}; expected {right}".format(**reasons[0])
    return f"{told} (and {len(reasons) - 1} more)" if len(reasons) > 1 else told


def count(action: "Action", found: "Preview") -> str:
    """Write to how many something is done."""
    from models.words import Action

    of = {Action.REPLAY: "message", Action.DISCARD: "message", Action.DISMISS: "error"}.get(action, "record")
    first = "the first " if found.more else ""
    return f"{first}{counted(found.will, of)}" + (
        f" in {counted(found.batches, 'batch', 'batches')}" if found.batches else ""
    )


def _effort(found: "Preview") -> str:
    """Say what it costs, and when it will be over."""
    from worker.operations.duration import lasts

    if not found.calls:
        return ""
    calls = f"; {counted(found.calls, 'call')}"
    when = f", {lasts(found.seconds)} at the present rate" if found.seconds is not None else ""
    return calls + when + "".join(f"; {why}" for why in found.because)


def follow(process: "Context", job_id: int, *, background: bool) -> "JobSummary":
    """Work at a job until it has ended."""
    from worker.operations import jobs
    from worker.queries.jobs import find_job

    job: JobSummary | None = find_job(process.engine, job_id)
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


def _shown(steps: "Iterator[JobSummary]") -> "Iterator[JobSummary]":
    """Show a job's steps as a bar, where there is somebody to see it."""
    with Bar("…", None, shown=sys.stdout.isatty(), stays=False) as bar:
        for job in steps:
            what = f"job {job.id}: {word_of(job.action)}" + (f", {job.last_error}" if job.last_error else "")
            done, of = job.done + job.skipped, job.expected
            bar.show(what, f"{done:,}/{'?' if of is None else f'{of:,}'}", done=done, of=of)
            yield job


def answers(process: "Context", job: "JobSummary | None") -> dict[str, int]:
    """Give by outcome what a job's records are, once HubSpot has answered for all, or after `PATIENCE`.

    Nothing is waited for where no worker is alive.
    """
    import redis

    from worker import heartbeat
    from worker.queries import job_results

    if job is None or not job.done or job.ended_at is None:
        return {}
    until = monotonic() + PATIENCE
    while True:
        found = job_results.outcomes(process.engine, job.id)
        try:
            may_change = found.keys() & {"pending", "processing"} and heartbeat.workers(process.redis)
        except redis.RedisError:
            may_change = False
        if not may_change or monotonic() > until:
            return found
        sleep(0.2)


PATIENCE: Final = 10.0
"""Seconds that a command waits for HubSpot's answers."""


def tell_answers(job: "JobSummary | None", found: Mapping[str, int]) -> None:
    """Say what HubSpot answered: what is sent again may fail again."""
    if job is None or not found:
        return
    unanswered = sum(found.get(word, 0) for word in ("pending", "processing"))
    answered = [f"{number:,} {word}" for word, number in found.items() if word not in {"pending", "processing"}]
    if answered:
        say(f"now: {', '.join(answered)}")
    if unanswered:
        say(f"HubSpot has not answered for {counted(unanswered, 'record')} yet: turnout job {job.id}")


def tell(job: "JobSummary | None", said: "Callable[[JobSummary], str]", nothing: str) -> None:
    """Say what a job came to, or that there was `nothing` to do."""
    if job is None:
        say(nothing)
        return
    if job.ended_at is None:
        return
    if job.stopped:
        say(f"job {job.id} was stopped")
    told = said(job) if job.done else nothing
    say(f"{told} (job {job.id})" if job.done or job.skipped else told)
