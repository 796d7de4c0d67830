"""HubSpot's shapes and ours as OpenAPI schemas; inputs may be anything, since each is judged alone."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from models.message import Json
from models.words import Identity, Outcome, State, Status

Int64 = Annotated[int, Field(json_schema_extra={"format": "int64"})]


_WHEN: Final = "When it happened, in milliseconds since 1970."
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
    requestedAt: datetime = Field(description="When the request was stored.")  # noqa: N815 - HubSpot's
    startedAt: datetime = Field(description="The same.")  # noqa: N815 - HubSpot's
    completedAt: datetime = Field(description="When the last of its outcomes was known.")  # noqa: N815 - HubSpot's
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

    vid: Int64 = Field(description="HubSpot's contact id.")
    interactionDateTime: Int64 = Field(description=_WHEN)  # noqa: N815 - HubSpot's
    properties: dict[str, str] = Field({}, description=_SPAN)


class MarketingEventEmailSubscriber(Shape):
    """An input by e-mail address."""

    email: str = Field(description="The e-mail address.")
    interactionDateTime: Int64 = Field(description=_WHEN)  # noqa: N815 - HubSpot's
    properties: dict[str, str] = Field({}, description=_SPAN)
    contactProperties: dict[str, str] = Field({}, description="Used only if HubSpot creates the contact.")  # noqa: N815 - HubSpot's


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
    context: Json
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
    standing: Literal["open", "submitted again", "corrected by a file", "dismissed"]


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
    refusedOpen: int = Field(  # noqa: N815 - as HubSpot's
        description="Of these, the ones that were neither submitted again, corrected nor dismissed since;"
        " of its first 100,000 messages."
    )
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


INPUT_OF: Final[dict[Identity, type[BaseModel]]] = {
    Identity.VID: MarketingEventSubscriber,
    Identity.EMAIL: MarketingEventEmailSubscriber,
}
ANSWER_OF: Final = {
    Identity.VID: BatchResponseSubscriberVidResponse,
    Identity.EMAIL: BatchResponseSubscriberEmailResponse,
}
INPUTS: Final[tuple[type[BaseModel], ...]] = tuple(INPUT_OF.values())
"""Schemas that only a request's body names."""
