"""An outage of a service: one warning when it begins, one line when it is over, whoever of the process meets it."""

import threading
import time
from typing import Final

from worker.log import get_logger

log = get_logger(__name__)

CALM: Final = 3.0
"""Seconds after a failure for which a service that is away is not tried again."""


class Outage:
    """What this process knows of a service: whether it is away, and since when."""

    def __init__(self, service: str, consequence: str) -> None:
        """Name the service, and what its absence means."""
        self._service = service
        self._consequence = consequence
        self._lock = threading.Lock()
        self._since: float | None = None
        self._next_try = 0.0
        self._tried = False

    def may_try(self) -> bool:
        """Say whether to try the service: always while it is not away, else one caller at a time, now and then.

        Whoever tries says how it went, by `failed` or `answered`.
        """
        with self._lock:
            if self._since is None:
                return True
            if self._tried or time.monotonic() < self._next_try:
                return False
            self._tried = True
            return True

    def failed(self, error: BaseException) -> None:
        """Note a failure; the first of an outage is logged."""
        with self._lock:
            first = self._since is None
            if first:
                self._since = time.monotonic()
            self._next_try = time.monotonic() + CALM
            self._tried = False
        if first:
            log.warning(
                "out of reach", service=self._service, error=type(error).__name__, consequence=self._consequence
            )

    def answered(self) -> None:
        """Note that it answers; the first answer after an outage is logged."""
        with self._lock:
            since, self._since = self._since, None
            self._tried = False
        if since is not None:
            log.info("back again", service=self._service, seconds=round(time.monotonic() - since))
