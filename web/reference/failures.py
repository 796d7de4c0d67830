"""Each error that a whole request can be answered with: when it comes, and what to do."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Failure:
    """An error. `message` is one that really came; `header` comes with it."""

    status: int
    category: str
    message: str
    when: str
    todo: str
    header: str = ""

    @property
    def body(self) -> dict[str, object]:
        """Write it as it is answered."""
        return {
            "status": "error",
            "message": self.message,
            "correlationId": "3f0c9a52-8d1e-4b7a-9c36-5e2f4a1b7d80",
            "category": self.category,
        }


FAILURES: Final = (
    Failure(
        400,
        "VALIDATION_ERROR",
        "externalAccountId is required",
        "The request as a whole is not valid: path, query, a header, or a body that is not JSON with `inputs`.",
        "Correct what the message names, and send the request again. Nothing of it was stored.",
    ),
    Failure(
        401,
        "INVALID_AUTHENTICATION",
        "The key is missing or not valid. Send `Authorization: Bearer KEY`; `turnout keys create` makes a key.",
        "The key is missing, mistyped, revoked, or was replaced by `turnout keys rotate`.",
        "Send the header with a key that is valid. `turnout keys list` shows which there are.",
        "WWW-Authenticate",
    ),
    Failure(
        403,
        "MISSING_SCOPES",
        "A key of the role viewer may not do this. Use a key of the role producer.",
        "The key has a role that may not make this call.",
        "Use a producer's key (`turnout keys create NAME --role producer`).",
    ),
    Failure(
        403,
        "FORBIDDEN",
        "The key shop does not reach the account 'other', which Turnout-Account names. It reaches: default.",
        "`Turnout-Account` names an account that the key does not reach.",
        "Name one that the message lists, or make a key: `turnout keys create NAME --role producer --account other`.",
    ),
    Failure(
        404,
        "OBJECT_NOT_FOUND",
        "There is no such submission, or nothing of it was accepted yet, or another producer submitted it.",
        "The path, the version or the submission does not exist, or the submission is another producer's.",
        "Compare the path with this page. Ask for a submission with the key that submitted it.",
    ),
    Failure(
        405,
        "METHOD_NOT_ALLOWED",
        "This path does not take GET. See /reference.",
        "The path exists, with another method.",
        "Use the method that this page shows.",
        "Allow",
    ),
    Failure(
        408,
        "REQUEST_TIMEOUT",
        "The body did not come within 30 seconds.",
        "The body came too slowly. Nothing was stored.",
        "Send the request again. On a slow line, send fewer inputs in each request.",
    ),
    Failure(
        409,
        "VALIDATION_ERROR",
        "This Idempotency-Key was used for another request before. Use a new one.",
        "The same `Idempotency-Key` came earlier with another path, query, account or body (byte for byte).",
        "To repeat a request, send the same bytes. For a new request, choose a new key.",
    ),
    Failure(
        413,
        "VALIDATION_ERROR",
        "The body is larger than 8,388,608 bytes. Send its inputs in several requests.",
        "The body is larger than 8 MiB, or has more than 10,000 inputs.",
        "Send the inputs in several requests.",
    ),
    Failure(
        415,
        "VALIDATION_ERROR",
        "Content-Type is 'text/plain'. Send application/json.",
        "The body is not JSON, or is compressed.",
        "Send `Content-Type: application/json` and no `Content-Encoding`.",
    ),
    Failure(
        421,
        "MISDIRECTED_REQUEST",
        "The host 'turnout.example.com' is not known here. Expected localhost. If it is right, an operator names it in"
        " TURNOUT_PUBLIC_URL (the address from outside) or TURNOUT_HOSTS.",
        "The request asks for Turnout by a name that no operator chose.",
        "Ask by the address that the operator gives you.",
    ),
    Failure(
        429,
        "RATE_LIMITS",
        "The account has no call to HubSpot left for reading at this moment. Try again in a second.",
        "Only for participations: Turnout has no call to HubSpot left for them, or HubSpot itself says so.",
        "Wait as `Retry-After` says, and send the request again. Submitting records is never answered 429.",
        "Retry-After",
    ),
    Failure(
        500,
        "INTERNAL_ERROR",
        "Turnout failed. It is not known whether anything of this request was stored.",
        "A bug in Turnout.",
        "Send the request again with the same `Idempotency-Key`. The log of `turnout serve` shows the cause.",
    ),
    Failure(
        502,
        "BAD_GATEWAY",
        "HubSpot gave no answer: nothing could be sent: Connection refused.",
        "Only for participations: HubSpot could not be reached, or its answer is not JSON.",
        "Send the request again later. Submitting records works meanwhile.",
    ),
    Failure(
        503,
        "UNAVAILABLE",
        "The database is out of reach: nothing of this request was stored.",
        "There is no database or no room at this moment: of one key at most 64 requests and 32 MiB are stored at once."
        " For participations also: the account is paused.",
        "Wait as `Retry-After` says, and send the request again.",
        "Retry-After",
    ),
)
