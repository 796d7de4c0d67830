"""Logs: one line a fact, for a person or as JSON, from the first line of a process to its last.

No token reaches them: nothing here is ever given one. Nobody is named in them: our own lines have fields that name
nobody (see `worker.log`), and of those of libraries only their authors' words are shown (see `worker.foreign_lines`).
A log is read on a terminal: see `models.escaping`.
"""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from celery.exceptions import CPendingDeprecationWarning

from models.escaping import visible, visible_json
from worker import tracing
from worker.foreign_lines import WITHHELD, kind_of, told, trace
from worker.log import FIELDS, get_logger

log = get_logger(__name__)

OURS: Final = ("cli", "tasks", "web", "worker")
"""Whose lines are shown from `info` on; those of libraries from `warning` on."""
REPEATS: Final = ("Couldn't ack", "Couldn't reject")
"""What Celery logs as critical for each message that it held when its broker went away; they are delivered again."""
TRACE: Final = "exception"
"""The field whose text has lines."""


def set_up(log_format: str) -> None:
    """Log everything, ours and the libraries', warnings and what ends the process, through one handler to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Line(_as_json if log_format == "json" else _for_people()))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.raiseExceptions = False  # what cannot be written is not printed in another form
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("celery.worker.request").addFilter(_is_no_repeat)
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # what it warns of it raises as well
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)  # about a setting that is set
    logging.captureWarnings(capture=True)  # as Celery does
    sys.excepthook = lambda _, error, __: log.critical("process ended by an error", exc_info=error)
    threading.excepthook = lambda crash: log.critical("thread ended by an error", exc_info=crash.exc_value)
    sys.unraisablehook = lambda ignored: log.critical("error ignored", exc_info=ignored.exc_value)


class _Line(logging.Formatter):
    """A line as one object, rendered: when, how serious, whose, the event, its fields."""

    def __init__(self, render: Callable[[dict[str, object]], str]) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        line |= facts_of(record) | tracing.ids()
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error is not None:
            line |= {"error": kind_of(error), TRACE: trace(error)}
        return self._render(line)


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """Give a line's event and its fields, which name nobody."""
    fields = getattr(record, FIELDS, None)
    return told(record) if fields is None else {"event": record.msg, **fields}


def _as_json(line: dict[str, object]) -> str:
    return visible_json(json.dumps(line, default=lambda _: WITHHELD))


def _for_people() -> Callable[[dict[str, object]], str]:
    render = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )

    def rendered(line: dict[str, object]) -> str:
        return str(render(None, "", {name: _seen(name, str(value)) for name, value in line.items()}))

    return rendered


def _seen(name: str, text: str) -> str:
    """Show what others wrote; only a traceback keeps its line breaks, each followed by a mark, so none is forged."""
    return visible(text, keep="\n").replace("\n", "\n  | ") if name == TRACE else visible(text)


def _is_no_repeat(line: logging.LogRecord) -> bool:
    return not line.getMessage().startswith(REPEATS)
