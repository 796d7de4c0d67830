"""`turnout refused`: what was refused at the door, and handing it in again."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from cli.choosing import Account, Limit, Yes
from cli.showing import AsJson, console, print_json, print_table

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.accept import Rules
    from worker.refused import Replayed

app = typer.Typer(help="What was refused at the door: shown with its reasons, and handed in again.")
OfSubmission = Annotated[UUID | None, typer.Option(metavar="ID", help="Only those of this submission.")]


@app.callback(invoke_without_command=True)
def refused(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    *,
    submission: OfSubmission = None,
    account: Account = None,
    before: Annotated[int | None, typer.Option(help="Only those with a smaller id: the next page.")] = None,
    limit: Limit = 50,
    out: Annotated[
        Path | None, typer.Option(help="Write all of them to this file, as JSON Lines to be mended.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what was refused at the door and not handed in again since, the newest first.

    --out FILE writes them, --limit or not, each line with its reasons and its message. Mend the messages, and hand
    them in: turnout refused retry --from FILE.
    """
    if context.invoked_subcommand is not None:
        return
    from worker import refused as door
    from worker.database import make_engine
    from worker.settings import load_settings

    found = door.waiting(make_engine(load_settings()), door.Chosen(None, submission, account), before)
    if out is not None:
        _write(out, (door.line(row) for row in found))
        return
    hidden = {"key_id", "message", "text", "raw"}
    rows = [
        {name: value for name, value in row.items() if name not in hidden}
        | {"message": bytes(row["raw"]).decode(errors="replace")}
        for row in islice(found, limit)
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "refused_at", "account", "inputs", "reason", "submission"]
    print_table("Refused", [{**row, "reason": _first(row)} for row in rows], columns, "nothing is refused")
    if len(rows) == limit:
        console.print(f"more: --before {rows[-1]['id']}")


def _first(row: dict[str, Any]) -> str:
    """Write a refusal's first reason, and how many more there are."""
    first, *more = row["reasons"]
    told = f"{first['where']} {first['what']}; right would be {first['right']}"
    return f"{told} (and {len(more)} more)" if more else told


def _write(out: Path, lines: Iterator[bytes]) -> None:
    try:
        with out.open("xb") as file:
            number = sum(1 for line in lines if file.write(line))
    except OSError as error:
        raise typer.BadParameter(
            f"{out} cannot be written ({error.strerror}): name a file that is not there yet"
        ) from None
    typer.echo(f"{number:,} written to {out}; mend them, then: turnout refused retry --from {out}")


@app.command()
def retry(  # noqa: PLR0913 - one parameter an option
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]…", help="Ids that `turnout refused` lists.")] = None,
    *,
    submission: OfSubmission = None,
    account: Account = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that was refused.")] = False,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Mended lines of `turnout refused --out`.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Hand in again what was refused, as it is or mended: behind what is live, each with a receipt.

    What would only be refused again stays as it is, and says why; nothing is accepted twice. Exit status 1 where a
    line of FILE could not be used or is still refused.
    """
    from worker import refused as door
    from worker.database import make_engine
    from worker.process import rules_of
    from worker.settings import load_settings

    chosen = door.Chosen(ids or None, submission, account)
    named = ids or submission or account or everything
    if bool(named) is (from_ is not None):
        raise typer.BadParameter("name ids, --submission, --account or --all; or a mended file: --from FILE")
    settings = load_settings()
    engine = make_engine(settings)
    rules = rules_of(engine, settings)
    if from_ is not None:
        _from_file(engine, rules, from_, as_json=as_json)
        return
    _agree(door.waiting(engine, chosen), yes=yes, as_json=as_json)
    _tell([("", done) for done in door.replay(engine, rules, chosen)], as_json=as_json)


def _from_file(engine: "Engine", rules: "Rules", path: Path, *, as_json: bool) -> None:
    from models.preflight import Reason
    from worker import refused as door

    wrong: list[Reason] = []
    done: list[tuple[str, Replayed]] = []
    try:
        with path.open("rb") as file:
            for number, one in door.replay_mended(engine, rules, iter(file)):
                if isinstance(one, Reason):
                    wrong.append(one)
                else:
                    done.append((f"line {number}, ", one))
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    for reason in wrong:
        typer.echo(str(reason), err=True)
    _tell(done, as_json=as_json)
    if wrong or any(one.reasons for _, one in done):
        raise typer.Exit(1)


def _agree(found: Iterator[dict[str, Any]], *, yes: bool, as_json: bool) -> None:
    """Show how many would be handed in again, for which reasons they were refused, and ten of them; and ask."""
    from models.gist import gist
    from worker.groups import COUNTED, as_said

    if yes:
        return
    rows = list(islice(({**row, "raw": b"", "message": None} for row in found), COUNTED + 1))
    if len(rows) <= 1:
        return
    if as_json or not sys.stdin.isatty():
        raise typer.BadParameter(f"{as_said(len(rows))} would be handed in again, and nobody is asked: say --yes")
    reasons = Counter(gist(f"{row['reasons'][0]['where']}: {row['reasons'][0]['right']}") for row in rows)
    kinds = [{"right would be": kind, "refused": number} for kind, number in reasons.most_common(20)]
    print_table("Why they were refused", kinds, ["right would be", "refused"], "")
    print_table("Ten of them", [{**row, "reason": _first(row)} for row in rows[:10]], ["id", "account", "reason"], "")
    console.print(f"{as_said(len(rows))} will be handed in again")
    typer.confirm("Go on?", abort=True)


def _tell(done: "list[tuple[str, Replayed]]", *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for _, one in done])
        return
    handed = [one for _, one in done if not one.reasons]
    counts = f"accepted {sum(one.accepted for one in handed):,}, duplicates {sum(one.duplicates for one in handed):,}"
    typer.echo(f"{len(handed):,} are handed in again: {counts}, refused {sum(one.refused for one in handed):,}")
    for where, one in done:
        for reason in one.reasons:
            console.print(escape(f"{where}refused {one.id}, still: {reason}"))
