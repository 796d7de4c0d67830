# ruff: noqa: E501 - a table of commands is as wide as it is
"""Nothing that others wrote reaches a terminal as it is: every command, on a database full of harm."""

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from sqlalchemy import Engine, func, update

import cli
from cli.app import app
from models.accept_rules import Rules
from models.escaping import is_hidden, visible
from models.message import Message, read_message
from models.tables import Account, Key, Schedule
from models.words import Action, Door, Outcome, Role
from tests.support.fixtures import Submit
from tests.support.hostile_text import STEERING
from tests.support.jobs import ME
from tests.support.ledger import Ledger, ask, do, message, people, settled, taken
from tests.support.terminal import OnTerminal
from tests.support.worker_processes import environment
from worker.accounts import state
from worker.auth import keys
from worker.intake.accept import Inbound, accept
from worker.operations import jobs, schedules
from worker.queries.error_filter import Filter
from worker.settings import Settings
from worker.webhooks import endpoint

COMMANDS: dict[tuple[str, ...], list[list[str]]] = {
    ("enqueue",): [["{file}", "--check"], ["{file}", "--check", "--json"], ["{harm}"], ["{file}", "--event", "{harm}"],
                   ["{file}", "--map", "{harm}=email"], ["{file}", "--state", "{harm}"]],
    ("status",): [[], ["--json"], ["--check"]],
    ("doctor",): [["--json"], []],
    ("config",): [["--json"], []],
    ("config", "init"): [["/nowhere/{harm}"]],
    ("health",): [["--port", "9"], ["--ready", "--port", "{harm}"]],
    ("batches",): [[], ["--json"], ["--event", "{harm}"]],
    ("batch",): [["{batch}"], ["{batch}", "--json"], ["{harm}"]],
    ("errors",): [[], ["--json"], ["--grouped"], ["--grouped", "--json"], ["--csv", "/nowhere/{harm}"]],
    ("events",): [[], ["--json"]],
    ("event",): [["{event}"], ["{event}", "--json"], ["{harm}"]],
    ("person",): [["{contact}"], ["{contact}", "--json"], ["{harm}"]],
    ("submission",): [["{submission}"], ["{submission}", "--json"], ["{harm}"]],
    ("retry",): [["--outcome", "failed"], ["--outcome", "unconfirmed"], ["--group", "{harm}"], ["{harm}"]],
    ("correct",): [["{record}", "--set", "a={harm}"], ["{record}", "--object-id", "{harm}"], ["{record}", "--set", "{harm}"],
                   ["--from", "/nowhere/{harm}"], ["{record}", "--email", "{harm}", "--yes"],
                   ["{record}", "--email", "{harm}", "--yes", "--json"]],
    ("dismiss",): [["--because", "{harm}", "--outcome", "rejected"], ["--because", "{harm}", "--outcome", "rejected", "--yes"]],
    ("cancel",): [["--event", "{event}"], ["{harm}"]],
    ("job",): [["{job}"], ["{job}", "--json"], ["{harm}"]],
    ("jobs",): [[], ["--json"]],
    ("jobs", "stop"): [["{job}"], ["{harm}"]],
    ("actions",): [[], ["--json"], ["--who", "{harm}"]],
    ("pause",): [["{account}", "--because", "{harm}"], ["{harm}"]],
    ("resume",): [["{account}"], ["{harm}"]],
    ("purge",): [["--dry-run"], ["--older-than", "{harm}"]],
    ("erase",): [["{harm}"], ["nobody@example.com"]],
    ("audit",): [[], ["--json"], ["--against-hubspot", "{harm}", "--account", "{harm}"], ["--against-hubspot", "x", "--out", "/nowhere/{harm}"]],
    ("size",): [["--records-a-day", "5"], ["--records-a-day", "{harm}"]],
    ("sandbox",): [["--host", "{ascii}"], ["--tier", "{harm}"]],
    ("env",): [[]],
    ("accounts",): [[], ["--json"]],
    ("accounts", "add"): [["{harm}"], ["{account}", "--url", "{harm}"], ["acme", "--token-stdin"]],
    ("accounts", "set"): [["{account}", "--batch-size", "5"], ["{harm}", "--batch-size", "5"], ["x", "--version", "{harm}"]],
    ("accounts", "rotate"): [["{harm}"]],
    ("accounts", "remove"): [["{account}"], ["{harm}"]],
    ("accounts", "list"): [[], ["--json"]],
    ("accounts", "show"): [["{account}"], ["{account}", "--json"], ["{harm}"]],
    ("keys",): [[], ["--json"]],
    ("keys", "create"): [["{harm}", "--role", "viewer"], ["x", "--role", "{harm}"], ["x", "--role", "producer", "--account", "{harm}"]],
    ("keys", "list"): [[], ["--json"]],
    ("keys", "rotate"): [["{key}"], ["{harm}"]],
    ("keys", "webhook"): [["{key}", "--url", "{harm}"], ["{key}", "--off"], ["{harm}", "--off"]],
    ("keys", "revoke"): [["{key}"], ["{harm}"]],
    ("refused",): [[], ["--json"], ["--grouped"], ["--grouped", "--json"], ["--group", "{harm}"], ["--out", "/nowhere/{harm}"]],
    ("refused", "retry"): [["--all"], ["--all", "--yes"], ["--all", "--yes", "--json"], ["--from", "{lines}"]],
    ("refused", "dismiss"): [["--all", "--because", "{harm}", "--yes"], ["1", "--because", "{harm}", "--json"]],
    ("schedules",): [[], ["--json"]],
    ("schedules", "set"): [["{harm}", "0 3 * * *"], ["x", "{harm}"], ["x", "0 3 * * *", "--time-zone", "{harm}"]],
    ("schedules", "remove"): [["{harm}"]],
    ("schedules", "pause"): [["{schedule}"], ["{harm}"]],
    ("schedules", "resume"): [["{schedule}"], ["{harm}"]],
    ("schedules", "begin"): [["{harm}"]],
    ("db", "upgrade"): [[]],
    ("db", "current"): [[]],
    ("db", "check"): [[]],
    ("db", "rekey"): [[]],
    (): [["--version"], ["{harm}"], ["--{harm}"], ["errors", "--{harm}"], ["errors", "{harm}"]],
}  # fmt: skip
"""Every command, as it is run. `up` and `serve` do not end: they print lines of their own, and log (test_logs)."""
ENDLESS = {("up",), ("serve",)}
STRUCTURED = {
    "accounts.time_zone",
    "schedules.crontab",
    "schedules.time_zone",
    "secrets.name",
    "alembic_version.version_num",
}
"""Texts that our own code reads as something: harm in them breaks what is shown, whoever could write there."""

