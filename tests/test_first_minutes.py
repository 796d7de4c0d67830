"""The lines that the README and the documents tell a reader to paste, pasted beside a real `turnout up`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import fences, text_of
from tests.support.up import Up

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
QUICKSTART = "docs/quickstart.md"
START = """make setup
.venv/bin/turnout up
"""

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        "CI" not in os.environ and not (shutil.which("bash") and shutil.which("curl")), reason="needs bash and curl"
    ),
]


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """`turnout up`, in a folder that holds the examples."""
    home = Path(tempfile.mkdtemp(prefix="turnout-"))
    home.chmod(0o755)
    shutil.copytree(ROOT / "examples", home / "examples", ignore=shutil.ignore_patterns("*.refused*", "__pycache__"))
    running = Up(home)
    yield running
    assert running.stop() == 0
    shutil.rmtree(home)


def paste(up: Up, lines: str) -> str:
    """Run lines in one shell, as they stand but for where things are; each must succeed.

    `turnout enqueue` ends with 3 where rows were not accepted, as some of the examples' are not.
    """
    here = (
        lines.replace(".venv/bin/", f"{BIN}/")
        .replace('"$PWD/.venv/bin:', f'"{BIN}:')
        .replace("http://127.0.0.1:8800", up.web)
    )
    here = here.replace("http://127.0.0.1:8900", up.sandbox)
    here = re.sub(r"^(\S*turnout enqueue (?:[^\n\\]|\\\n)*)", r"\1 || test $? -eq 3", here, flags=re.MULTILINE)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", here],
        cwd=up.home,
        env=up.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_readme_and_the_quickstart_show_the_same_lines() -> None:
    readme, quickstart = fences("README.md", "sh"), fences(QUICKSTART, "sh")
    assert quickstart[0] == START
    assert START.endswith(readme[0])
    assert set(readme[1:]) <= set(quickstart[1:])
    assert len(readme) == 5


def test_the_quickstarts_lines_do_what_they_say(up: Up) -> None:
    said = paste(up, "\n".join(fences(QUICKSTART, "sh")[1:]))
    assert re.search(r'"status":"COMPLETE".*"results":\[\{"email":"grace@example.com"', said)
    assert re.search(r"register 4711, account default: delivered", said)
    assert re.search(r"^accepted +266$", said, re.MULTILINE)
    assert "Invalid input for `ben@example.com`" in said
    assert "1 rejected: VALIDATION_ERROR" in said
    assert "1 record is retried" in said
    assert "the books balance" in said


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("docs/http-api.md", '"email":"grace@example.com","vid":'),
        ("docs/webhooks.md", "whsec_"),
        ("docs/files.md", "nothing was sent"),
        ("examples/README.md", '"email":"zoë.o'),
    ],
)
def test_a_pages_lines_do_what_they_say(up: Up, page: str, says: str) -> None:
    assert says in paste(up, "\n".join(fences(page, "sh")))


def test_the_fixtures_for_an_apps_own_tests_work(up: Up) -> None:
    assert "4 passed" in paste(up, "\n".join(fences("docs/testing.md", "sh")))


def test_each_line_to_paste_is_run() -> None:
    """Those for production set up a machine: `test_installed` runs them; `test_runbook`, `test_sizing` have theirs."""
    shown = {"README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))}
    run = {QUICKSTART, "README.md", "docs/http-api.md", "docs/webhooks.md", "docs/files.md", "docs/testing.md"}
    assert {page for page in shown if "```sh\n" in text_of(page)} - run == {
        "docs/production.md",
        "docs/runbook.md",
        "docs/sizing.md",
    }
