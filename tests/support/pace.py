"""How long the tests take: which are slow, which share what is dear to start, and a budget (a pytest plugin)."""

import time
from collections import defaultdict
from operator import itemgetter
from typing import Final

import pytest

SERVED: Final = {"api", "browser", "console", "operator", "viewer"}
"""Fixtures that start a web server or a browser for each test."""
SHARED: Final = {"browser", "printed", "site", "the_night", "up"}
"""Fixtures of a module that are dear: what uses one stays with one worker."""
SLOW_FILES: Final = {
    f"test_{name}.py"
    for name in (
        *("api_kill", "broker_outage", "bulk_locks", "concurrency", "console_accessible", "console_browser"),
        *("console_story", "demo", "fairness", "fallback", "files_memory", "first_minutes", "help", "kills"),
        *("kills_bulk", "lookups", "notify", "outages", "outbox", "outgoing", "producers", "purge", "restarts"),
        *("scenarios", "screenshots", "silent_drop", "site", "state_machine", "terminal", "up"),
    )
}
"""Files of tests that start processes, or repeat."""
SLOWEST: Final = 25
_BEGUN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--budget", type=float, metavar="SECONDS", help="list the slowest tests; say if all took longer")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BEGUN] = time.monotonic()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and let it run first: no worker has a long test left when the others are done."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.path.name in SLOW_FILES or fixtures & SERVED:
            item.add_marker(pytest.mark.slow)
        if fixtures & SHARED:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
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
