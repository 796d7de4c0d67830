"""`turnout sandbox`: a test server in place of HubSpot, on this machine."""

import gc
from typing import Annotated

import typer

from cli.account_options import place
from cli.output import complain, say
from sandbox.options import Malformed, SandboxOptions, Tier

KnownEvents = Annotated[
    list[str] | None,
    typer.Option(
        "--known-event",
        metavar="EVENT",
        help="Let the test server know this event alone: object id, or external account/external id; repeatable.",
    ),
]


def sandbox(  # noqa: PLR0913 - every option is a flag
    *,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8900,
    tier: Annotated[Tier, typer.Option(metavar="TIER", help=f"Whose limits to keep: {', '.join(Tier)}.")] = Tier.FREE,
    burst_limit: Annotated[int | None, typer.Option(min=1, help="Calls a window, in place of the tier's.")] = None,
    burst_seconds: Annotated[float, typer.Option(min=0.001, help="Length of the rolling window.")] = 10.0,
    daily_limit: Annotated[int | None, typer.Option(min=0, help="Calls a day, in place of the tier's.")] = None,
    time_zone: Annotated[
        str, typer.Option(callback=place, help="The account's, at whose midnight its day ends.")
    ] = "UTC",
    retry_after: Annotated[bool, typer.Option("--retry-after", help="Send Retry-After with every 429.")] = False,
    token: Annotated[list[str] | None, typer.Option(help="Accept only this token (repeatable).")] = None,
    known_event: KnownEvents = None,
    max_inputs: Annotated[int, typer.Option(min=1, help="Most inputs in a request.")] = 500,
    malformed: Annotated[Malformed, typer.Option(help="What an impossible contact gets.")] = Malformed.REFUSE,
    read_delay: Annotated[float, typer.Option(min=0, help="Seconds until a contact's view shows a write.")] = 0.0,
    event_read_delay: Annotated[
        float | None, typer.Option(min=0, help="Seconds until an event's views show it [10 x read delay].")
    ] = None,
    latency: Annotated[float, typer.Option(min=0, help="Seconds until an answer.")] = 0.0,
    jitter: Annotated[float, typer.Option(min=0, help="At most so many seconds more.")] = 0.0,
    keep_writes: Annotated[
        bool, typer.Option("--keep-writes", help="Keep every write for GET /_sandbox/writes.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of everything drawn.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not say where it listens.")] = False,
) -> None:
    r"""Run a test server in place of HubSpot.

    It answers, stores, limits and breaks like the real one. This makes it refuse somebody:

    curl http://127.0.0.1:8900/_sandbox/faults \
      -d '{"match": "ada@example.com", "status": 400}'

    This ends it: curl -X POST http://127.0.0.1:8900/_sandbox/reset

    GET /_sandbox/participations shows what it holds, GET /_sandbox/stats what it counted, GET /_sandbox/faults which
    faults are left.
    """
    from sandbox.server import SandboxServer

    options = SandboxOptions(
        tier=tier,
        burst_limit=burst_limit,
        burst_seconds=burst_seconds,
        daily_limit=daily_limit,
        time_zone=time_zone,
        retry_after=retry_after,
        tokens=tuple(token or ()),
        known_events=tuple(known_event or ()),
        max_inputs=max_inputs,
        malformed=malformed,
        read_delay=read_delay,
        event_read_delay=event_read_delay,
        latency=latency,
        jitter=jitter,
        keep_writes=keep_writes,
        seed=seed,
    )

    def say_ready() -> None:
        if not quiet:
            say(f"sandbox ready on {server.url}")

    try:
        server = SandboxServer(options, host, port, say_ready)
    except OSError as error:
        complain(f"sandbox: cannot listen on {host}:{port}: {error.strerror}")
        raise typer.Exit(1) from None
    # A full collection walks everything that is stored (measured: half a second at 400,000 participations), and the
    # requests that arrive meanwhile would be counted as one burst. The young generations take what a request leaves.
    gc.set_threshold(2_000, 10, 1_000_000)
    server.run()
