"""`turnout doctor`: everything that Turnout needs is looked at."""

from dataclasses import asdict

import typer

from cli.output import AsJson, complain, print_json, say


def doctor(*, as_json: AsJson = False) -> None:
    """Look at settings, database, Redis, broker, workers, clocks, HubSpot, its token and limits, and say what to do.

    One call goes to HubSpot, which reads what nobody is known for. Exit status 1 where something is wrong.
    """
    from worker.context import Context
    from worker.doctor import Diagnosis, Health, examine
    from worker.settings import SettingsError, load_settings

    try:
        found = [Diagnosis("settings", Health.WELL, "can be read"), *examine(Context(load_settings()))]
    except SettingsError as error:
        found = [Diagnosis("settings", Health.WRONG, str(error), "turnout config shows each and its source")]
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            line = f"{one.verdict:<8} {one.about}: {one.found}"
            (say if one.verdict is Health.WELL else complain)(line)
            if one.todo:
                complain(f"{'':<8} {one.todo}")
    if any(one.verdict is Health.WRONG for one in found):
        raise typer.Exit(1)
