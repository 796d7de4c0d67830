"""HubSpot's shapes and ours as OpenAPI schemas; inputs may be anything, since each is judged alone."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from models.ids import ID_PATTERN, LONGEST_TEXT
from models.message import MOST_INPUTS
from models.words import Identity, Outcome, State, Status

Int64 = Annotated[int, Field(json_schema_extra={"format": "int64"})]


_SPAN: Final = "For `attend` both `joinedAt` and `leftAt`, ISO 8601 instants: HubSpot stores nothing without them."


class Shape(BaseModel):
    """A schema; fields are named as on the wire."""

    model_config = ConfigDict(extra="allow")


class ErrorDetail(Shape):
    """Further information about an error."""

    message: str
    code: str | None = None
    context: dict[str, list[str]] | None = None


class StandardError(Shape):
    """Why one input or record was not taken. `context` names the contact, and the place in the request."""

    status: str
    category: str
    message: str
    context: dict[str, list[str]]
    errors: list[ErrorDetail]
    links: dict[str, str]
    subCategory: str | None = None  # noqa: N815 - HubSpot's


class Error(Shape):
    """A whole request was refused; nothing of it was stored."""

    status: Literal["error"]
    message: str
    correlationId: UUID  # noqa: N815 - HubSpot's
    category: str | None = Field(None, description="Missing only in some of HubSpot's own, passed on as they came.")
    errors: list[ErrorDetail] | None = None


class SubscriberVidResponse(Shape):
    """A contact that HubSpot took."""

    vid: Int64


class SubscriberEmailResponse(Shape):
    """A contact that HubSpot took; `vid` is missing where HubSpot never named it."""

    email: str
    vid: Int64 | None = None


class _BatchResponse(Shape):
    status: Status
    requestedAt: datetime  # noqa: N815 - HubSpot's
    startedAt: datetime  # noqa: N815 - HubSpot's
    completedAt: datetime  # noqa: N815 - HubSpot's
    links: dict[str, str] = Field(description="`submission`: where to ask what became of it.")
    numErrors: int | None = None  # noqa: N815 - HubSpot's
    errors: list[StandardError] | None = None


class BatchResponseSubscriberVidResponse(_BatchResponse):
    """HubSpot's batch response; `PENDING` until HubSpot's own answer is known."""

    results: list[SubscriberVidResponse]


class BatchResponseSubscriberEmailResponse(_BatchResponse):
    """HubSpot's batch response; `PENDING` until HubSpot's own answer is known."""

    results: list[SubscriberEmailResponse]


class MarketingEventSubscriber(Shape):
    """An input by contact id."""

    vid: Int64
    interactionDateTime: Int64 = Field(description="Epoch milliseconds.")  # noqa: N815 - HubSpot's
    properties: dict[str, str] = Field({}, description=_SPAN)


class MarketingEventEmailSubscriber(Shape):
    """An input by e-mail address."""

    email: str
    interactionDateTime: Int64 = Field(description="Epoch milliseconds.")  # noqa: N815 - HubSpot's
    properties: dict[str, str] = Field({}, description=_SPAN)
    contactProperties: dict[str, str] = Field({}, description="Used where the contact is created.")  # noqa: N815 - HubSpot's


class Next(Shape):
    """What names the next page."""

    after: str
    link: str


class Paging(Shape):
    """Where there is more."""

    next: Next


class RecordError(Shape):
    """A record's last error."""

    category: str
    code: str
    message: str
    context: dict[str, Any]
    resolution: str | None
    at: datetime


class RecordReceipt(Shape):
    """One record and what became of it."""

    record: Int64
    contact: str
    event: str
    state: State
    interactionDateTime: Int64  # noqa: N815 - HubSpot's
    outcome: Outcome
    vid: Int64 | None = Field(description="HubSpot's contact id, where it named one.")
    batch: Int64
    duplicate: bool = Field(description="It repeats a record of an earlier submission.")
    error: RecordError | None


class Refusal(Shape):
    """What was refused at the door, with every reason."""

    message: str
    contact: str | None
    inputs: int
    reasons: list[dict[str, str]]


