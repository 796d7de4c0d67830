"""HubSpot's bodies: an answer is a status, bytes and headers, complete before anything is sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from uuid import uuid4

import orjson

JSON = "application/json;charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class SandboxAnswer:
    """What is sent; `Content-Length` is added when it is."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> "SandboxAnswer":
        """Return the same answer with these headers, which take the place of its own of the same name."""
        names = {name.lower() for name in headers}
        kept = {name: text for name, text in self.headers.items() if name.lower() not in names}
        return replace(self, headers={**kept, **headers})

    def with_status(self, status: int) -> "SandboxAnswer":
        """Return the same answer under another status."""
        return replace(self, status=status)


def json_answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> SandboxAnswer:
    """Answer with JSON."""
    return SandboxAnswer(status, orjson.dumps(body), {"Content-Type": JSON, **(headers or {})})


def error_answer(
    status: int, message: str, category: str | None = None, headers: Mapping[str, str] | None = None, **more: object
) -> SandboxAnswer:
    """Answer with HubSpot's `Error`, `category` left out where HubSpot leaves it out."""
    body: dict[str, object] = {"status": "error", "message": message, "correlationId": str(uuid4())}
    if category:
        body["category"] = category
    return json_answer(status, body | more, headers)


def invalid(message: str) -> SandboxAnswer:
    """Refuse the whole request (400)."""
    return error_answer(400, message, "VALIDATION_ERROR")


def unauthenticated(category: str = "INVALID_AUTHENTICATION") -> SandboxAnswer:
    """401: no token, a wrong one, or (`EXPIRED_AUTHENTICATION`) an old one."""
    message = {
        "INVALID_AUTHENTICATION": "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
        "EXPIRED_AUTHENTICATION": "The OAuth token used to make this call expired 5 minute(s) ago.",
    }[category]
    return error_answer(401, message, category)


def missing_scope(scope: str) -> SandboxAnswer:
    """403: the token is good, and lacks a scope."""
    return error_answer(
        403,
        "This app hasn't been granted all required scopes to make this call.",
        "MISSING_SCOPES",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": [scope]},
            }
        ],
    )


def unknown_event(label: str) -> SandboxAnswer:
    """404: there is no such event, or it belongs to another app; HubSpot does not say which."""
    return error_answer(404, f"No marketing event found for {label}", "OBJECT_NOT_FOUND")


def too_many(policy: str, headers: Mapping[str, str] | None = None) -> SandboxAnswer:
    """429, of the burst limit or of the day's; it has no `category`."""
    return error_answer(
        429,
        f"You have reached your {policy.lower()} limit.",
        headers=headers,
        errorType="RATE_LIMIT",
        policyName=policy,
        groupName="publicapi:private-apps:sandbox",
    )


def page(status: int, title: str) -> SandboxAnswer:
    """Answer with HTML, as what stands before HubSpot does."""
    body = f"<html><head><title>{status} {title}</title></head><body><h1>{status} {title}</h1></body></html>"
    return SandboxAnswer(status, body.encode(), {"Content-Type": HTML})


_PAGES = {
    413: "Request Entity Too Large",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
    521: "Web server is down",
    522: "Connection timed out",
    523: "Origin is unreachable",
    524: "A timeout occurred",
}


_USUAL: dict[int, Callable[[str], SandboxAnswer]] = {
    400: lambda contact: invalid(f"Invalid input for `{contact}`"),
    401: lambda _: unauthenticated(),
    403: lambda _: missing_scope("crm.objects.marketing_events.write"),
    404: lambda _: unknown_event("the given id"),
    423: lambda _: error_answer(423, "The resource is currently locked. Try again in 2 seconds.", "LOCKED"),
    429: lambda _: too_many("TEN_SECONDLY_ROLLING"),
    477: lambda _: error_answer(477, "This account is being migrated.", "MIGRATION", {"Retry-After": "86400"}),
    500: lambda _: error_answer(500, "internal error"),
}


def usual(status: int, contact: str) -> SandboxAnswer:
    """Answer with an error `status` as HubSpot usually does; a 400 names `contact` between back-ticks."""
    if status in _PAGES:
        return page(status, _PAGES[status])
    if status in _USUAL:
        return _USUAL[status](contact)
    return error_answer(status, "The request failed.")
