"""`turnout sandbox` as a process, and what the sandbox imports."""

import ast
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.sandbox_calls import by_email, post
from tests.support.sandbox_server import RunningSandbox, running_sandbox

SANDBOX = Path(__file__).parent.parent / "sandbox"
RUN = "import typer; from cli.sandbox import sandbox; typer.run(sandbox)"


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_time_zone_that_may_be_another_is_asked_back() -> None:
    with command("--time-zone", "EST") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "EST is an abbreviation" in said


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_listens_and_stops_cleanly(stop: signal.Signals) -> None:
    with command("--port", "0", "--burst-limit", "1", "--token", "pat-1", "--token", "pat-2") as process:
        assert process.stdout
        line = process.stdout.readline()
        ready = re.fullmatch(r"sandbox ready on (http://127\.0\.0\.1:\d+)\n", line)
        assert ready, line
        sandbox = RunningSandbox(ready[1])
        statuses = [
            post(sandbox, by_email(), token=token).status_code for token in ("pat-1", "pat-1", "pat-2", "pat-3")
        ]
        assert statuses == [200, 429, 200, 401]
        process.send_signal(stop)
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 0


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with command("--port", port) as process:
            _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.startswith(f"sandbox: cannot listen on 127.0.0.1:{port}:")
    assert said.count("\n") == 1


def test_the_sandbox_imports_nothing_of_ours() -> None:
    imported = set()
    for path in SANDBOX.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                imported.add((node.module or "").partition(".")[0])
    assert imported - sys.stdlib_module_names == {"sandbox", "orjson", "starlette", "uvicorn"}


def test_an_answer_does_not_wait_for_a_delayed_acknowledgement() -> None:
    """The system holds small packets back until the last one is acknowledged, unless a connection says not to."""
    with running_sandbox() as sandbox:
        address = ("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=60) as client:
            client.sendall(b"GET /_sandbox/stats HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
            here = psutil.Process().net_connections("tcp4")  # the server is in this process too
            (its_end,) = (one.fd for one in here if tuple(one.raddr) == client.getsockname())
            with socket.socket(fileno=os.dup(its_end)) as connection:
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
