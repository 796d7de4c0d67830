"""A program on a terminal: what it prints there, and what is typed when it asks."""

import os
import pty
import subprocess
import threading
from collections.abc import Callable, Mapping


class OnTerminal:
    """A program that `start` starts on a terminal; whatever it asks that `typed` names is answered so.

    A question ends with its space: that is printed by what reads the answer, once nothing is echoed that should not be.
    """

    def __init__(
        self, start: Callable[[int], subprocess.Popen[bytes]], typed: Mapping[bytes, bytes] | None = None
    ) -> None:
        self._ours, theirs = pty.openpty()
        self._typed = typed or {}
        self._printed = bytearray()
        self.process = start(theirs)
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._ours, 65_536)
            except OSError:
                return
            if not part:
                return
            self._printed += part
            for question, answer in self._typed.items():
                if self._printed.endswith(question):
                    os.write(self._ours, answer + b"\n")

    def said(self) -> str:
        """Give what it has printed so far."""
        return self._printed.decode(errors="replace").replace("\r\n", "\n")

    def end(self, timeout: float = 60) -> int:
        """Wait until it has ended, and give its status."""
        try:
            return self.process.wait(timeout)
        finally:
            self.process.kill()
            self._reader.join(10)
            os.close(self._ours)
