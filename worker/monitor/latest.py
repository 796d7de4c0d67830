"""What a look found lately: one look at a time, in a thread of its own, and no caller waits longer than its patience.

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

    def begin(self) -> None:
        """Begin to look, where that is due, and wait for nothing."""
        self._look_now()

    def get(self, patience: float) -> T | None:
        """Give what was found, or None where the look has not ended within so many seconds."""
        running = self._look_now()
        return self._found if running is None or running.wait(patience) else None

    def _look_now(self) -> threading.Event | None:
        """Give the look that is under way, begun now where it is due; None where what was found is still good."""
        with self._lock:
            if time.monotonic() < self._found_at + self._keep:
                return None
            if self._running is None:
                running = threading.Event()
                threading.Thread(target=self._run, args=(running,), name="look", daemon=True).start()
                self._running = running  # once it started: one that could not is tried again
            return self._running

    def _run(self, done: threading.Event) -> None:
        found = None
        try:
            found = self._look()
        finally:
            with self._lock:
                self._found, self._found_at, self._running = found, time.monotonic(), None
            done.set()
