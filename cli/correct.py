"""`turnout correct`: a field of a record, or of a whole group, corrected and sent again."""

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.bulk_jobs import (
    CHANGED,
    Consent,
    Wish,
    agree,
    answers,
    do,
    follow,
    show_tally,
    tell,
    tell_answers,
)
from cli.filters import ErrorOptions, GroupOption, an_id
from cli.option_groups import with_groups
from cli.output import ask, complain, fail, print_json, say
from cli.resources import open_process
from models.counted import counted, is_or_are
from models.job_params import JobParams
from models.words import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from models.correction import Change
    from models.input_check import Reason
    from models.tally import Tally
    from worker.context import Context
    from worker.operations.correct import Corrected
    from worker.operations.correction_csv import Mended
    from worker.queries.jobs import JobSummary

SHOWN: Final = 10
MOST_WRONG: Final = 1_000
"""Lines of a file that are said to be wrong, at most."""


@with_groups
def correct(  # noqa: PLR0913 - one parameter an option
    record_id: Annotated[
        int | None, typer.Argument(metavar="RECORD", parser=an_id, help="The record to be corrected.")
    ] = None,
    *,
    email: Annotated[str | None, typer.Option(help="The right e-mail address.")] = None,
    vid: Annotated[str | None, typer.Option(help="The right contact id.")] = None,
    when: Annotated[str | None, typer.Option(metavar="TIME", help="When it happened: 2026-03-01T10:00:00Z.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PROPERTY=VALUE", help="A property; without a value it is taken out. Repeatable."
        ),
    ] = None,
    event: Annotated[str | None, typer.Option(help="The right event: its id, or external account/external id.")] = None,
    object_id: Annotated[str | None, typer.Option(help="The right event's object id at HubSpot.")] = None,
    group: GroupOption = None,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A corrected file of `turnout errors --csv`.")
    ] = None,
    consent: Consent,
) -> None:
    """Correct records that are not delivered, and send them.

    One record, a whole group, or the changed rows of a file. What changes is shown, of every record, and done once you
    agree; if it has changed by then, nothing is done. Several records that go to another event need their number:
    typed, or --yes --expect N. A new record takes the old one's place, which is canceled; both stay on the person's
    page. Exit status 1 where something could not be corrected.
    """
    from models.input_check import Reason
    from worker.operations.correction_input import ONE_PERSONS, read_change

    if [record_id, group, from_].count(None) != 2:  # noqa: PLR2004 - one of three
        raise typer.BadParameter("name one: a record, --group ID, or a corrected file: --from FILE")
    change = read_change(email=email, vid=vid, when=when, properties=set_ or (), event=event, object_id=object_id)
    if isinstance(change, Reason):
        raise typer.BadParameter(f"--{change.where} {change.what}; expected {change.right}")
    if group and (email or vid):
        raise typer.BadParameter(str(ONE_PERSONS))
    if bool(change) is (from_ is not None):
        right = (
            "the file says what is changed" if from_ else "say what is changed: --email, --vid, --when, --set, --event"
        )
        raise typer.BadParameter(right)
    process = open_process()
    wrong: list[Reason] = []
    if group:
        chosen = ErrorOptions(group=group).filter(())
        wish = Wish(Action.CORRECT, chosen, "corrected and sent", JobParams(change=change))
        done = do(process, wish, consent)
        if done is None:
            _tell_nothing("no error of this group is open", wrong, as_json=consent.as_json)
            return
        job = done
    elif from_ is not None:
        job = _correct_file(process, from_, wrong, consent)
    else:
        assert record_id is not None
        job = _correct_record(process, record_id, change, consent)
    _tell(process, job, wrong, as_json=consent.as_json)
    if wrong or job.skipped:
        raise typer.Exit(1)


def _correct_file(process: "Context", path: Path, wrong: "list[Reason]", consent: Consent) -> "JobSummary":
    from worker.operations import audit_log, jobs, steps

    with process.engine.connect() as connection:
        until = steps.newest(connection, Action.CORRECT)
    unread, found = _agree_to_file(process, path, until, consent)
    wrong += unread
    if not found.will:
        few = list(islice(_mended(process, path), SHOWN)) if found.skips else []
        _tell_nothing("no row differs from its record", wrong, _looked(process, few), as_json=consent.as_json)
        raise typer.Exit(int(bool(wrong or found.skips)))
    job_id = jobs.ask_to_mend(process.engine, audit_log.at_the_terminal(), _mended(process, path), until=until)
    return follow(process, job_id, background=consent.background)


def _correct_record(process: "Context", record_id: int, change: "Change", consent: Consent) -> "JobSummary":
    from worker.operations import audit_log, jobs, steps

    with process.engine.connect() as connection:
        until = steps.newest(connection, Action.CORRECT)
    one = _agree_to_record(process, record_id, change, consent)
    if one.reasons:
        _tell_nothing("", [], [(0, one)], as_json=consent.as_json)
        raise typer.Exit(1)
    mended = iter([(0, record_id, change)])
    job_id = jobs.ask_to_mend(process.engine, audit_log.at_the_terminal(), mended, until=until)
    return follow(process, job_id, background=consent.background)


