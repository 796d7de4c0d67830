"""A HubSpot that records each request as it came over the socket, and takes everything."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Recorder(socketserver.ThreadingTCPServer):
    """Answers every write by naming its contacts (unless `silent`), every read by `page`, then by a last one."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.lines: list[str] = []
        """Request lines, byte for byte, without the version."""
        self.silent = False
        self.page: dict[str, Any] = {"results": [], "total": 0}
        super().__init__(("127.0.0.1", 0), _Connection)
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def taken(self) -> list[str]:
        """Give what has come since the last time."""
        lines, self.lines = self.lines, []
        return lines

    def answer(self, line: str, body: bytes) -> dict[str, Any]:
        if "/oauth/" in line:
            return {"access_token": "access-1", "expires_in": 1800}
        if line.startswith("GET"):
            return {name: value for name, value in self.page.items() if name != "paging" or "after=" not in line}
        inputs = json.loads(body).get("inputs", [])
        named = [{name: one[name] for name in ("email", "vid") if name in one} for one in inputs]
        return {"status": "COMPLETE", "results": [] if self.silent else named}


class _Connection(socketserver.StreamRequestHandler):
    server: Recorder

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline()).strip():
                name, _, value = header.decode("latin-1").partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            body = self.rfile.read(length)
            said, _, version = line.rstrip(b"\r\n").rpartition(b" ")
            assert version == b"HTTP/1.1", line
            self.server.lines.append(said.decode("latin-1"))
            answer = json.dumps(self.server.answer(self.server.lines[-1], body)).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
            self.wfile.write(head.encode() + answer)


@contextmanager
def recording() -> Iterator[Recorder]:
    with Recorder() as recorder:
        thread = threading.Thread(target=recorder.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield recorder
        finally:
            recorder.shutdown()
            thread.join()
