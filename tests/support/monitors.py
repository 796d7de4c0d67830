"""A monitor port for tests, in the test's process, talking real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests

from worker.local.services import free_port
from worker.monitor.readiness import Kind
from worker.monitor.start import open_port
from worker.settings import Settings


def asked(url: str, path: str, method: str = "GET") -> requests.Response:
    return requests.request(method, url + path, timeout=60)


@contextmanager
def open_monitor(settings: Settings, kind: Kind) -> Iterator[str]:
    """Open the port of a process of this kind until the block ends; give its address."""
    here = settings.model_copy(update={"monitor_port": free_port()})
    server = open_port(here, kind)
    assert server is not None
    try:
        yield f"http://127.0.0.1:{here.monitor_port}"
    finally:
        server.shutdown()
        server.server_close()
