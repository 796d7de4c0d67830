"""Submit records by the stream, from any app that has redis-py: `TURNOUT_REDIS_URL=redis://… python by_stream.py`.

This is the safest way to submit: what waits in the stream outlives the workers and, with its append-only file, Redis.
"""

import json
import os
import uuid

import redis

message = {
    "subscriber_state": "register",
    "external_event_id": "spring-summit-2026",
    "external_account_id": "acme-events",
    "inputs": [
        {"email": "ada@example.com", "interactionDateTime": 1767225600000},
        {
            "email": "grace@example.com",
            "interactionDateTime": 1767225660000,
            "contactProperties": {"firstname": "Grace"},
        },
    ],
    # Of your own, and the same when you send the message again: then a retry after a time-out is counted once.
    "submission_id": str(uuid.uuid4()),
    "part": "1",
    "producer": "by_stream.py",
}

with redis.Redis.from_url(os.environ["TURNOUT_REDIS_URL"], socket_timeout=5) as client:
    client.xadd("turnout:intake", {"message": json.dumps(message)})
print(message["submission_id"])  # what became of it: turnout submission ID
