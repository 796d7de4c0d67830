"""Numbers of a process that forks: prometheus-client keeps them in files, one set for each child, and adds them up.

A child that was killed leaves its files: so no sum ever goes down. The parent adds those of dead children to one set,
so that they do not become many. The directory is of one start of one parent, and is removed with it.
"""

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import psutil
from prometheus_client import CollectorRegistry, Metric, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

PREFIX: Final = "turnout-metrics-"
VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
DEAD: Final = "dead"
"""Stands in a file's name where others have the process id: what all dead children counted."""


def make_directory() -> Path:
    """Make a directory for this start, which ends with this process; remove those that killed parents left."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        pid = left.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    atexit.register(_remove, directory, os.getpid())
    return directory


def _remove(directory: Path, owner: int) -> None:
    if os.getpid() == owner:  # a child that ends has the same list of what is done at its end
        shutil.rmtree(directory, ignore_errors=True)


def prepare(directory: Path) -> None:
    """Have metrics that are made from now on kept there."""
    os.environ[VARIABLE] = str(directory)
    values.ValueClass = values.MultiProcessValue()


class ChildrenCollector(Collector):
    """Adds up what this process and its children, living and dead, have counted."""

    def __init__(self, directory: Path) -> None:
        """Take the directory of this start."""
        self._directory = directory
        self._lock = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        """Give the sums."""
        with self._lock:
            self._add_up_dead()
            collected: Iterable[Metric] = MultiProcessCollector(None, str(self._directory)).collect()
            return list(collected)

    def _add_up_dead(self) -> None:
        for file in self._directory.glob("*_*.db"):
            kind, _, pid = file.stem.rpartition("_")
            if not pid.isdecimal() or psutil.pid_exists(int(pid)):
                continue
            sums = MmapedDict(str(self._directory / f"{kind}_{DEAD}.db"))
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
                sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
            sums.close()
            file.unlink()


def registry_of(directory: Path) -> CollectorRegistry:
    """Give a registry of what all of them have counted."""
    registry = CollectorRegistry()
    registry.register(ChildrenCollector(directory))
    return registry
