"""The command line put together. A command's module is imported once the command is used: `--help` starts quickly."""

import logging
import sys
from typing import Annotated, Final

import typer

from cli.commands import Commands, Entry, Panel
from cli.output import say
from worker.log import Plain
from worker.version import version

ENTRIES: Final = {
    "enqueue": Entry(
        Panel.SUBMIT,
        "cli.enqueue:enqueue",
        "Submit a report of who registered, came or cancelled.",
        "attendees.csv --object-id 4711 --state attend",
    ),
    "refused": Entry(
        Panel.SUBMIT, "cli.refused:app", "What was not accepted: shown with its reasons, submitted again, or dismissed."
    ),
    "status": Entry(
        Panel.LOOK,
        "cli.status:status",
        "Show what waits, why and until when, whether everything runs, and what needs action.",
        "",
    ),
    "doctor": Entry(
        Panel.LOOK,
        "cli.doctor:doctor",
        "Look at settings, database, Redis, broker, workers, clocks, HubSpot, its token and limits, "
        "and say what to do.",
        "",
    ),
    "health": Entry(
        Panel.LOOK,
        "cli.health:health",
        "Ask the process of this machine whether it lives, or is ready, in one line.",
        "--ready",
    ),
    "batches": Entry(Panel.LOOK, "cli.inspect:batches", "List batches, the newest first.", "--status PENDING"),
    "batch": Entry(
        Panel.LOOK, "cli.inspect:batch", "Show one batch: its attempts, its records and their errors.", "12"
    ),
    "errors": Entry(Panel.LOOK, "cli.errors:errors", "List unresolved errors, the newest first.", "--grouped"),
    "events": Entry(Panel.LOOK, "cli.event:events", "List the events, the newest first.", ""),
    "event": Entry(
        Panel.LOOK,
        "cli.event:event",
        "Show an event: registered, attended and cancelled, and of each what is delivered and what is missing.",
        "acme-events/spring-summit-2026",
    ),
    "person": Entry(
        Panel.LOOK,
        "cli.person:person",
        "Show one person's records: attempts, answers, what happens next.",
        "ada@example.com",
    ),
    "submission": Entry(
        Panel.LOOK,
        "cli.inspect:submission",
        "Show the results of one submission.",
        "7f8c1f0e-7a52-4f5e-9d8a-0f3f6a6f2b11",
    ),
    "job": Entry(
        Panel.LOOK,
        "cli.jobs:job",
        "Show one action in bulk: how far it is, the result of each record, and what the records are now.",
        "3",
    ),
    "actions": Entry(
        Panel.LOOK,
        "cli.jobs:actions",
        "List what operators and schedules did, the newest first: who, when, of what, to how many.",
        "--what pause",
    ),
    "audit": Entry(
        Panel.LOOK, "cli.audit:audit", "Recount every accepted record and say whether the books balance.", ""
    ),
    "jobs": Entry(Panel.LOOK, "cli.jobs:app", "Actions in bulk: how far they are, and stopping one."),
    "retry": Entry(
        Panel.ACT,
        "cli.bulk_actions:retry",
        "Send what failed again, in new batches behind live ones.",
        "--outcome rejected --event 4711",
    ),
    "correct": Entry(
        Panel.ACT,
        "cli.correct:correct",
        "Correct records that are not delivered, and send them.",
        "267 --email ada@example.com",
    ),
    "dismiss": Entry(
        Panel.ACT,
        "cli.bulk_actions:dismiss",
        "Resolve errors without sending anything, with a reason.",
        "17 --because 'a test address'",
    ),
    "cancel": Entry(
        Panel.ACT,
        "cli.bulk_actions:cancel",
        "Take waiting batches out of the queue.",
        "--event acme-events/spring-summit-2026",
    ),
    "pause": Entry(
        Panel.ACT,
        "cli.pausing:pause",
        "Let an account send nothing until `turnout resume`.",
        "default --because 'a new token comes at ten'",
    ),
    "resume": Entry(Panel.ACT, "cli.pausing:resume", "Let a paused or waiting account send again.", "default"),
    "purge": Entry(
        Panel.ACT,
        "cli.retention:purge",
        "Delete what was finished longer ago than the retention.",
        "--older-than 90 --dry-run",
    ),
    "erase": Entry(
        Panel.ACT,
        "cli.retention:erase",
        "Remove a person from everything kept. It cannot be undone.",
        "ada@example.com",
    ),
    "schedules": Entry(Panel.ACT, "cli.schedules:app", "Retries that begin by themselves, each as a job."),
    "accounts": Entry(Panel.SET_UP, "cli.accounts:app", "HubSpot's portals that records are delivered to."),
    "keys": Entry(Panel.SET_UP, "cli.keys:app", "Keys to the API and the console."),
    "db": Entry(Panel.SET_UP, "cli.database:app", "The database's tables, and the key of what they keep encrypted."),
    "config": Entry(
        Panel.SET_UP,
        "cli.config:app",
        "The settings: each with its value and where that comes from. Secrets are masked.",
    ),
    "size": Entry(
        Panel.SET_UP,
        "cli.size:size",
        "Compute the processes, connections, memory and disk that a load needs, and how much of HubSpot's limits it "
        "uses.",
        "--records-a-day 1000000 --tier professional",
    ),
    "up": Entry(Panel.RUN, "cli.up:up", "Run everything on this machine, until Ctrl-C.", ""),
    "env": Entry(
        Panel.RUN,
        "cli.up:env",
        "Print the settings that reach a running `turnout up`: its database, its broker, its stream, and its HTTP API.",
        "",
    ),
    "serve": Entry(
        Panel.RUN,
        "cli.serve:serve",
        "Serve the API and the console; any number, on any host.",
        "--host 0.0.0.0 --port 8800",
    ),
    "sandbox": Entry(
        Panel.RUN, "cli.sandbox:sandbox", "Run a test server in place of HubSpot.", "--port 8900 --tier professional"
    ),
}
"""Each command by its name: its panel, its place, the first sentence of its help, and what its example goes on with.

A group's commands have examples of their own.
"""


def _say_version(asked: bool) -> None:  # noqa: FBT001 - as typer calls it
    if asked:
        say(f"turnout {version()}")
        raise typer.Exit


class Turnout(Commands):
    """The commands of `turnout`."""

    entries = ENTRIES


app = typer.Typer(
    name="turnout",
    cls=Turnout,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Each command says more: turnout enqueue --help",
)


@app.callback()
def turnout(
    *,
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version, and exit.")
    ] = False,
) -> None:
    """Attendance records into HubSpot, every one accounted for."""


def run() -> None:
    """Run a command; what fails is explained, and ends with exit status 1."""
    if logging.lastResort is not None:  # commands set up no log: warnings are for who typed them
        logging.lastResort.setFormatter(Plain())
    try:
        app(prog_name="turnout")
    except Exception as error:  # noqa: BLE001 - each has its explanation; a bug has its traceback
        from cli.failures import explain

        explain(error)
        sys.exit(1)
