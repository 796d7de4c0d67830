"""`turnout audit`: whether the books balance, and whether HubSpot holds what is not known here."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import AsJson, print_json, say
from cli.resources import open_engine


def audit(
    *,
    against_hubspot: Annotated[
        str | None,
        typer.Option(
            metavar="EVENT",
            help="Compare with what HubSpot shows of this event instead: object id, or external account/external id.",
        ),
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="The event's account, where several have one of that name.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write who is not known to this file, for turnout enqueue.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recount every accepted record and say whether the books balance.

    Exit status 1 where they do not. What it found is kept for the metric `turnout_books_balanced`.

    With --against-hubspot it reads the event's participations, a hundred a call within the account's limits, and names
    each that HubSpot holds and Turnout does not know, as after a restore; exit status 1 where there is one.
    """
    if against_hubspot is not None:
        from cli.compare import compare

        compare(against_hubspot, account, out, as_json=as_json)
        return
    if account is not None or out is not None:
        raise typer.BadParameter("--account and --out go with --against-hubspot EVENT")
    from worker import settings
    from worker.queries import last_audit
    from worker.queries.error_filter import OPEN
    from worker.queries.reconciliation import audit as recount

    books = recount(open_engine())
    last_audit.keep(settings.load_settings(), balanced=books.balanced)
    if as_json:
        print_json(books.as_json())
    else:
        say(f"accepted {books.accepted:,} (duplicates {books.duplicates:,}, not accepted {books.refused:,})")
        if books.refused_open:
            say(f"of what was not accepted, {books.refused_open:,} are open: turnout refused --grouped")
        for outcome, number in books.outcomes.items():
            say(f"  {outcome:<12}{number:>12,}")
        if any(books.outcomes[one] for one in OPEN):
            say("rejected, unconfirmed and failed hold what was dismissed too; what is open: turnout errors --grouped")
        if books.purged:
            say(f"of these, {books.purged:,} are purged")
        for line in books.wrong:
            say(f"WRONG: {line}")
        say("the books balance" if books.balanced else "THE BOOKS DO NOT BALANCE")
    if not books.balanced:
        raise typer.Exit(1)
