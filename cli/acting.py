"""Commands that act: retry, dismiss, cancel."""

from typing import Annotated

import typer

from cli.choosing import Account, Category, Event, Group, OfState, Outcomes, Records, Since, Yes, agree, filter_of
from cli.showing import AsJson, print_json
from models.words import Outcome

OneBatch = Annotated[int | None, typer.Argument(metavar="[BATCH]", help="Only those of this batch.")]


def retry(  # noqa: PLR0913 - one parameter an option
    batch_id: OneBatch = None,
    *,
    outcome: Annotated[
        list[Outcome] | None,
        typer.Option(help="Which outcomes, repeatable: failed (default), unconfirmed, rejected, canceled."),
    ] = None,
    group: Group = None,
    record: Records = None,
    event: Event = None,
    account: Account = None,
    state: OfState = None,
    category: Category = None,
    since: Since = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send again what failed: the records move into new batches, behind live ones.

    Without --outcome only records that never got an answer. What HubSpot rejected for its data would be rejected
    again unchanged, so it is retried only when asked for: by --outcome, --group or --record.

    On a terminal it first shows what will be retried, and asks; elsewhere it goes on.
    """
    from worker.database import make_engine
    from worker.retry import retry as move
    from worker.settings import load_settings

    settings = load_settings()
    chosen = filter_of(
        (Outcome.FAILED,),
        outcomes=outcome,
        batch_id=batch_id,
        event=event,
        account=account,
        state=state,
        category=category,
        since=since,
        group=group,
        records=record,
    )
    engine = make_engine(settings)
    agree(engine, chosen, "retried", yes=yes, as_json=as_json, harmless=True)
    moved = move(engine, settings.batch_size, chosen)
    if as_json:
        print_json({"retried": moved})
    else:
        typer.echo(f"{moved:,} records are retried" if moved else "no record is like that: nothing is retried")


def dismiss(  # noqa: PLR0913 - one parameter an option
    error_ids: Annotated[list[int] | None, typer.Argument(metavar="[ERROR]…", help="Ids of errors.")] = None,
    *,
    because: Annotated[str, typer.Option(help="Why nothing more is done about them; it is kept.")],
    outcome: Outcomes = None,
    group: Group = None,
    record: Records = None,
    event: Event = None,
    account: Account = None,
    state: OfState = None,
    category: Category = None,
    since: Since = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Leave errors as they are: they are resolved, with a reason, and their records are not delivered.

    Name errors, or say which by the filters; of several it first shows which, and asks.
    """
    from worker.database import make_engine
    from worker.retry import OPEN, dismiss as leave
    from worker.settings import load_settings

    named = (error_ids, outcome, group, record, event, account, state, category, since)
    if not any(named):
        raise typer.BadParameter("name errors (turnout errors lists them), or a filter such as --group ID")
    if not because.strip():
        raise typer.BadParameter("--because is empty: say why, for whoever asks later")
    chosen = filter_of(
        OPEN,
        outcomes=outcome,
        event=event,
        account=account,
        state=state,
        category=category,
        since=since,
        group=group,
        records=record,
        errors=error_ids,
    )
    engine = make_engine(load_settings())
    agree(engine, chosen, "dismissed", yes=yes, as_json=as_json)
    done = leave(engine, chosen, because.strip())
    if as_json:
        print_json({"dismissed": done})
    else:
        typer.echo(f"{done:,} errors are dismissed" if done else "no open error is like that: nothing is dismissed")


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
