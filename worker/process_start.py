"""The start of a process of ours: a worker, beat, `turnout serve`. One that does not start leaves why in Redis.

So `turnout status` and the overview show the reason, which only a supervisor's log would have otherwise. It stays until
a process of that kind has started.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from worker import failures, startup
from worker.context import Context, current
from worker.database import note_outages
from worker.failures import Verb
from worker.setting_sources import SettingsError
from worker.settings import Settings, usable_settings
from worker.startup import CannotStart, Service

THREADS: Final = "celery.concurrency.thread"
"""The module of Celery's pool of threads."""


def start(kind: str, needs: Collection[Service] = tuple(Service)) -> Context:
    """Wait for what the process needs; give its machinery, which logs an outage of PostgreSQL once from now on.

    Raises:
        CannotStart, SettingsError: where something is wrong that waiting does not fix.

    """
    try:
        process = current()
        begin_reports(process.settings, kind)
        startup.start(process.settings, process.engine, needs=needs)
    except (CannotStart, SettingsError) as error:
        refused(kind, error)
        raise
    for each in {kind, kind.partition(" ")[0]}:  # a worker whose settings are wrong does not know its queues
        failures.forget(process, Verb.START, each)
    note_outages(process.engine, process.database_outage)
    return process


def check_pool(kind: str, pool: type) -> None:
    """Refuse Celery's other pools: what watches over a worker sees the tasks of its own process and threads alone.

    Raises:
        CannotStart: says which pool is expected.

    """
    if pool.__module__ == THREADS:
        return
    error = CannotStart(
        f"this worker was started with Celery's pool `{pool.__module__.rpartition('.')[2]}`, in which the watchdog and"
        " the search for due work would not see its tasks; expected are threads: start `celery -A worker worker`"
        " without `--pool`"
    )
    refused(kind, error)
    raise error


def begin_reports(settings: Settings, kind: str) -> None:
    """Begin traces and reports of errors where the settings ask for them; else nothing of either is imported.

    Raises:
        SettingsError: where what they need is not installed, or OpenTelemetry refuses a variable of its own.

    """
    if dsn := settings.sentry_dsn.get_secret_value():
        with _installed("sentry_dsn", "sentry"):
            from worker import error_reports
        error_reports.set_up(dsn, kind)
    if settings.tracing:
        with _installed("tracing", "tracing"):
            from worker import tracing_setup
        try:
            tracing_setup.set_up(kind)
        except ValueError as error:  # of the SDK, about a variable `OTEL_…`
            raise SettingsError(
                f"TURNOUT_TRACING: OpenTelemetry does not take its settings: {error}", ["tracing"]
            ) from None


@contextmanager
def _installed(setting: str, extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise SettingsError(
            f"TURNOUT_{setting.upper()} needs packages that are not installed; install turnout[{extra}], or remove the"
            " setting",
            [setting],
        ) from None


def refused(kind: str, error: Exception) -> None:
    """Leave in Redis why a process of this kind does not start, as far as Redis can be reached; never raises."""
    settings, _ = usable_settings()
    if settings.stream_url:
        failures.note(Context(settings), Verb.START, error, kind)
