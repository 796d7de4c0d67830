"""How routes are described in the OpenAPI document: their parameters, bodies and answers."""

from typing import Final

from models.ids import ID_PATTERN, LONGEST_TEXT
from models.message import MOST_INPUTS, Json
from models.words import Identity, State
from web.schemas import ANSWER_OF, INPUT_OF, Error


def header(name: str, what: str, *, longest: int | None = None) -> Json:
    """Describe a header of a request; one of a bounded length holds no letter that nobody sees."""
    bounds: Json = {"minLength": 1, "maxLength": longest, "pattern": ID_PATTERN} if longest else {}
    schema: Json = {"type": "string"} | bounds
    return {"name": name, "in": "header", "required": False, "description": what, "schema": schema}


ACCOUNT: Final = header("Turnout-Account", "Which account it is for. Required if the key reaches several.")
WAIT: Final = header(
    "Prefer", "`wait=N`: answer when every record has its outcome, or after N seconds (60 at most). Else at once."
)


def faults(*statuses: int) -> dict[int | str, Json]:
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
        421: "The Host header names a host that is not known here",
        429: "The account has no call to HubSpot left at this moment",
        502: "HubSpot gave no answer",
        503: "There is no room, for this key or at all, or no database at this moment",
    }
    return {status: {"model": Error, "description": said[status]} for status in statuses}


def path_parameters(path: str) -> list[Json]:
    """Describe the values in a path."""
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": ID_PATTERN}
    known: dict[str, Json] = {
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
            "description": "Any year and month. The version in which Turnout calls HubSpot is set elsewhere.",
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


def write_described(path: str, identity: Identity) -> Json:
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
    item = {"anyOf": [{"$ref": f"#/components/schemas/{INPUT_OF[identity].__name__}"}, {}]}
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
            200: {"model": ANSWER_OF[identity], "description": "Stored. Inputs that were not accepted are in `errors`"}
        }
        | faults(400, 401, 403, 404, 408, 409, 413, 415, 421, 503),
        "openapi_extra": {
            "parameters": [*path_parameters(path), *([query] if external else []), *headers],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        },
    }
