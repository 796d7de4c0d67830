"""The sandbox on a socket: uvicorn without its log lines, in the main thread, another thread or a process."""

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from sandbox.app import create_app
from sandbox.connection import BreakableProtocol
from sandbox.options import SandboxOptions

_KEEP_ALIVE = 75
"""Seconds, as proxies have it: uvicorn's 5 would close connections under a client that pauses between two batches."""


class SandboxServer(uvicorn.Server):
    """A sandbox that listens; `run()` serves until `should_exit` is set or, in a main thread, SIGINT or SIGTERM comes.

    Raises `OSError` where the port is taken. Port 0 is any free one: `url` tells which. `ready` is called once
    requests are taken.
    """

    def __init__(
        self, options: SandboxOptions, host: str = "127.0.0.1", port: int = 0, ready: Callable[[], None] = lambda: None
    ) -> None:
        self._socket = listen(host, port)
        self._ready = ready
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._socket.getsockname()[1]}"
        super().__init__(
            uvicorn.Config(
                create_app(options),
                http=BreakableProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE,
            )
        )

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on the socket that was opened when this was made."""
        super().run(sockets or [self._socket])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that requests are taken."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is open: nobody waits for the end of a hang."""
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Stop, and leave with status 0 (uvicorn would raise the signal once more)."""
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Open the socket as a TCP one by name: asyncio sends without Nagle's delay only on those.

    `socket.create_server` leaves the protocol at 0; every answer then waited 40 ms for the client's delayed ACK.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening
