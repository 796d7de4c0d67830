"""A process that runs looks now and then whether the schema still fits, and stops in order where it does no more.

It began on a schema that did. A newer one that names its release changes nothing for it; one that does not would be
written to by rules of before. What starts it again is told why it does not start, as anybody is (`worker.startup`).
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from worker import process_start, startup
from worker.context import Context
from worker.log import get_logger
from worker.startup import CannotStart

log = get_logger(__name__)

EVERY: Final = 30.0
"""Seconds between two looks."""


def begin(process: Context, kind: str) -> None:
    """Begin to look, as long as this process runs."""
    threading.Thread(target=watch, args=(process, kind), name="schema", daemon=True).start()


def watch(process: Context, kind: str, end: Callable[[], object] | None = None) -> None:
    """Look again and again; what cannot be seen is no reason to end."""
    while not process.stopping.wait(EVERY):
        try:
            found = [one for one in startup.of_schema(process.engine) if one.stops]
        except SQLAlchemyError:  # no connection of the pool was free
            continue
        if found:
            log.critical("schema does not fit", reason=str(found[0]), consequence="this process stops")
            process_start.refused(kind, CannotStart(str(found[0])))
            (end or _stop)()
            return


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
