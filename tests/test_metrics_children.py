"""A worker that forks answers for its children, and no number goes down while its parent lives."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
import requests

from tests.support.monitors import scrape
from tests.support.worker_processes import PATIENCE, environment, until
from worker.celery import HOUSEKEEPING_QUEUES, SWEEP, app
from worker.local.services import free_port
from worker.metrics import children
from worker.settings import Settings

TASKS = "turnout_tasks_total"


@pytest.fixture
def forking(settings: Settings, tmp_path: Path) -> Iterator[tuple[psutil.Process, str]]:
    """A housekeeping worker with two children, and where it is scraped."""
    port = free_port()
    here = settings.model_copy(update={"monitor_port": port})
    here.model_fields_set.add("monitor_port")
    command = [sys.executable, "-m", "celery", "-A", "worker", "worker", "--pool=prefork", "--concurrency=2"]
    with (tmp_path / "log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle", "-Q", HOUSEKEEPING_QUEUES, "-n", f"forks-{port}@%h"],
            cwd=tmp_path,
            env=environment(here) | {"TMPDIR": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield psutil.Process(process.pid), f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0, (tmp_path / "log").read_text()[-3_000:]
    assert list(tmp_path.glob(f"{children.PREFIX}*")) == []


def ticks(number: int) -> None:
    for _ in range(number):
        app.send_task(SWEEP)


def has_others(parent: psutil.Process, before: set[int]) -> bool:
    """Say whether two children have taken the place of those before."""
    now = {child.pid for child in parent.children()}
    return len(now) >= len(before) and not now & before


def test_what_killed_children_counted_stays_and_their_files_do_not_become_many(
    forking: tuple[psutil.Process, str], tmp_path: Path
) -> None:
    parent, url = forking
    seen: list[float] = []

    def has_worked(number: int) -> bool:
        try:
            found = scrape(url)(TASKS, task=SWEEP, result="succeeded") or 0.0
        except requests.ConnectionError:
            return False  # it starts
        assert found >= max(seen, default=0.0), "a counter went down"
        seen.append(found)
        return found >= number

    def log() -> str:
        return (tmp_path / "log").read_text()[-2_000:]

    for round_ in range(1, 4):
        ticks(10)
        until(partial(has_worked, 10 * round_ - 2), PATIENCE, log)
        before = {child.pid for child in parent.children()}
        for child in parent.children():
            child.kill()
        until(partial(has_others, parent, before), PATIENCE, log)
    ticks(4)
    until(lambda: has_worked(30), PATIENCE, log)
    (directory,) = tmp_path.glob(f"{children.PREFIX}*")
    alive = {str(one.pid) for one in [parent, *parent.children()]} | {children.DEAD}

    def has_no_other_files() -> bool:
        scrape(url)
        return {file.stem.rpartition("_")[2] for file in directory.glob("*.db")} <= alive

    until(has_no_other_files, PATIENCE, "files of dead children are left")
    assert has_worked(30)
    build = scrape(url).of("turnout_build_info")
    assert len(build) == 1
