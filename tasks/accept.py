"""`attendance.accept`: one message as the arguments of a task; `worker.intake.accept` accepts it."""

import json
from typing import TYPE_CHECKING, Any, Final

from celery.exceptions import Reject
from sqlalchemy.exc import DBAPIError

from models.words import Door
from worker.celery import ACCEPT, DELIVER, app
from worker.context import current
from worker.database import is_away, sqlstate
from worker.failures import Verb, forget, note
from worker.intake.accept import Inbound, accept as verb
from worker.wake import wake

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
    one = Inbound(Door.TASK, self.request.id, json.dumps(fields).encode())
    waited = False
    while True:
        try:
            with process.engine.connect() as connection:
                parts = verb(connection, [one], process.rules)
            break
        except DBAPIError as error:
            if not waited and not is_away(error):  # an outage is logged as such
                log.warning("message waits", error=type(error.orig).__name__, sqlstate=sqlstate(error))
            note(process, Verb.ACCEPT, error)
            waited = True
            if process.stopping.wait(PATIENCE):
                raise Reject(reason="shutting down", requeue=True) from error
    if waited:
        forget(process, Verb.ACCEPT)
    for part in parts:
        if part.accepted:
            wake(process, DELIVER, account=part.account)
