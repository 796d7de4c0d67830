"""`turnout doctor`: everything that Turnout needs is looked at."""

from dataclasses import asdict

import typer

from cli.output import AsJson, complain, print_json, say
from cli.resources import open_what_there_is


def doctor(*, as_json: AsJson = False) -> None:
    """Look at settings, database, Redis, broker, workers, clocks, HubSpot, its token and limits, and say what to do.

    One call goes to HubSpot: it asks for a person that HubSpot does not know. Exit status 1 where something is wrong.
    """
    from worker.doctor import examine
    from worker.finding import Finding, Level
    from worker.queries.attention import exit_status

    process, wrong = open_what_there_is()
    found = [*(wrong or [Finding(Level.OK, "settings", "can be read")]), *examine(process)]
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            line = f"{one.level:<13} {one.about}: {one.text}"
            (say if one.level is Level.OK else complain)(line)
            if one.todo:
                complain(f"{'':<13} {one.todo}")
    if exit_status(found):
        raise typer.Exit(1)
