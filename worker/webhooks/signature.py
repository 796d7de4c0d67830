"""The signature of what is POSTed to a producer, as Standard Webhooks has it.

`webhook-signature` is `v1,` and the base64 of the HMAC-SHA-256 of id, timestamp and body, joined by full stops.
"""

import base64
import hmac
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what such a secret begins with


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """What is sent: the same id and body at every try. `moment` is in seconds since 1970."""

    id: str
    moment: int
    body: bytes


def signature(secret: SecretStr, message: WebhookMessage) -> str:
    """Sign a message."""
    key = base64.b64decode(secret.get_secret_value().removeprefix(SECRET_PREFIX))
    signed = b".".join((message.id.encode(), str(message.moment).encode(), message.body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
