"""The questions of `turnout enqueue` on a real terminal: one at a time, and nothing is sent where somebody leaves."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cli.enqueue import INTERRUPTED, UNUSABLE
from tests.support import report_files
from tests.support.ledger import Ledger
from tests.support.terminal import CTRL_C, OnTerminal, owning_terminal
from tests.support.worker_processes import environment
from worker.context import Context
from worker.settings import Settings

REGISTERED = (
    "Email,Registration Date,Approval Status\n"
    "ana@example.com,03/04/2026 10:00,approved\n"
    "zoe@example.com,05/06/2026 11:00,approved\n"
)
WHICH = b"answer itself [a]: "
EVENT, CITY = b"The event's number: ", b"The city: "

OnTty = Callable[..., OnTerminal]


@pytest.fixture
def on_terminal(settings: Settings, tmp_path: Path) -> OnTty:
    def start(typed: dict[bytes, bytes | list[bytes]], *words: str) -> OnTerminal:
        command = owning_terminal([sys.executable, "-m", "cli", "enqueue", *words])
        env = environment(settings) | {"COLUMNS": "200", "TZ": "UTC"}
        return OnTerminal(
            lambda tty: subprocess.Popen(
                command, cwd=tmp_path, env=env, stdin=tty, stdout=tty, stderr=tty, start_new_session=True
            ),
            typed,
        )

    return start


def shown_command(said: str) -> list[str]:
    """Give the command that the screen shows to be copied."""
    lines = [line.strip() for line in said.splitlines()]
    return shlex.split(next(line for line in lines if "turnout enqueue " in line).partition("turnout enqueue ")[2])


def test_each_question_comes_alone_with_its_proposal_as_the_default(on_terminal: OnTty, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(REGISTERED)
    typed: dict[bytes, bytes | list[bytes]] = {WHICH: b"", EVENT: b"7", CITY: b"Berlin"}
    terminal = on_terminal(typed, "list.csv", "--check")
    assert terminal.end() == 0, terminal.said()
    said = terminal.said()
    asked = [said.index(text) for text in ("what its people did", "which event in HubSpot", "Which number", "clock")]
    assert asked == sorted(asked)
    assert said.count("answer itself [a]") == 2
    assert "ana@example.com registered 3 April 2026 10:00" in said
    options = ["--object-id", "7", "--state", "register", "--time-zone", "Europe/Berlin", "--date-order", "dmy"]
    assert shown_command(said) == ["list.csv", *options, "--check"]


def test_an_answer_that_cannot_be_used_is_said_and_asked_again(on_terminal: OnTty, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(REGISTERED)
    answers = [b"zz", b"--wrong 7", b"--state 'regis", b"--state register", b"B."]
    typed = {WHICH: answers, EVENT: [b"a\tb", b"--object-id 7"], CITY: [b"Atlantis", b"--time-zone Berlin"]}
    terminal = on_terminal(typed, "list.csv", "--check")
    assert terminal.end() == 0, terminal.said()
    said = terminal.said()
    for wrong in (
        "--state: zz is not known; expected register or attend or cancel",
        "--wrong: is not an option that answers this",
        "--state: --state 'regis cannot be read",
        "--object-id: ",
        "--time-zone: Atlantis",
    ):
        assert wrong in said
    assert "ana@example.com registered 4 March 2026 10:00" in said


def test_another_answer_than_the_first_brings_what_follows_from_it(on_terminal: OnTty, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(REGISTERED.replace("Registration Date", "Time"))
    terminal = on_terminal({WHICH: [b"c", b"b"], EVENT: b"7", CITY: b"Berlin"}, "list.csv", "--check")
    assert terminal.end() == 1, terminal.said()  # nobody of these cancelled
    assert shown_command(terminal.said())[:5] == ["list.csv", "--object-id", "7", "--state", "cancel"]


@pytest.mark.parametrize("key", [CTRL_C, b"\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_whoever_leaves_has_sent_nothing_and_can_go_on(
    key: bytes, on_terminal: OnTty, tmp_path: Path, engine: Engine, context: Context
) -> None:
    (tmp_path / "list.csv").write_text(REGISTERED)
    terminal = on_terminal({WHICH: [b"", key], EVENT: b"7", CITY: b"Berlin"}, "list.csv")
    assert terminal.end() == INTERRUPTED, terminal.said()
    assert "Stopped. Nothing of list.csv was sent." in terminal.said()
    answers, rest = ["--object-id", "7", "--state", "register"], ["--date-order", "dmy", "--time-zone", "CITY"]
    assert shown_command(terminal.said()) == ["list.csv", *answers, *rest]
    assert Ledger(engine).records() == []
    assert context.stream.waiting() == 0


def test_names_and_answers_may_have_any_letters(on_terminal: OnTty, tmp_path: Path) -> None:
    rows = [["Email", "Registration Time"], ["zoë@example.com", "2026-03-01 10:00"]]
    name = "Übersicht März.xlsx"
    more = ("Gäste – Zürich", [rows[0], ["ana@example.com", "2026-03-01 10:00"]])
    (tmp_path / name).write_bytes(report_files.xlsx(rows, more, name="日本"))
    city = "Zürich".encode()
    typed: dict[bytes, bytes | list[bytes]] = {WHICH: [b"", b"b"], EVENT: b"7", CITY: city}
    terminal = on_terminal(typed, name, "--check", "--state", "register")
    assert terminal.end(20) == 0, terminal.said()
    assert "times without a zone are in Europe/Zurich" in terminal.said()
    assert shown_command(terminal.said())[0] == name


@pytest.mark.parametrize("words", [("list.csv",), ("-",)], ids=["beside a pipe", "through a pipe"])
def test_without_a_terminal_nothing_is_asked(words: tuple[str, ...], settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(REGISTERED)
    done = subprocess.run(
        [sys.executable, "-m", "cli", "enqueue", *words],
        cwd=tmp_path,
        env=environment(settings),
        input=REGISTERED.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (UNUSABLE, b""), said
    assert shown_command(said)[:1] == [words[0]]
    assert f"Nothing of {words[0]} was sent." in said
