"""HubSpot's words on the wire: an error for a whole request, and the batch response."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4

import orjson
from starlette.responses import Response

from models.input_check import Reason
from models.words import Identity, Status
from worker.queries.submissions import SubmissionRecord, SubmissionRefusal

MOST_DETAIL: Final = 1024 * 1024
"""Bytes of an answer's errors that are told in full."""
MOST_ANSWER: Final = 6 * 1024 * 1024
"""Bytes of an answer, whatever was asked: these, and 10,000 results, or errors in brief."""
LEFT_OUT: Final = "Left out: this answer is long. Ask at links.submission."
JSON: Final = "application/json;charset=utf-8"
"""As HubSpot writes it."""


class Fault(Exception):  # noqa: N818 - it is an answer
    """A whole request is refused, in HubSpot's shape."""

    def __init__(
        self,
        status: int,
        category: str,
        message: str,
        *,
        errors: Sequence[Mapping[str, object]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.category, self.message = status, category, message
        self.errors, self.headers = errors, dict(headers or {})

    def response(self) -> Response:
        """Write it as HubSpot's `Error`."""
        body: dict[str, object] = {
            "status": "error",
            "message": self.message,
            "correlationId": str(uuid4()),
            "category": self.category,
        }
        if self.errors:
            body["errors"] = list(self.errors)
        return json_response(body, self.status, self.headers)


def invalid(message: str, status: int = 400) -> Fault:
    """Refuse a request for what it says."""
    return Fault(status, "VALIDATION_ERROR", message)


def busy(message: str, seconds: int) -> Fault:
    """Refuse a request that may come again after so many seconds."""
    return Fault(503, "UNAVAILABLE", message, headers={"Retry-After": str(seconds)})


def applied(seconds: float) -> dict[str, str]:
    """Give the header that says that `Prefer: wait` was heeded (RFC 7240): also where nothing was left to wait for."""
    return {"Preference-Applied": f"wait={seconds:g}"}


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(body, default=str), status, headers=dict(headers or {}) | {"Content-Type": JSON})


def instant(moment: datetime) -> str:
    """Write a moment as HubSpot does."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def refusal(refused: SubmissionRefusal) -> dict[str, object]:
    """Write a refused input as an entry of `errors`: which input, whose, why, and what would be right."""
    reasons = [str(Reason(**one)) for one in refused.reasons]
    context: dict[str, list[str]] = {"where": [one["where"] for one in refused.reasons if one["right"]]}
    contact = _contact(refused.raw)
    if contact is not None:
        context["contact"] = [contact]
    named = f" for `{contact}`" if contact is not None else ""
    return _standard_error("VALIDATION_ERROR", "", f"Invalid input{named}: {'; '.join(reasons)}", context)


def error(record: SubmissionRecord, places: Sequence[str]) -> dict[str, object]:
    """Write a record's error as an entry of `errors`, in HubSpot's words where they are HubSpot's.

    `places` are where the record stands in the request: none where its contact was erased since.
    """
    beside = (record.context or {}).items()
    context = {name: [str(one) for one in value] for name, value in beside if isinstance(value, list)}
    context["contact"] = [record.contact]
    if places:
        context["where"] = list(places)
    return _standard_error(record.category or "", record.code or "", record.message or "", context)


def _standard_error(category: str, code: str, message: str, context: Mapping[str, Sequence[str]]) -> dict[str, object]:
    said: dict[str, object] = {
        "status": "error",
        "category": category,
        "message": message,
        "context": context,
        "errors": [],
        "links": {},
    }
    return said | ({"subCategory": code} if code else {})


def as_far_as_there_is_room(errors: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    """Give the first errors in full; of the others, where an answer would grow too long, whom and what they are about.

    So each input that was not accepted is named, and yet no answer is many times as long as its request.
    """
    told, left = [], MOST_DETAIL
    for one in errors:
        if left > 0:
            left -= len(orjson.dumps(one))
            told.append(one)
        else:
            context = one["context"]
            assert isinstance(context, dict)
            brief = {name: context[name][:1] for name in ("where", "contact") if context.get(name)}
            if "where" in brief:  # the input; which of its fields, and whose it is, may be as long as it likes
                brief = {"where": [brief["where"][0].partition(".")[0]]}
            told.append({**one, "message": LEFT_OUT, "context": brief})
    return told


def result(record: SubmissionRecord) -> dict[str, object]:
    """Write a delivered record as an entry of `results`; without `vid` where HubSpot never named it."""
    said: dict[str, object] = {}
    if record.identity == Identity.EMAIL:
        said["email"] = record.input["email"]
    if record.contact_id is not None:
        said["vid"] = record.contact_id
    return said


def batch_response(  # noqa: PLR0913, PLR0917 - HubSpot's fields
    status: Status,
    requested_at: datetime,
    completed_at: datetime,
    results: Sequence[Mapping[str, object]],
    errors: Sequence[Mapping[str, object]],
    submission_url: str,
) -> dict[str, object]:
    """Write HubSpot's batch response, linked to the submission."""
    said: dict[str, object] = {
        "status": status,
        "requestedAt": instant(requested_at),
        "startedAt": instant(requested_at),
        "completedAt": instant(completed_at),
        "results": results,
        "links": {"submission": submission_url},
    }
    return said | ({"numErrors": len(errors), "errors": errors} if errors else {})


def _contact(raw: bytes) -> str | None:
    """Name the contact of a refused input, as far as it names one."""
    try:
        given = orjson.loads(raw)["inputs"][0]
        contact = given.get("email", given.get("vid"))
    except (ValueError, KeyError, IndexError, AttributeError, TypeError):
        return None
    return str(contact)[:255] if isinstance(contact, str | int) else None
