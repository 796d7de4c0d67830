"""The command line put together; errors that an operator can mend become one line, not a traceback."""

import sys

import redis
import typer
from sqlalchemy.exc import OperationalError

from cli import (
    accounts,
    audit,
    bulk_actions,
    correct,
    database,
    enqueue,
    errors,
    event,
    inspect,
    jobs,
    keys,
    person,
    refused,
    retention,
    sandbox,
    schedules,
    serve,
    up,
)
from cli.output import Commands, complain, complain_of_bug
from worker.settings import SettingsError
from worker.stream import StreamUnavailable

app = typer.Typer(
    name="turnout",
    cls=Commands,
    help="Attendance records into HubSpot, every one accounted for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(up.up)
app.command("env")(up.env)
app.command("enqueue")(enqueue.enqueue)
app.command("status")(inspect.status)
app.command("batches")(inspect.batches)
app.command("batch")(inspect.batch)
app.command("errors")(errors.errors)
app.command("events")(event.events)
app.command("event")(event.event)
app.command("person")(person.person)
app.command("submission")(inspect.submission)
app.command("retry")(bulk_actions.retry)
app.command("correct")(correct.correct)
app.command("dismiss")(bulk_actions.dismiss)
app.command("cancel")(bulk_actions.cancel)
app.command("job")(jobs.job)
app.command("actions")(jobs.actions)
app.command("pause")(accounts.pause)
app.command("resume")(accounts.resume)
app.command("purge")(retention.purge)
app.command("erase")(retention.erase)
app.command("audit")(audit.audit)
app.command("serve")(serve.serve)
app.command("sandbox")(sandbox.sandbox)
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.add_typer(refused.app, name="refused")
app.add_typer(jobs.app, name="jobs")
app.add_typer(schedules.app, name="schedules")
app.add_typer(database.app, name="db")


def run() -> None:
    """Run a command."""
    try:
        app()
    except SettingsError as error:
        _fail(str(error))
    except (redis.RedisError, StreamUnavailable):
        _fail("Redis is out of reach: is `turnout up` running, or TURNOUT_REDIS_URL right?")
    except OperationalError as error:
        first_line = str(error.orig).strip().splitlines()[0]
        _fail(f"PostgreSQL is out of reach ({first_line}): is `turnout up` running, or TURNOUT_DATABASE_URL right?")
    except Exception as error:  # noqa: BLE001 - a bug: its traceback is shown, and what others wrote in it as always
        complain_of_bug(error)
        sys.exit(1)


def _fail(message: str) -> None:
    complain(f"turnout: {message}")
    sys.exit(1)
