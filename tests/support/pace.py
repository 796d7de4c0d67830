"""How long the tests take: which are slow, which worker runs which, and a budget (a pytest plugin)."""

import gc
import os
import random
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from operator import itemgetter
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from worker.garbage import collect_rarely

SERVED: Final = {"api", "browser", "console", "operator", "receiver", "sandbox", "sending", "viewer"}
"""Fixtures that start a server or a browser for each test."""
WHOLE_FILES: Final = {
    f"tests/test_{name}.py"
    for name in (
        "console_accessible",
        "console_browser",
        "console_story",
        "demo",
        "each_call",
        "first_minutes",
        "installed",
        "many_hosts",
        "previous_release",
        "proxy_examples",
        "reference",
        "restore",
        "site",
        "up",
    )
}
"""Files whose tests share what is dear to start: each file is one worker's."""
SLOW_FILES: Final = {
    f"test_{name}.py"
    for name in """
    alerts api_kill bench broker_outage bulk_locks celery_calls chaos concurrency console_accessible console_browser
    console_story database_outage demo each_call examples_data failover fairness fallback file_questions
    files_memory files_property first_minutes help house imports kills kills_bulk kubernetes logs lookups
    notify odd_messages openid_console outages outbox outgoing pooler previous_release probes producers proxy_examples
    purge restarts restore sandbox_command scenarios screenshots silent_drop site startup
    state_machine status terminal up watchdog zones
    """.split()  # noqa: SIM905 - a list would take a line for each
}
"""Files of tests that start processes, or repeat."""
SLOWEST: Final = 25
_BEGUN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--budget", type=float, metavar="SECONDS", help="list the slowest tests; say if all took longer")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BEGUN] = time.monotonic()
    gc.disable()  # what is collected stays to the end: to look through it again and again is a fifth of collecting


def pytest_collection_finish() -> None:
    """Let the garbage of tests be looked for among what tests make, and rarely."""
    gc.freeze()
    collect_rarely()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let each worker read the test modules in an order of its own.

    In a fresh clone all workers start at once, and none finds a module whose assertions are rewritten already. In one
    order, each would rewrite all of them; in different orders, each finds most of them done by the others.
    """
    report = yield
    if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and isinstance(collector, pytest.Directory):
        random.Random(worker).shuffle(report.result)
    return report


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.path.name in SLOW_FILES or SERVED & set(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.slow)


class Collection(list[str]):
    """The tests of a worker in their order, which knows where each is."""

    def __init__(self, tests: Iterable[str]) -> None:
        super().__init__(tests)
        self._places = {test: place for place, test in enumerate(self)}

    def index(self, test: str, *_: object) -> int:
        return self._places[test]


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Each test goes to the next worker that is free; of some files, all tests go to one.

    For each test that ends, the original goes through all that its worker was ever given, and then through all tests:
    of nine thousand that took a processor half a minute.
    """

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        super().add_node_collection(node, collection)
        self.registered_collections[node] = Collection(collection)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        test = self.registered_collections[node][item_index]
        given = self.assigned_work[node]
        scope = self._split_scope(test)
        if all(done for other, done in given[scope].items() if other != test):
            del given[scope]
            self._reschedule(node)
        else:
            super().mark_test_complete(node, item_index, duration)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in WHOLE_FILES else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what is slow run first, in one order for all workers: none has a long test left when the others are done."""
    items.sort(key=lambda item: (item.get_closest_marker("slow") is None, item.path.name not in SLOW_FILES, item.path))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    budget = config.getoption("--budget")
    if budget is None:
        return
    seconds: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid] += report.duration
    terminalreporter.section(f"the {SLOWEST} slowest tests")
    for test, took in sorted(seconds.items(), key=itemgetter(1), reverse=True)[:SLOWEST]:
        terminalreporter.write_line(f"{took:6.1f} s  {test}")
    took = time.monotonic() - config.stash[_BEGUN]
    said = f"All took {took:.0f} s; the budget for two quiet cores is {budget:.0f} s."
    if took > budget:
        terminalreporter.write_line(f"OVER BUDGET. {said} If this machine was quiet, make a test faster.", red=True)
    else:
        terminalreporter.write_line(said)
