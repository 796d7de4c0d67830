"""RabbitMQ on this machine's standard port, for tests: behind a proxy that can be cut, each with a host of its own."""

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.support.proxy import Proxy


def missing(what: str) -> None:
    """Say that this machine cannot show a test; where nothing may be left unshown, fail."""
    said = f"NOT SHOWN: {what}; start one and run this again"
    if "CI" in os.environ:
        pytest.fail(said)
    pytest.skip(said)


@pytest.fixture
def rabbitmq() -> Iterator[Proxy]:
    """RabbitMQ on its standard port, behind a proxy of ours."""
    try:
        socket.create_connection(("127.0.0.1", 5672), 2).close()
    except OSError:
        missing("no RabbitMQ listens on 127.0.0.1:5672, guest/guest")
    proxy = Proxy(5672)
    yield proxy
    proxy.cut()


def rabbitmqctl(*words: str) -> str:
    if shutil.which("rabbitmqctl") is None:
        missing("no rabbitmqctl beside RabbitMQ on 127.0.0.1:5672")
    command = ["rabbitmqctl", "--quiet", *words]
    return subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE, text=True).stdout


def held_in(queue: str, host: str) -> int:
    """Count what a queue of a virtual host holds: what waits, and what a consumer has not acknowledged yet."""
    rows = rabbitmqctl("-p", host, "list_queues", "--no-table-headers", "name", "messages").splitlines()
    return sum(int(number) for name, number in (row.split("\t") for row in rows) if name == queue)


@pytest.fixture
def virtual_host() -> Iterator[Callable[..., str]]:
    """Make virtual hosts, each deleted afterwards."""
    names = []

    def made(*options: str) -> str:
        names.append(f"turnout-{uuid.uuid4().hex}")
        rabbitmqctl("add_vhost", names[-1], *options)
        rabbitmqctl("set_permissions", "-p", names[-1], "guest", ".*", ".*", ".*")
        return names[-1]

    yield made
    for name in names:
        rabbitmqctl("delete_vhost", name)
