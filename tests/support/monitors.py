"""A monitor port for tests, in the test's process, talking real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from worker.local.services import free_port
from worker.metrics import count
from worker.monitor.gathered import Gathered
from worker.monitor.readiness import ProcessKind
from worker.monitor.start import open_port
from worker.settings import Settings


def asked(url: str, path: str, method: str = "GET") -> requests.Response:
    return requests.request(method, url + path, timeout=60)


@contextmanager
def open_monitor(settings: Settings, kind: ProcessKind) -> Iterator[str]:
    """Open the port of a process of this kind until the block ends; give its address."""
    here = settings.model_copy(update={"monitor_port": free_port()})
    server = open_port(here, kind)
    assert server is not None
    try:
        yield f"http://127.0.0.1:{here.monitor_port}"
    finally:
        count.end()
        server.shutdown()
        server.server_close()


Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Metrics:
    """Samples by name and labels, as a monitor port gives them."""

    text: str
    samples: dict[tuple[str, Labels], float]

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.samples.get((name, frozenset(labels.items())))

    def of(self, name: str) -> dict[tuple[str, ...], float]:
        """Values by their labels' values, these in the order of the labels' names."""
        found = {labels: value for (one, labels), value in self.samples.items() if one == name}
        return {tuple(value for _, value in sorted(labels)): number for labels, number in found.items()}


def read_metrics(said: str) -> Metrics:
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(said)
        for sample in family.samples
    }
    return Metrics(said, samples)


def scrape(url: str) -> Metrics:
    answer = asked(url, "/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return read_metrics(answer.text)


def gathered(settings: Settings) -> Metrics:
    """What beat would say now."""
    registry = CollectorRegistry()
    registry.register(Gathered(settings))
    return read_metrics(generate_latest(registry).decode())
