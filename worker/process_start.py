"""The start of a process of ours: a worker, beat, `turnout serve`. One that does not start leaves why in Redis.

So `turnout status` and the overview show the reason, which only a supervisor's log would have otherwise. It stays until
a process of that kind has started.
"""

from collections.abc import Collection

from worker import failures, startup
from worker.context import Context, current
from worker.database import note_outages
from worker.failures import Verb
from worker.settings import SettingsError, usable_settings
from worker.startup import CannotStart, Service


def start(kind: str, needs: Collection[Service] = tuple(Service)) -> Context:
    """Wait for what the process needs; give its machinery, which logs an outage of PostgreSQL once from now on.

    Raises:
        CannotStart, SettingsError: where something is wrong that waiting does not fix.

    """
    try:
        process = current()
        startup.start(process.settings, process.engine, needs=needs)
    except (CannotStart, SettingsError) as error:
        refused(kind, error)
        raise
    for each in {kind, kind.partition(" ")[0]}:  # a worker whose settings are wrong does not know its queues
        failures.forget(process, Verb.START, each)
    note_outages(process.engine, process.database_outage)
    return process


def refused(kind: str, error: Exception) -> None:
    """Leave in Redis why a process of this kind does not start, as far as Redis can be reached; never raises."""
    settings, _ = usable_settings()
    if settings.stream_url:
        failures.note(Context(settings), Verb.START, error, kind)
