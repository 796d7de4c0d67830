"""The app on a socket: uvicorn, which cuts off whoever is slow to say what he wants, and stops without delay."""

import asyncio
from types import FrameType
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from web.app import create_app
from web.hubspot_format import invalid
from web.request_heads import StrictBuffer
from web.safe_headers import SAFE_HEADERS
from worker import garbage
from worker.context import Context
from worker.log import get_logger

log = get_logger(__name__)

SLOWEST: Final = 10.0
"""Seconds from a connection's begin within which its first request line and headers must have come."""
UNREAD: Final = 60.0
"""Seconds within which an answer larger than the socket's buffers must have been taken."""
KEEP_ALIVE: Final = 75
"""Seconds, as proxies have it: uvicorn's 5 would close connections under a client that pauses."""
STOPPING: Final = 20
"""Seconds that a request under way may take when the process stops."""
ACCEPTED: Final = 0.1
"""Seconds within which what was accepted just before the process stops is a connection."""


class ImpatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1; a connection whose headers do not come, or whose answer is not taken, is closed.

    uvicorn waits for both for ever. And a request that two readers could take for two different ones is refused.
    """

    _slow: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        super().__init__(*args, **kwargs)
        self.conn._receive_buffer = StrictBuffer()  # noqa: SLF001 - h11 has no other place for what it does not check

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count."""
        super().connection_made(transport)
        self._slow = self.loop.call_later(SLOWEST, self._close_unless_asked)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count no more."""
        for timer in (self._slow, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to count: more of the answer waits than the client takes."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD, self.transport.abort)

    def resume_writing(self) -> None:
        """Count no more."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def data_received(self, data: bytes) -> None:
        """Count again for what follows a request that was answered."""
        kept_alive = self.timeout_keep_alive_task is not None
        super().data_received(data)
        if kept_alive and self._is_unasked():
            if self._slow is not None:
                self._slow.cancel()  # the one of the connection's begin would cut this request short
            self._slow = self.loop.call_later(SLOWEST, self._close_unless_asked)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, with the headers of every answer; where one is being sent already, just close."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            refusal = invalid(f"{msg} Send HTTP/1.1, with each header once and one length of the body.").response()
            named = {**SAFE_HEADERS, **dict(refusal.headers), "connection": "close"}
            for event in (
                h11.Response(status_code=400, headers=list(named.items()), reason=b"Bad Request"),
                h11.Data(data=bytes(refusal.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _is_unasked(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request, whatever uvicorn says
        return cycle is None or cycle.response_complete

    def _close_unless_asked(self) -> None:
        if self._is_unasked() and self.timeout_keep_alive_task is None:
            self.transport.close()


class Server(uvicorn.Server):
    """The web process: `run()` serves until SIGINT or SIGTERM; then held answers are given as they are."""

    def __init__(self, process: Context, host: str, port: int) -> None:
        app = create_app(process)
        self._held, self._threaded = app.state.held, app.state.threaded
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=ImpatientProtocol,
                proxy_headers=False,  # `web.proxies`
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=STOPPING,
            )
        )

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            garbage.collect_as_usual()
            log.info("serving", host=self.config.host, port=self.config.port)

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Hold nothing any more, so that what is under way ends."""
        for held in self._held:
            held.end()
        for listening in self.servers:
            listening.close()
        # What was accepted just before is a connection by then, and is told to end with the others: uvicorn forgets it,
        # and would wait for a client that keeps its connection open until `STOPPING` is over.
        await asyncio.sleep(ACCEPTED)
        await super().shutdown(sockets)
        for threaded in self._threaded:
            threaded.end()
        log.info("serving stopped")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Stop in order, and leave with status 0 (uvicorn would raise the signal once more)."""
        self.should_exit = True
