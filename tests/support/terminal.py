"""A program on a terminal: what it prints there, and what is typed when it asks."""

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

CTRL_C = b"\x03"
"""The line's end behind it lets a program go on that was interrupted just before it began to read."""
_OWNING = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell lets what it starts in the background ignore it, tests as well
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])"""


def owning_terminal(command: Sequence[str]) -> list[str]:
    """Give a command that runs another as the owner of its terminal, so that Ctrl-C reaches it; in a new session."""
    return [sys.executable, "-c", _OWNING, *command]


class OnTerminal:
    """A program that `start` starts on a terminal; whatever it asks that `typed` names is answered so.

    Several answers to one question are given one after the other, and nothing after the last.
    A question ends with its space: that is printed by what reads the answer, once nothing is echoed that should not be.
    """

    def __init__(
        self, start: Callable[[int], subprocess.Popen[bytes]], typed: Mapping[bytes, bytes | list[bytes]] | None = None
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
            for question, answers in self._typed.items():
                if self._printed.endswith(question) and answers != []:
                    answer = answers.pop(0) if isinstance(answers, list) else answers
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
