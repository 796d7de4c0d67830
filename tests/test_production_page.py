"""docs/production.md: every command, unit, file and port that it names is there."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.app import app
from tests.support.deployments import SERVICES, interpolated, of_kind
from tests.support.dockerfile import ROOT
from tests.support.documents import code, fences, text_of
from tests.support.installed import HOME, needed
from tests.support.prometheus import promtool, rules
from tests.support.units import FOLDER, PROCESSES, read_unit
from worker.setting_sources import OF_FILES
from worker.settings import Settings

PAGE = text_of("docs/production.md")
CODE = [
    re.sub(r"^(kubectl|rabbitmqctl)( .* --(?= )|.*)", "", " ".join(line.split()))
    for snippet in code(PAGE)
    for line in snippet.replace("\\\n", " ").splitlines()
]
"""Its lines, without other programs, which name what is called `turnout` too."""
COMMANDS = sorted({found for line in CODE for found in re.findall(r"(?:^|[ /(!])turnout ((?:[a-z-]+ ?)+)", line)})


@pytest.mark.parametrize("said", COMMANDS)
def test_each_command_exists(said: str) -> None:
    command: Any = get_command(app)
    words = said.split()
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        assert words[0] in command.commands, f"turnout {said}"
        command = command.commands[words.pop(0)]


def test_enough_is_looked_at() -> None:
    assert len(COMMANDS) >= 12


def test_each_setting_exists_and_each_secret_can_be_a_file() -> None:
    named = set(re.findall(r"TURNOUT_[A-Z_]+[A-Z]", PAGE)) - {"TURNOUT_KEY"}
    files = {f"TURNOUT_{name.upper()}_FILE" for name in OF_FILES}
    assert named <= {f"TURNOUT_{name.upper()}" for name in Settings.model_fields} | files
    assert files <= named


def test_each_unit_and_its_port_exists() -> None:
    units = set(re.findall(r"\bturnout-(?:beat|web@\d+|delivery@\d|housekeeping@\d)\b", PAGE))
    assert units >= {"turnout-beat", "turnout-web@8800", "turnout-web@8801", "turnout-delivery@2"}
    for unit in units:
        assert read_unit(f"{unit}.service").command
    said = re.search(
        r"`turnout-web@8800` (\d+) \(.*?\), beat (\d+), `turnout-delivery@N` (\d+)N, `turnout-housekeeping@N` (\d+)N",
        PAGE,
    )
    assert said
    ports = {name: read_unit(unit).environment["TURNOUT_MONITOR_PORT"] for name, unit in PROCESSES.items()}
    instances = [ports[name].removesuffix("1") for name in ("delivery", "housekeeping")]
    assert list(said.groups()) == [ports["web"], ports["beat"], *instances]
    scraped = next(block for block in fences("docs/production.md", "text") if "scrape_configs" in block)
    assert sorted(re.findall(r"127\.0\.0\.1:(\d+)", scraped)) == sorted(ports.values())
    assert (FOLDER / "turnout.target").exists()


def test_what_kubernetes_and_compose_are_told_exists() -> None:
    assert set(re.findall(r"deployment/([\w-]+)", PAGE)) <= of_kind("Deployment").keys()
    assert set(re.findall(r"job/([\w-]+)", PAGE)) <= of_kind("Job").keys()
    assert set(re.findall(r"docker compose exec (\w+)", PAGE)) <= SERVICES.keys()
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", ())}
    assert set(re.findall(r"--profile (\w+)", PAGE)) <= profiles
    assert set(re.findall(r"--from-file=([\w-]+)", PAGE)) == set(
        re.findall(r"--from-file=([\w-]+)", (ROOT / "deploy/kubernetes/base/settings.yaml").read_text())
    )
    assert f"--tag {interpolated(SERVICES['web']['image'], {})} " in PAGE


def test_with_systemd_each_version_has_its_folder_and_the_link_is_set_between_tables_and_restarts() -> None:
    first = next(block for block in fences("docs/production.md", "sh") if "make wheel" in block)
    folder = f"/opt/turnout-{tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['version']}"
    assert f"python3 -m venv {folder}\n" in first
    assert f"ln -sfnT {folder} {HOME}\n" in first
    later = next(block for block in fences("docs/production.md", "text") if "turnout db upgrade" in block)
    (new,) = set(re.findall(r"/opt/turnout-[\d.]+\d", later))
    units = ["cp -r deploy/systemd/. ", "systemctl daemon-reload"]
    steps = [
        f"{new}/bin/turnout db upgrade",
        f"ln -sfnT {new} {HOME}",
        *units,
        "restart 'turnout-delivery@*'",
        "turnout-web",
    ]
    assert [later.index(step) for step in steps] == sorted(later.index(step) for step in steps)
    for page in (PAGE, text_of("docs/upgrading.md"), text_of("docs/tracing.md")):
        assert "/opt/turnout-" in page
        assert f"{HOME}/bin/python -m pip" not in page, "files of a process that runs would be replaced"


def test_with_compose_the_new_image_is_made_then_the_tables_then_the_workers_then_the_rest() -> None:
    (lines,) = [block.splitlines() for block in fences("docs/upgrading.md", "text") if "docker compose" in block]
    built, tables, *started = lines
    new = re.fullmatch(r"docker build --tag turnout:(\S+) --build-arg REVISION=\S+ rev-parse HEAD\) \.", built)
    assert new
    assert interpolated(SERVICES["web"]["image"], {"IMAGE_TAG": new[1]}) == f"turnout:{new[1]}"
    assert tables == "docker compose run --rm migrate"
    processes = [line.removeprefix("docker compose up --detach --no-deps ").split() for line in started]
    assert processes == [["delivery", "housekeeping"], ["beat", "web"]]
    assert {name for names in processes for name in names} | {"migrate"} <= SERVICES.keys()


def test_the_second_web_process_is_restarted_when_the_first_is_ready() -> None:
    (lines,) = [block for block in fences("docs/production.md", "text") if block.startswith("until ")]
    port = read_unit(PROCESSES["web"]).command[-1]  # its monitor port may say so before this one is open
    assert lines.splitlines() == [
        f"until {HOME}/bin/turnout health --ready --port {port}; do sleep 1; done",
        "systemctl restart turnout-web@8801",
    ]


def test_every_instance_that_the_page_allows_has_ports_of_its_own() -> None:
    said = re.search(r"N is (\d) to (\d), and the port of a web process (.+?) to (\d+);", PAGE.replace("\n", " "))
    assert said
    single = [int(port) for port in re.findall(r"\d+", said[3])]
    web = [*single, *range(single[-1] + 1, int(said[4]) + 1)]
    workers = range(int(said[1]), int(said[2]) + 1)
    names = ["turnout-beat", *(f"turnout-web@{port}" for port in web)]
    names += [f"turnout-{kind}@{number}" for kind in ("delivery", "housekeeping") for number in workers]
    monitored = [int(read_unit(f"{name}.service").environment["TURNOUT_MONITOR_PORT"]) for name in names]
    assert len({*monitored, *web}) == len(monitored) + len(web)
    assert max(monitored) < 2**16
    assert len(web) >= 5


def test_the_units_are_put_where_one_can_be_masked_and_the_target_enabled(tmp_path: Path) -> None:
    """As on a machine without beat; systemd masks no unit whose file is in /etc."""
    first, later = (block for block in fences("docs/production.md", "text") if "cp -r deploy/systemd/." in block)
    (folder,) = set(re.findall(r"cp -r deploy/systemd/\. (\S+)", first + later))
    shutil.copytree(FOLDER, tmp_path / folder.removeprefix("/"))
    for words in ("mask turnout-beat", "enable turnout.target turnout-audit.timer turnout-delivery@2"):
        subprocess.run([needed("systemctl"), f"--root={tmp_path}", *words.split()], check=True)
    made = {str(path.relative_to(tmp_path)): path.readlink() for path in tmp_path.rglob("*") if path.is_symlink()}
    assert made.pop("etc/systemd/system/turnout-beat.service") == Path("/dev/null")
    assert {name.removeprefix("etc/systemd/system/") for name in made} == {
        "multi-user.target.wants/turnout.target",
        "timers.target.wants/turnout-audit.timer",
        "turnout.target.wants/turnout-delivery@2.service",
    }


def test_prometheus_is_given_the_rules_by_the_name_that_it_looks_for(tmp_path: Path) -> None:
    (text,) = [block for block in fences("docs/production.md", "text") if "scrape_configs" in block]
    copied = re.search(r"`cp (deploy/prometheus/\S+) /etc/prometheus/(\S+)`", PAGE)
    assert copied
    shutil.copy(ROOT / copied[1], tmp_path / copied[2])
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus", str(tmp_path)))
    done = promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules(ROOT / copied[1]))} rules found" in done.stdout


def test_a_stop_takes_as_long_as_the_page_says() -> None:
    (grace,) = {read_unit(unit).grace for unit in PROCESSES.values()}
    assert f"({grace} seconds)" in PAGE
