"""`turnout correct`: a field of a record, or of a whole group, mended and sent again."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from cli.choosing import Group, Yes, filter_of, show
from cli.showing import AsJson, console, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

    from models.correction import Change
    from models.preflight import Reason
    from worker.correct import Corrected
    from worker.retry import Filter

SHOWN = 10


def correct(  # noqa: PLR0913 - one parameter an option
    record_id: Annotated[int | None, typer.Argument(metavar="[RECORD]", help="The record to be corrected.")] = None,
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
    group: Group = None,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A mended file of `turnout errors --csv`.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Correct a record that is not delivered, a whole group of them, or the changed rows of a file; and send them.

    What changes is shown, checked as at every door, and done once you agree. A new record takes the old one's place,
    which is canceled; both stay on the person's page. Exit status 1 where something could not be corrected.
    """
    from worker import correct as correcting
    from worker.database import make_engine
    from worker.process import rules_of
    from worker.settings import load_settings

    if [record_id, group, from_].count(None) != 2:  # noqa: PLR2004 - one of three
        raise typer.BadParameter("name one: a record, --group ID, or a mended file: --from FILE")
    change = _change(email=email, vid=vid, when=when, set_=set_, event=event, object_id=object_id)
    if bool(change) is (from_ is not None):
        right = (
            "the file says what is changed" if from_ else "say what is changed: --email, --vid, --when, --set, --event"
        )
        raise typer.BadParameter(right)
    settings = load_settings()
    engine = make_engine(settings)
    wrong: list[Reason] = []
    chosen = None
    lines: dict[int, int] = {}
    if from_ is not None:
        changes, lines, wrong = _from_file(engine, from_)
    elif group:
        chosen = filter_of((), group=group)
        changes = dict.fromkeys(correcting.chosen_records(engine, chosen), change)
    else:
        assert record_id is not None
        changes = {record_id: change}
    _agree(engine, changes, chosen, yes=yes, as_json=as_json)
    done = list(correcting.correct(engine, rules_of(engine, settings), changes))
    _tell(done, lines, wrong, as_json=as_json)
    if wrong or any(one.reasons for one in done):
        raise typer.Exit(1)


def _change(  # noqa: PLR0913 - one parameter an option
    *,
    email: str | None,
    vid: str | None,
    when: str | None,
    set_: list[str] | None,
    event: str | None,
    object_id: str | None,
) -> "Change":
    from models.correction import Change
    from worker.files.times import Fault, read_time

    moment = None if when is None else read_time(when)
    if isinstance(moment, Fault):
        raise typer.BadParameter(f"--when {moment.what}; right would be {moment.right.split(', said by')[0]}")
    properties = {}
    for pair in set_ or ():
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"--set {pair!r} sets nothing; right would be --set PROPERTY=VALUE")
        properties[name.strip()] = value
    return Change(email, vid, moment.ms if moment else None, properties, event, object_id)


def _from_file(engine: "Engine", path: Path) -> "tuple[dict[int, Change], dict[int, int], list[Reason]]":
    from models.preflight import Reason
    from worker import sheet

    changes: dict[int, Change] = {}
    lines: dict[int, int] = {}
    wrong: list[Reason] = []
    try:
        for row in sheet.read(engine, path):
            if isinstance(row, Reason):
                wrong.append(row)
            else:
                changes[row.record_id] = row.change
                lines[row.record_id] = row.line
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path} cannot be used: {error}") from None
    return changes, lines, wrong


def _agree(
    engine: "Engine", changes: "Mapping[int, Change]", chosen: "Filter | None", *, yes: bool, as_json: bool
) -> None:
    """Show what is chosen and what the first of the corrections change, and ask."""
    from worker import correct as correcting, groups

    if yes or not changes:
        return
    first = dict(list(changes.items())[:SHOWN])
    looked = correcting.look(engine, first)
    if len(changes) == 1 and looked[0].reasons:
        return
    if as_json or not sys.stdin.isatty():
        raise typer.BadParameter(f"{len(changes):,} records would be corrected, and nobody is asked: say --yes")
    if chosen is not None:
        show(engine, chosen, groups.matching(engine, chosen))
    for one in looked:
        _show(one)
    console.print(f"{len(changes):,} records will be corrected and sent")
    typer.confirm("Go on?", abort=True)


def _show(one: "Corrected", line: int | None = None) -> None:
    console.print(f"line {line}, record {one.record_id}" if line else f"record {one.record_id}", style="bold")
    for field, was, becomes in one.difference:
        console.print(escape(f"  {field}: {was or '–'} → {becomes or '–'}"))
    for reason in one.reasons:
        console.print(escape(f"  not corrected: {reason}"))


def _tell(done: "list[Corrected]", lines: "Mapping[int, int]", wrong: "list[Reason]", *, as_json: bool) -> None:
    corrected = sum(one.by is not None for one in done)
    if as_json:
        print_json(
            {"corrected": corrected, "records": [asdict(one) for one in done], "wrong": [asdict(one) for one in wrong]}
        )
        return
    for reason in wrong:
        typer.echo(str(reason), err=True)
    for one in done:
        if one.reasons or len(done) <= SHOWN:
            _show(one, lines.get(one.record_id))
            if one.by is not None:
                console.print(f"  record {one.by} is sent in its place")
    typer.echo(f"{corrected:,} records are corrected and sent" if corrected else "nothing is corrected")
