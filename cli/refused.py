"""`turnout refused`: what was not accepted, submitting it again, and dismissing it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

from cli.accounts import check
from cli.bulk_jobs import Consent, Wish, agree, do, first_reason, show_tally, tell
from cli.filters import AccountOption, Before, Limit, an_id
from cli.option_groups import with_groups
from cli.output import AsJson, complain, print_json, print_table, say, say_more
from cli.resources import open_engine, open_process
from models.counted import counted, is_or_are
from models.job_params import JobParams
from models.words import Action

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.context import Context
    from worker.operations.replay import Replayed
    from worker.queries.refusals import Refusal, RefusalFilter

MOST_REASONS = 50
"""Reasons of a file's lines that are shown."""
app = typer.Typer(
    help="What was not accepted: shown with its reasons, submitted again, or dismissed.",
    epilog="Example: turnout refused --out refused.jsonl",
)
OfSubmission = Annotated[UUID | None, typer.Option(metavar="ID", help="Only those of this submission.")]
OfGroup = Annotated[str | None, typer.Option(metavar="ID", help="Only those of this group (--grouped lists them).")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", parser=an_id, help="Ids that `turnout refused` lists.")]
NOTHING: Final = "nothing is open that was not accepted"


@app.callback(invoke_without_command=True)
def refused(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    *,
    submission: OfSubmission = None,
    account: AccountOption = None,
    group: OfGroup = None,
    grouped: Annotated[bool, typer.Option("--grouped", help="By what is wrong, with counts and what to do.")] = False,
    before: Before = None,
    limit: Limit = 50,
    out: Annotated[Path | None, typer.Option(help="Write all of them to this file, as JSON Lines to be fixed.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what was not accepted and is open, the newest first: neither submitted again, corrected nor dismissed.

    --out FILE writes them, --limit or not, each line with its reasons and its message. Fix the messages, and submit
    them: turnout refused retry --from FILE.
    """
    if context.invoked_subcommand is not None:
        return

    if grouped:
        _show_groups(limit, as_json=as_json)
        return
    from worker.queries.refusals import RefusalFilter, as_line, waiting

    engine, chosen = open_engine(), RefusalFilter(None, submission, account, group)
    found = waiting(engine, chosen, before)
    if out is not None:
        _write(out, map(as_line, _taken_out(engine, chosen, found)))
        return
    shown = islice(found, limit)
    rows = list(_taken_out(engine, chosen, shown) if as_json else shown)
    columns = [
        "id",
        "inputs",
        "reasons",
        "refused_at",
        "submission",
        "part",
        "door",
        "producer",
        "account",
        "group_id",
        "source",
    ]
    facts = [{name: getattr(row, name) for name in columns} for row in rows]
    if as_json:
        print_json(
            [{**fact, "message": row.raw.decode(errors="replace")} for fact, row in zip(facts, rows, strict=True)]
        )
        return
    columns = ["id", "refused_at", "account", "inputs", "reason", "submission"]
    print_table(
        "Not accepted",
        [{**fact, "reason": first_reason(row.reasons)} for fact, row in zip(facts, rows, strict=True)],
        columns,
        "" if rows else _nothing(engine, chosen),
    )
    say_more(rows, limit)


def _taken_out(engine: "Engine", chosen: "RefusalFilter", found: "Iterator[Refusal]") -> "Iterator[Refusal]":
    """Give messages to be taken out, and note in the audit log who took how many."""
    from worker.operations.audit_log import EXPORT, at_the_terminal, counting

    return counting(engine, at_the_terminal(), EXPORT, found, refused="not accepted", **chosen.written)


def _nothing(engine: "Engine", chosen: "RefusalFilter") -> str:
    """Say that nothing is open that matches: an account or a group that is not known may be mistyped."""
    if chosen.account is not None:
        check(engine, chosen.account)
    if chosen.group_id is not None:
        return f"no open message is of group {chosen.group_id}; `turnout refused --grouped` lists the open groups"
    return NOTHING


def _show_groups(limit: int, *, as_json: bool) -> None:
    """Show the groups: how many of each, what is wrong, who can fix it, and the commands that do."""
    from worker.queries.refusal_groups import grouped

    rows = grouped(open_engine(), limit)
    if as_json:
        print_json([{**asdict(row), "commands": row.commands} for row in rows])
        return
    if not rows:
        say(NOTHING)
    for row in rows:
        what = f"account {row.account}" if row.account else row.field
        say(f"{row.how_many} not accepted{f', {what}' if what else ''}: {row.means}", "bold")
        say(f"  such as message {row.sample}: {first_reason(row.reasons)}")
        say(f"  who can fix it: {row.who}. {row.action}.")
        for command in row.commands:
            say(f"  {command}")


def _write(out: Path, lines: Iterator[bytes]) -> None:
    try:
        with out.open("xb") as file:
            number = sum(1 for line in lines if file.write(line))
    except OSError as error:
        raise typer.BadParameter(
            f"{out} cannot be written ({error.strerror}): name a file that is not there yet"
        ) from None
    say(f"{counted(number, 'message')} written to {out}; fix what is wrong in that file, then:")
    say(f"turnout refused retry --from {out}")


@app.command(epilog="Example: turnout refused retry --from refused.jsonl")
@with_groups
def retry(  # noqa: PLR0913 - one parameter an option
    ids: Ids = None,
    *,
    submission: OfSubmission = None,
    account: AccountOption = None,
    group: OfGroup = None,
    use_account: Annotated[
        str | None, typer.Option("--as", metavar="ACCOUNT", help="Submit to this account, whatever the messages name.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that was not accepted.")] = False,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Corrected lines of `turnout refused --out`.")
    ] = None,
    consent: Consent,
) -> None:
    """Submit again what was not accepted, as it is or fixed.

    It goes behind what is live, each with a receipt. What would only be refused again stays as it is, and says why;
    nothing is accepted twice. Exit status 1 where a line of FILE could not be used or is still refused.
    """
    from worker.queries.refusals import RefusalFilter

    chosen = RefusalFilter(ids or None, submission, account, group)
    named = bool(chosen.written) or everything
    if named is (from_ is not None) or (from_ is not None and use_account):
        raise typer.BadParameter(
            "name ids, --submission, --account, --group or --all; or a corrected file: --from FILE"
        )
    process = open_process()
    if use_account is not None:
        check(process.engine, use_account)
    if from_ is not None:
        _from_file(process, from_, consent)
        return
    wish = Wish(Action.REPLAY, chosen, "submitted again", JobParams(use_account=use_account or None))
    job = do(process, wish, consent)
    if job is None and not consent.as_json:
        say(f"{_nothing(process.engine, chosen)}: nothing is submitted again")
        return
    _tell(_of_job(process, job.id) if job else (), as_json=consent.as_json)


@app.command(epilog="Example: turnout refused dismiss 17 --because 'a test address'")
@with_groups
def dismiss(  # noqa: PLR0913 - one parameter an option
    ids: Ids = None,
    *,
    because: Annotated[str, typer.Option(help="Why nothing more is done about them; it is kept.")],
    submission: OfSubmission = None,
    account: AccountOption = None,
    group: OfGroup = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that was not accepted.")] = False,
    consent: Consent,
) -> None:
    """Dismiss what was not accepted and will not be fixed: it is open no more, and is not sent.

    It stays in the receipts and in the books, with the reason, until it is purged.
    """
    from worker.queries.refusals import RefusalFilter

    chosen = RefusalFilter(ids or None, submission, account, group)
    if not (chosen.written or everything):
        raise typer.BadParameter("name ids, --submission, --account, --group or --all")
    if not because.strip():
        raise typer.BadParameter("--because is empty: give the reason, for those who ask later")
    wish = Wish(Action.DISCARD, chosen, "dismissed", JobParams(because=because.strip()))
    process = open_process()
    job = do(process, wish, consent)
    if consent.as_json:
        print_json({"dismissed": job.done if job else 0, "job": job and job.id})
        return
    tell(
        job,
        lambda job: f"{counted(job.done, 'message')} {is_or_are(job.done)} dismissed",
        NOTHING if job else _nothing(process.engine, chosen),
    )


def _of_job(process: "Context", job_id: int) -> "Iterator[tuple[str, Replayed]]":
    """Give the result of each of a job's refusals."""
    from worker.operations import replay
    from worker.queries import job_results

    after = 0
    while page := job_results.items(process.engine, job_id, 1_000, after):
        yield from (("", replay.of_item(item)) for item in page)
        after = page[-1].id


def _agree_to_file(process: "Context", path: Path, consent: Consent) -> None:
    """Show how many of a file's lines would be accepted, and why others would not, and ask."""
    from models.error_signature import gist
    from models.tally import Skip, Tally
    from worker.operations import replay

    skips: Counter[str] = Counter()
    will = 0
    try:
        with path.open("rb") as file:
            for reasons in replay.rehearse_mended(process.engine, iter(file)):
                will += not reasons
                skips.update(f"would not be accepted: {gist(str(one))}" for one in reasons[:1])
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    few = [Skip(*skip) for skip in skips.most_common(MOST_REASONS)]
    found = Tally(will, skips=few, more_skips=len(skips) - len(few))
    would = f"{counted(will, 'message')} would be submitted again"

    def show_it() -> None:
        show_tally(found)
        say(would.replace("would", "will"))

    agree(consent, found, would, show_it, harmless=True)


def _from_file(process: "Context", path: Path, consent: Consent) -> None:
    from models.input_check import Reason
    from worker.operations import audit_log, replay

    wrong: list[Reason] = []
    done: list[tuple[str, Replayed]] = []
    if (consent.can_ask and not consent.yes) or consent.expect is not None:
        _agree_to_file(process, path, consent)
    by = audit_log.at_the_terminal()
    try:
        with path.open("rb") as file, audit_log.noted(process.engine, by, "replay", file=path.name) as action:
            closer = replay.Closer(by.who)
            for number, one in replay.replay_mended(process.engine, process.rules, iter(file), closer):
                if isinstance(one, Reason):
                    wrong.append(one)
                else:
                    done.append((f"line {number}, ", one))
            action.number = sum(not one.reasons for _, one in done)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    for reason in wrong:
        complain(str(reason))
    _tell(done, as_json=consent.as_json)
    if wrong or any(one.reasons for _, one in done):
        raise typer.Exit(1)


def _tell(done: "Iterable[tuple[str, Replayed]]", *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for _, one in done])
        return
    counts: Counter[str] = Counter()
    still: list[str] = []
    for where, one in done:
        counts += Counter({"handed": not one.reasons, "accepted": one.accepted, "duplicates": one.duplicates})
        counts["refused"] += one.refused
        still += [f"{where}message {one.id} is still not accepted: {reason}" for reason in one.reasons]
    came_to = (
        f"accepted {counts['accepted']:,}, duplicates {counts['duplicates']:,}, not accepted {counts['refused']:,}"
    )
    handed = counts["handed"]
    if not handed and not still:
        say(f"{NOTHING}: nothing is submitted again")
        return
    say(f"{counted(handed, 'message')} {is_or_are(handed)} submitted again: {came_to}")
    for line in still:
        say(line)
