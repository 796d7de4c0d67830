"""The messages to a producer's webhook: what they say, how they are signed, and how a receiver verifies them."""

from typing import Final

from models.message import Json
from web.reference import answers
from web.schemas import SubmissionMessage

WHEN: Final = {
    "submission.failing": "A record was rejected or failed, and others still wait. Not sent if all have their outcome.",
    "submission.finished": "Every record of the submission has its outcome.",
}
MESSAGES: Final = {"submission.failing": answers.FAILING, "submission.finished": answers.FINISHED}

VERIFY: Final = """\
import base64
import hmac
import time


def is_from_turnout(secret, headers, body):
    \"\"\"`secret` begins whsec_; `headers` are by name in lower case; `body` is the bytes as they came.\"\"\"
    if abs(time.time() - int(headers["webhook-timestamp"])) > 300:
        return False  # it is old: somebody may have recorded it
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split())"""

HEADERS: Final = {
    "webhook-id": "Which message this is: the same whenever it is sent again. Ignore one that you had.",
    "webhook-timestamp": "When it was sent, in seconds since 1970.",
    "webhook-signature": "`v1,` and the base64 of the HMAC-SHA-256 of id, timestamp and body, joined by full stops."
    " The key is the base64-decoded secret without `whsec_`.",
}
ANSWERS: Final = {
    "2XX": "The message was received. It is not sent again.",
    "410": "Turnout turns the webhook off.",
    "default": "The message is sent again for a day, less and less often. Also after a redirect and after 10 s.",
}


def described() -> Json:
    """Describe the webhooks for the OpenAPI document."""
    schema = {"$ref": f"#/components/schemas/{SubmissionMessage.__name__}"}
    return {
        kind: {
            "post": {
                "operationId": kind.replace(".", "_"),
                "tags": ["Webhooks"],
                "summary": when,
                "description": "Signed as Standard Webhooks says; sent at least once.",
                "security": [],
                "parameters": [
                    {"name": name, "in": "header", "required": True, "description": what, "schema": {"type": "string"}}
                    for name, what in HEADERS.items()
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": schema,
                            "examples": {"example": {"summary": when, "value": MESSAGES[kind]}},
                        }
                    },
                },
                "responses": {status: {"description": what} for status, what in ANSWERS.items()},
            }
        }
        for kind, when in WHEN.items()
    }
