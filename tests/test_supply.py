"""What is installed is pinned by hash from nowhere in particular, and what is not checked is not called clean."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PINS = [*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "bench/requirements.txt"]
PIN = re.compile(r"([a-z0-9.-]+)==([\w.+!]+)(?: ; [^@]+?)?((?: --hash=sha256:[0-9a-f]{64})+)")


def pins(path: Path) -> dict[str, str]:
    lines = path.read_text().replace("\\\n", " ").splitlines()
    found = {}
    for line in (" ".join(line.split()) for line in lines if not line.lstrip().startswith("#")):
        pin = PIN.fullmatch(line)
        assert pin, f"{path.name}: no pin with hashes, or one from a URL: {line[:200]}"
        found[pin[1]] = pin[2]
    return found


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_every_requirement_is_a_version_with_hashes_and_no_address(path: Path) -> None:
    assert len(pins(path)) > (0 if path.name == "build.txt" else 40)
    assert "://" not in path.read_text()


def test_the_tests_run_on_what_production_installs() -> None:
    base, reports, dev = (pins(ROOT / f"requirements/{name}.txt") for name in ("base", "reports", "dev"))
    assert base.items() < reports.items() < dev.items()


def test_traces_and_error_reports_are_pinned_for_production() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {re.split("[><=]", one)[0] for extra in ("tracing", "sentry") for one in extras[extra]}
    assert wanted <= pins(ROOT / "requirements/reports.txt").keys()


CLEAN = {"name": "celery", "version": "5.7.0", "vulns": []}
KNOWN = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "CVE-2099-1", "fix_versions": ["3.1.1"]}]}
OPEN = {"name": "kombu", "version": "5.0", "vulns": [{"id": "CVE-2099-2", "fix_versions": []}]}
SKIPPED = {"name": "amqp", "skip_reason": "Dependency not found and could not be audited: amqp (5.4.2)"}
ANSWERS: list[tuple[Any, int, str]] = [
    ({"dependencies": [CLEAN, CLEAN]}, 0, "none is known of 2 pinned packages"),
    ({"dependencies": [CLEAN, KNOWN]}, 1, "jinja2 3.1.0 has CVE-2099-1, fixed in 3.1.1"),
    ({"dependencies": [OPEN, SKIPPED]}, 1, "kombu 5.0 has CVE-2099-2, fixed in no version yet"),
    ({"dependencies": [CLEAN, SKIPPED]}, 3, "NOT CHECKED, which is no all-clear: the service does not know 1 of 2"),
    ({"dependencies": []}, 3, "NOT CHECKED"),
    ("", 3, "NOT CHECKED, which is no all-clear: the advisory service was not reached (ConnectionError)"),
    ("[]", 3, "NOT CHECKED"),
]


@pytest.mark.parametrize(("answer", "status", "told"), ANSWERS, ids=[told[:40] for *_, told in ANSWERS])
def test_what_the_advisory_service_does_not_say_is_not_called_clean(
    answer: object, status: int, told: str, tmp_path: Path
) -> None:
    said = answer if isinstance(answer, str) else json.dumps(answer)
    asked = tmp_path / "pip-audit"
    asked.write_text(
        f"#!{sys.executable}\nimport sys\nprint({said!r})\n"
        "print('requests.exceptions.ConnectionError: no such host', file=sys.stderr)\nsys.exit(1)\n"
    )
    asked.chmod(0o755)
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "advisories.py", asked, "pins.txt"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, told in done.stdout) == (status, True), done.stdout + done.stderr
