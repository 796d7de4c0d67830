"""`turnout events`, `turnout event`: what was accepted for an event, and what of it HubSpot has."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli.accounts import check
from cli.filters import AccountOption, Before, Limit
from cli.output import AsJson, fail, print_json, print_table, say, say_more, written
from cli.resources import open_engine
from models.words import Outcome

Named = Annotated[
    str, typer.Argument(metavar="EVENT", help="Its object id, its external id, or external account/external id.")
]


def events(
    *,
    before: Before = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List the events, the newest first."""
    from worker.queries.events import list_events

    with open_engine().connect() as connection:
        found = list_events(connection, None, before, limit)
    if as_json:
        print_json(found)
        return
    print_table(
        "Events",
        [asdict(one) for one in found],
        ["id", "event", "account", "created_at"],
        "nothing was accepted for any event yet",
    )
    say_more(found, limit)


def event(named: Named, *, account: AccountOption = None, as_json: AsJson = False) -> None:
    """Show an event: registered, attended and cancelled, and of each what is delivered and what is missing.

    Missing is what HubSpot should have and, as far as is known, has not. Two accounts may have an event of one name.
    """
    from worker.queries.events import find_event, list_events

    engine = open_engine()
    check(engine, account)
    with engine.connect() as connection:
        of_the_name = list_events(connection, named)
    looked = (find_event(engine, one.id) for one in of_the_name if account in {None, one.account})
    found = [one for one in looked if one is not None]
    if not found:
        fail(f"there is no event {named}; `turnout events` lists them")
    if as_json:
        print_json(found)
        return
    for one in found:
        say(f"event {one.event}, account {one.account}", "bold")
        say(f"first seen {written(one.created_at)}")
        if not one.all:
            say("more than is counted here: of its newest batches alone, at least so many of each")
        rows = [{"state": state, **counts} for state, counts in one.states.items()]
        print_table("Records", rows, ["state", "records", *(outcome.value for outcome in Outcome), "missing"], "")
        if one.waiting:
            print_table("Waiting", one.waiting, ["why", "batches", "records", "oldest", "until"], "")
