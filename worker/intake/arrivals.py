"""Arrivals: a thread of each process that drains the stream waits for a message and wakes `intake`.

So a message waits for no tick of beat. Where the broker does not bring the wake-up, the process looks by itself
(`tasks.fallback`), and where Redis is away nothing arrives.
"""

import threading
from typing import Final

from worker.context import Context, current
from worker.log import get_logger
from worker.task_names import INTAKE
from worker.wake import wake

log = get_logger(__name__)

LONGEST: Final = 1.0
"""Seconds of one wait, and between two wake-ups at most."""
PAUSE: Final = 0.05
"""Seconds between two wake-ups: what arrives meanwhile is accepted together. Twice as long each time that something is
left: somebody drains it already, or cannot."""


def begin() -> None:
    """Begin to wait for messages, as long as this process runs."""
    threading.Thread(target=_wait, name="arrivals", daemon=True).start()


def _wait() -> None:
    process, pause = current(), PAUSE
    while not process.stopping.is_set():
        try:
            pause = wake_intake(process, pause)
        except Exception as error:  # the thread outlives any error: nothing else is as quick
            if not process.is_outage(error):
                log.exception("waiting for messages failed")
            pause = LONGEST
        process.stopping.wait(pause)


def wake_intake(process: Context, pause: float, longest: float = LONGEST) -> float:
    """Wait for a message, at most so long, and wake `intake`; give the pause until the next wait, by the last one."""
    if process.stream.waiting():
        pause = min(2 * pause, LONGEST)
    elif process.stream.await_message(longest):
        pause = PAUSE
    else:
        return 0.0
    wake(process, INTAKE)
    return pause
