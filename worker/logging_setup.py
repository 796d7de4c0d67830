"""Logs: one line a fact, for a person or as JSON. No token reaches them: nothing here is ever given one.

What others wrote stands in them too, and a log is read on a terminal: see `models.escaping`.
"""

import json
import logging
import sys
import warnings
from typing import Any, Final

import structlog
from celery.exceptions import CPendingDeprecationWarning

from models.escaping import visible, visible_json

REPEATS: Final = ("Couldn't ack", "Couldn't reject")
"""What Celery logs as critical for each message that it held when its broker went away; they are delivered again."""

TRACES: Final = frozenset({"exception", "stack"})
"""Keys whose text has lines."""


def set_up(log_format: str) -> None:
    """Log everything, ours and the libraries', through one handler to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: list[structlog.typing.Processor] = [
        _show,
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback),
    ]
    if log_format == "json":
        last = [structlog.processors.JSONRenderer(serializer=_json)]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("celery.worker.consumer.consumer").addFilter(_once_an_outage)
    logging.getLogger("celery.worker.request").addFilter(_once_an_outage)
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)  # about a setting that is set
    for noisy in ("celery.app.trace", "celery.worker.strategy", "celery.beat", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _once_an_outage(line: logging.LogRecord) -> bool:
    """Leave of a broker's outage one line without its traceback."""
    text = line.getMessage()
    if text.startswith("consumer: "):
        line.exc_info = None
    repeated = text.startswith("consumer: Cannot connect") and "(1/" not in text
    return not repeated and not text.startswith(REPEATS)


def _show(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Show what others wrote; only a traceback keeps its line breaks, each followed by a mark, so none is forged."""
    return {
        name: visible(str(value), keep="\n").replace("\n", "\n  | ") if name in TRACES else visible(str(value))
        for name, value in line.items()
    }


def _json(line: object, **how: Any) -> str:  # noqa: ANN401 - the standard library's own options
    return visible_json(json.dumps(line, **how))
