"""`turnout up` runs everything on one machine; `turnout env` tells other shells how to reach it."""

import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import is_terminal, say
from cli.sandbox import KnownEvents
from models.words import Role

if TYPE_CHECKING:
    from sqlalchemy import Engine

SandboxPort = Annotated[int, typer.Option(help="The port of HubSpot's test server.")]


def up(
    *,
    port: Annotated[int, typer.Option(help="The port of the API and the console.")] = 8800,
    sandbox_port: SandboxPort = 8900,
    no_sandbox: Annotated[bool, typer.Option("--no-sandbox", help="Never start HubSpot's test server.")] = False,
    known_event: KnownEvents = None,
) -> None:
    """Run everything on this machine, until Ctrl-C.

    It stays in the foreground. Ctrl-C stops it in order, a second one at once.

    PostgreSQL and Valkey are started where no URL is set, and HubSpot's test server (the sandbox) where neither
    TURNOUT_HUBSPOT_URL nor TURNOUT_HUBSPOT_TOKEN is set. A part that dies is started again.

    On a terminal it prints a link that signs in to the console, once, within five minutes, on this machine.
    """
    from worker.local.stack import Machine
    from worker.settings import read_settings

    def say_ready(engine: "Engine") -> None:
        for line in _ready(engine, f"http://127.0.0.1:{port}"):
            _say(line)

    machine = Machine(
        read_settings(), port, None if no_sandbox else sandbox_port, _say, say_ready, known_events=known_event or ()
    )
    signal.signal(signal.SIGINT, lambda *_: machine.ask_to_stop())
    signal.signal(signal.SIGTERM, lambda *_: machine.ask_to_stop())
    sys.exit(machine.run())


def env() -> None:
    """Print the settings that reach a running `turnout up`: its database, its broker, its stream, and its HTTP API.

    One a line, for other shells: `export $(turnout env)`. They change with each start: export them again.
    """
    from worker.setting_sources import SettingsError, running
    from worker.settings import read_settings

    data_dir = read_settings().data_dir
    found = running(data_dir)
    if not found:
        raise SettingsError(f"no `turnout up` runs on {data_dir}: start it first")
    for name in ("database_url", "broker_url", "redis_url", "url"):
        say(f"TURNOUT_{name.upper()}={found[name]}")


def _ready(engine: "Engine", url: str) -> list[str]:
    """Say what to do next. The sign-in link goes to a terminal alone: a file would keep it."""
    link = _sign_in_link(engine) if is_terminal() else None
    if link is None:
        console = f"console: {url}/, key: turnout keys create NAME --role operator"
    else:
        console = f"console: {url}/sign-in/{link} (good once, 5 min)"
    return [
        "ready: Turnout takes records",
        f"submit: turnout enqueue FILE, or by HTTP: {url}/reference",
        console,
        "stop: Ctrl-C",
    ]


def _sign_in_link(engine: "Engine") -> str | None:
    """Make a link for the operator's key `up-USER`, which is made where it is missing and whose secret nobody keeps.

    So the session is like every other: it has a name in the audit log, and ends where its key is revoked. None where
    the name is another role's.
    """
    from worker.auth import keys, sessions
    from worker.operations import audit_log

    by = audit_log.at_the_terminal()
    name = f"up-{by.who}"
    link = sessions.make_link(engine, name)
    if link is None:
        with audit_log.noted(engine, by, "create key", key=name, role=Role.OPERATOR.value, accounts=[]) as action:
            try:
                keys.create(engine, name, Role.OPERATOR)
            except keys.NameTaken:
                action.number = 0
            else:
                action.number = 1
        link = sessions.make_link(engine, name)
    if link is not None:
        with audit_log.noted(engine, by, "make sign-in link", key=name) as action:
            action.number = 1
    return link


def _say(line: str) -> None:
    say(line)
    sys.stdout.flush()
