"""Bugs planted on purpose: each breaks one promise in a copy of the tree, and a test must fail of it.

    python -m tests.planted_bugs              all of `planted_bugs.toml`
    python -m tests.planted_bugs NAME…        some

Each bug is planted alone, and the tests that are expected to catch it are run until the first fails. A test that runs
into its time-out has not caught anything. In the end the tests that failed are run without any bug, and must pass.
`docs/planted-bugs.md` gets the table.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET  # of pytest's own report

ROOT: Final = Path(__file__).parent.parent
LIST: Final = ROOT / "tests" / "planted_bugs.toml"
PAGE: Final = ROOT / "docs" / "planted-bugs.md"
TIMEOUT: Final = 120
"""Seconds for one test."""
LEFT_OUT: Final = (".git", ".venv", "build", ".turnout", ".hypothesis", ".*_cache", "*.egg-info")
_TABLE: Final = re.compile(r"^(\| --- \| --- \| --- \| --: \|\n)((?:\|.*\n)*)", re.MULTILINE)
_ROW: Final = re.compile(r"^\| `([\w-]+)`", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug: the promise it breaks, in which file, and the text that becomes another; each test is a pytest node."""

    name: str
    promise: str
    bug: str
    """What the code does instead, in a sentence."""
    file: str
    before: str
    after: str
    tests: Sequence[str]

    def planted(self) -> str:
        """Give the file's text with the bug.

        Raises:
            ValueError: where the text to be changed is not there exactly once.

        """
        text = (ROOT / self.file).read_text()
        if (number := text.count(self.before)) != 1:
            raise ValueError(f"{self.name}: the text before is {number} times in {self.file}, expected once")
        return text.replace(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Result:
    """The test that caught a bug, and how many seconds that test took; none where no test did."""

    caught_by: str | None
    seconds: float
    output: str


def bugs() -> list[Bug]:
    """Read the list."""
    return [Bug(name, **fields) for name, fields in tomllib.loads(LIST.read_text()).items()]


def row(bug: Bug, result: Result) -> str:
    """Write the row of the table."""
    caught_by = f"`{result.caught_by}`" if result.caught_by else "**not caught**"
    return f"| `{bug.name}` | {bug.promise} *{bug.bug}* | {caught_by} | {result.seconds:.1f} |"


def rows_of(page: str) -> dict[str, str]:
    """Read the table of the page: its rows by the names of the bugs."""
    table = _TABLE.search(page)
    assert table, "the page has no table"
    return {name[1]: line for line in table[2].splitlines() if (name := _ROW.match(line))}


def _run(tree: Path, tests: Sequence[str]) -> Result:
    """Run tests of a tree until the first fails."""
    report = tree / "build" / "planted.xml"
    report.unlink(missing_ok=True)
    bounded = [f"--timeout={TIMEOUT}", "--timeout-method=thread"]  # which ends the process, whatever the test is at
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", f"--junitxml={report}", *bounded, *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree)}  # before what is installed: for processes that tests start
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    return read_report(report, done.stdout + done.stderr)


def read_report(report: Path, output: str) -> Result:
    """Read which test failed; none where all passed, or where pytest came to no end or to no test.

    An error of a fixture is no failure: the test that was to catch the bug did not run.
    """
    for case in ET.parse(report).iter("testcase") if report.exists() else ():
        if case.find("failure") is not None:
            file = case.get("classname", "").replace(".", "/")
            return Result(f"{file}.py::{case.get('name', '').partition('[')[0]}", float(case.get("time", 0)), output)
    return Result(None, 0.0, output)


def _planted(tree: Path, bug: Bug) -> Result:
    """Plant a bug in the copy, run its tests, and take it out again."""
    file = tree / bug.file
    file.write_text(bug.planted())
    result = _run(tree, bug.tests)
    shutil.copy2(ROOT / bug.file, file)
    Path(cache_from_source(str(file))).unlink(missing_ok=True)  # two changes in one second look like one
    return result


def _write(listed: Sequence[Bug], bug: Bug, result: Result) -> None:
    """Put a result into the page; what was not run keeps its row, and what is not listed any more loses it."""
    page = PAGE.read_text()
    rows = rows_of(page) | {bug.name: row(bug, result)}
    table = "".join(f"{rows[one.name]}\n" for one in listed if one.name in rows)
    PAGE.write_text(_TABLE.sub(lambda found: found[1] + table, page))


def main(names: Sequence[str]) -> int:
    """Plant the bugs of these names, or all; 0 where each is caught."""
    listed = bugs()
    if unknown := set(names) - {bug.name for bug in listed}:
        print(f"not a name of {LIST.name}: {', '.join(sorted(unknown))}")
        return 2
    caught_by: set[str] = set()
    left = 0
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        (tree / ".venv").symlink_to(ROOT / ".venv")
        for bug in listed:
            if names and bug.name not in names:
                continue
            result = _planted(tree, bug)
            _write(listed, bug, result)
            if result.caught_by is None:
                left += 1
                print(f"{bug.name}: NOT CAUGHT\n{result.output}", flush=True)
            else:
                caught_by.add(result.caught_by)
                print(f"{bug.name}: {result.caught_by} ({result.seconds:.1f} s)", flush=True)
        without = _run(tree, sorted(caught_by)) if caught_by else None
    if without is not None and without.caught_by:
        print(f"without a bug too this fails: {without.caught_by}\n{without.output}")
        return 1
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
