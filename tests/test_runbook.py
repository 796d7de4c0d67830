"""The run-book has an entry for each alert, and every command and metric in it exists."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import app
from tests.support.deployments import SERVICES, of_kind
from tests.support.prometheus import promtool, rules
from tests.support.units import PROCESSES, file_of, read_unit
from worker.metrics.definitions import ALL, Type
from worker.settings import Settings
from worker.task_names import DELIVERY_QUEUES, HOUSEKEEPING_QUEUES, WORKER_OPTIONS

ROOT = Path(__file__).parent.parent
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
RULES = rules(ALERTS)
PAGE = (ROOT / "docs" / "runbook.md").read_text()
_, *SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
ENTRIES = {section.partition("\n")[0]: section.partition("\n")[2] for section in SECTIONS}
COMMANDS = sorted(
    {
        *re.findall(r"^(turnout [^\n]+|celery [^\n]+)$", PAGE, re.MULTILINE),
        *re.findall(r"`(turnout(?: [^`]+))`", PAGE),
    }
)
SERIES = {
    name
    for one in ALL
    for name in (
        [one.name]
        if one.type is not Type.HISTOGRAM
        else [one.name, *(f"{one.name}_{part}" for part in ("bucket", "sum", "count"))]
    )
}


def test_each_alert_has_its_entry_and_each_entry_its_alert() -> None:
    assert list(ENTRIES) == list(RULES)


@pytest.mark.parametrize("alert", RULES)
def test_an_entry_says_what_it_means_what_to_look_at_and_what_to_type(alert: str) -> None:
    rule, entry = RULES[alert], ENTRIES[alert]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{alert.lower()}"
    titles = re.findall(r"^\*\*(.+?)\.\*\*", entry, re.MULTILINE)
    assert titles == ["What it means", "What to look at", "What to type"]
    assert f"**What it means.** ({rule['labels']['severity']})" in entry
    assert "```sh\n" in entry
    assert rule["labels"]["severity"] in {"page", "ticket"}


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 20


def option_names(command: Any) -> set[str]:
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_that_is_typed_exists_with_its_options(line: str) -> None:
    program, *words = shlex.split(line)
    if program == "celery":
        assert words[:2] == ["-A", "worker"]
        assert words[2] in {"worker", "beat"}
        if words[2] == "worker":
            assert words[3:-4] == [*WORKER_OPTIONS]
            assert words[-4] == "-Q"
            assert words[-3] in {DELIVERY_QUEUES, HOUSEKEEPING_QUEUES}
        return
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert command.name != "turnout", f"there is no command {line}"
    given = [word for word in words if word.startswith("--")]
    assert set(given) <= option_names(command)
    takes = [one for one in command.params if one.param_type_name == "argument"]
    values = [word for word, before in zip(words, ["", *words], strict=False) if not word.startswith("--")]
    flags = {name for one in command.params if getattr(one, "is_flag", False) for name in one.opts}
    arguments = len(values) - len([name for name in given if name not in flags])
    assert arguments <= len(takes), line


def test_where_a_process_is_started_by_hand_each_kind_of_installation_has_its_line() -> None:
    by_hand = [entry for entry in ENTRIES.values() if re.search(r"^celery ", entry, re.MULTILINE)]
    assert len(by_hand) >= 3
    for entry in by_hand:
        assert {"systemctl", "docker", "kubectl"} <= set(re.findall(r"^\w+", entry, re.MULTILINE))
    units = set(re.findall(r"\bturnout-\w+@\d+|\bturnout-beat(?= turnout|`|\n)", PAGE))
    assert len(units) >= 4
    assert all(file_of(f"{unit}.service").exists() for unit in units)
    composed = re.findall(r"docker compose (?:up|restart) ?((?:--\S+ )*)([^\n]*)", PAGE)
    assert {name for _, names in composed for name in re.sub(r"\S+=\S+", "", names).split()} <= SERVICES.keys()
    assert (
        set(re.findall(r"\b(turnout-(?:web|beat|delivery|housekeeping))(?![@\w])", PAGE))
        <= of_kind("Deployment").keys()
    )


def test_a_process_is_asked_at_the_port_of_its_unit() -> None:
    ports = {read_unit(unit).environment["TURNOUT_MONITOR_PORT"] for unit in PROCESSES.values()}
    assert set(re.findall(r"turnout health.* --port (\d+)", PAGE)) == ports


def test_each_metric_and_setting_that_is_named_exists() -> None:
    text = PAGE + ALERTS.read_text()
    assert set(re.findall(r"\bturnout_[a-z_]+", text)) <= SERIES
    settings = {f"TURNOUT_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"TURNOUT_[A-Z_]+", PAGE)) <= settings


def test_prometheus_takes_the_configuration() -> None:
    done = promtool("check", "config", str(ALERTS.parent / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout
