"""`attendance.refuse`: a message that is no call of `attendance.accept` is kept as not accepted, with the reason."""

import base64
from typing import TYPE_CHECKING

from models.input_check import Reason
from models.words import Door
from tasks.accept import patiently
from worker.celery import app
from worker.context import current
from worker.intake.accept import Inbound, refuse_whole
from worker.task_names import REFUSE

if TYPE_CHECKING:
    from celery import Task


@app.task(name=REFUSE, bind=True)
def refuse(self: "Task", /, raw: str, where: str, what: str, right: str) -> None:
    """Keep one message; `raw` is what it holds, in base64. The rest says why it is not accepted."""
    one = Inbound(Door.TASK, self.request.id, base64.b64decode(raw))
    reason = Reason(where, what, right)
    patiently(current(), lambda connection, rules: [refuse_whole(connection, one, rules, reason, one.read())])
