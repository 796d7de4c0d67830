"""The systemd units: systemd can read them, and they say what Compose and the code say."""

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.deployments import SERVICES, interpolated, seconds
from tests.support.installed import needed
from tests.support.units import FOLDER, PROCESSES, file_of, read_unit
from worker.settings import Settings

UNITS = [*PROCESSES.values(), "turnout-audit.service"]
MOST_EXPOSED = 2.0
"""What `systemd-analyze security` may give at most, of 10."""


def analyze(*words: str, units: Path) -> subprocess.CompletedProcess[str]:
    command = [needed("systemd-analyze"), *words]
    path = f"{units}:/usr/lib/systemd/system"
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"SYSTEMD_UNIT_PATH": path, "PATH": "/usr/bin"}
    )


def test_systemd_reads_every_unit_without_a_word(tmp_path: Path) -> None:
    units, programs = tmp_path / "units", tmp_path / "bin"
    programs.mkdir()
    for program in ("turnout", "celery"):
        (programs / program).write_text("#!/bin/sh\n")
        (programs / program).chmod(0o755)
    for path in FOLDER.rglob("*.*"):
        if path.is_file():
            (units / path.relative_to(FOLDER)).parent.mkdir(parents=True, exist_ok=True)
            (units / path.relative_to(FOLDER)).write_text(path.read_text().replace("/opt/turnout/bin", str(programs)))
    said = analyze("verify", "--man=no", "turnout.target", "turnout-audit.timer", *UNITS, units=units)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


@pytest.mark.parametrize("name", UNITS)
def test_a_process_may_do_little_on_its_machine(name: str) -> None:
    said = analyze("security", "--offline=yes", "--no-pager", name, units=FOLDER)
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
    assert float(exposure) <= MOST_EXPOSED, said.stdout


@pytest.mark.parametrize("name", PROCESSES)
def test_each_starts_what_compose_starts(name: str) -> None:
    command = read_unit(PROCESSES[name]).command
    assert command[0].startswith("/opt/turnout/bin/")
    # Behind a proxy on the same machine; an instance of a worker has its number in its name.
    said = [word.replace("127.0.0.1", "0.0.0.0").replace("1@%h", "@%h") for word in command]
    assert [Path(said[0]).name, *said[1:]] == SERVICES[name]["command"]


def test_the_books_are_recounted_every_night() -> None:
    assert read_unit("turnout-audit.service").command == ["/opt/turnout/bin/turnout", "audit"]
    assert "OnCalendar=*-*-* 03:30" in (FOLDER / "turnout-audit.timer").read_text()


def test_instances_of_one_machine_have_names_and_ports_of_their_own() -> None:
    others = ("turnout-delivery@2.service", "turnout-housekeeping@9.service", "turnout-web@8801.service")
    units = [read_unit(name) for name in (*PROCESSES.values(), *others)]
    ports = [unit.environment["TURNOUT_MONITOR_PORT"] for unit in units]
    assert len(set(ports)) == len(units)
    assert not {"8800", "8801"} & set(ports)
    assert units[-1].command[-1] == "8801"
    names = [dict(pairwise(unit.command)).get("-n") for unit in units]
    assert {"delivery1@%h", "delivery2@%h", "housekeeping9@%h"} < set(names)


def test_a_stop_leaves_time_for_a_post_that_is_under_way() -> None:
    for name, file in PROCESSES.items():
        unit = read_unit(file)
        assert unit.grace >= Settings.model_fields["timeout"].default + 10
        assert unit.of("Restart") == "always"
        composed = SERVICES[name].get("stop_grace_period")
        assert composed is None or seconds(interpolated(composed, {})) == unit.grace


def test_the_target_wants_every_process_and_each_belongs_to_it() -> None:
    wanted = re.findall(r"^Wants=(.*)$", (FOLDER / "turnout.target").read_text(), re.MULTILINE)
    assert wanted == [" ".join(PROCESSES[name] for name in ("web", "delivery", "housekeeping", "beat"))]
    for name in PROCESSES.values():
        text = file_of(name).read_text()
        assert "PartOf=turnout.target" in text
        assert "WantedBy=turnout.target" in text


def test_what_it_sets_is_a_setting() -> None:
    known = {f"TURNOUT_{name.upper()}" for name in Settings.model_fields} | {
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
    }
    for name in UNITS:
        assert set(read_unit(name).environment) <= known
