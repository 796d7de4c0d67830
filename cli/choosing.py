"""Which errors an operator means, by the same options for every command, and the question before many are changed."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cli.showing import console, print_table
from models.words import Outcome, State

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.retry import Filter

Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many, at most.")]
Event = Annotated[str | None, typer.Option(help="Object id, external id, or external account/external id.")]
Account = Annotated[str | None, typer.Option(help="Only those of this account.")]
OfState = Annotated[State | None, typer.Option(help="Only those of this state.")]
Outcomes = Annotated[
    list[Outcome] | None, typer.Option("--outcome", help="rejected, unconfirmed, failed or canceled; repeatable.")
]
Category = Annotated[str | None, typer.Option(help="Only errors of this category.")]
Since = Annotated[datetime | None, typer.Option(help="Only errors since then (UTC).")]
Group = Annotated[str | None, typer.Option(metavar="ID", help="Only errors of this group (turnout errors --grouped).")]
Records = Annotated[
    list[int] | None, typer.Option("--record", metavar="ID", help="Only errors of this record; repeatable.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def filter_of(  # noqa: PLR0913 - one parameter an option
    default: Sequence[Outcome],
    *,
    outcomes: Sequence[Outcome] | None = None,
    batch_id: int | None = None,
    event: str | None = None,
    account: str | None = None,
    state: State | None = None,
    category: str | None = None,
    since: datetime | None = None,
    group: str | None = None,
    records: Sequence[int] | None = None,
    errors: Sequence[int] | None = None,
) -> "Filter":
    """Put the options together; who names a group, a record or an error means it, whatever its outcome."""
    from worker.retry import ANY_OPEN, Filter

    named = group or records or errors
    utc = since.replace(tzinfo=UTC) if since else None
    return Filter(
        outcomes or (ANY_OPEN if named else default),
        batch_id,
        event,
        account,
        state,
        category,
        utc,
        group,
        records or None,
        errors or None,
    )


def agree(  # noqa: PLR0913
    engine: "Engine", chosen: "Filter", verb: str, *, yes: bool, as_json: bool, harmless: bool = False
) -> None:
    """Show how many errors are chosen, which distinct ones, and ten of them; go on only where the operator agrees.

    One alone needs no question. Where there is nobody to ask, what is harmless goes on, and the rest wants `--yes`.
    """
    from worker import groups

    if yes:
        return
    asked = sys.stdin.isatty() and not as_json
    if not asked and harmless:
        return
    found = groups.matching(engine, chosen)
    if found["count"] <= 1:
        return
    if not asked:
        raise typer.BadParameter(f"{groups.as_said(found['count'])} would be {verb}, and nobody is asked: say --yes")
    show(engine, chosen, found)
    console.print(escape(f"{groups.as_said(found['count'])} records will be {verb}"))
    typer.confirm("Go on?", abort=True)


def show(engine: "Engine", chosen: "Filter", found: dict[str, Any]) -> None:
    """Show the distinct errors of what a filter chooses, as `groups.matching` found them, and ten of it."""
    from worker import facts, groups

    columns = ["id", "outcome", "category", "gist", "count", "means"]
    shown = [{**group, "count": groups.as_said(group["count"])} for group in found["groups"][:20]]
    print_table("Distinct errors", shown, columns, "of no known kind")
    samples = ["id", "record_id", "contact", "event", "state", "message"]
    print_table("Ten of them", facts.errors(engine, chosen, 10), samples, "none")
