"""Submit records as a Celery task, from any app that has Celery: `TURNOUT_BROKER_URL=redis://… python by_task.py`.

It knows the broker and a name, and imports nothing of Turnout. On RabbitMQ nothing is lost; on Redis a worker that is
killed can lose the few messages it held: where that matters, use the stream.
"""

import os
import uuid

from celery import Celery

app = Celery(broker=os.environ["TURNOUT_BROKER_URL"])

submission = str(uuid.uuid4())
app.send_task(
    "attendance.accept",
    queue="attendance.accept",
    kwargs={
        "subscriber_state": "attend",
        "object_id": "4711",
        "inputs": [
            {
                "vid": 101,
                "interactionDateTime": 1767225600000,
                "properties": {"joinedAt": "2026-01-01T00:00:00Z", "leftAt": "2026-01-01T01:00:00Z"},
            }
        ],
        # Of your own, and the same when you send the task again: then a retry is counted once.
        "submission_id": submission,
        "part": "1",
        "producer": "by_task.py",
    },
)
print(submission)  # what became of it: turnout submission ID
