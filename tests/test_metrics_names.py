"""The names, labels and values of all metrics: as Prometheus has them, bounded, written down, and of no person."""

import re

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from hubspot_api import answer
from models.words import AttemptKind, Door, Origin, Outcome
from tasks.deliver import deliver
from tests.support.api import BY_EMAIL, key_for, running_server
from tests.support.contexts import open_context
from tests.support.fixtures import Submit, Turnout
from tests.support.ledger import message
from tests.support.monitors import asked, open_monitor
from tests.support.prometheus import promtool
from tests.support.sandbox_server import RunningSandbox
from worker import failures, heartbeat
from worker.delivery.call import word
from worker.metrics.counted import Counted
from worker.metrics.definitions import ALL, COUNTED, GATHERED, LABELS, OF_PROCESS, Definition, Type
from worker.monitor.gather_database import STANDINGS, STATES
from worker.monitor.gathered import LABELS as SERVICES
from worker.monitor.readiness import ProcessKind
from worker.queries.backlog import WaitsBecause
from worker.settings import Settings
from worker.task_names import JOB, PURGE, TASKS
from worker.version import version

ANSWERS = [answer.Settled, answer.RefusedWhole, answer.NotFound, answer.Limited, answer.PortalUnavailable]
ANSWERS += [answer.Unauthorized, answer.Ambiguous]
VALUES: dict[str, set[str]] = {
    "account": {"default"},
    "answer": {word(object.__new__(kind)) for kind in ANSWERS} | {"page"},
    "directory": {"data", "temporary"},
    "door": set(Door),
    "kind": set(AttemptKind),
    "method": {"GET", "POST", "other"},
    "origin": set(Origin),
    "outcome": set(Outcome),
    "process": set(ProcessKind),
    "queue": set(TASKS),
    "reason": set(WaitsBecause),
    "result": {
        *("accepted", "duplicate", "refused", "granted", "wait", "spent", "unavailable"),
        *("taken", "unanswered", "succeeded", "outage", "failed"),
    },
    "route": {"other", "/", "/sign-in"},
    "service": set(SERVICES.values()),
    "standing": set(STANDINGS),
    "state": set(STATES),
    "status": {"200", "303", "401", "404"},
    "task": {*TASKS, JOB, PURGE},
    "verb": set(failures.Verb),
    "version": {version()},
}
"""Each value that a label has in what these tests do; none of them comes from a record."""


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_a_name_follows_the_conventions(one: Definition) -> None:
    assert re.fullmatch(r"turnout(_[a-z]+)+", one.name)
    assert one.name.endswith("_total") == (one.type is Type.COUNTER)
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|mb|percent|count|sum|bucket)(_|$)", one.name)
    if one.type is Type.HISTOGRAM:
        assert one.name.endswith("_duration_seconds") or one.name.endswith("_wait_seconds")
        assert list(one.buckets) == sorted(set(one.buckets))
    assert one.about.endswith(".")
    assert set(one.labels) <= LABELS.keys()
    assert not {"le", "quantile", "job", "instance", "pid"} & set(one.labels)


def test_each_metric_is_defined_once_and_each_label_is_used() -> None:
    assert len({one.name for one in ALL}) == len(ALL)
    assert {label for one in ALL for label in one.labels} == LABELS.keys() == VALUES.keys()


def test_what_a_process_counts_is_what_is_defined() -> None:
    made = {family.name for family in Counted().registry.collect()}
    assert made == {one.name.removesuffix("_total") for one in COUNTED}


@pytest.fixture
def everything(settings: Settings, submit: Submit, sandbox: RunningSandbox, turnout: Turnout) -> dict[ProcessKind, str]:
    """What each kind of process tells after a day with people, refusals, rejections, webhooks and an audit."""
    said = {}
    with open_context(settings, hubspot_url=sandbox.url) as context:
        with open_monitor(settings, ProcessKind.SERVE) as monitor:
            key = key_for(context, "shop")
            with running_server(context) as url:
                body = {"inputs": [{"email": "ada@example.com", "interactionDateTime": 1_767_225_600_000}]}
                for header in (f"Bearer {key}", "Bearer wrong"):
                    requests.post(url + BY_EMAIL, json=body, headers={"Authorization": header}, timeout=60)
                requests.get(f"{url}/person/ada@example.com", timeout=60)
            said[ProcessKind.SERVE] = asked(monitor, "/metrics").text
        with open_monitor(settings, ProcessKind.WORKER) as monitor:
            sandbox.fault(match="bob@example.com", status=400)
            submit(message("ada@example.com", "bob@example.com", "not an address"), b"no message")
            deliver(context, "default", lambda *_, **__: 0)
            said[ProcessKind.WORKER] = asked(monitor, "/metrics").text
        heartbeat.note(context, heartbeat.started_with(settings, ["attendance.deliver", "another queue"]))
        failures.note(context, failures.Verb.DELIVERY, ValueError("ada@example.com"), "default")
        turnout("audit")
        submit(message("eve@example.com"))
    with open_monitor(settings, ProcessKind.BEAT) as monitor:
        said[ProcessKind.BEAT] = asked(monitor, "/metrics").text
    return said


def test_every_metric_is_told_by_its_process_and_names_no_person(everything: dict[ProcessKind, str]) -> None:
    told = set()
    for kind, said in everything.items():
        done = promtool("check", "metrics", stdin=said)
        assert done.returncode == 0, done.stdout + done.stderr
        for family in text_string_to_metric_families(said):
            if not family.name.startswith("turnout_"):
                assert family.name.startswith("process_")
                continue
            for sample in family.samples:
                for label, value in sample.labels.items():
                    assert label == "le" or value in VALUES[label] or (label == "route" and "{" in value), sample
                told.add((kind, family.name))
        for private in ("@", "example", "ada", "bob", "test-token", "shop", "Bearer"):
            assert private not in said
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{24}", said)
    names = {one.name.removesuffix("_total") for one in ALL}
    assert {name for _, name in told} <= names
    by_beat = {name for kind, name in told if kind is ProcessKind.BEAT}
    expected = {one.name.removesuffix("_total") for one in (*GATHERED, *OF_PROCESS)}
    assert expected - by_beat == {"turnout_redis_memory_limit_bytes", "turnout_sweep_lag_seconds"}  # none here
    for kind in (ProcessKind.WORKER, ProcessKind.SERVE):
        assert not {name for one, name in told if one is kind} & {one.name for one in GATHERED}
