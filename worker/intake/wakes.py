"""Wakes delivery after something was accepted: at once where a batch is due, else when it will be."""

from collections.abc import Callable, Iterable, Mapping

from worker.context import Context
from worker.delivery.permits import wake_when_due
from worker.intake.receipts import Part
from worker.task_names import DELIVER
from worker.wake import wake


def due_of(parts: Iterable[Part]) -> dict[str, bool]:
    """Give the accounts that got records, and whether a batch of each is due."""
    due: dict[str, bool] = {}
    for part in parts:
        if part.accepted:
            due[part.account] = due.get(part.account, False) or part.is_due
    return due


def wake_delivery(process: Context, due: Mapping[str, bool], wake: Callable[..., int] = wake) -> None:
    """Wake delivery for these accounts; never raises."""
    for account, is_due in due.items():
        if is_due or not process.settings.linger:
            wake(process, DELIVER, account=account)
        else:
            wake_when_due(process, account, process.settings.linger)