OURS = {
    "job_items.result",
    "submissions.repeats",
    "erasures.rows",
    "schedules.filter",
    "error_groups.id",
    "errors.group_id",
    "schema_revisions.revision",
}
"""Our own words, numbers and hashes alone."""


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if not inner or (path and command.invoke_without_command):
        yield path
    for name, one in (inner or {}).items():
        yield from leaves(one, (*path, name))


def test_every_command_is_known_here() -> None:
    known = set(leaves(typer.main.get_command(app)))
    assert known == (set(COMMANDS) - {()}) | ENDLESS


NAMED_BY_US = {"refused.reasons"}
"""JSON whose names our own code reads."""


def harmed(value: Any, *, names: bool = True) -> Any:
    """Put harm into every text of a JSON value, its names too where they are nobody's."""
    if isinstance(value, dict):
        mine = {name: harmed(one, names=names) for name, one in value.items()}
        return mine | ({STEERING: STEERING} if names else {})
    if isinstance(value, list):
        return [harmed(one, names=names) for one in value] or [STEERING]
    return STEERING if isinstance(value, str) else value


@pytest.fixture
def names(
    engine: Engine, ledger: Ledger, settings: Settings, rules: Rules, submit: Submit, tmp_path: Path
) -> dict[str, str]:
    """Fill every table, put harm into every text of it, and name what commands are to be asked about."""
    key_number = int(keys.create(engine, "shop", Role.PRODUCER, [1]).split("_")[1])
    endpoint.point(engine, settings, "shop", "https://hooks.example.com/x")
    submission = uuid4()
    read = read_message(json.dumps(message(*people(4)) | {"submission_id": str(submission)}).encode())
    assert isinstance(read, Message)
    with engine.connect() as connection:
        accept(connection, [Inbound(Door.HTTP, "request", b"", read, None, key_number, b"digest")], rules)
    settled(engine, claimed := taken(engine), rejected=[0, 1], unconfirmed=[2])
    submit(message(*people(2), event="78"), {"subscriber_state": "attend", "object_id": STEERING, "inputs": [1]})
    submit({**message("nobody"), STEERING: 1}, STEERING.encode())
    state.pause(engine, 1, STEERING)
    with engine.begin() as connection:
        job = jobs.ask(connection, ME, Action.RETRY, Filter((Outcome.UNCONFIRMED,)))
    list(jobs.finish(engine, rules, job))
    schedules.put(engine, ME, schedules.RetrySchedule("night", "0 3 * * *"))
    do(engine, update(Key).values(webhook_error="x", webhook_failures=3))
    do(engine, update(Account).values(parked_until=func.now() + timedelta(hours=1), parked_because="x"))
    put = harm_in(engine)
    assert {"accounts.name", "events.object_id", "errors.message", "errors.context", "attempts.excerpt", "keys.name",
            "records.contact", "records.input", "refused.reasons", "actions.who", "jobs.last_error", "schedules.name",
            "submissions.producer", "error_groups.gist", "batches.postponed_because"} <= put  # fmt: skip
    rows = {
        name: ask(engine, f"SELECT * FROM {name} ORDER BY id") for name in ("records", "events", "accounts", "keys")
    }
    file, lines = tmp_path / "list.csv", tmp_path / "lines.jsonl"
    file.write_text(
        f"Email,Date,{visible(STEERING)}\x1b]0;x\x07\u202e,object_id,state\n"
        + "".join(
            f'{email},{date},x,"{event}",register\n'
            for email, date, event in (
                ("a@example.com", "2026-03-01T10:00:00Z", "7"),
                ("\x1b[2Ka@example", "2026-03-01T10:00:00Z", "7"),
                ("b@example.com", "\x9b2J\u202ex", "7"),
                ("c@example.com", "2026-03-01T10:00:00Z", "\x1b[1A7"),
            )
        )
    )
    lines.write_text(json.dumps({"id": 1, "message": {STEERING: STEERING}}) + "\n" + "\x1b[2K\n")
    return {
        "harm": STEERING,
        "ascii": "\x1b[2K\x1b]0;x\x07",
        "file": str(file),
        "lines": str(lines),
        "batch": str(claimed.batch_id),
        "record": str(rows["records"][0].id),
        "contact": rows["records"][0].contact,
        "event": rows["events"][0].object_id,
        "account": rows["accounts"][0].name,
        "key": rows["keys"][0].name,
        "schedule": ledger.all(Schedule)[0].name,
        "job": str(job),
        "submission": str(submission),
    }


