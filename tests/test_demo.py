"""`make demo` says what it does in lines that can be read, and ends with nothing that is gone by then."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import fences

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def printed() -> str:
    done = subprocess.run(
        [sys.executable, "examples/demo.py"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_line_is_longer_than_a_hundred_columns(printed: str) -> None:
    assert [line for line in printed.splitlines() if len(line.rstrip()) > 100] == []


def test_the_books_balance_and_every_record_has_its_answer(printed: str) -> None:
    said = " ".join(printed.split())
    balance = re.search(r"The books balance: 3,045 accepted = ([^;]*);", said)
    assert balance is not None, said
    ends = {name: int(number.replace(",", "")) for number, name in re.findall(r"([\d,]+) (\w+)", balance[1])}
    assert (ends["delivered"], ends["rejected"], ends["failed"], sum(ends.values())) == (3_044, 0, 0, 3_045)
    assert "HubSpot's test server holds 3,044 participations, the same per event and state" in said


def test_it_names_nothing_that_is_gone_when_it_ends(printed: str) -> None:
    assert "turnout-demo-" not in printed
    assert "turnout submission" not in printed
    last = printed.partition("To try it yourself:")[2]
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", printed)
    for path in re.findall(r"examples/[\w.]+", printed):
        assert (ROOT / path).is_file(), path
    commands = re.findall(r"^  (\.venv/bin/turnout \w+)", last, re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["up", "enqueue", "status", "errors"]


def counted(text: str) -> list[list[str]]:
    """Give the rows of the demo's table: event, state and a number for each outcome."""
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("acme-events/")]
    return [row for row in rows if len(row) >= 5]


def test_it_prints_the_readmes_table(printed: str) -> None:
    (shown,) = fences("README.md", "console")
    assert len(counted(shown)) == 5
    # Delivered ones alone: on a slow machine the one that HubSpot swallowed is looked for meanwhile, and canceled.
    assert [row[:3] for row in counted(printed)] == [row[:3] for row in counted(shown)], printed


def test_make_says_that_packages_are_installed_before_it_installs_them(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "setup", f"VENV={tmp_path / 'new'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.index("Installing Turnout's packages")
    assert said < done.stdout.index("-m venv") < done.stdout.index("pip install")
