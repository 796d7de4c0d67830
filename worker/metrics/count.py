"""What the verbs call to be counted. Without a monitor port nothing is: each call is then one comparison.

Nothing here reads a database or a network. What is counted is committed: a transaction that is repeated counts once.
"""

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from models.words import Outcome

if TYPE_CHECKING:
    from worker.metrics.counted import Counted

_counted: "Counted | None" = None
_lock = threading.Lock()
"""Held while something is counted: threads that meet an account at once name it once."""


def begin() -> "Counted":
    """Begin to count, from zero."""
    global _counted  # noqa: PLW0603 - one process, one count
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)  # another program's would be read as ours
    from worker.metrics.counted import Counted

    _counted = Counted()
    return _counted


def end() -> None:
    """Count no more."""
    global _counted  # noqa: PLW0603 - one process, one count
    _counted = None


def is_on() -> bool:
    """Say whether anything is counted, for what would cost to find out."""
    return _counted is not None


def submitted(door: str, numbers: Mapping[str, int]) -> None:
    """Count records that came in, by what they came to: `accepted`, `duplicate`, `refused`."""
    if (counted := _counted) is not None:
        with _lock:
            for result, number in numbers.items():
                counted.submitted.labels(door, result).inc(number)


def finished(account: str, numbers: Mapping[Outcome, int]) -> None:
    """Count records that got an outcome."""
    if (counted := _counted) is not None:
        with _lock:
            label = counted.account(account)
            for outcome, number in numbers.items():
                if number:
                    counted.finished.labels(label, outcome).inc(number)


def delivered(account: str, origin: str, numbers: Mapping[float, int]) -> None:
    """Count how long records took from acceptance to delivery: by the seconds, how many."""
    if (counted := _counted) is not None:
        from worker.metrics.counted import observe_several

        with _lock:
            histogram = counted.delivery.labels(counted.account(account), origin)
            for seconds, number in numbers.items():
                observe_several(histogram, seconds, number)


def attempted(account: str, kind: str, answer: str, seconds: float) -> None:
    """Count a call to HubSpot."""
    if (counted := _counted) is not None:
        with _lock:
            counted.attempts.labels(counted.account(account), kind, answer).inc()
            counted.attempt.labels(kind).observe(seconds)


def permit(account: str, result: str, seconds: float) -> None:
    """Count that a permit was asked for, what came of it, and how long that took."""
    if (counted := _counted) is not None:
        with _lock:
            label = counted.account(account)
            counted.permits.labels(label, result).inc()
            counted.permit_wait.labels(label).observe(seconds)


def webhook_post(result: str) -> None:
    """Count a notification that was POSTed."""
    if (counted := _counted) is not None:
        with _lock:
            counted.webhook_posts.labels(result).inc()


def task(name: str, result: str) -> None:
    """Count a Celery task that ended."""
    if (counted := _counted) is not None:
        with _lock:
            counted.tasks.labels(name, result).inc()


def request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request, and how long its answer took to begin."""
    if (counted := _counted) is not None:
        with _lock:
            counted.requests.labels(method, route, str(status)).inc()
            counted.request.labels(route).observe(seconds)
