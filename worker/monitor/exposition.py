"""What `/metrics` answers: what this process counts, what it says of itself, and in beat what it gathers."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

from worker.metrics import definitions as metrics
from worker.monitor.gathered import Gathered
from worker.monitor.readiness import ProcessKind
from worker.monitor.samples import Sample, families
from worker.settings import Settings
from worker.version import version

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class OfProcess(Collector):
    """What a process says of itself: which it is, and how much room its disks have."""

    def __init__(self, kind: ProcessKind, settings: Settings) -> None:
        self._kind = kind
        self._directories = {"data": settings.data_dir, "temporary": Path(tempfile.gettempdir())}

    def collect(self) -> Iterable[Metric]:
        """Say it as it is now."""
        samples = [Sample(metrics.BUILD_INFO, 1, (self._kind.value, version()))]
        for name, directory in self._directories.items():
            try:
                room = shutil.disk_usage(directory)
            except OSError:
                continue  # a process that keeps nothing has no such directory
            samples += [
                Sample(metrics.DISK_FREE, room.free, (name,)),
                Sample(metrics.DISK_SIZE, room.total, (name,)),
            ]
        return families(samples)


class Exposition:
    """The metrics of a process, as text."""

    def __init__(self, kind: ProcessKind, settings: Settings, counted: CollectorRegistry) -> None:
        """Take what kind of process it is, and the registry of what it counts."""
        self._counted = counted
        self._others = CollectorRegistry()
        collectors: list[Collector] = [
            OfProcess(kind, settings),
            *([Gathered(settings)] if kind is ProcessKind.BEAT else []),
        ]
        for collector in collectors:
            self._others.register(collector)
        ProcessCollector(registry=self._others)

    def text(self) -> bytes:
        """Write all of it."""
        return generate_latest(self._counted) + generate_latest(self._others)
