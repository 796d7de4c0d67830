"""Whose key came with a request, and which account it is for."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlalchemy import Engine
from starlette.requests import Request

from models.input_check import shown
from models.words import Role
from web.hubspot_format import Fault, invalid
from web.together import Together
from worker.auth.keys import ApiKey, verify_all
from worker.auth.signin_limit import place_of
from worker.trip import begin

ACCOUNT: Final = "turnout-account"
THREADS: Final = 2
"""Look-ups at once, each of many keys, and one at a time for one address: who tries many holds up that address."""


class Keys:
    """The keys that requests to this process come with, looked up anew for each: a revoked one is refused at once."""

    def __init__(self, engine: Engine) -> None:
        self._together = Together("keys", partial(_look_up, engine), threads=THREADS)

    async def of(self, request: Request) -> ApiKey:
        """Find the key that a request was signed with.

        Raises:
            Fault: 401 where there is none, or it is not good.

        """
        scheme, _, presented = request.headers.get("authorization", "").partition(" ")
        key = None
        if scheme.lower() == "bearer":
            key = await self._together.ask(client_place(request), presented.strip())
        if key is None:
            raise Fault(
                401,
                "INVALID_AUTHENTICATION",
                "The key is missing or not valid. Send `Authorization: Bearer KEY`; `turnout keys create` makes a key.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return key

    def end(self) -> None:
        """End the threads that look keys up."""
        self._together.end()


def _look_up(engine: Engine, presented: Sequence[str]) -> list[ApiKey | None]:
    with begin(engine) as connection:
        return verify_all(connection, presented, commit=True)


def client_place(request: Request) -> str:
    """Name where a request comes from: an address, or of IPv6 a network."""
    return place_of(request.client.host if request.client else "")


def may(key: ApiKey, *roles: Role) -> None:
    """Let only keys of these roles on.

    Raises:
        Fault: 403.

    """
    if key.role not in roles:
        message = f"A key of the role {key.role} may not do this. Use a key of the role {' or '.join(roles)}."
        detail = {"message": message, "context": {"requiredRoles": list(roles)}}
        raise Fault(403, "MISSING_SCOPES", message, errors=[detail])


def account_of(key: ApiKey, request: Request) -> str:
    """Name the account that a request is for: the key's, or, of several, the one that the request names.

    Raises:
        Fault: 400 where it has to be named, 403 where the key does not reach it.

    """
    named = request.headers.get(ACCOUNT)
    if named is None and len(key.accounts) == 1:
        return next(iter(key.accounts))
    if not key.accounts:
        raise Fault(403, "FORBIDDEN", f"The key {key.name} reaches no account: its accounts were removed.")
    known = sorted(key.accounts)
    if named is None:
        raise invalid(f"Turnout-Account is required: this key reaches several accounts ({', '.join(known)}). Name one.")
    if named not in key.accounts:
        # Not MISSING_SCOPES: whoever reads that looks for a scope at HubSpot.
        message = (
            f"The key {key.name} does not reach the account '{shown(named)}', which Turnout-Account names."
            f" It reaches: {', '.join(known)}."
        )
        raise Fault(403, "FORBIDDEN", message, errors=[{"message": message, "context": {"accounts": known}}])
    return named
