"""Each query of the dashboard asks for metrics that exist, by labels that they have: judged by promtool and code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.prometheus import promtool, rules
from worker.metrics.definitions import ALL, Definition, Type

ROOT = Path(__file__).parent.parent
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "turnout.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"], target["legendFormat"]) for panel in PANELS for target in panel["targets"]]
ALERTS = [(name, rule["expr"], "") for name, rule in rules(ROOT / "deploy" / "prometheus" / "alerts.yml").items()]
ADDED = {"instance", "job"}
"""Labels that Prometheus adds."""
OF_CLIENT = {"process_cpu_seconds_total", "process_resident_memory_bytes"}


def series() -> dict[str, set[str]]:
    """Each series by its name, with its labels."""
    found: dict[str, set[str]] = {name: set() for name in OF_CLIENT}
    for one in ALL:
        found |= {name: {*one.labels, *ADDED, *more} for name, more in _series_of(one)}
    return found


def _series_of(one: Definition) -> list[tuple[str, set[str]]]:
    if one.type is not Type.HISTOGRAM:
        return [(one.name, set())]
    return [(f"{one.name}_bucket", {"le"}), (f"{one.name}_sum", set()), (f"{one.name}_count", set())]


SERIES = series()


@pytest.mark.parametrize(("title", "query", "legend"), [*QUERIES, *ALERTS], ids=lambda one: str(one)[:60])
def test_a_query_asks_for_what_there_is(title: str, query: str, legend: str) -> None:
    names = set(re.findall(r"\b(?:turnout|process)_[a-z_]+\b", query))
    assert names, title
    assert names <= SERIES.keys()
    known = set.intersection(*(SERIES[name] | ADDED for name in names))
    for name, chosen in re.findall(r"([a-z_]+)\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)\s*(?:=~|!=|=)", chosen)) <= SERIES[name]
    for grouped in re.findall(r"by \(([^)]*)\)", query):
        assert {label.strip() for label in grouped.split(",")} <= known
    assert set(re.findall(r"{{(\w+)}}", legend)) <= known
    types = {one.name: one.type for one in ALL}
    for name in re.findall(r"(?:rate|increase)\(([a-z_]+)", query):
        assert name.endswith(("_total", "_bucket", "_sum", "_count")), "only what counts has a rate"
    for name in names:
        if types.get(name) is Type.COUNTER:
            assert re.search(rf"(?:rate|increase)\({name}\b", query), "what counts is read by its rate"


def test_every_query_is_promql(tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$account", ".*")}
        for number, (_, query, _) in enumerate(QUERIES)
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    done = promtool("check", "rules", str(tmp_path / "rules.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(QUERIES)} rules found" in done.stdout


def test_every_metric_is_on_the_dashboard_or_in_an_alert_or_is_only_for_a_closer_look() -> None:
    asked = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for _, query, _ in [*QUERIES, *ALERTS]
        for name in re.findall(r"\bturnout_[a-z_]+", query)
    }
    closer = {"scrape_errors_total", "scrape_duration_seconds", "backlog_batches", "backlog_is_cut"}
    closer |= {"permit_wait_seconds", "beat_ticking", "verbs_failing"}
    assert {one.name for one in ALL} - asked == {f"turnout_{name}" for name in closer}


def test_panels_do_not_overlap_and_have_names_of_their_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
