"""A TCP proxy of the tests' own, which can be cut: it stands between a worker and a service that others use too."""

import socket
import threading
from contextlib import closing, suppress
from pathlib import Path


class Proxy:
    """Forwards a free port of the loopback to another, or to a socket file.

    Cut, it closes what it holds and refuses what comes.
    """

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self._links: set[socket.socket] = set()
        self._silent: set[socket.socket] = set()
        self._held: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.restore()

    @property
    def connected(self) -> int:
        """Count the connections that it forwards now."""
        with self._lock:
            return len(self._links) // 2

    def restore(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=[listener], daemon=True).start()

    def cut(self) -> None:
        with self._lock:
            if self._listener is not None:
                with suppress(OSError):
                    self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()
                self._listener = None
            for link in self._links:
                with suppress(OSError):
                    link.shutdown(socket.SHUT_RDWR)
            for link in self._held:
                link.close()
            self._held.clear()

    def point(self, target: int) -> None:
        """Lead new connections elsewhere; what is connected stays so."""
        self._target = target

    def silence(self) -> None:
        """Pass nothing on any more of what is connected now, and close none of it; new connections work."""
        with self._lock:
            self._silent |= self._links

    def hold(self) -> None:
        """Keep the far end of what is connected now open, also when the near end is gone: as where a host vanishes."""
        with self._lock:
            self._held |= self._links

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = self._connected()
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._links |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=[source, sink], daemon=True).start()

    def _connected(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target), 5)
        far = socket.socket(socket.AF_UNIX)
        far.settimeout(5)
        far.connect(str(self._target))
        return far

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if source not in self._silent:
                    sink.sendall(data)
        if sink in self._held:
            return
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._links.discard(source)
        source.close()
