"""Commands that act: retry, dismiss, cancel."""

from dataclasses import astuple
from typing import Annotated, Final

import typer

from cli.accounts import check
from cli.bulk_jobs import Consent, Wish, answers, do, tell, tell_answers
from cli.filters import AccountOption, ErrorOptions, EventOption, OfState, an_id
from cli.option_groups import with_groups
from cli.output import print_json
from cli.resources import open_process
from models.counted import counted, is_or_are
from models.job_params import JobParams
from models.words import Action, Outcome

NOTHING_TO_RETRY: Final = (
    "no record matches: nothing is retried (what HubSpot rejected is retried only if asked for: --outcome rejected)"
)
OneBatch = Annotated[int | None, typer.Argument(metavar="BATCH", parser=an_id, help="Only those of this batch.")]


@with_groups
def retry(batch_id: OneBatch = None, *, options: ErrorOptions, consent: Consent) -> None:
    """Send what failed again, in new batches behind live ones.

    Without --outcome only records that never got an answer. What HubSpot rejected for its data would be rejected
    again unchanged, so it is retried only when asked for: by --outcome, --group or --record.

    On a terminal it first shows several and asks; one alone, or without a terminal, goes on.
    """
    chosen = options.filter((Outcome.FAILED,), batch_id=batch_id)
    process = open_process()
    check(process.engine, options.account)
    wish = Wish(Action.RETRY, chosen, "retried", harmless=True)
    job = do(process, wish, consent)
    if consent.as_json:
        print_json({"retried": job.done if job else 0, "job": job and job.id, "outcomes": answers(process, job)})
    else:
        tell(job, lambda job: f"{counted(job.done, 'record')} {is_or_are(job.done)} retried", NOTHING_TO_RETRY)
        tell_answers(job, answers(process, job))


@with_groups
def dismiss(
    error_ids: Annotated[list[int] | None, typer.Argument(metavar="ERROR", parser=an_id, help="Ids of errors.")] = None,
    *,
    because: Annotated[str, typer.Option(help="Why nothing more is done about them; it is kept.")],
    options: ErrorOptions,
    consent: Consent,
) -> None:
    """Resolve errors without sending anything, with a reason.

    Their records stay undelivered. Name errors, or say which by the filters; of several it first shows which, and asks.
    """
    from worker.queries.error_filter import OPEN

    if not error_ids and not any(astuple(options)):
        raise typer.BadParameter("name errors (turnout errors lists them), or a filter such as --group ID")
    if not because.strip():
        raise typer.BadParameter("--because is empty: give the reason, for those who ask later")
    chosen = options.filter(OPEN, errors=error_ids)
    process = open_process()
    check(process.engine, options.account)
    wish = Wish(Action.DISMISS, chosen, "dismissed", JobParams(because=because.strip()))
    job = do(process, wish, consent)
    if consent.as_json:
        print_json({"dismissed": job.done if job else 0, "job": job and job.id})
    else:
        nothing = "no open error matches: nothing is dismissed"
        tell(job, lambda job: f"{counted(job.done, 'error')} {is_or_are(job.done)} dismissed", nothing)


@with_groups
def cancel(  # noqa: PLR0913 - one parameter an option
    batch_id: OneBatch = None,
    *,
    event: EventOption = None,
    account: AccountOption = None,
    state: OfState = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that waits.")] = False,
    consent: Consent,
) -> None:
    """Take waiting batches out of the queue.

    `turnout retry --outcome canceled` puts their records back. Those that HubSpot may have, since a call for them
    brought no answer, are unconfirmed and looked for there.

    On a terminal it first shows several and asks; one alone, or without a terminal, goes on.
    """
    from worker.queries import job_results
    from worker.queries.job_filter import CancelFilter

    if not everything and (batch_id, event, account, state) == (None, None, None, None):
        raise typer.BadParameter("name a batch, or a filter such as --event; --all for everything that waits")
    process = open_process()
    check(process.engine, account)
    wish = Wish(Action.CANCEL, CancelFilter(batch_id, event, account, state), "canceled", harmless=True)
    job = do(process, wish, consent)
    batches = job_results.batches(process.engine, job.id) if job else 0
    if consent.as_json:
        print_json({"batches": batches, "records": job.done if job else 0, "job": job and job.id})
    else:
        of_batches = counted(batches, "batch", "batches")
        nothing = "no waiting batch matches: nothing is canceled"
        tell(
            job,
            lambda job: f"{counted(job.done, 'record')} in {of_batches} {is_or_are(job.done)} taken out of the queue",
            nothing,
        )