class SubmissionReceipt(Shape):
    """What became of a submission."""

    submission: UUID
    status: Status = Field(description="`COMPLETE` once every record has its answer.")
    requestedAt: datetime  # noqa: N815 - as HubSpot's
    completedAt: datetime | None  # noqa: N815 - as HubSpot's
    producer: str
    accepted: int
    duplicates: int
    refused: int
    outcomes: dict[Outcome, int] = Field(description="Its records by outcome, each once; counted to 100,001 at most.")
    records: list[RecordReceipt]
    refusals: list[Refusal] = Field(description="On the first page; the first hundred.")
    paging: Paging | None = None


_INPUTS: Final[dict[Identity, type[BaseModel]]] = {
    Identity.VID: MarketingEventSubscriber,
    Identity.EMAIL: MarketingEventEmailSubscriber,
}
_ANSWERS: Final = {
    Identity.VID: BatchResponseSubscriberVidResponse,
    Identity.EMAIL: BatchResponseSubscriberEmailResponse,
}
INPUTS: Final[tuple[type[BaseModel], ...]] = tuple(_INPUTS.values())
"""Schemas that only a request's body names."""


def header(name: str, what: str, *, longest: int | None = None) -> dict[str, Any]:
    """Describe a header of a request."""
    schema: dict[str, Any] = {"type": "string"} | ({"minLength": 1, "maxLength": longest} if longest else {})
    return {"name": name, "in": "header", "required": False, "description": what, "schema": schema}


ACCOUNT: Final = header("Turnout-Account", "The account, where the key reaches several.")
WAIT: Final = header("Prefer", "`wait=N`: hold the answer until every record has its own, N seconds (60) at most.")


def faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the answers to requests that are refused whole."""
    said = {
        400: "The request is wrong as a whole",
        401: "No key, or none that is good",
        403: "The key may not do this",
        404: "There is no such thing",
        409: "The Idempotency-Key was used for another request",
        408: "The body came too slowly",
        413: "The body is too large, or holds too many inputs",
        415: "The body is no JSON",
        429: "The account's limit is used up",
        502: "HubSpot gave no answer",
        503: "No room, or no database, at this moment",
    }
    return {status: {"model": Error, "description": said[status]} for status in statuses}


def path_parameters(path: str) -> list[dict[str, Any]]:
    """Describe the values in a path."""
    known: dict[str, dict[str, Any]] = {
        "subscriberState": {"type": "string", "enum": list(State)},
        "version": {
            "type": "string",
            "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$",
            "example": "2026-09",
            "description": "Any year and month: which version HubSpot is asked in is the account's own setting.",
        },
    }
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": ID_PATTERN}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": known.get(name, {}).get("description", ""),
            "schema": known.get(name, text),
        }
        for name in names
    ]


def write_described(path: str, identity: Identity) -> dict[str, Any]:
    """Describe one of the writes, as `add_api_route` takes it."""
    external = "{externalEventId}" in path
    by = "e-mail address" if identity is Identity.EMAIL else "contact id"
    query = {"name": "externalAccountId", "in": "query", "required": True}
    query["description"] = "The account id that the event was created with."
    query["schema"] = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": ID_PATTERN}
    headers = [
        ACCOUNT,
        header(
            "Idempotency-Key",
            "Under the same key the first answer comes again, whenever; with `wait`, as it stands.",
            longest=255,
        ),
        WAIT,
    ]
    item = {"anyOf": [{"$ref": f"#/components/schemas/{_INPUTS[identity].__name__}"}, {}]}
    inputs = {
        "type": "array",
        "minItems": 1,
        "maxItems": MOST_INPUTS,
        "items": item,
        "description": "Each is judged alone: what is wrong with one stands in `errors` and costs the others nothing.",
    }
    body = {"type": "object", "required": ["inputs"], "properties": {"inputs": inputs}}
    return {
        "description": "A 200 says that the request is stored, not that every input was taken: read `errors`.",
        "summary": f"Record participants by {by}, of an event by its {'external' if external else 'object'} id",
        "operation_id": f"{'dated_' if '{version}' in path else ''}{'external' if external else 'object'}_{identity}",
        "response_model": None,
        "responses": {200: {"model": _ANSWERS[identity], "description": "Stored; what was refused is in `errors`"}}
        | faults(400, 401, 403, 404, 408, 409, 413, 415, 503),
        "openapi_extra": {
            "parameters": [*path_parameters(path), *([query] if external else []), *headers],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        },
    }