def _agree_to_file(process: "Context", path: Path, until: int, consent: Consent) -> "tuple[list[Reason], Tally]":
    """Read a file to its end, show what it comes to, and ask; give what cannot be read, and what it comes to."""
    wrong: list[Reason] = []
    found = _tally(process, path, until, wrong)
    for reason in wrong:
        complain(str(reason))
    agree(consent, found, f"{counted(found.will, 'record')} would be corrected", lambda: _show_tally(found))
    again = _tally(process, path, until, [])
    if again.seal != found.seal:
        _show_tally(again)
        fail(CHANGED)
    return wrong, found


def _tally(process: "Context", path: Path, until: int, wrong: "list[Reason]") -> "Tally":
    """Tally the changes of a file; what cannot be read of it is added to `wrong`."""
    from models.input_check import Reason
    from worker.operations import tally

    def changes() -> "Iterator[tuple[int, Change]]":
        for row in _rows(process, path):
            if isinstance(row, Reason):
                wrong.extend([row][: MOST_WRONG - len(wrong)])
            else:
                yield row.record_id, row.change

    return tally.of(process.engine, process.rules, changes(), until)


def _show_tally(found: "Tally") -> None:
    show_tally(found)
    say(f"{counted(found.will, 'record')} will be corrected and sent")


def _agree_to_record(process: "Context", record_id: int, change: "Change", consent: Consent) -> "Corrected":
    """Show what a correction changes, and ask; one that cannot be made is not asked about."""
    from worker.operations import correct as correcting

    if consent.expect not in {None, 1}:
        fail(f"1 record would be corrected, and --expect says {consent.expect:,}: nothing is done")
    (one,) = correcting.look(process.engine, process.rules, {record_id: change})
    if consent.yes or one.reasons:
        return one
    if not consent.can_ask:
        raise typer.BadParameter(
            "1 record would be corrected; cannot ask for confirmation (not a terminal): pass --yes"
        )
    _show(one)
    ask("Correct and send it?")
    return one


def _mended(process: "Context", path: Path) -> "Iterator[tuple[int, int, Change]]":
    from models.input_check import Reason

    return ((row.line, row.record_id, row.change) for row in _rows(process, path) if not isinstance(row, Reason))


def _rows(process: "Context", path: Path) -> "Iterator[Mended | Reason]":
    from worker.operations import correction_csv

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from correction_csv.read(process.engine, file)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path} cannot be used: {error}") from None


def _show(one: "Corrected", line: int = 0) -> None:
    say(f"line {line}, record {one.record_id}" if line else f"record {one.record_id}", "bold")
    for field, was, becomes in one.difference:
        say(f"  {field}: {was or '–'} → {becomes or '–'}")
    for reason in one.reasons:
        say(f"  not corrected: {reason}")


def _tell(process: "Context", job: "JobSummary", wrong: "list[Reason]", *, as_json: bool) -> None:
    from worker.operations import correct as correcting
    from worker.queries import job_results
    from worker.queries.job_filter import CorrectedRows

    few = job_results.items(process.engine, job.id, 1_000, skipped=not as_json and job.done + job.skipped > SHOWN)
    done = [(correcting.of_item(item), item.item) for item in few]
    if as_json:
        facts = {"corrected": job.done, "job": job.id, "records": [asdict(one) for one, _ in done]}
        outcomes = answers(process, job)
        print_json({**facts, "wrong": [asdict(one) for one in wrong], "outcomes": outcomes})
        return
    by_line = isinstance(job.filter, CorrectedRows) and job.filter.mended_rows is not None
    for one, line in done:
        _show(one, line if by_line else 0)
        if one.by is not None:
            say(f"  record {one.by} is sent in its place")
    said = f"{counted(job.done, 'record')} {is_or_are(job.done)} corrected and sent"
    tell(job, lambda _: said, "nothing is corrected")
    tell_answers(job, answers(process, job))


def _looked(process: "Context", few: "Sequence[tuple[int, int, Change]]") -> "list[tuple[int, Corrected]]":
    """Say of a few changes why they cannot be made, each with its line."""
    from worker.operations import correct as correcting

    lines = {record_id: line for line, record_id, _ in few}
    changes = {record_id: change for _, record_id, change in few}
    looked = correcting.look(process.engine, process.rules, changes) if changes else []
    return [(lines[one.record_id], one) for one in looked]


def _tell_nothing(
    why: str, wrong: "list[Reason]", looked: "Sequence[tuple[int, Corrected]]" = (), *, as_json: bool
) -> None:
    """Say that there is nothing to correct, and why: no job is made of it."""
    if as_json:
        records = [asdict(one) for _, one in looked]
        print_json({"corrected": 0, "job": None, "records": records, "wrong": [asdict(one) for one in wrong]})
        return
    for line, one in looked:
        _show(one, line)
    say("nothing is corrected" if wrong or looked else f"nothing is changed: {why}")
