"""Commands that act: retry, cancel."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.showing import AsJson, print_json
from models.words import Outcome, State

Event = Annotated[str | None, typer.Option(help="Object id, external id, or external account/external id.")]
Account = Annotated[str | None, typer.Option(help="Only those of this account.")]
OfState = Annotated[State | None, typer.Option(help="Only those of this state.")]
OneBatch = Annotated[int | None, typer.Argument(metavar="[BATCH]", help="Only those of this batch.")]


def retry(  # noqa: PLR0913 - one parameter an option
    batch_id: OneBatch = None,
    *,
    outcome: Annotated[
        list[Outcome] | None,
        typer.Option(help="Which outcomes, repeatable: failed (default), unconfirmed, rejected, canceled."),
    ] = None,
    event: Event = None,
    account: Account = None,
    state: OfState = None,
    category: Annotated[str | None, typer.Option(help="Only errors of this category.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only errors since then (UTC).")] = None,
    as_json: AsJson = False,
) -> None:
    """Send again what failed: the records move into new batches, behind live ones.

    Without --outcome only records that never got an answer. What HubSpot rejected for its data would be rejected
    again unchanged, so it is retried only when asked for.
    """
    from worker.database import make_engine
    from worker.retry import Filter, retry as move
    from worker.settings import load_settings

    settings = load_settings()
    chosen = Filter(
        outcome or (Outcome.FAILED,),
        batch_id,
        event,
        account,
        state,
        category,
        since.replace(tzinfo=UTC) if since else None,
    )
    moved = move(make_engine(settings), settings.batch_size, chosen)
    if as_json:
        print_json({"retried": moved})
    else:
        typer.echo(f"{moved:,} records are retried" if moved else "no record is like that: nothing is retried")


def cancel(  # noqa: PLR0913 - one parameter an option
    batch_id: OneBatch = None,
    *,
    event: Event = None,
    account: Account = None,
    state: OfState = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that waits.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take batches that wait out of the queue; `turnout retry --outcome canceled` puts their records back."""
    from worker.cancel import Chosen, cancel as take_out
    from worker.database import make_engine
    from worker.settings import load_settings

    if not everything and (batch_id, event, account, state) == (None, None, None, None):
        raise typer.BadParameter("name a batch, or a filter such as --event; --all for everything that waits")
    batches, records = take_out(make_engine(load_settings()), Chosen(batch_id, event, account, state))
    if as_json:
        print_json({"batches": batches, "records": records})
    else:
        typer.echo(
            f"{records:,} records in {batches:,} batches are canceled" if batches else "no batch like that waits"
        )
