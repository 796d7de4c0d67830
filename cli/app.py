"""The command line put together; errors that an operator can fix become one line, not a traceback."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Annotated, Final

import redis
import typer
from sqlalchemy.exc import DBAPIError

from cli import (
    accounts,
    audit,
    bulk_actions,
    config,
    correct,
    database,
    doctor,
    enqueue,
    errors,
    event,
    inspect,
    jobs,
    keys,
    pausing,
    person,
    refused,
    retention,
    sandbox,
    schedules,
    serve,
    up,
)
from cli.commands import Commands, Panel
from cli.output import complain, complain_of_bug, say
from worker.database import OTHER_TABLES, READ_ONLY, is_away, reason, sqlstate
from worker.log import Plain
from worker.settings import SettingsError, read_settings, running
from worker.startup import CannotStart
from worker.stream import StreamUnavailable
from worker.version import version


def _say_version(asked: bool) -> None:  # noqa: FBT001 - as typer calls it
    if asked:
        say(f"turnout {version()}")
        raise typer.Exit


app = typer.Typer(
    name="turnout",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Each command says more: turnout enqueue --help",
)

_COMMANDS: Final[dict[Panel, dict[str, tuple[Callable[..., None], str]]]] = {
    Panel.SUBMIT: {"enqueue": (enqueue.enqueue, "attendees.csv --object-id 4711 --state attend")},
    Panel.LOOK: {
        "status": (inspect.status, ""),
        "doctor": (doctor.doctor, ""),
        "batches": (inspect.batches, "--status PENDING"),
        "batch": (inspect.batch, "12"),
        "errors": (errors.errors, "--grouped"),
        "events": (event.events, ""),
        "event": (event.event, "acme-events/spring-summit-2026"),
        "person": (person.person, "ada@example.com"),
        "submission": (inspect.submission, "7f8c1f0e-7a52-4f5e-9d8a-0f3f6a6f2b11"),
        "job": (jobs.job, "3"),
        "actions": (jobs.actions, "--what pause"),
        "audit": (audit.audit, ""),
    },
    Panel.ACT: {
        "retry": (bulk_actions.retry, "--outcome rejected --event 4711"),
        "correct": (correct.correct, "267 --email ada@example.com"),
        "dismiss": (bulk_actions.dismiss, "17 --because 'a test address'"),
        "cancel": (bulk_actions.cancel, "--event acme-events/spring-summit-2026"),
        "pause": (pausing.pause, "default --because 'a new token comes at ten'"),
        "resume": (pausing.resume, "default"),
        "purge": (retention.purge, "--older-than 90 --dry-run"),
        "erase": (retention.erase, "ada@example.com"),
    },
    Panel.RUN: {
        "up": (up.up, ""),
        "env": (up.env, ""),
        "serve": (serve.serve, "--host 0.0.0.0 --port 8800"),
        "sandbox": (sandbox.sandbox, "--port 8900 --tier professional"),
    },
}
"""Each panel's commands, and what an example of each goes on with."""
_GROUPS: Final = {
    Panel.SUBMIT: {"refused": refused.app},
    Panel.LOOK: {"jobs": jobs.app},
    Panel.ACT: {"schedules": schedules.app},
    Panel.SET_UP: {"accounts": accounts.app, "keys": keys.app, "db": database.app, "config": config.app},
}

for _panel, _commands in _COMMANDS.items():
    for _name, (_command, _words) in _commands.items():
        app.command(_name, rich_help_panel=_panel, epilog=f"Example: turnout {_name} {_words}".rstrip())(_command)
for _panel, _groups in _GROUPS.items():
    for _name, _group in _groups.items():
        app.add_typer(_group, name=_name, rich_help_panel=_panel)


@app.callback()
def turnout(
    *,
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version, and exit.")
    ] = False,
) -> None:
    """Attendance records into HubSpot, every one accounted for."""


def run() -> None:
    """Run a command."""
    if logging.lastResort is not None:  # commands set up no log: warnings are for who typed them
        logging.lastResort.setFormatter(Plain())
    try:
        app(prog_name="turnout")
    except (SettingsError, CannotStart) as error:
        _fail(str(error))
    except (redis.RedisError, StreamUnavailable):
        _fail(f"Redis is out of reach: {_what_to_do('TURNOUT_REDIS_URL')}")
    except DBAPIError as error:
        _fail_by_database(error)
    except Exception as error:  # noqa: BLE001 - a bug: its traceback is shown, and what others wrote in it as always
        complain_of_bug(error)
        sys.exit(1)


def _fail_by_database(error: DBAPIError) -> None:
    if sqlstate(error) == READ_ONLY:
        _fail(f"PostgreSQL takes no writes ({reason(error)}): TURNOUT_DATABASE_URL must lead to the primary")
    if is_away(error):
        _fail(f"PostgreSQL is out of reach ({reason(error)}): {_what_to_do('TURNOUT_DATABASE_URL')}")
    if sqlstate(error) in OTHER_TABLES:
        _fail(f"the database's tables are not this Turnout's ({reason(error)}): run `turnout db upgrade`")
    complain_of_bug(error)
    sys.exit(1)


def _what_to_do(variable: str) -> str:
    """Say what to do about a service out of reach; a `turnout up` has other addresses after each start."""
    now = running(read_settings().data_dir)
    name = variable.removeprefix("TURNOUT_").lower()
    if variable in os.environ and name in now and os.environ[variable] != now[name]:
        return f"the addresses of `turnout up` have changed since {variable} was set: run `export $(turnout env)` again"
    return f"is `turnout up` running, or {variable} right?"


def _fail(message: str) -> None:
    complain(f"turnout: {message}")
    sys.exit(1)
