"""`turnout audit`: whether the books balance."""

import typer

from cli.output import AsJson, print_json, say
from cli.resources import open_engine


def audit(*, as_json: AsJson = False) -> None:
    """Recount every accepted record and say whether the books balance.

    Exit status 1 where they do not.
    """
    from worker.queries.error_filter import OPEN
    from worker.queries.reconciliation import audit as recount

    books = recount(open_engine())
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
