"""Who may call: HubSpot's 401 and 403.

Three tokens mean the same to every sandbox: `EXPIRED` is refused as expired, `SCOPELESS` and `WRITE_ONLY` lack scopes.
"""

from sandbox.answers import SandboxAnswer, missing_scope, unauthenticated

EXPIRED = "pat-expired"
SCOPELESS = "pat-no-scopes"
WRITE_ONLY = "pat-write-only"

WRITE_SCOPE = "crm.objects.marketing_events.write"
READ_SCOPE = "crm.objects.marketing_events.read"

_LACKING = {(SCOPELESS, WRITE_SCOPE), (SCOPELESS, READ_SCOPE), (WRITE_ONLY, READ_SCOPE)}


def token_of(authorization: str) -> str:
    """Take the token out of an `Authorization` header; empty if there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def refusal(token: str, accepted: tuple[str, ...], scope: str) -> SandboxAnswer | None:
    """Answer with 401 or 403, or `None` where the token may pass. No token listed: each one is accepted."""
    if token == EXPIRED:
        return unauthenticated("EXPIRED_AUTHENTICATION")
    if not token or (accepted and token not in accepted and token not in {SCOPELESS, WRITE_ONLY}):
        return unauthenticated()
    return missing_scope(scope) if (token, scope) in _LACKING else None
