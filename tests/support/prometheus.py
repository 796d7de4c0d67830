"""Debian's Prometheus: `promtool`, which judges metrics, rules and queries."""

import os
import shutil
import subprocess

import pytest


def found(program: str) -> str:
    """Give a program of Debian's package `prometheus`; where it is missing the test fails in CI, else it is skipped."""
    path = shutil.which(program)
    if path is None:
        missing = f"needs {program} of Debian's package prometheus (.ci/run installs it)"
        if "CI" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    return path


def promtool(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([found("promtool"), *words], input=stdin, capture_output=True, text=True, check=False)
