"""Whose key came with a request, and which account it is for."""

from typing import Final

from sqlalchemy import Engine
from starlette.requests import Request

from models.words import Role
from web.hubspot_format import Fault
from worker.auth.keys import ApiKey, verify

ACCOUNT: Final = "turnout-account"


def key_of(engine: Engine, request: Request) -> ApiKey:
    """Find the key that a request was signed with.

    Raises:
        Fault: 401 where there is none, or it is not good.

    """
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    key = None
    if scheme.lower() == "bearer":
        with engine.begin() as connection:
            key = verify(connection, presented.strip())
    if key is None:
        raise Fault(
            401,
            "INVALID_AUTHENTICATION",
            "Authentication credentials not found or not valid: right would be `Authorization: Bearer KEY` with a key"
            " of `turnout keys create`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return key


def may(key: ApiKey, *roles: Role) -> None:
    """Let only keys of these roles on.

    Raises:
        Fault: 403.

    """
    if key.role not in roles:
        raise _forbidden(f"A {key.role}'s key may not do this: right would be one of role {' or '.join(roles)}.")


def account_of(key: ApiKey, request: Request) -> str:
    """Name the account that a request is for: the key's, or, of several, the one that the request names.

    Raises:
        Fault: 400 where it has to be named, 403 where the key does not reach it.

    """
    named = request.headers.get(ACCOUNT)
    if named is None and len(key.accounts) == 1:
        return next(iter(key.accounts))
    if not key.accounts:
        raise _forbidden(f"The key {key.name} reaches no account: its accounts were removed.")
    if named is None:
        known = ", ".join(sorted(key.accounts))
        raise Fault(400, "VALIDATION_ERROR", f"Turnout-Account is required: this key reaches several ({known}).")
    if named not in key.accounts:
        raise _forbidden(f"The key {key.name} does not reach an account of the name that Turnout-Account gives.")
    return named


def _forbidden(message: str) -> Fault:
    scope = "crm.objects.marketing_events.write"
    detail = {"message": message, "context": {"requiredGranularScopes": [scope]}}
    return Fault(403, "MISSING_SCOPES", message, errors=[detail])
