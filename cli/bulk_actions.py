"""Commands that act: retry, dismiss, cancel."""

from typing import Annotated, Final

import typer

from cli.bulk_jobs import Background, Consent, Expect, Wish, Yes, do, open_process, tell
from cli.filters import (
    LARGEST,
    AccountOption,
    Category,
    EventOption,
    GroupOption,
    OfState,
    Outcomes,
    Records,
    Since,
    filter_of,
)
from cli.output import AsJson, print_json
from models.words import Action, Outcome
from worker.queries.jobs import JobSummary

NOTHING_TO_RETRY: Final = (
    "no record matches: nothing is retried (what HubSpot rejected is retried only if asked for: --outcome rejected)"
)
OneBatch = Annotated[int | None, typer.Argument(metavar="BATCH", max=LARGEST, help="Only those of this batch.")]


def retry(  # noqa: PLR0913 - one parameter an option
    batch_id: OneBatch = None,
    *,
    outcome: Annotated[
        list[Outcome] | None,
        typer.Option(
            metavar="OUTCOME", help="Which outcomes, repeatable: failed (default), unconfirmed, rejected, canceled."
        ),
    ] = None,
    group: GroupOption = None,
    record: Records = None,
    event: EventOption = None,
    account: AccountOption = None,
    state: OfState = None,
    category: Category = None,
    since: Since = None,
    yes: Yes = False,
    expect: Expect = None,
    background: Background = False,
    as_json: AsJson = False,
) -> None:
    """Send what failed again, in new batches behind live ones.

    Without --outcome only records that never got an answer. What HubSpot rejected for its data would be rejected
    again unchanged, so it is retried only when asked for: by --outcome, --group or --record.

    On a terminal it first shows several and asks; one alone, or without a terminal, goes on.
    """
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
    process = open_process()
    wish = Wish(Action.RETRY, chosen.written, "retried", harmless=True)
    job = do(process, wish, Consent(yes, expect, as_json), background=background)
    if as_json:
        print_json({"retried": job.done, "job": job.id})
    else:
        tell(job, lambda job: f"{_records(job)} retried" if job.done else NOTHING_TO_RETRY)


def _records(job: JobSummary) -> str:
    return "1 record is" if job.done == 1 else f"{job.done:,} records are"


def dismiss(  # noqa: PLR0913 - one parameter an option
    error_ids: Annotated[list[int] | None, typer.Argument(metavar="ERROR", max=LARGEST, help="Ids of errors.")] = None,
    *,
    because: Annotated[str, typer.Option(help="Why nothing more is done about them; it is kept.")],
    outcome: Outcomes = None,
    group: GroupOption = None,
    record: Records = None,
    event: EventOption = None,
    account: AccountOption = None,
    state: OfState = None,
    category: Category = None,
    since: Since = None,
    yes: Yes = False,
    expect: Expect = None,
    background: Background = False,
    as_json: AsJson = False,
) -> None:
    """Resolve errors without sending anything, with a reason.

    Their records stay undelivered. Name errors, or say which by the filters; of several it first shows which, and asks.
    """
    from worker.queries.error_filter import OPEN

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
    process = open_process()
    wish = Wish(Action.DISMISS, chosen.written, "dismissed", {"because": because.strip()})
    job = do(process, wish, Consent(yes, expect, as_json), background=background)
    if as_json:
        print_json({"dismissed": job.done, "job": job.id})
    else:
        tell(
            job,
            lambda job: (
                f"{job.done:,} {'error is' if job.done == 1 else 'errors are'} dismissed"
                if job.done
                else "no open error matches: nothing is dismissed"
            ),
        )


def cancel(  # noqa: PLR0913 - one parameter an option
    batch_id: OneBatch = None,
    *,
    event: EventOption = None,
    account: AccountOption = None,
    state: OfState = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that waits.")] = False,
    yes: Yes = False,
    expect: Expect = None,
    background: Background = False,
    as_json: AsJson = False,
) -> None:
    """Take waiting batches out of the queue.

    `turnout retry --outcome canceled` puts their records back.

    On a terminal it first shows several and asks; one alone, or without a terminal, goes on.
    """
    from worker.operations.cancel import CancelFilter
    from worker.queries import job_results

    if not everything and (batch_id, event, account, state) == (None, None, None, None):
        raise typer.BadParameter("name a batch, or a filter such as --event; --all for everything that waits")
    process = open_process()
    wish = Wish(Action.CANCEL, CancelFilter(batch_id, event, account, state).facts, "canceled", harmless=True)
    job = do(process, wish, Consent(yes, expect, as_json), background=background)
    batches = job_results.batches(process.engine, job.id)
    if as_json:
        print_json({"batches": batches, "records": job.done, "job": job.id})
    else:
        tell(
            job,
            lambda job: (
                f"{job.done:,} records in {batches:,} batches are canceled" if job.done else "no waiting batch matches"
            ),
        )