def harm_in(engine: Engine) -> set[str]:
    """Put harm into every column of text that takes it; give their names."""
    put = set()
    for column in ask(
        engine,
        """
        SELECT table_name, column_name, data_type FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type IN ('text', 'jsonb')""",
    ):
        name = f"{column.table_name}.{column.column_name}"
        if name in STRUCTURED | OURS:
            continue
        if column.data_type == "jsonb":
            for row in ask(engine, f"SELECT DISTINCT {column.column_name} AS was FROM {column.table_name}"):
                do(
                    engine,
                    f"UPDATE {column.table_name} SET {column.column_name} = CAST(:becomes AS jsonb)"
                    f" WHERE {column.column_name} = CAST(:was AS jsonb)",
                    was=json.dumps(row.was),
                    becomes=json.dumps(harmed(row.was, names=name not in NAMED_BY_US)),
                )
            put.add(name)
            continue
        do(
            engine,
            f"UPDATE {column.table_name} SET {column.column_name} = :harm || ctid::text"
            f" WHERE {column.column_name} IS NOT NULL",
            harm=STEERING,
        )
        put.add(name)
    return put


def runs(names: dict[str, str]) -> Iterator[list[str]]:
    for path, ways in COMMANDS.items():
        for words in ways:
            given = [re.sub(r"\{(\w+)\}", lambda found: names[found[1]], word) for word in words]
            yield [*path, *given]


