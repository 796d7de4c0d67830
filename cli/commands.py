"""The tree of commands: the panels of its help, and errors that show what was typed as everything else is shown."""

import inspect
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from typer.core import TyperGroup

from models.escaping import visible


class Panel(StrEnum):
    """The parts of `turnout --help`, in their order."""

    SUBMIT = "Submit"
    LOOK = "Look"
    ACT = "Act"
    SET_UP = "Set up"
    RUN = "Run"


class Commands(TyperGroup):
    """Commands in panels, whose help is wrapped once, and whose errors show what was typed as everything is shown."""

    def __init__(self, *args: Any, **more: Any) -> None:  # noqa: ANN401 - typer's own signature
        super().__init__(*args, **more)
        for command in self.commands.values():
            _unwrap(command)

    def list_commands(self, _: Any) -> list[str]:  # noqa: ANN401 - typer's own signature
        """Give the names, panel by panel."""
        panel_of = {
            name: Panel(str(getattr(command, "rich_help_panel", ""))) for name, command in self.commands.items()
        }
        return sorted(panel_of, key=lambda name: list(Panel).index(panel_of[name]))

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
        if message is not None:
            # Where something is missing click lists what is expected, a line each: that is ours.
            text = visible(message(), keep="\n\t" if type(error).__name__ == "MissingParameter" else "")
            error.format_message = lambda: text  # type: ignore[attr-defined]
        raise
