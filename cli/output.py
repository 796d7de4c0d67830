"""How commands print: JSON for programs; tables, cards and lines for people. Nothing else in `cli` prints.

Ids, names and messages are written by others. Whatever is printed goes through `visible`, whole: our own lines hold
nothing that it changes, so nothing has to be remembered where a line is put together. No markup, no emoji code, no
highlighting is read out of a text; styles are arguments.

On a terminal a line is broken between words, and never within a command that is meant to be copied.
"""

import re
import shutil
import sys
import textwrap
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Annotated, Any, Final, NoReturn, Self, TextIO

import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from models.escaping import visible, visible_json

AsJson = Annotated[bool, typer.Option("--json", help="Print facts as JSON, for programs.")]

_console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 160)


def is_terminal() -> bool:
    """Say whether what is printed is seen and not kept."""
    return sys.stdout.isatty()


def say(text: str, style: str = "") -> None:
    """Print one line."""
    _console.print(Text(_fitted(visible(text), sys.stdout), style), soft_wrap=True)


def complain(text: str) -> None:
    """Print one line to standard error."""
    typer.echo(_fitted(visible(text), sys.stderr), err=True)


def fail(why: str) -> NoReturn:
    """Say why nothing is done, and end the command."""
    complain(f"turnout: {why}")
    raise typer.Exit(1)


def ask(question: str, *, on_stderr: bool = False) -> None:
    """Ask whether to go on; who does not say yes ends the command, and is told that nothing was changed."""
    try:
        agreed = typer.confirm(visible(question), err=on_stderr)
    except typer.Abort:  # Ctrl-C, or the end of what is typed
        complain("")
        agreed = False
    if not agreed:
        complain("Nothing was changed.")
        raise typer.Exit(1)


def prompt(what: str, *, hidden: bool = False, default: str | None = None) -> str:
    """Ask for a text; what is hidden is not shown while it is typed."""
    return str(typer.prompt(visible(what), hide_input=hidden, default=default))