def steering_left(printed: str, allowed: str = "\n") -> str:
    return "".join(sorted({letter for letter in printed if letter not in allowed and is_hidden(letter)}))


def wrong_with(printed: str) -> list[str]:
    wrong = [ascii(left)] if (left := steering_left(printed)) else []
    wrong += ["an emoji code was obeyed"] if "\U0001f4af" in printed else []
    # Where harm is shown it is shown whole: markup is text, and letters that can be seen stay.
    wrong += ["markup was obeyed"] if ":100: a" in printed and "[bold]:100: a" not in printed else []
    return wrong


EACH = """
import json, sys
import cli.app, cli.failures
from cli.output import complain_of_bug
def told(bug):
    complain_of_bug(bug)
    print("A BUG:", ascii(bug), file=sys.stderr)
cli.failures.complain_of_bug = told
for words in json.loads(open(sys.argv[1]).read()):
    for stream in (sys.stdout, sys.stderr):
        print("\\n>>>", ascii(words), file=stream, flush=True)
    sys.argv = ["turnout", *words]
    try:
        cli.app.run()
    except SystemExit:
        pass
"""
"""Runs the commands that a file names, as `turnout` does."""


def started(
    settings: Settings, given: list[list[str]], tmp_path: Path, *, stdin: int, stdout: int, stderr: int
) -> subprocess.Popen[bytes]:
    file = tmp_path / "given.json"
    file.write_text(json.dumps(given))
    env = environment(settings) | {"TERM": "xterm-256color", "COLUMNS": "200", "LINES": "50"}
    home = Path(cli.__file__).parents[1]
    command = [sys.executable, "-c", EACH, str(file)]
    return subprocess.Popen(command, env=env, cwd=home, stdin=stdin, stdout=stdout, stderr=stderr)


