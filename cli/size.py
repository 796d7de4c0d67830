"""`turnout size`: how large an installation must be for a load."""

from typing import Annotated

import typer

from cli.output import AsJson, print_json, say
from hubspot_api.tiers import Tier


def size(  # noqa: PLR0913 - one parameter an option
    *,
    records_a_day: Annotated[int, typer.Option(min=1, help="Records that come in on a usual day, of all accounts.")],
    accounts: Annotated[int, typer.Option(min=1, help="HubSpot accounts over which they are spread evenly.")] = 1,
    tier: Annotated[
        Tier, typer.Option(metavar="TIER", help=f"HubSpot's limits for what each has bought: {', '.join(Tier)}.")
    ] = Tier.FREE,
    retention_days: Annotated[float, typer.Option(min=0, help="How long records are kept (RETENTION_DAYS).")] = 90,
    peak_factor: Annotated[float, typer.Option(min=1, help="The busiest minutes, as a multiple of the mean.")] = 10,
    records_a_call: Annotated[
        float, typer.Option(min=1, max=100, help="Records that go in one call: of one event and state, up to 100.")
    ] = 25,
    by_http: Annotated[
        float, typer.Option(min=0, max=1, help="The share of records that come by HTTP, one a request.")
    ] = 0,
    round_trip: Annotated[float, typer.Option(min=0.01, help="Seconds that HubSpot takes for an answer.")] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Compute the processes, connections, memory and disk that a load needs, and how much of HubSpot's limits it uses.

    It asks nothing and needs no settings: the constants were measured, and are explained with their formulas in
    docs/sizing.md.
    """
    from hubspot_api.tiers import LIMITS
    from models import sizing

    daily = None if tier is Tier.OAUTH else LIMITS[tier].daily
    load = sizing.Load(
        records_a_day=records_a_day,
        accounts=accounts,
        retention_days=retention_days,
        peak_factor=peak_factor,
        records_a_call=records_a_call,
        by_http=by_http,
        round_trip=round_trip,
        burst=LIMITS[tier].burst,
        daily=daily,
    )
    needed = sizing.size(load)
    warned = list(sizing.warnings(load, needed))
    if as_json:
        print_json({"load": load, **needed.as_json(), "warnings": warned, "measured": sizing.MEASURED})
        return
    for name, what in needed.described():
        say(f"{name:<22}{what}")
    for warning in warned:
        say(f"WARNING: {warning}")
    say(f"measured: {sizing.MEASURED}")
