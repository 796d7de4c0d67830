"""`--help`: in panels, each command with an example, each line broken once; and tables and lines at any width."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from enum import Enum
from importlib import metadata
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import worker.version
from cli import output
from cli.app import ENTRIES, app
from cli.commands import Panel
from models.escaping import visible
from tests.support.fixtures import Turnout
from tests.support.terminal import OnTerminal

ROOT = Path(__file__).parents[1]
WIDTHS = (80, 100, 160)
TREE: Any = typer.main.get_command(app)


def tree(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from tree(inner, (*path, name))


COMMANDS = dict(tree(TREE))


def helped(path: tuple[str, ...], width: int) -> str:
    done = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": str(width), "TERMINAL_WIDTH": None})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_shows_no_limit_of_the_database_and_breaks_no_choice_within_a_word(path: tuple[str, ...]) -> None:
    shown = helped(path, 80)
    assert "9223372036854775807" not in shown
    for parameter in COMMANDS[path].params:
        annotation = parameter.type_descriptor.annotation
        for kind in (annotation, *get_args(annotation)):
            for choice in kind if isinstance(kind, type) and issubclass(kind, Enum) else ():
                word = re.escape(str(choice.value))
                assert re.search(rf"(?<![\w-]){word}(?![\w-])", shown), (parameter.name, choice)


@pytest.mark.parametrize("name", ["errors", "retry", "dismiss"])
def test_no_outcome_is_offered_that_an_open_error_never_has(name: str) -> None:
    words = [name, "--outcome", "pending", *(["--because", "x"] if name == "dismiss" else [])]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert "'pending' is not one of 'rejected', 'unconfirmed', 'failed', 'canceled'" in done.output


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_fits_and_its_lines_are_broken_once(path: tuple[str, ...], width: int) -> None:
    lines = [line.rstrip() for line in helped(path, width).splitlines()]
    assert [line for line in lines if len(line) > width] == []
    prose = lines[: next(place for place, line in enumerate(lines) if line.startswith("╭"))]
    for line, after in pairwise(prose):
        if line and after and not line.endswith("\\"):
            first = after.split()[0]
            assert len(line) + 1 + len(first) > width - 1, f"broken too early: {line!r} {after!r}"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_command_has_an_example_that_it_would_take(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    (example,) = re.findall(r"^(?:Example|Each command says more): (turnout .*)$", command.epilog)
    assert f" {example}" in "\n".join(line.rstrip() for line in helped(path, 80).splitlines()), "it is broken at 80"
    words = shlex.split(example)[1:]
    if not path:
        return
    assert words[: len(path)] == list(path) or getattr(command, "commands", None)
    found: Any = TREE
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]
    with found.make_context("turnout", words):
        pass


def test_the_commands_stand_in_panels() -> None:
    said = helped((), 80)
    assert re.findall(r"^╭─ ([\w ]+) ─", said, re.MULTILINE) == ["Options", *Panel]
    for name in TREE.commands:
        assert re.search(rf"^│ {name} ", said, re.MULTILINE), name
    assert (
        "Usage: turnout "
        in subprocess.run(
            [sys.executable, "-m", "cli", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
    )


@pytest.mark.parametrize("name", ENTRIES)
def test_the_list_of_commands_says_what_each_commands_help_says_first(name: str) -> None:
    command, entry = TREE.commands[name], ENTRIES[name]
    assert command.help.split("\n\n")[0] == entry.summary
    assert command.rich_help_panel == entry.panel


@pytest.mark.parametrize("words", [["--help"], ["--version"], []], ids=" ".join)
def test_what_no_command_is_needed_for_imports_no_command(words: list[str]) -> None:
    """Imports are nearly all that such a call takes."""
    probe = (
        "import sys; sys.argv = ['turnout', *sys.argv[1:]]\n"
        "from cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe, *words], capture_output=True, text=True, check=True, cwd=ROOT)
    imported = set(done.stderr.split())
    assert {"cli.app", "cli.commands"} <= imported
    heavy = {"sqlalchemy", "pydantic", "redis", "requests", "celery", "kombu", "fastapi", "jinja2", "cryptography"}
    assert imported.isdisjoint({*heavy, *(entry.place.partition(":")[0] for entry in ENTRIES.values())})


def test_the_version_is_the_projects(monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert CliRunner().invoke(app, ["--version"]).output == f"turnout {project}\n"

    def not_installed(_: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", not_installed)
    assert CliRunner().invoke(app, ["--version"]).output == f"turnout {project}\n"


def test_the_changelog_knows_the_version_and_what_comes_next() -> None:
    headings = re.findall(r"^## \[(.+?)\](?: - (.+))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == worker.version.version()
    assert all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", day) for _, day in headings[1:])


@pytest.mark.parametrize("group", ["accounts", "keys", "schedules", "jobs", "refused"])
def test_a_group_alone_lists(group: str, turnout: Turnout) -> None:
    said = turnout(group).output
    assert "Usage" not in said
    if group in {"accounts", "keys"}:
        assert said == turnout(group, "list").output
        assert turnout(group, "--json").output == turnout(group, "list", "--json").output


# Tables


COLUMNS = ["id", "event", "state", "identity", "status", "size", "why"]
ROW = {
    "id": 12,
    "event": "acme-events/spring-summit-2026",
    "state": "register",
    "identity": "email",
    "status": "PENDING",
    "size": 1_000,
    "why": "HubSpot answered 503 three times in a row; the next try is at 13:56, and it is the last one of this minute",
}


def shown(
    monkeypatch: pytest.MonkeyPatch, width: int, rows: list[dict[str, Any]], less: Sequence[str] = ()
) -> list[str]:
    out = StringIO()
    monkeypatch.setattr(output, "_console", Console(file=out, width=width, highlight=False, markup=False, emoji=False))
    output.print_table("Batches", rows, COLUMNS, "none", less)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("width", [*WIDTHS, 60, 300])
def test_a_table_breaks_nothing_but_its_longest_text(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = shown(monkeypatch, width, [ROW, {**ROW, "id": 13, "why": ""}])
    assert [line for line in lines if len(line) > width] == []
    said = "\n".join(lines)
    for value in ("12", "13", "acme-events/spring-summit-2026", "register", "email", "PENDING", "1,000"):
        assert value in said
    is_table = "─" in said
    assert is_table is (width > 100)
    if is_table:
        assert re.search(r"id +event +state +identity +status +size +why$", said, re.MULTILINE)
    else:
        assert said.count("event: acme-events/spring-summit-2026 ·") == 2
        assert said.count("why:") == 1, "what is empty is left out"


def test_a_table_that_fits_is_one_at_80(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "\n".join(shown(monkeypatch, 80, [{**ROW, "why": "", "event": "4711"}]))
    assert "id   event   state" in said


def test_where_it_is_too_narrow_it_goes_without_what_can_be_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {**ROW, "why": "x", "event": "4711"}
    assert "size" in "".join(shown(monkeypatch, 55, [row], less=["identity", "status"]))
    narrow = "\n".join(shown(monkeypatch, 50, [row], less=["identity", "status"]))
    assert re.search(r"id +event +state +size +why$", narrow, re.MULTILINE)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_command_in_a_table_or_a_card_is_not_broken(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    why = "HubSpot did not take the token, which nobody can mend from here: turnout accounts rotate partner"
    said = "\n".join(shown(monkeypatch, width, [{**ROW, "why": why, "event": "4711"}]))
    assert "turnout accounts rotate partner" in said


HARM = "\x1b]0;x\x07[bold]x"


def test_a_card_shows_what_others_wrote_as_a_table_does(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "\n".join(shown(monkeypatch, 60, [{**ROW, "event": HARM}]))
    assert f"event: {visible(HARM)} ·" in said
    assert "\x1b" not in said


# Lines on a terminal


LINE = (
    "account partner is PAUSED since 2026-11-28 13:23:25Z: HubSpot did not take its token (HTTP 401);"
    " turnout accounts rotate partner"
)
PRINTS = (
    "import sys\nfrom cli.output import complain, say\nfor line in sys.argv[1:]:\n    say(line)\n    complain(line)\n"
)


def printed(width: int, *lines: str) -> list[str]:
    env = {**os.environ, "COLUMNS": str(width), "TERM": "dumb"}
    command = [sys.executable, "-c", PRINTS, *lines]
    started = OnTerminal(lambda tty: subprocess.Popen(command, cwd=ROOT, env=env, stdout=tty, stderr=tty))
    assert started.end() == 0
    return started.said().splitlines()


def test_a_long_line_is_broken_between_words_and_never_within_a_command() -> None:
    long = "x" * 120
    lines = printed(80, LINE, "short", long)
    for one in (lines[:2], lines[2:4]):
        assert " ".join(line.strip() for line in one) == LINE
        assert all(len(line) <= 80 for line in one)
        assert one[-1].startswith("  ")
        assert one[-1].endswith("turnout accounts rotate partner")
    assert lines[4:] == ["short", "short", long, long], "what has no space is not broken: it may be a key"
    narrow = printed(34, LINE)
    assert "  turnout accounts rotate partner" in narrow


def test_a_file_gets_each_line_whole() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTS, LINE],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{LINE}\n", f"{LINE}\n")


def test_ids_are_printed_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table("Some", [{"id": 1_661, "record_id": 12_345, "size": 4_000}], ["id", "record_id", "size"], "none")
    assert capsys.readouterr().out.split()[-3:] == ["1661", "12345", "4,000"]
