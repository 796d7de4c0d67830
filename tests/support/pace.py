"""How long the tests take: which are slow, which worker runs which, and a budget (a pytest plugin)."""

import time
from collections import defaultdict
from operator import itemgetter
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

SERVED: Final = {"api", "browser", "console", "operator", "viewer"}
"""Fixtures that start a web server or a browser for each test."""
WHOLE_FILES: Final = {
    f"tests/test_{name}.py"
    for name in (
        "console_accessible",
        "console_browser",
        "console_story",
        "demo",
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
    api_kill broker_outage bulk_locks celery_calls chaos concurrency console_accessible console_browser console_story
    demo each_call failover fairness fallback files_memory first_minutes help kills kills_bulk logs lookups
    notify odd_messages openid_console outages outbox outgoing pooler producers proxy_examples purge
    restarts scenarios screenshots silent_drop site startup state_machine status terminal up
    """.split()  # noqa: SIM905 - a list would take a line for each
}
"""Files of tests that start processes, or repeat."""
SLOWEST: Final = 25
_BEGUN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--budget", type=float, metavar="SECONDS", help="list the slowest tests; say if all took longer")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BEGUN] = time.monotonic()


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.path.name in SLOW_FILES or SERVED & set(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.slow)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Each test goes to the next worker that is free; of some files, all tests go to one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in WHOLE_FILES else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what is slow run first: no worker has a long test left when the others are done."""
    items.sort(key=lambda item: item.path.name not in SLOW_FILES)


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
