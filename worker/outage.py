"""An outage of a service: one warning when it begins and one line when it ends, however often a process meets it."""

import threading
import time
from typing import Final

from worker.log import get_logger

log = get_logger(__name__)

CALM: Final = 3.0
"""Seconds after a failure for which a service that is away is not tried again."""


class Outage:
    """What this process knows of a service: whether it is away, and since when."""

    def __init__(self, service: str, consequence: str, steady: float = 0.0) -> None:
        """Name the service, what its absence means, and the seconds without a failure after which it has ended."""
        self._service = service
        self._consequence = consequence
        self._steady = steady
        self._lock = threading.Lock()
        self._since: float | None = None
        self._failed_at = 0.0
        self._tried = False

    @property
    def goes_on(self) -> bool:
        """Say whether the service is away, as far as this process knows."""
        return self._since is not None

    def may_try(self) -> bool:
        """Say whether to try the service: always while it is not away, else one caller at a time, now and then.

        Whoever tries says how it went, by `failed` or `answered`.
        """
        with self._lock:
            if self._since is None:
                return True
            if self._tried or time.monotonic() < self._failed_at + CALM:
                return False
            self._tried = True
            return True

    def failed(self, error: BaseException) -> None:
        """Note a failure; the first of an outage is logged."""
        with self._lock:
            self._failed_at = time.monotonic()
            first = self._since is None
            if first:
                self._since = self._failed_at
            self._tried = False
        if first:
            log.warning(
                "out of reach", service=self._service, error=type(error).__name__, consequence=self._consequence
            )

    def answered(self) -> None:
        """Note that it answers; the answer that ends an outage is logged."""
        with self._lock:
            self._tried = False
            if self._since is None or time.monotonic() < self._failed_at + self._steady:
                return  # a service may answer one caller and fail the next
            since, self._since = self._since, None
        log.info("back again", service=self._service, seconds=round(time.monotonic() - since))
