"""Sends errors to Sentry: what is logged as an error, and of that what the log shows. Imported only with a DSN.

An event of Sentry's SDK holds the text of an error, a line's arguments and the values of variables, which name people.
So none is sent: each is built anew from the same facts as the log's line (`worker.logging_setup`).
"""

import logging
from collections.abc import Iterator, Mapping
from logging import LogRecord
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Final

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from worker.foreign_lines import chain, kind_of
from worker.logging_setup import OURS, facts_of
from worker.version import version

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

KEPT: Final = ("event_id", "timestamp", "level", "logger", "platform", "release", "environment", "sdk")
"""Fields of an event that hold nothing of what went wrong."""


def set_up(dsn: str, kind: str) -> None:
    """Send errors from now on; `kind` is the process's, such as «worker of attendance.deliver»."""
    sentry_sdk.init(
        dsn=dsn,
        release=f"turnout@{version()}",
        before_send=only_what_is_logged,
        # Only what is logged as an error: no library is patched, no request or query is read.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR),
            AtexitIntegration(callback=lambda _, __: None),
        ],
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_backpressure_handling=False,
        shutdown_timeout=2,
        spotlight=False,
    )
    sentry_sdk.get_global_scope().set_tag("process", kind)


def only_what_is_logged(event: "Event", hint: "Hint") -> "Event | None":
    """Build an event anew from the line that it comes from; one that comes from no line is not sent."""
    line = hint.get("log_record")
    if not isinstance(line, LogRecord):
        return None
    facts = facts_of(line)
    kept: dict[str, Any] = {name: value for name, value in event.items() if name in KEPT}
    tags = event.get("tags")
    kept["tags"] = {"process": tags.get("process")} if isinstance(tags, Mapping) else {}
    kept["logentry"] = {"formatted": str(facts.pop("event"))}
    kept["extra"] = {name: str(value) for name, value in facts.items()}
    error = line.exc_info[1] if isinstance(line.exc_info, tuple) else None
    if error is not None:
        kept["exception"] = {"values": [_shown(one) for one in chain(error)]}
    return kept  # type: ignore[return-value]


def _shown(error: BaseException) -> dict[str, object]:
    kind = type(error)
    return {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "value": kind_of(error),
        "stacktrace": {"frames": list(_frames(error))},
    }


def _frames(error: BaseException) -> Iterator[dict[str, object]]:
    for frame in extract_tb(error.__traceback__, limit=-50):
        path = frame.filename.replace("\\", "/").rpartition("/site-packages/")[2]
        package = next((name for name in OURS if f"/{name}/" in path), "")
        shown = f"{package}/{path.rpartition(f'/{package}/')[2]}" if package else path
        yield {"filename": shown, "function": frame.name, "lineno": frame.lineno, "in_app": bool(package)}