def test_no_command_prints_what_a_terminal_obeys(settings: Settings, names: dict[str, str], tmp_path: Path) -> None:
    given = list(runs(names))
    pipe = subprocess.PIPE
    with started(settings, given, tmp_path, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as child:
        out, err = (stream.decode() for stream in child.communicate(timeout=100))
    assert "A BUG" not in err, re.findall("A BUG.*", err)
    wrong, shown = {}, set()
    parts = (re.split(r"^>>> .*\n", stream, flags=re.MULTILINE)[1:] for stream in (out, err))
    for words, printed, complained in zip(given, *parts, strict=True):
        if said := wrong_with(printed) + wrong_with(complained):
            wrong[shlex.join(map(ascii, words))] = said
        if "--json" in words and printed.strip():
            json.loads(printed)
        if r"\x1b]52;c" in printed + complained or r"\u001b]52;c" in printed:
            shown.add(words[0])
    assert wrong == {}
    # It was there to be seen.
    assert {"errors", "batch", "batches", "events", "event", "person", "status", "accounts", "keys", "refused"} <= shown
    assert {"jobs", "job", "actions", "schedules", "submission", "enqueue", "correct"} <= shown


def test_nor_on_a_terminal_where_it_is_asked_and_styled(
    settings: Settings, names: dict[str, str], tmp_path: Path
) -> None:
    given = [words for words in runs(names) if words[:2] not in (["accounts", "add"], ["db", "upgrade"])]
    terminal = OnTerminal(
        lambda tty: started(settings, given, tmp_path, stdin=tty, stdout=tty, stderr=tty), {b"[y/N]: ": b"n"}
    )
    assert terminal.end(100) == 0, terminal.said()[-3_000:]
    said = terminal.said()
    assert said.count(">>>") == 2 * len(given)
    assert "A BUG" not in said, re.findall("A BUG.*", said)
    assert "\x1b[1m" in said, "nothing is styled: this was no terminal"
    assert "Go on?" in said, "nobody was asked"
    # Our own: styles, line ends, and what draws a bar. (Where harm came through, most of it is none of these.)
    plain = re.sub(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[2K|\x1b\[1A|\r", "", said)
    assert wrong_with(plain) == [], plain[-3_000:]


PRINTING = {"print", "input"}
PRINTS = {("typer", name) for name in ("echo", "secho", "style", "confirm", "prompt", "launch", "echo_via_pager")}
WRITES = {("sys", "stdout"), ("sys", "stderr")}


@pytest.mark.parametrize("path", sorted(Path(cli.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_nothing_but_output_prints(path: Path) -> None:
    if path.name == "output.py":
        return
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in PRINTING:
                wrong.append(name)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in PRINTS:
                wrong.append(f"{module}.{name}")
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id=module), attr=name), attr="write" | "writelines"):
                wrong += [f"{module}.{name}"] if (module, name) in WRITES else []
            case ast.Import(names=found):
                wrong += [one.name for one in found if one.name.split(".")[0] in {"rich", "click"}]
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in {"rich", "click"}:
                wrong.append(module)
            case ast.ImportFrom(module="typer", names=found):
                wrong += [one.name for one in found if ("typer", one.name) in PRINTS]
    assert wrong == []


def test_a_bug_is_printed_without_what_steers(capsys: pytest.CaptureFixture[str]) -> None:
    from cli.output import complain_of_bug

    bug = RuntimeError(f"forged\n2026-01-01 [error] {STEERING}")
    bug.__cause__ = ValueError(STEERING)
    with pytest.raises(RuntimeError) as raised:
        raise bug
    complain_of_bug(raised.value)
    printed = capsys.readouterr().err
    assert wrong_with(printed) == []
    assert r"RuntimeError: forged\n2026-01-01" in printed
    assert "ValueError: [bold]:100:" in printed


def test_a_progress_bar_shows_what_others_wrote_as_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from rich.console import Console

    from cli import output

    out = io.StringIO()
    here = Console(file=out, force_terminal=True, width=400, highlight=False, markup=False, emoji=False)
    monkeypatch.setattr(output, "_console", here)
    with output.Bar(STEERING, 2, shown=True) as bar:
        bar.show(STEERING, STEERING, done=1)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", out.getvalue())
    assert plain.strip()
    assert wrong_with(plain) == []


def test_a_command_to_copy_is_broken_nowhere_and_drawn_over_by_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from rich.console import Console

    from cli import output

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Screen()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(output, "_console", Console(file=out, force_terminal=True, width=60, highlight=False))
    answer = '--map "section=status(Spring 111=keep, Autumn 222=leave out; Winter, the third one=keep)"'
    command = f"  turnout enqueue report.csv {answer} --state attend"
    with output.Bar("reading", 2, shown=True) as bar:
        bar.show(done=1)
        bar.say_above("The same without questions:", command)
        bar.show(done=2)
    output.say(f"  {answer}  only those of the first of the two, which began in spring")
    printed = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", out.getvalue())
    assert f"\n{command.strip()}\n" in printed
    assert printed.count(answer) == 2
