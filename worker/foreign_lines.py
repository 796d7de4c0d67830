"""What a log shows of lines and errors that libraries write: nothing that could be somebody's.

Celery logs a message that it cannot read with its body, and the arguments of a task that failed; an error's text quotes
what was wrong. So of a line only the words of its author are shown, with numbers and the kinds of errors; of an error
its kind, its code and where it happened.
"""

import linecache
import os
import re
import traceback
from collections.abc import Iterator, Mapping
from logging import LogRecord
from pathlib import Path
from typing import Any, Final

from worker.log import LoggableError

WITHHELD: Final = "…"
"""Stands for a text that is not shown."""
LONGEST: Final = 200
"""Letters of an event."""
TASK_ENDED: Final = "celery.app.trace"
"""Whose lines say how a task ended that did not end well."""

_WARNING: Final = re.compile(r"(.*?):(\d+): (\w+): ")
"""A warning of Python's, as it is logged: its place and its kind; its text may quote what it warns of."""


class _Shown(str):
    """A text that `%r` shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def told(line: LogRecord) -> dict[str, object]:
    """Give the event of a library's line and its fields: its author's words, and where they stand."""
    if line.name == "py.warnings":
        warned = _WARNING.match(line.getMessage())
        path, number, category = warned.groups() if warned else ("", "", WITHHELD)
        return {"event": "Python warns", "category": category, "where": f"{Path(path).name}:{number}"}
    named = line.args if isinstance(line.args, Mapping) else {}
    given = tuple(named.values()) if named else line.args or ()
    facts: dict[str, object] = {"event": _event(line, named)[:LONGEST], "where": f"{line.filename}:{line.lineno}"}
    errors = [kind_of(one) for one in (line.msg, *given) if isinstance(one, BaseException)]
    if errors:
        facts["error"] = errors[0]
    if line.name == TASK_ENDED:
        facts["task"] = named.get("name")  # one of ours: others are not run
    return facts


def _event(line: LogRecord, named: Mapping[str, object]) -> str:
    if line.name == TASK_ENDED and "description" in named:
        return f"task {named['description']}"  # Celery's word for it, such as «rejected»
    if not isinstance(line.msg, str):
        return str(_shown(line.msg))
    if not line.args:
        first = _first(line.msg)
        return first if first in "".join(linecache.getlines(line.pathname)) else WITHHELD
    shown: Any = {name: _shown(one) for name, one in named.items()} or tuple(map(_shown, line.args))
    try:
        return _first(line.msg % shown)
    except (TypeError, ValueError, KeyError):
        return _first(line.msg)


def _first(text: str) -> str:
    return next((one.strip() for one in text.splitlines() if one.strip()), "")


def _shown(value: object) -> Any:  # noqa: ANN401 - whatever the template wants
    if value is None or isinstance(value, bool | int | float):
        return value
    return _Shown(kind_of(value) if isinstance(value, BaseException) else WITHHELD)


def kind_of(error: BaseException) -> str:
    """Say what an error is, without its text: its type, and its code where it has one."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, LoggableError | ImportError):  # Celery's word on its configuration is an ImportError
        return f"{name}: {error}"
    sqlstate = getattr(getattr(error, "orig", error), "sqlstate", None)
    if isinstance(sqlstate, str):
        return f"{name} (SQLSTATE {sqlstate})"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name} ({os.strerror(error.errno)})"
    return name


def trace(error: BaseException) -> str:
    """Give an error's traceback, and those of its causes, without their texts."""
    return "".join(_lines(error, set())).rstrip("\n")


def _before(error: BaseException) -> BaseException | None:
    """Give the error that led to this one."""
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def chain(error: BaseException) -> list[BaseException]:
    """Give an error behind those that led to it, the first of all first; those of a group stand before it."""
    found: dict[int, BaseException] = {}

    def walk(one: BaseException) -> None:
        if id(one) in found:
            return
        found[id(one)] = one
        within = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        for other in (*within, _before(one)):
            if other is not None:
                walk(other)

    walk(error)
    return list(reversed(found.values()))


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = _before(error)
    if before is not None and id(before) not in seen:
        yield from _lines(before, seen)
        yield "\nwhich led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{kind_of(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            if id(one) not in seen:
                yield from _lines(one, seen)
