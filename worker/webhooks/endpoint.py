"""A key's webhook: its URL and its secret, and where it may lead.

A producer's URL must not reach what only this host can reach: its name is looked up once, every address it leads to is
judged, and the connection goes to an address that was judged.
"""

import base64
import secrets
import socket
import time
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import Engine, update

from hubspot_api.response import NoResponse, Response
from hubspot_api.transport import post_to
from models.tables import Key
from models.words import Role
from worker.encryption import seal
from worker.settings import Settings
from worker.webhooks.public_addresses import is_public
from worker.webhooks.signature import SECRET_PREFIX, WebhookMessage, signature

TIMEOUT: Final = 10.0
"""Seconds for one POST, whole, the look-up of the name included."""
LONGEST_ANSWER: Final = 4_096
"""Bytes of an answer that are read."""
LONGEST_URL: Final = 2_048
ADDRESSES: Final = 4
"""Addresses of one name that are tried, at most, while none can be reached."""


def point(engine: Engine, settings: Settings, name: str, url: str) -> str | None:
    """Set the URL of a producer's key, and give the secret that is shown this once; none where there is no such key."""
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    sealed = seal(settings, secret)
    is_set = _set(engine, name, webhook_url=url, webhook_secret=sealed, webhook_due_at=None)
    return secret if is_set else None


def turn_off(engine: Engine, name: str) -> bool:
    """Tell a key's webhook nothing more, until it has a URL again; false where there is no such key."""
    return _set(engine, name, webhook_url=None, webhook_secret=None)


def _set(engine: Engine, name: str, **webhook: str | bytes | None) -> bool:
    """Set columns of a producer's webhook, which begins anew; false where there is no such key."""
    with engine.begin() as connection:
        changed = connection.execute(
            update(Key)
            .where(Key.name == name, Key.role == Role.PRODUCER, Key.is_valid())
            .values(webhook_failures=0, webhook_error="", **webhook)
        )
        return bool(changed.rowcount)


def fault(url: str, *, private: bool) -> str | None:
    """Say what is wrong with a webhook's URL, if anything; to what its name leads is judged whenever it is used."""
    if not (url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL):
        return f"is not at most {LONGEST_URL} printable ASCII characters"
    try:
        to = urlsplit(url)
        port = to.port
    except ValueError as error:
        return f"is no URL: {error}"
    if to.scheme != "https" and not (private and to.scheme == "http"):
        return "is not https (http only where TURNOUT_WEBHOOK_PRIVATE is set)"
    if not to.hostname or port == 0 or to.username is not None:
        return "must name a host, and no user"
    return None


def send(
    url: str, secret: SecretStr, message: WebhookMessage, deadline: float, *, private: bool
) -> Response | NoResponse:
    """POST a message, unless the URL leads where it may not; `deadline` is by the monotonic clock."""
    begun = time.monotonic()
    wrong = fault(url, private=private)
    try:
        addresses = [] if wrong else _addresses(url)
    except (OSError, UnicodeError) as error:
        wrong = f"leads nowhere: {getattr(error, 'strerror', None) or type(error).__name__}"
    hidden = [address for address in addresses if not is_public(address)] if not (wrong or private) else []
    if hidden:
        wrong = f"leads to the private address {hidden[0]} (TURNOUT_WEBHOOK_PRIVATE allows that)"
    if wrong:
        return NoResponse(f"the URL {wrong}", time.monotonic() - begun, sent=False)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(message.moment),
        "webhook-signature": signature(secret, message),
    }
    answer: Response | NoResponse = NoResponse("its name was looked up for too long", TIMEOUT, sent=False)
    for address in addresses[:ADDRESSES]:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        answer = post_to(address, url, headers, message.body, left, LONGEST_ANSWER)
        if isinstance(answer, Response) or answer.sent:
            break
    return answer


def _addresses(url: str) -> list[str]:
    to = urlsplit(url)
    found = socket.getaddrinfo(to.hostname, to.port or 443, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))
