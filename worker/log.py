"""Log lines of ours: an event in short words, and its fields.

`log.info("paused", account=name)`: the event is a constant, what differs from line to line is a field, and no field
holds what a message, a file or HubSpot says: those name people. docs/operations.md lists all events.
"""

import logging
from typing import Any, Final, cast

import structlog

FIELDS: Final = "fields"
"""Where a record of the standard library keeps a line's fields."""


class LoggableError(Exception):
    """An error whose text is ours and names nobody, so that a log may show it."""


class Plain(logging.Formatter):
    """A line for who types a command: the event, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        fields = getattr(record, FIELDS, {})
        return "turnout: " + ", ".join(
            [super().format(record), *(f"{name}: {value}" for name, value in fields.items())]
        )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Give a module's logger: the standard library's, which takes fields."""
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, _as_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return cast("structlog.stdlib.BoundLogger", logger)


def _as_record(_: object, __: str, line: structlog.typing.EventDict) -> tuple[tuple[object], dict[str, Any]]:
    """Hand a line to the standard library: the event as its message, its fields beside it."""
    event, error = line.pop("event"), line.pop("exc_info", None)
    return (event,), {"exc_info": error, "extra": {FIELDS: dict(line)}}
