"""How commands print: JSON for programs, tables for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from sys import stdout
from typing import Annotated, Any

import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print facts as JSON, for programs.")]

console = Console(highlight=False, width=None if stdout.isatty() else 160)


def print_json(value: object) -> None:
    """Print one JSON document."""
    from worker.facts import plain

    typer.echo(orjson.dumps(value, default=plain, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())


def print_table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], none: str) -> None:
    """Print rows as a table of these columns, or what to say where there are none."""
    if not rows:
        console.print(none)
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        number = all(isinstance(row[column], int) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(written(row[column]) for column in columns))
    console.print(table)


def written(value: object) -> str:
    """Write a value for a person; markup in it is shown, not obeyed."""
    from rich.markup import escape

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
            return escape(", ".join(map(str, value)))
        case _:
            return escape(str(value))