def print_json(value: object) -> None:
    """Print one JSON document."""
    from worker.queries.rows import plain

    document = orjson.dumps(value, default=plain, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()
    typer.echo(visible_json(document))


def print_table(
    title: str, rows: Sequence[object], columns: Sequence[str], none: str, less: Sequence[str] = ()
) -> None:
    """Print rows, each a mapping or an object with fields, as a table of these columns, or what to say of no rows.

    Where the terminal is too narrow for a table, it goes without the columns in `less`; where that is not enough, each
    row is a card.
    """
    if not rows:
        say(none)
        return
    cells = [{column: _typed(column, _cell(row, column)) for column in columns} for row in rows]
    for shown in (columns, [column for column in columns if column not in less]):
        if table := _table(title, cells, shown):
            with _console.capture() as printed:
                _console.print(table)
            _console.file.write(printed.get().replace(_STUCK, " "))
            return
    say(title, "bold")
    for row in cells:
        _print_card([(column.replace("_", " "), row[column]) for column in columns])


def say_more(rows: Sequence[object], limit: int) -> None:
    """Say how to list on, where there may be more rows than were asked for."""
    if len(rows) == limit:
        say(f"more: --before {_cell(rows[-1], 'id')}")


def _cell(row: object, column: str) -> object:
    return row[column] if isinstance(row, Mapping) else getattr(row, column)


def _typed(column: str, value: object) -> object:
    """Write an id as it is typed: without the commas of a number."""
    return str(value) if _is_id(column) and isinstance(value, int) and not isinstance(value, bool) else value


def _is_id(column: str) -> bool:
    return column in {"id", "record", "batch", "job", "attempt", "line"} or column.endswith("_id")


def _table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table | None:
    """Make a table of which only the widest text is broken; none where the terminal is too narrow for it."""
    table = Table(title=Text(title, "bold"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    widths = []
    for column in columns:
        number = all(isinstance(row[column], int) or _is_id(column) for row in rows)
        title_ = column.replace("_", " ")
        table.add_column(Text(title_), justify="right" if number else "left", overflow="fold", no_wrap=True)
        widths.append(max(cell_len(title_), *(cell_len(visible(written(row[column]))) for row in rows)))
    for row in rows:
        table.add_row(*(Text(_unbroken(visible(written(row[column])))) for column in columns))
    widest = widths.index(max(widths))
    table.columns[widest].no_wrap = False
    free = _console.options.update_width(_UNBOUNDED)
    longest = max(Measurement.get(_console, free, cell).minimum for cell in table.columns[widest].cells)
    narrowest = min(widths[widest], max(_NARROWEST, longest))
    is_wide_enough = Measurement.get(_console, free, table).maximum - widths[widest] + narrowest <= _console.width
    return table if is_wide_enough else None


_UNBOUNDED: Final = 100_000
_NARROWEST: Final = 24
"""Columns of the terminal that a table's widest text must be left, and no less than its longest word takes."""


def _print_card(fields: Sequence[tuple[str, object]]) -> None:
    """Print a row of a table as lines of `name: value`; what is empty is left out."""
    pairs = [_unbroken(f"{name}: {visible(written(value))}") for name, value in fields if value not in (None, "", [])]
    room = _console.width - _INDENT
    joined = f"{_STUCK}· ".join(pair.replace(" ", _STUCK) if len(pair) <= room else pair for pair in pairs)
    card = Text(_wrapped(joined, _console.width))
    card.stylize("bold", 0, len(pairs[0]))
    _console.print(card, soft_wrap=True)


_STUCK: Final = "\ue000"
"""Stands for a space at which a line is not broken; `visible` leaves no other."""
_INDENT: Final = 2
_QUOTED: Final = r"""\"[^\"]*\"|'[^']*'"""
_COPIED: Final = re.compile(
    rf"""`[^`]*`|\bturnout (?:{_QUOTED}|[^;,()`\"'])*(?:{_QUOTED}|[^;,()`\"'\s])|--[a-z-]+ (?:{_QUOTED})"""
)
"""A command within a line, or an option with its quoted answer."""
_LABEL: Final = re.compile(r" *(?:\w+ {2,})?")


def _fitted(text: str, stream: TextIO) -> str:
    """Break a line that is wider than the terminal; a file gets it whole."""
    width = shutil.get_terminal_size().columns
    if not stream.isatty() or len(text) <= width:
        return text
    return _wrapped(_unbroken(text), width)


def _unbroken(text: str) -> str:
    """Let no command be broken."""
    return _COPIED.sub(lambda found: found[0].replace(" ", _STUCK), text)


def _wrapped(text: str, width: int) -> str:
    label = _LABEL.match(text)
    indent = (label.end() if label else 0) or _INDENT
    lines = textwrap.wrap(text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_STUCK, " ")


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
        if error is not None:  # what stopped says so itself, and a question follows
            self._progress.live.transient = True
        self._progress.stop()

    def say_above(self, *lines: str) -> None:
        """Print lines while it is not drawn: a long one would be drawn over."""
        if not self._progress.disable:
            stays = self._progress.live.transient
            self._progress.live.transient = True
            self._progress.stop()
            self._progress.live.transient = stays
        for line in lines:
            say(line)
        self._progress.start()

    def show(
        self, what: str | None = None, beside: str | None = None, *, done: float | None = None, of: float | None = None
    ) -> None:
        """Show what has changed."""
        description = None if what is None else visible(what)
        self._progress.update(self._task, description=description, completed=done, total=of)
        if beside is not None:
            self._progress.update(self._task, beside=visible(beside))


def complain_of_bug(error: BaseException) -> None:
    """Print a traceback whose messages are shown as everything else is."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        complain_of_bug(cause)
        complain("which led to:")
    for frame in traceback.extract_tb(error.__traceback__):
        complain(f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}")
    complain(f"{type(error).__name__}: {error}")
