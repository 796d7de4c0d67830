"""The console's one cookie: 256 random bits, from which the token of every form is derived.

It goes by https only, except on the machine itself; and never along with what another site asks for.
"""

import hashlib
import hmac
import secrets
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from hubspot_api.address import is_loopback
from worker.auth.sessions import LIFE

SAID: Final = "said"
"""Behind the cookie's name: what the last action came to, shown once."""


def name_of(request: Request) -> str:
    """Name the cookie; on the machine itself by port, because there all ports share their cookies."""
    return "__Host-turnout" if is_secure(request) else f"turnout-{request.url.port or 80}"


def read(request: Request) -> str | None:
    """Give what the browser sent, or none."""
    return request.cookies.get(name_of(request)) or None


def fresh() -> str:
    """Make a value for a browser that has none."""
    return secrets.token_urlsafe(32)


def keep(  # noqa: PLR0913, PLR0917
    response: Response,
    request: Request,
    value: str,
    suffix: str = "",
    life: int = LIFE,
    samesite: Literal["strict", "lax"] = "strict",
) -> None:
    """Let the browser keep a value."""
    response.set_cookie(
        name_of(request) + suffix,
        value,
        max_age=life,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite=samesite,
    )


def form_token(value: str) -> str:
    """Give the token of the forms that are shown to the browser with this cookie."""
    return hmac.digest(value.encode(), b"form", hashlib.sha256).hex()


def is_form_of(value: str | None, token: str) -> bool:
    """Say whether a form was shown to the browser with this cookie."""
    return value is not None and hmac.compare_digest(form_token(value).encode(), token.encode())


def is_secure(request: Request) -> bool:
    """Say whether the cookie may go by https only: everywhere but on plain http on the machine itself."""
    return request.url.scheme == "https" or not is_loopback(request.url.hostname or "")
