"""What a look found lately: one look at a time, in a thread of its own, and nobody waits longer than its patience.

A service that went silent holds up a look for half a minute; probes and scrapes come every few seconds. So they share
one look, and those that come meanwhile do not add to what hangs.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """What a look found; it is used for some seconds before the next look."""

    def __init__(self, look: Callable[[], T], keep: float) -> None:
        """Take what looks (it never raises), and the seconds for which what it found is used."""
        self._look = look
        self._keep = keep
        self._lock = threading.Lock()
        self._found: T | None = None
        self._found_at = float("-inf")
        self._running: threading.Event | None = None

    def get(self, patience: float) -> T | None:
        """Give what was found, or None where the look has not ended within so many seconds."""
        with self._lock:
            if time.monotonic() < self._found_at + self._keep:
                return self._found
            running = self._running
            if running is None:
                running = self._running = threading.Event()
                threading.Thread(target=self._run, args=(running,), name="look", daemon=True).start()
        return self._found if running.wait(patience) else None

    def _run(self, done: threading.Event) -> None:
        found = None
        try:
            found = self._look()
        finally:
            with self._lock:
                self._found, self._found_at, self._running = found, time.monotonic(), None
            done.set()
