"""The monitor port: a small HTTP server in a thread of the process, for probes and for Prometheus."""

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket
from typing import Any, Final

from worker.log import get_logger
from worker.version import version

log = get_logger(__name__)

MonitorAnswer = tuple[int, str, bytes]
"""Status, content type and body."""
JSON: Final = "application/json"
MOST: Final = 16
"""Connections at once; others are closed at once."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of the known paths; of a request it reads nothing else."""

    timeout = 10  # seconds for a request's head, and between two reads of the answer
    protocol_version = "HTTP/1.0"  # each connection ends with its answer
    server_version = f"turnout/{version()}"
    sys_version = ""
    server: "MonitorServer"

    def do_GET(self) -> None:
        """Answer."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self._answer(with_body=False)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - http.server's own
        """Log nothing: probes come every few seconds."""

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        answer = self.server.answers.get(path)
        if answer is None:
            known = ", ".join(self.server.answers)
            status, kind, body = as_json(HTTPStatus.NOT_FOUND, {"message": f"There is nothing here. Ask for {known}."})
        else:
            try:
                status, kind, body = answer()
            except Exception:
                log.exception("monitor failed", path=path)
                status, kind, body = as_json(
                    HTTPStatus.INTERNAL_SERVER_ERROR, {"message": "Turnout failed. Its log says why."}
                )
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(body)


class MonitorServer(ThreadingHTTPServer):
    """The port; a thread a connection, at most so many at once."""

    daemon_threads = True
    request_queue_size = MOST

    def __init__(self, host: str, port: int, answers: Mapping[str, Callable[[], MonitorAnswer]]) -> None:
        """Listen there; each path has what answers it.

        Raises:
            OSError: where the port is taken, or the address is not this machine's.

        """
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self.answers = answers
        self._places = threading.BoundedSemaphore(MOST)
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """Take the port; the standard library's own looks up the machine's name, which may take seconds."""
        self.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ANN401 - socketserver's own
        """Answer in a thread, where there is a place for one more."""
        if self._places.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except Exception:  # the thread did not start: it leaves no place
                self._places.release()
                raise
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ANN401 - socketserver's own
        """Answer, and leave the place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away, or never said what it wanted."""

    def begin(self) -> None:
        """Begin to answer, as long as the process runs."""
        threading.Thread(target=self.serve_forever, name="monitor", daemon=True).start()


def as_json(status: int, content: Mapping[str, object]) -> MonitorAnswer:
    """Give an answer in JSON."""
    return status, JSON, json.dumps(content).encode()
