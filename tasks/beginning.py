"""How a process ends that cannot begin: in one sentence, or with a traceback where that is a bug of ours."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from models.escaping import visible
from worker.log import get_logger
from worker.logging_setup import set_up
from worker.setting_sources import SettingsError
from worker.settings import log_format
from worker.startup import CannotStart

log = get_logger(__name__)


@contextmanager
def or_ended() -> Iterator[None]:
    """End the process where it cannot begin: Celery would log the error and go on without watchdog and heartbeat."""
    try:
        yield
    except Exception:
        log.critical("cannot start", reason="a bug: see the traceback", exc_info=True)
        sys.exit(1)


@contextmanager
def or_said() -> Iterator[None]:
    """End the process, in one sentence, where it cannot work as things are."""
    shape = log_format()
    set_up(shape)  # Celery does so only after this
    try:
        yield
    except (CannotStart, SettingsError) as error:
        if shape == "json":
            log.critical("cannot start", reason=str(error))
        else:
            sys.stderr.write(f"turnout: {visible(str(error))}\n")
        sys.exit(1)
