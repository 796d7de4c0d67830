"""`attendance.accept`: one message as the arguments of a task; `worker.intake.accept` accepts it."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from celery.exceptions import Reject
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from models.accept_rules import Rules
from models.words import Door
from worker.celery import app
from worker.context import Context, current
from worker.database import is_away, sqlstate
from worker.failures import Verb, forget, note
from worker.intake.accept import Inbound, accept as verb, refuse_whole, unstorable
from worker.intake.receipts import Part
from worker.intake.wakes import due_of, wake_delivery
from worker.setting_sources import SettingsError
from worker.task_names import ACCEPT

if TYPE_CHECKING:
    from celery import Task

from worker.log import get_logger

log = get_logger(__name__)

PATIENCE: Final = 2.0
"""Seconds between two tries while the database is out of reach: this message is the only copy of its data."""


@app.task(name=ACCEPT, bind=True, typing=False)
def accept(self: "Task", /, **fields: Any) -> None:  # noqa: ANN401 - whatever a producer sends is judged, not assumed
    """Accept one message; wait for the database as long as it takes, and on a shutdown put the message back."""
    process = current()
    # A UUID or a time that Celery has marked as such is one when it comes.
    traceparent = str(self.request.get("traceparent", ""))  # a header beside Celery's own
    one = Inbound(Door.TASK, self.request.id, json.dumps(fields, default=str).encode(), traceparent=traceparent)

    def work(connection: Connection, rules: Rules) -> list[Part]:
        try:
            return verb(connection, [one], rules)
        except DBAPIError:
            raise
        except Exception as error:
            log.exception("message not accepted")
            reason = unstorable(f"it could not be accepted ({type(error).__name__}): the worker's log says more")
            return [refuse_whole(connection, one, rules, reason)]

    wake_delivery(process, due_of(patiently(process, work)))


def patiently(process: Context, work: Callable[[Connection, Rules], list[Part]]) -> list[Part]:
    """Store what a message came to, also after an outage, or once the secret key is the database's.

    Raises:
        Reject: where the process stops before; the message is put back.

    """
    waited = False
    while True:
        try:
            with process.engine.connect() as connection:
                parts = work(connection, process.rules)
            break
        except (DBAPIError, SettingsError) as error:
            if not waited:
                _tell(error)
            note(process, Verb.ACCEPT, error)
            waited = True
            if process.stopping.wait(PATIENCE):
                raise Reject(reason="shutting down", requeue=True) from error
    if waited:
        forget(process, Verb.ACCEPT)
    return parts


def _tell(error: DBAPIError | SettingsError) -> None:
    if isinstance(error, SettingsError):
        log.error("message waits", reason=str(error))
    elif not is_away(error):  # an outage is logged as such
        log.warning("message waits", error=type(error.orig).__name__, sqlstate=sqlstate(error))
