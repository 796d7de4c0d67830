"""`docs/settings.md`, `docs/commands.md` and `docs/metrics.md`, made of the code: `make docs` runs this first."""

import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import typer

from cli.app import app
from worker.metrics.definitions import ALL, COUNTED, LABELS, OF_PROCESS, Definition, Type
from worker.settings import Settings

HERE = Path(__file__).parent
SETTINGS = """# Settings

Each setting is an environment variable with `TURNOUT_` before its name, or a line in a file `.env` in the folder where
the process starts. Every process reads the same settings: the workers, beat, `turnout serve` and each command. The
environment comes before `.env`, that before a `turnout up` that runs in the same folder, and that before the default.
A variable that is set but empty counts as not set. A name that is nearly a setting's stops the process; another unknown
`TURNOUT_…` is a warning.

`turnout up` sets the first three itself if they are not set; other commands in the same folder then find them.
In production set `DATABASE_URL`, `BROKER_URL`, `SECRET_KEY` and a token (`HUBSPOT_TOKEN`, or one for each account by
`turnout accounts add`): see [production](production.md). The words are explained in the [glossary](glossary.md).

| setting | default | what |
| --- | --- | --- |
"""
COMMANDS = """# Commands

`turnout COMMAND --help` prints the same. Commands that print facts print JSON with `--json`. Exit status 0 is success,
1 is an error, 2 is an option that is not valid; if a command's status means more, its text says so.

This page is made of the code by `make docs`.
"""


METRICS = """# Metrics

Each process answers `/metrics` on its [monitor port](operations.md#probes), in Prometheus' text format. Let
Prometheus scrape every worker, every `turnout serve` and every beat.
[`deploy/prometheus`](../deploy/prometheus/alerts.yml) has a configuration and alert rules, each with its entry in the
[run-book](runbook.md);
[`deploy/grafana/turnout.json`](../deploy/grafana/turnout.json) is a dashboard. No person is named: labels are words of
the code and names of accounts.

**Which process has what.** Each process counts what it does itself: add those up (`sum`). What lies in the database
and in Redis is read by beat alone, when it is scraped. Two beats say the same: take the `max`.

**If a service does not answer**, beat leaves out what comes from it, and `turnout_service_up` is 0. A scrape waits
for six seconds at most; what was read is used again for five. Its queries are bounded, and each ends after three
seconds.

**Without a monitor port** nothing is counted.

This page is made of the code by `make docs`.

"""
TITLES = {
    "What a process counts": COUNTED,
    "What a process says of itself": OF_PROCESS,
    "What beat reads": tuple(one for one in ALL if one not in {*COUNTED, *OF_PROCESS}),
}


def metrics() -> str:
    """Give the page of the metrics."""
    parts = [f"## {title}\n\n{_table_of_metrics(several)}" for title, several in TITLES.items()]
    labels = "".join(f"| `{name}` | {about} |\n" for name, about in LABELS.items())
    own = (
        "`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds` and the like are those of"
        " prometheus-client."
    )
    tables = f"{parts[0]}\n{parts[1]}\n{own}\n\n{parts[2]}"
    return f"{METRICS}{tables}\n## Labels\n\n| label | values |\n| --- | --- |\n{labels}"


def _table_of_metrics(several: tuple[Definition, ...]) -> str:
    rows = "".join(
        f"| `{one.name}` | {one.type} | {_coded(one.labels) or '–'} | {one.source} | {one.about} |\n" for one in several
    )
    buckets = "".join(
        f"\nBuckets of `{one.name}`: {', '.join(f'{bound:g}' for bound in one.buckets)} s.\n"
        for one in several
        if one.type is Type.HISTOGRAM
    )
    return f"| metric | type | labels | told by | what |\n| --- | --- | --- | --- | --- |\n{rows}{buckets}"


def _coded(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def settings() -> str:
    """Give the page of the settings."""
    return SETTINGS + "".join(f"| `{name}` | {default} | {what} |\n" for name, default, what in _settings())


def _settings() -> Iterator[tuple[str, str, str]]:
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if hasattr(field.default, "get_secret_value") else field.default
        yield name.upper(), f"`{default}`" if str(default) else "–", str(field.description).replace("|", "\\|")


def commands() -> str:
    """Give the page of the commands."""
    top: Any = typer.main.get_command(app)
    context = top.context_class(top, info_name="turnout")
    return COMMANDS + "".join(_described(top.commands[name], context, name, 2) for name in top.list_commands(context))


def _described(command: Any, parent: Any, name: str, level: int) -> str:
    context = command.context_class(command, parent=parent, info_name=name)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    paragraphs = [f"{'#' * level} {context.command_path}", f"```text\n{usage}\n```"]
    if command.help:
        paragraphs.append(_text(command.help))
    if rows := [_row(parameter) for parameter in command.params]:
        paragraphs.append("| argument or option | default | what |\n| --- | --- | --- |\n" + "\n".join(rows))
    if command.epilog:
        paragraphs.append(f"```text\n{inspect.cleandoc(command.epilog)}\n```")
    inside = getattr(command, "commands", {})
    return (
        "\n"
        + "\n\n".join(paragraphs)
        + "\n"
        + "".join(_described(inside[name], context, name, level + 1) for name in inside)
    )


def _row(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    choices = [
        str(one.value)
        for kind in (annotation, *get_args(annotation))
        if isinstance(kind, type) and issubclass(kind, Enum)
        for one in kind
    ]
    if parameter.param_type_name == "argument":
        shown = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        shown = f"`{', '.join([*parameter.opts, *parameter.secondary_opts])}`"
    if choices:
        shown += " " + ", ".join(f"`{one}`" for one in choices)
    default = getattr(parameter.default, "value", parameter.default)
    is_told = isinstance(default, str | int | float) and not isinstance(default, bool) and str(default)
    return f"| {shown} | {f'`{default}`' if is_told else ''} | {_cell(parameter.help or '')} |"


def _cell(text: str) -> str:
    return _plain(" ".join(text.split())).replace("|", "\\|")


def _text(text: str) -> str:
    """Give a help text's paragraphs; what it indents is an example."""
    paragraphs = inspect.cleandoc(text).replace("\b", "").split("\n\n")
    return "\n\n".join(
        f"```text\n{inspect.cleandoc(one)}\n```" if one.startswith("    ") else _plain(one.strip("\n"))
        for one in paragraphs
    )


def _plain(text: str) -> str:
    """Keep what Markdown would read in a text that is not code: `<` and `*` are themselves."""
    parts = text.split("`")
    return "`".join(re.sub(r"([<*])", r"\\\1", part) if at % 2 == 0 else part for at, part in enumerate(parts))


def main() -> int:
    """Write the pages."""
    (HERE / "settings.md").write_text(settings())
    (HERE / "commands.md").write_text(commands())
    (HERE / "metrics.md").write_text(metrics())
    return 0


if __name__ == "__main__":
    sys.exit(main())
