"""What a command says where it failed: one line for what the user can fix, a traceback for a bug."""

import os

import redis
from sqlalchemy.exc import DBAPIError, OperationalError

from cli.output import complain, complain_of_bug
from worker.database import OTHER_TABLES, READ_ONLY, is_away, reason, sqlstate
from worker.log import LoggableError
from worker.setting_sources import running
from worker.settings import usable_settings
from worker.stream import StreamUnavailable


def explain(error: Exception) -> None:
    """Say what failed, and what to do; a bug's traceback is shown, and what others wrote in it as always."""
    match error:
        case LoggableError():
            complain(f"turnout: {error}")
        case redis.RedisError() | StreamUnavailable():
            complain(f"turnout: Redis is out of reach: {_what_to_do('TURNOUT_REDIS_URL')}")
        case DBAPIError() if (said := _database(error)) is not None:
            complain(f"turnout: {said}")
        case _:
            complain_of_bug(error)


def _database(error: DBAPIError) -> str | None:
    """Say what is the matter with the database; None where the statement is."""
    if sqlstate(error) == READ_ONLY:
        return f"PostgreSQL takes no writes ({reason(error)}): TURNOUT_DATABASE_URL must lead to the primary"
    if is_away(error):
        return f"PostgreSQL is out of reach ({reason(error)}): {_what_to_do('TURNOUT_DATABASE_URL')}"
    if isinstance(error, OperationalError):
        return f"PostgreSQL did not do this ({reason(error)}): try again"
    if sqlstate(error) in OTHER_TABLES:
        return f"the database's tables are not this Turnout's ({reason(error)}): run `turnout db upgrade`"
    return None


def _what_to_do(variable: str) -> str:
    """Say what to do about a service out of reach; a `turnout up` has other addresses after each start."""
    now = running(usable_settings()[0].data_dir)
    name = variable.removeprefix("TURNOUT_").lower()
    if variable in os.environ and name in now and os.environ[variable] != now[name]:
        return f"the addresses of `turnout up` have changed since {variable} was set: run `export $(turnout env)` again"
    return f"is `turnout up` running, or {variable} right?"
