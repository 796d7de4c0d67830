"""The release before this one, checked out beside it: its own code on the present packages, no network.

`.ci/previous-release` names its commit by the whole hash; it is changed with each release.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.worker_processes import Workers, environment
from worker.settings import Settings

ROOT = Path(__file__).parent.parent.parent


def named(root: Path = ROOT) -> str:
    return (root / ".ci" / "previous-release").read_text().strip()


def check_out(into: Path, root: Path = ROOT) -> Path:
    """Write the previous release's files into a folder; where its commit is not there, the test fails and says so."""
    commit = named(root)
    archive = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=root, capture_output=True, timeout=60, check=False
    )
    if archive.returncode:
        pytest.fail(
            f"the previous release, commit {commit}, is not in this clone, so that an upgrade from it cannot be shown:"
            f" `git fetch --unshallow`, or `git fetch origin {commit}` ({archive.stderr.decode().strip()})"
        )
    subprocess.run(["tar", "-x", "-C", into], input=archive.stdout, check=True, timeout=60)
    return into


def environment_of(settings: Settings, code: Path) -> dict[str, str]:
    """Give the environment of a process with these settings that runs this code."""
    return environment(settings) | {"PYTHONPATH": str(code)}


def run(settings: Settings, code: Path, *words: str, status: int = 0) -> str:
    """Run Python with this code, and give what it prints."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=code,
        env=environment_of(settings, code),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


class PreviousWorkers(Workers):
    """Delivery, housekeeping and beat of another release."""

    def __init__(self, settings: Settings, home: Path, code: Path) -> None:
        home.mkdir()
        super().__init__(settings, home)
        self._code = code

    def environment(self) -> dict[str, str]:
        return environment_of(self.settings, self._code)
