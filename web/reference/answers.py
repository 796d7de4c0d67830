"""What the examples are answered: ids and times are made up, all else is what the test server makes of them."""

from typing import Final

from models.message import Json

SUBMISSION: Final = "0b7f9d2e-6c41-4f0a-9a53-1f2d8c7e4b60"
"""The submission that the examples ask about."""
_LINK: Final = "https://turnout.example.com/submissions/"
_AT: Final = "2026-01-01T10:00:00.000Z"
_LATER: Final = "2026-01-01T10:00:02.500Z"
_NO_ADDRESS: Final = (
    "alan@@example.com is no e-mail address (The part after the @-sign contains invalid characters: '@')"
)
_RIGHT: Final = "an address such as ada@example.com"
_NOT_ACCEPTED: Final = f"Invalid input for `alan@@example.com`: inputs[1].email: {_NO_ADDRESS}; expected {_RIGHT}"
_SUMMIT: Final = {
    "marketingEventId": "2835740481016055",
    "name": "Event acme-events/spring-summit-2026",
    "externalAccountId": "acme-events",
    "externalEventId": "spring-summit-2026",
}


def _batch(status: str, completed: str, submission: str, **more: object) -> Json:
    answer: Json = {
        "status": status,
        "requestedAt": _AT,
        "startedAt": _AT,
        "completedAt": completed,
        "results": [],
    }
    return answer | {"links": {"submission": _LINK + submission}} | more


def _error(message: str, **context: list[str]) -> Json:
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": message,
        "context": context,
        "errors": [],
        "links": {},
    }


def _participation(event: dict[str, str], contact: str, email: str, number: str, **stored: object) -> Json:
    row = {
        "id": number,
        "createdAt": _LATER,
        "associations": {"marketingEvent": event, "contact": {"contactId": contact, "email": email}},
        "properties": stored,
    }
    return {"total": 1, "results": [row]}


PENDING: Final = _batch("PENDING", _AT, "3d5a1c80-27be-4c19-8f6e-90b4d2a7f135")
NOT_ACCEPTED: Final = _batch(
    "PENDING",
    _AT,
    SUBMISSION,
    numErrors=1,
    errors=[_error(_NOT_ACCEPTED, where=["inputs[1].email"], contact=["alan@@example.com"])],
)
ATTENDED: Final = _batch("COMPLETE", _LATER, "a1c64f0e-5b92-4d37-bb08-6e1f7d3c2a94", results=[{"vid": 101}])
REJECTED: Final = _batch(
    "COMPLETE",
    _LATER,
    "c80e7b15-94d3-4a62-8e1b-f25a60d9b7c4",
    results=[{"vid": 102}],
    numErrors=1,
    errors=[_error("Invalid input for `103`", contact=["103"], where=["inputs[1]"])],
)
RECEIPT: Final[Json] = {
    "submission": SUBMISSION,
    "status": "COMPLETE",
    "requestedAt": _AT,
    "completedAt": _LATER,
    "producer": "shop",
    "accepted": 1,
    "duplicates": 0,
    "refused": 1,
    "refusedOpen": 1,
    "outcomes": {"delivered": 1},
    "records": [
        {
            "record": 2,
            "contact": "grace@example.com",
            "event": "4711",
            "state": "cancel",
            "interactionDateTime": 1767225600000,
            "outcome": "delivered",
            "vid": 2319247596872705,
            "batch": 2,
            "duplicate": False,
            "error": None,
        }
    ],
    "refusals": [
        {
            "message": _NOT_ACCEPTED,
            "contact": "alan@@example.com",
            "inputs": 1,
            "reasons": [{"where": "inputs[1].email", "what": _NO_ADDRESS, "right": _RIGHT}],
            "standing": "open",
        }
    ],
}
OF_A_CONTACT: Final = _participation(
    _SUMMIT, "591134329525609", "ada@example.com", "1", attendanceState="REGISTERED", occurredAt=1767225600000
)
OF_AN_OBJECT: Final = _participation(
    {"marketingEventId": "4711", "name": "Event 4711"},
    "101",
    "",
    "3",
    attendanceState="ATTENDED",
    occurredAt=1767225600000,
    attendanceDurationSeconds=2700,
)
OF_AN_EVENT: Final = _participation(_SUMMIT, "102", "", "4", attendanceState="REGISTERED", occurredAt=1767225600000)
COUNTERS_OF_AN_OBJECT: Final = {"registered": 0, "attended": 1, "cancelled": 1, "noShows": 0}
COUNTERS_OF_AN_EVENT: Final = {"registered": 2, "attended": 0, "cancelled": 0, "noShows": 0}


def _message(kind: str, **outcomes: int) -> Json:
    return {
        "type": f"submission.{kind}",
        "id": f"{SUBMISSION}_{kind}",
        "submission": SUBMISSION,
        "occurred_at": "2026-01-01T10:00:02.500000Z",
        "accepted": 3,
        "refused": 1,
        "duplicates": 0,
        "outcomes": outcomes,
        "link": f"/submissions/{SUBMISSION}",
    }


FAILING: Final = _message("failing", pending=2, rejected=1)
FINISHED: Final = _message("finished", delivered=2, rejected=1)
