"""Debian's Prometheus: `promtool`, which judges metrics, rules and queries."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from tests.support.monitors import Labels, Metrics


def found(program: str) -> str:
    """Give a program of Debian's package `prometheus`; where it is missing the test fails in CI, else it is skipped."""
    path = shutil.which(program)
    if path is None:
        missing(f"needs {program} of Debian's package prometheus (.ci/run installs it)")
    return path


def missing(what: str) -> NoReturn:
    """End a test that needs something that this machine lacks: in CI it fails, else it is skipped."""
    if "CI" in os.environ:
        pytest.fail(what)
    pytest.skip(what)


def promtool(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([found("promtool"), *words], input=stdin, capture_output=True, text=True, check=False)


Rule = dict[str, Any]
STEP = 60
"""Seconds between two samples."""
HEALTHY = 10
"""Samples before the fault."""
LONG = 300
"""Samples in all."""


def rules(file: Path) -> dict[str, Rule]:
    """The alerts of a file, by name."""
    groups = yaml.safe_load(file.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def judge(file: Path, before: Metrics, during: Metrics, expected: dict[str, list[dict[str, str]]], home: Path) -> None:
    """Let promtool evaluate the alerts: silent while the values are those before, and these when the fault lasts.

    What is expected of each alert are its labels, once for each time that it fires.
    """
    known = rules(file)
    tests: list[dict[str, object]] = []
    for name, labels in expected.items():
        rule = known[name]
        alerts = [{"exp_labels": rule["labels"] | one, "exp_annotations": _rendered(rule, one)} for one in labels]
        minutes = HEALTHY + _minutes(rule.get("for", "0m")) + 5
        tests += [
            {"eval_time": f"{HEALTHY - 1}m", "alertname": name, "exp_alerts": []},
            {"eval_time": f"{minutes}m", "alertname": name, "exp_alerts": alerts},
        ]
    series = [
        {"series": f"{name}{{{_written(labels)}}}", "values": _values(name, before.samples, during.samples, labels)}
        for name, labels in sorted({*before.samples, *during.samples}, key=str)
    ]
    suite = {
        "rule_files": [str(file)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": tests}],
    }
    path = home / "alerts-test.yml"
    path.write_text(yaml.safe_dump(suite))
    done = promtool("test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def _minutes(written: str) -> int:
    return int(written[:-1]) * {"m": 1, "h": 60}[written[-1]]


def _rendered(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    def put(text: str) -> str:
        return re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)

    return {name: put(text) for name, text in rule["annotations"].items()}


def _written(labels: Labels) -> str:
    return ",".join(f"{name}={json.dumps(value)}" for name, value in sorted({**dict(labels), "job": "turnout"}.items()))


Samples = dict[tuple[str, Labels], float]


def _values(name: str, before: Samples, during: Samples, labels: Labels) -> str:
    """Write the values of a series: those before, then those of the fault; what is counted rises for five minutes.

    For promtool the first sample is at the beginning of time: so moments are told from then.
    """
    first, then = before.get((name, labels)), during.get((name, labels))
    if name.endswith("_timestamp_seconds"):
        now = time.time()
        first, then = (None if one is None else one - now for one in (first, then))
    if name.endswith(("_total", "_count", "_sum", "_bucket")):
        first = first or 0.0
        rise = ((then or first) - first) / 5
        return f"{first}+0x{HEALTHY - 1} {first + rise}+{rise}x4 {then or first}+0x{LONG}"
    parts = f"{first}+0x{HEALTHY - 1}" if first is not None else f"_x{HEALTHY}"
    return f"{parts} {f'{then}+0x{LONG}' if then is not None else 'stale'}"
