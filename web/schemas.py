"""HubSpot's shapes and ours as OpenAPI schemas; inputs may be anything, since each is judged alone."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from models.ids import ID_PATTERN, LONGEST_TEXT
from models.message import MOST_INPUTS
from models.words import Identity, Outcome, State, Status

Int64 = Annotated[int, Field(json_schema_extra={"format": "int64"})]


_SPAN: Final = (
    "For `attend`, both `joinedAt` and `leftAt`, as in `2026-01-01T09:30:00Z`: HubSpot stores nothing without them."
)


class Shape(BaseModel):
    """A schema; fields are named as on the wire."""

    model_config = ConfigDict(extra="allow")


class ErrorDetail(Shape):
    """Further information about an error."""

    message: str
    code: str | None = None
    context: dict[str, list[str]] | None = None


class StandardError(Shape):
    """Why an input was not accepted, or why its record was not delivered."""

    status: str
    category: str
    message: str
    context: dict[str, list[str]] = Field(
        description=(
            "`contact` names the contact, as far as the input names one. `where` is its place in the request:"
            " `inputs[1].email` for an input that was not accepted, `inputs[1]` for a record that was not delivered;"
            " several for inputs that are equal, and none once the contact was erased. More may come from HubSpot."
        )
    )
    errors: list[ErrorDetail]
    links: dict[str, str]
    subCategory: str | None = None  # noqa: N815 - HubSpot's


class Error(Shape):
    """A whole request was not accepted; nothing of it was stored."""

    status: Literal["error"]
    message: str
    correlationId: UUID  # noqa: N815 - HubSpot's
    category: str | None = Field(
        None, description="Missing only in some of HubSpot's own errors, passed on as they came."
    )
    errors: list[ErrorDetail] | None = None


class SubscriberVidResponse(Shape):
    """A contact that HubSpot accepted."""

    vid: Int64


class SubscriberEmailResponse(Shape):
    """A contact that HubSpot accepted; without `vid` if HubSpot never named it."""

    email: str
    vid: Int64 | None = None


_DELIVERED: Final = "Contacts whose records are delivered; empty without `wait`. HubSpot's order is not the request's."


class _BatchResponse(Shape):
    status: Status
    requestedAt: datetime  # noqa: N815 - HubSpot's
    startedAt: datetime  # noqa: N815 - HubSpot's
    completedAt: datetime  # noqa: N815 - HubSpot's
    links: dict[str, str] = Field(description="`submission`: where to ask for the results.")
    numErrors: int | None = Field(None, description="Missing if there are none.")  # noqa: N815 - HubSpot's
    errors: list[StandardError] | None = Field(
        None,
        description="Inputs that were not accepted; with `wait` also records that HubSpot rejected or that failed.",
    )


class BatchResponseSubscriberVidResponse(_BatchResponse):
    """HubSpot's batch response; `PENDING` until HubSpot's own answer is known."""

    results: list[SubscriberVidResponse] = Field(description=_DELIVERED)


class BatchResponseSubscriberEmailResponse(_BatchResponse):
    """HubSpot's batch response; `PENDING` until HubSpot's own answer is known."""

    results: list[SubscriberEmailResponse] = Field(description=_DELIVERED)


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
    """The next page."""

    after: str
    link: str


class Paging(Shape):
    """Where the records go on; missing on the last page."""

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
    """One record and its outcome."""

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
    """An input that was not accepted, with every reason."""

    message: str
    contact: str | None
    inputs: int
    reasons: list[dict[str, str]]


class SubmissionReceipt(Shape):
    """The results of a submission."""

    submission: UUID
    status: Status = Field(description="`COMPLETE` once every record has its outcome, whichever it is: see `outcomes`.")
    requestedAt: datetime  # noqa: N815 - as HubSpot's
    completedAt: datetime | None  # noqa: N815 - as HubSpot's
    producer: str
    accepted: int = Field(description="New records.")
    duplicates: int = Field(description="Inputs that repeat a record; they are not delivered a second time.")
    refused: int = Field(description="Inputs that were not accepted.")
    outcomes: dict[Outcome, int] = Field(description="Its records by outcome, each once; counted to 100,001 at most.")
    records: list[RecordReceipt]
    refusals: list[Refusal] = Field(description="Inputs that were not accepted: the first 100, on the first page.")
    paging: Paging | None = None


class SubmissionMessage(Shape):
    """What a webhook is sent."""

    type: Literal["submission.failing", "submission.finished"]
    id: str = Field(description="The same as in the header `webhook-id`.")
    submission: UUID
    occurred_at: datetime
    accepted: int = Field(description="New records.")
    refused: int = Field(description="Inputs that were not accepted.")
    duplicates: int = Field(description="Inputs that repeat a record.")
    outcomes: dict[Outcome, int] = Field(description="Its records by outcome; counted to 100,001 at most.")
    link: str = Field(description="The path of its results, on this Turnout.")


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


ACCOUNT: Final = header("Turnout-Account", "Which account it is for. Required if the key reaches several.")
WAIT: Final = header(
    "Prefer", "`wait=N`: answer when every record has its outcome, or after N seconds (60 at most). Else at once."
)


def faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the answers to requests that are refused whole."""
    said = {
        400: "The request as a whole is not valid",
        401: "The key is missing or not valid",
        403: "The key may not make this call, or does not reach the account",
        404: "There is nothing at this path",
        409: "The Idempotency-Key was used for another request",
        408: "The body came too slowly",
        413: "The body is too large, or holds too many inputs",
        415: "The body is not JSON, or is compressed",
        429: "The account has no call to HubSpot left at this moment",
        502: "HubSpot gave no answer",
        503: "There is no room or no database at this moment",
    }
    return {status: {"model": Error, "description": said[status]} for status in statuses}


def path_parameters(path: str) -> list[dict[str, Any]]:
    """Describe the values in a path."""
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": ID_PATTERN}
    known: dict[str, dict[str, Any]] = {
        "subscriberState": {"type": "string", "enum": list(State)},
        "submission": text | {"description": "The id at the end of `links.submission`."},
        "externalEventId": text | {"description": "The id that the event was created with."},
        "objectId": text | {"description": "HubSpot's own id of the event."},
        "marketingEventId": text | {"description": "HubSpot's own id of the event."},
        "externalAccountId": text | {"description": "The account id that the event was created with."},
        "contactIdentifier": text | {"description": "An e-mail address or a contact id."},
        "version": {
            "type": "string",
            "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$",
            "example": "2026-09",
            "description": "Any year and month. In which version Turnout asks HubSpot is its own setting.",
        },
    }
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": known[name].get("description", ""),
            "schema": {key: value for key, value in known[name].items() if key != "description"},
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
            "A request repeated with the same key is stored once, and gets the first answer; with `wait`, what is now.",
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
        "description": "Each is checked alone. If one is not valid, `errors` says so; the others are accepted.",
    }
    body = {"type": "object", "required": ["inputs"], "properties": {"inputs": inputs}}
    return {
        "description": "A 200 says that the request is stored, not that every input was accepted: read `errors`.",
        "summary": f"Record participants by {by}, of an event by its {'external' if external else 'object'} id",
        "operation_id": f"{'dated_' if '{version}' in path else ''}{'external' if external else 'object'}_{identity}",
        "response_model": None,
        "responses": {
            200: {"model": _ANSWERS[identity], "description": "Stored. Inputs that were not accepted are in `errors`"}
        }
        | faults(400, 401, 403, 404, 408, 409, 413, 415, 503),
        "openapi_extra": {
            "parameters": [*path_parameters(path), *([query] if external else []), *headers],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        },
    }
