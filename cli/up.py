"""`turnout up` runs everything on one machine; `turnout env` tells other shells how to reach it."""

import signal
import sys
from typing import Annotated

import typer

from cli.output import say

SandboxPort = Annotated[int, typer.Option(help="The port of the HubSpot stand-in.")]


def up(
    *,
    port: Annotated[int, typer.Option(help="The port of the HTTP door.")] = 8800,
    sandbox_port: SandboxPort = 8900,
    no_sandbox: Annotated[bool, typer.Option("--no-sandbox", help="Never start the HubSpot stand-in.")] = False,
) -> None:
    """Run everything on this machine, in the foreground: Ctrl-C stops it in order, a second one at once.

    PostgreSQL and Valkey are started where no URL is set, and the HubSpot stand-in where neither
    TURNOUT_HUBSPOT_URL nor TURNOUT_HUBSPOT_TOKEN is. A part that dies is started again.
    """
    from worker.local.stack import Machine
    from worker.settings import read_settings

    machine = Machine(read_settings(), port, None if no_sandbox else sandbox_port, _say)
    signal.signal(signal.SIGINT, lambda *_: machine.ask_to_stop())
    signal.signal(signal.SIGTERM, lambda *_: machine.ask_to_stop())
    sys.exit(machine.run())


def env() -> None:
    """Print how to reach a running `turnout up`, a setting a line, for other shells: `export $(turnout env)`."""
    from worker.settings import SettingsError, read_settings, running

    data_dir = read_settings().data_dir
    found = running(data_dir)
    if not found:
        raise SettingsError(f"no `turnout up` runs on {data_dir}: start it first")
    for name in ("database_url", "broker_url", "redis_url"):
        say(f"TURNOUT_{name.upper()}={found[name]}")


def _say(line: str) -> None:
    say(line)
    sys.stdout.flush()
