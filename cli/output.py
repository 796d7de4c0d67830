"""How commands print: JSON for programs, tables and lines for people. Nothing else in `cli` prints.

Ids, names and messages are written by others. Whatever is printed goes through `visible`, whole: our own lines hold
nothing that it changes, so nothing has to be remembered where a line is put together. No markup, no emoji code, no
highlighting is read out of a text; styles are arguments.
"""

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Annotated, Any, Self

import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from models.visible import visible, visible_json

AsJson = Annotated[bool, typer.Option("--json", help="Print facts as JSON, for programs.")]

_console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 160)


def is_terminal() -> bool:
    """Say whether what is printed is seen and not kept."""
    return sys.stdout.isatty()


def say(text: str, style: str = "") -> None:
    """Print one line."""
    _console.print(Text(visible(text), style), soft_wrap=True)


def complain(text: str) -> None:
    """Print one line to standard error."""
    typer.echo(visible(text), err=True)


def ask(question: str, *, on_stderr: bool = False) -> None:
    """Ask whether to go on; who does not say yes ends the command."""
    typer.confirm(visible(question), abort=True, err=on_stderr)


def prompt(what: str, *, hidden: bool = False) -> str:
    """Ask for a text; what is hidden is not shown while it is typed."""
    return str(typer.prompt(visible(what), hide_input=hidden))


def print_json(value: object) -> None:
    """Print one JSON document."""
    from worker.queries.rows import plain

    document = orjson.dumps(value, default=plain, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()
    typer.echo(visible_json(document))


def print_table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], none: str) -> None:
    """Print rows as a table of these columns, or what to say where there are none."""
    if not rows:
        say(none)
        return
    table = Table(title=Text(title, "bold"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        number = all(isinstance(row[column], int) for row in rows)
        table.add_column(Text(column.replace("_", " ")), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(written(row[column]))) for column in columns))
    _console.print(table)


def written(value: object) -> str:
    """Write a value for a person."""
    match value:
        case None | [] | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}Z"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


class Bar:
    """A progress bar on a terminal: what is under way, how far it is, and a word beside it."""

    def __init__(self, what: str, total: float | None, *, shown: bool, stays: bool = True) -> None:
        what_, beside = (TextColumn(field, markup=False) for field in ("{task.description}", "{task.fields[beside]}"))
        clock = TimeRemainingColumn() if stays else TimeElapsedColumn()
        columns = (what_, BarColumn(), beside, clock)
        self._progress = Progress(*columns, console=_console, transient=not stays, disable=not shown)
        self._task = self._progress.add_task(visible(what), total=total, beside="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(
        self, what: str | None = None, beside: str | None = None, *, done: float | None = None, of: float | None = None
    ) -> None:
        """Show what has changed."""
        fields: dict[str, Any] = {} if beside is None else {"beside": visible(beside)}
        description = None if what is None else visible(what)
        self._progress.update(self._task, description=description, completed=done, total=of, **fields)


class Commands(TyperGroup):
    """Commands whose errors show what was typed as everything else is shown."""

    def make_context(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - typer's own signature
        """Read the command line."""
        return _with_errors_shown(lambda: super(Commands, self).make_context(*args, **extra))

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own signature
        """Run the command."""
        return _with_errors_shown(lambda: super(Commands, self).invoke(ctx))


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


def complain_of_bug(error: BaseException) -> None:
    """Print a traceback whose messages are shown as everything else is."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        complain_of_bug(cause)
        complain("which led to:")
    for frame in traceback.extract_tb(error.__traceback__):
        complain(f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}")
    complain(f"{type(error).__name__}: {error}")
