"""The tree of commands: the panels of its help, and errors that show what was typed as everything else is shown."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, cast

import typer
from typer.core import TyperCommand, TyperGroup

from models.escaping import visible


class Panel(StrEnum):
    """The parts of `turnout --help`, in their order."""

    SUBMIT = "Submit"
    LOOK = "Look"
    ACT = "Act"
    SET_UP = "Set up"
    RUN = "Run"


@dataclass(frozen=True)
class Entry:
    """A command as `turnout --help` lists it, without its module."""

    panel: Panel
    place: str
    """`module:function`, or `module:app` of a group of commands."""
    summary: str
    """The first sentence of its help."""
    example: str | None = None
    """What its example goes on with; None for a group, whose commands have examples of their own."""

    def listed(self, name: str) -> TyperCommand:
        """Give what `turnout --help` shows of it."""
        return TyperCommand(name=name, help=self.summary, rich_help_panel=self.panel)


@cache
def _load(name: str, entry: Entry) -> Any:  # noqa: ANN401 - a command, or a group of them
    """Import a command."""
    module, _, attribute = entry.place.partition(":")
    found = getattr(import_module(module), attribute)
    command: Any
    if isinstance(found, typer.Typer):
        command = typer.main.get_group(found)
    else:
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name, epilog=f"Example: turnout {name} {entry.example or ''}".rstrip())(found)
        command = typer.main.get_command(alone)
    command.name, command.rich_help_panel = name, entry.panel
    _unwrap(command)
    return command


class _Commands(Mapping[str, Any]):
    """Commands by their names, each imported when it is asked for."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a command, or a group of them
        return _load(name, self._entries[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class Commands(TyperGroup):
    """Commands in panels, whose help is wrapped once, and whose errors show what was typed as everything is shown."""

    entries: ClassVar[Mapping[str, Entry]]

    def __init__(self, *args: Any, **more: Any) -> None:  # noqa: ANN401 - typer's own signature
        super().__init__(*args, **more)
        self.commands = cast("MutableMapping[str, Any]", _Commands(self.entries))

    def list_commands(self, _: Any) -> list[str]:  # noqa: ANN401 - typer's own signature
        """Give the names, panel by panel."""
        return list(self.entries)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer's own signature
        """Show the help by what is listed of each command, so that none is imported."""
        shown = copy(self)
        shown.commands = {name: entry.listed(name) for name, entry in self.entries.items()}
        TyperGroup.format_help(shown, ctx, formatter)

    def make_context(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - typer's own signature
        """Read the command line."""
        return _with_errors_shown(lambda: super(Commands, self).make_context(*args, **extra))

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own signature
        """Run the command."""
        return _with_errors_shown(lambda: super(Commands, self).invoke(ctx))


def _unwrap(command: Any) -> None:  # noqa: ANN401 - a command, or a group of them
    """Leave the breaking of a help's lines to whoever prints them: a docstring's lines would be broken twice.

    Only a command that goes on below, by a backslash, keeps its lines.
    """
    command.help = re.sub(r"(?<![\n\\])\n(?!\n)", " ", inspect.cleandoc(command.help or ""))
    for inner in getattr(command, "commands", {}).values():
        _unwrap(inner)


def _with_errors_shown(run: Callable[[], Any]) -> Any:  # noqa: ANN401
    try:
        return run()
    except Exception as error:
        message = getattr(error, "format_message", None)
        if message is not None and sys.argv[1:2] == ["serve"]:
            from cli.serve import log_wrong_option

            log_wrong_option(message())
        if message is not None:
            # Where something is missing click lists what is expected, a line each: that is ours.
            text = visible(message(), keep="\n\t" if type(error).__name__ == "MissingParameter" else "")
            error.format_message = lambda: text  # type: ignore[attr-defined]
        raise
