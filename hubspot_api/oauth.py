"""OAuth at HubSpot: a refresh token becomes an access token. What comes back is a value, never an exception.

The endpoint takes form fields in the body, and can itself say 429 (live). Nothing here repeats a call or waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from hubspot_api.egress import DIRECT, Egress
from hubspot_api.fields import read_object, seconds, text
from hubspot_api.response import NoResponse, Response

PATH: Final = "/oauth/2026-03/token"
LIFE: Final = 1_800.0
"""Seconds that HubSpot gives an access token; taken where its answer does not say."""
AGAIN: Final = 10.0
"""Seconds to wait where HubSpot names none: its rolling interval."""
PASSING: Final = frozenset({408, 423, 425, 429, 477})
"""Statuses below 500 that say nothing against what was sent."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An app as an account has installed it: what an access token is asked with."""

    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr


@dataclass(frozen=True, slots=True)
class Granted:
    """An access token, good for so many seconds from the call's beginning; `refresh_token` where it is a new one."""

    access_token: SecretStr
    seconds: float
    refresh_token: SecretStr | None


@dataclass(frozen=True, slots=True)
class NotNow:
    """No token this time: HubSpot limits, is away, or did not answer. Ask again after so many seconds."""

    because: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Denied:
    """HubSpot will not give a token for what was sent."""

    because: str


def refresh(url: str, grant: Grant, timeout: float, egress: Egress = DIRECT) -> Granted | NotNow | Denied:
    """Ask the HubSpot at `url` for an access token, within `timeout` seconds."""
    from hubspot_api.client import post_form  # to show an account makes no call

    fields = {
        "grant_type": "refresh_token",
        "client_id": grant.client_id,
        "client_secret": grant.client_secret.get_secret_value(),
        "refresh_token": grant.refresh_token.get_secret_value(),
    }
    return read(post_form(url + PATH, fields, timeout, egress), grant)


def read(answer: Response | NoResponse, grant: Grant) -> Granted | NotNow | Denied:
    """Read what the token endpoint answered; every field is optional and may be anything."""
    if isinstance(answer, NoResponse):
        return NotNow(answer.because, AGAIN)
    fields = read_object(answer.body) or {}
    if 200 <= answer.status < 300:  # noqa: PLR2004 - the class of success
        token, renewed = _token(fields, "access_token"), _token(fields, "refresh_token")
        if token is None:
            return NotNow("its answer holds no access token", AGAIN)
        life = seconds(fields.get("expires_in")) or LIFE
        return Granted(token, life, None if renewed == grant.refresh_token else renewed)
    if answer.status in PASSING or not 400 <= answer.status < 500:  # noqa: PLR2004 - what is no word against the grant
        return NotNow(f"HTTP {answer.status}", seconds(answer.headers.get("Retry-After")) or AGAIN)
    return Denied(_words(fields, grant) or f"HTTP {answer.status}")


def _words(fields: Mapping[str, object], grant: Grant) -> str:
    """Quote HubSpot's reason, its secrets taken out should it echo them."""
    said = (text(fields, name) for name in ("error", "error_description", "message"))
    words = ": ".join(dict.fromkeys(filter(None, said)))
    for secret in (grant.client_secret, grant.refresh_token):
        words = words.replace(secret.get_secret_value(), "[secret]")
    return "".join(letter for letter in words if letter.isprintable())[:300]


def _token(fields: Mapping[str, object], name: str) -> SecretStr | None:
    token = text(fields, name)
    return SecretStr(token) if is_token(token) else None


def is_token(written: str) -> bool:
    """Say whether a text can be sent as a token: printable ASCII without spaces, as a header takes it."""
    return 0 < len(written) <= 4_096 and written.isascii() and written.isprintable() and " " not in written  # noqa: PLR2004
