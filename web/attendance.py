"""HubSpot's four writes, `v3` and every dated version: stored, then answered as HubSpot's batch response.

Without `Prefer: wait` the answer says `PENDING`; with it, it is held until HubSpot's own is known and says what
HubSpot would have said. What was answered 200 survives anything.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hubspot_api.address import is_version
from models.fingerprint import submission_id
from models.ids import hidden_character
from models.input_check import Candidate, shown
from models.message import MOST_INPUTS, Json, Message, Unreadable, loads, read_fields
from models.words import Door, Identity, Outcome, Role, State, Status
from web import hubspot_format
from web.access import Keys, account_of, may
from web.descriptions import write_described
from web.group_commit import PART, StoredRequest, Storing, submission_of
from web.hubspot_format import Fault, invalid
from web.limits import Admission, Answers
from web.long_poll import LONGEST, LongPoll
from web.masking import for_producer
from web.public_url import public_base
from web.room import Turns
from web.values import path_value, query_values
from worker.auth.keys import ApiKey
from worker.context import Context
from worker.intake.accept import Inbound, JudgedInput
from worker.queries import submissions
from worker.queries.submissions import Cursor, SubmissionRecord, SubmissionRefusal

ANSWERED: Final = (4, 2)
"""Answers that are made at once, and of one key."""
JUDGED: Final = (4, 1)
"""Bodies that are read and judged at once, and of one key."""
JUDGED_HERE: Final = 2_048
"""Bytes up to which a body is judged on the event loop: to hand it to a thread costs more."""
ROOM_OF_INPUT: Final = 4_096
"""Bytes that an answer may need for each input, about: so much room it takes, `MOST_ANSWER` at most."""
LONGEST_KEY: Final = 255
_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})", re.IGNORECASE)

PREFIXES: Final = ("/marketing/v3/marketing-events", "/marketing/marketing-events/{version}")
FAILED: Final = frozenset({Outcome.REJECTED, Outcome.FAILED, Outcome.CANCELED})
"""Outcomes that stand in `errors`; `unconfirmed` stands in neither list, as in HubSpot's answer."""
_IDENTITIES: Final = {"create": Identity.VID, "email-create": Identity.EMAIL}


class Attendance:
    """The writes of one process."""

    def __init__(self, process: Context, keys: Keys, answers: Answers, waiting: LongPoll, storing: Storing) -> None:
        self._process, self._keys, self._answers, self._waiting = process, keys, answers, waiting
        self._storing = storing
        self._admission = Admission()
        self._judged, self._answered = Turns(*JUDGED), Turns(*ANSWERED)

    def router(self) -> APIRouter:
        """Give the routes: two ways to name the event, two to name contacts, two ways to name the version."""
        router = APIRouter(tags=["Attendance"])
        for prefix in PREFIXES:
            for verb, identity in _IDENTITIES.items():
                for event in ("attendance/{externalEventId}", "{objectId}/attendance"):
                    path = f"{prefix}/{event}/{{subscriberState}}/{verb}"
                    router.add_api_route(
                        path, partial(self._hand_in, identity), methods=["POST"], **write_described(path, identity)
                    )
        return router

    async def _hand_in(self, identity: Identity, request: Request) -> Response:
        check_version(request)
        key = await self._keys.of(request)
        may(key, Role.PRODUCER)
        account = account_of(key, request)
        _check_is_json(request)
        submission = _named(key, request, self._process.rules.key)
        async with self._admission.body(request, key) as body:
            judge = partial(_judged, request, body, account, key, submission, identity)
            handed = judge() if len(body) <= JUDGED_HERE else await self._judged.run(key.id, judge)
            stored = await self._storing.store(handed)
        _check_is_the_same(handed, stored)
        seconds = wait_of(request)
        is_over = not (stored.accepted or stored.repeated)
        is_waited_for = bool(seconds) and not is_over
        is_waited_for = is_waited_for and await self._waiting.until_settled(submission, seconds, key.id)
        headers = hubspot_format.applied(seconds) if seconds and (is_over or is_waited_for) else {}
        now = bool(seconds) and not is_over
        answer = partial(self._answer, handed, stored, request, headers, now=now)
        if not now and not stored.refused:
            return answer()
        size = min(handed.inputs * ROOM_OF_INPUT, hubspot_format.MOST_ANSWER)
        return await self._answers.held(key, size, partial(self._answered.run, key.id, answer))

    def _answer(
        self, handed: Inbound, stored: StoredRequest, request: Request, headers: Mapping[str, str], *, now: bool
    ) -> Response:
        """Give the answer of the first time, or, where the outcome is asked for, of now."""
        submission = submission_of(handed)
        refused: Sequence[SubmissionRefusal] = ()
        members: Sequence[SubmissionRecord] = ()
        if stored.refused or now:
            with self._process.engine.connect() as connection:
                if stored.refused:
                    refused = submissions.refusals(connection, submission, 0, MOST_INPUTS)
                if now:
                    members = for_producer(submissions.records(connection, submission, Cursor(), MOST_INPUTS))
        status, completed = _status(members), stored.received_at
        if not now:
            status = Status.PENDING if stored.accepted or stored.repeated else Status.COMPLETE
        failed = [row for row in members if row.outcome in FAILED]
        places = _places(handed.judged or ()) if failed else {}
        errors = (
            *map(hubspot_format.refusal, refused),
            *(hubspot_format.error(row, places.get(_equal_inputs(row.contact, row.input), ())) for row in failed),
        )
        answer = hubspot_format.batch_response(
            status,
            stored.received_at,
            max((row.settled_at or completed for row in members), default=completed),
            [hubspot_format.result(row) for row in members if row.outcome == Outcome.DELIVERED],
            hubspot_format.as_far_as_there_is_room(errors),
            f"{public_base(request)}/submissions/{submission}",
        )
        return hubspot_format.json_response(answer, headers=headers)


def _check_is_the_same(handed: Inbound, stored: StoredRequest) -> None:
    """Let only the request on that the receipt is of.

    Raises:
        Fault: 409 where its Idempotency-Key brought another request before.

    """
    if stored.key_id != handed.key_id or stored.digest != handed.digest:
        raise invalid("This Idempotency-Key was used for another request before. Use a new one.", 409)


def _status(members: Sequence[SubmissionRecord]) -> Status:
    """Give the least settled of the batches' statuses; where all were canceled, that."""
    statuses = {row.status for row in members}
    order = (Status.PENDING, Status.PROCESSING, Status.COMPLETE, Status.CANCELED)
    return next((status for status in order if status in statuses), Status.COMPLETE)


def _places(judged: Sequence[JudgedInput]) -> dict[tuple[object, ...], list[str]]:
    """Find where each record stands in its request; inputs that are equal are one record, and stand in several places.

    It is read from the request, which is at hand while its answer is held: what is stored does not say.
    """
    places: dict[tuple[object, ...], list[str]] = {}
    for index, one in enumerate(judged):
        if isinstance(one, Candidate):
            places.setdefault(_equal_inputs(one.contact, one.input), []).append(f"inputs[{index}]")
    return places


def _equal_inputs(contact: str, given: Mapping[str, Any]) -> tuple[object, ...]:
    """Give what is equal for inputs of one request that are the same record (`models.fingerprint`)."""
    return contact, given["interactionDateTime"], frozenset(given["properties"].items())


def check_version(request: Request) -> None:
    """Let only HubSpot's versions on: `v3`, or a year and a month.

    Raises:
        Fault: 404.

    """
    version = request.path_params.get("version")
    if version is not None and (version == "v3" or not is_version(version)):
        raise Fault(404, "OBJECT_NOT_FOUND", "There is no such version. Use v3, or a dated one such as 2026-09.")


def wait_of(request: Request) -> float:
    """Read how many seconds the client prefers to wait (`Prefer: wait=N`), as far as that is granted."""
    found = _WAIT.search(",".join(request.headers.getlist("prefer")))
    return min(float(found[1]), LONGEST) if found else 0.0


def _check_is_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        said = f"'{shown(kind)}'" if kind else "missing"
        raise Fault(415, "VALIDATION_ERROR", f"Content-Type is {said}. Send application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Fault(415, "VALIDATION_ERROR", "This Content-Encoding is not supported. Send the body without one.")


def _named(key: ApiKey, request: Request, secret: bytes) -> UUID:
    """Name the submission: the same for the same `Idempotency-Key` of the same key, else a new one."""
    given = request.headers.get("idempotency-key")
    if given is None:
        return uuid4()
    if not 0 < len(given) <= LONGEST_KEY:
        raise invalid(f"Idempotency-Key is empty or longer than {LONGEST_KEY} characters.")
    if bad := hidden_character(_header_text(given)):
        raise invalid(f"Idempotency-Key holds {bad}: expected text without it.")
    return submission_id(secret, Door.HTTP, f"{key.id} {given}".encode())


def _header_text(given: str) -> str:
    """Read a header's letters: UTF-8 where they can be that, else Latin-1, as which they come here."""
    try:
        return given.encode("latin-1").decode()
    except UnicodeDecodeError:
        return given


def _digest(request: Request, account: str, body: bytes) -> bytes:
    said = b"\0".join((request.scope["raw_path"], request.scope["query_string"], account.encode(), body))
    return hashlib.blake2b(said, digest_size=16).digest()


def _judged(  # noqa: PLR0913, PLR0917 - what a request is made of
    request: Request, body: bytes, account: str, key: ApiKey, submission: UUID, identity: Identity
) -> Inbound:
    """Read a request and judge its inputs, before it joins those of others in a transaction."""
    message = _read(request, body, account, key, submission)
    digest = _digest(request, account, body)
    judged = list(message.judged(identity))
    traceparent = request.headers.get("traceparent", "")
    return Inbound(Door.HTTP, PART, b"", message, identity, key.id, digest, judged, traceparent)


def _read(request: Request, body: bytes, account: str, key: ApiKey, submission: UUID) -> Message:
    """Read a request as a message; what is wrong with the whole of it is said as HubSpot says it."""
    fields: Json = {"account": account, "producer": key.name, "submission_id": str(submission)}
    fields["inputs"] = _inputs(body)
    fields["subscriber_state"] = state = path_value(request, "subscriberState")
    if state not in set(State):
        raise invalid(f"Unknown state for '{shown(state)}'. Correct are 'register', 'attend' or 'cancel'.")
    if "objectId" in request.path_params:
        fields["object_id"] = path_value(request, "objectId")
    else:
        fields["external_event_id"] = path_value(request, "externalEventId")
        fields["external_account_id"] = query_values(request).get("externalAccountId")
        if not fields["external_account_id"]:
            raise invalid("externalAccountId is required")
    message = read_fields(fields)
    if isinstance(message, Unreadable):
        said = "; ".join(map(str, message.reasons))
        raise invalid(f"Invalid request: {said}", 413 if len(fields["inputs"]) > MOST_INPUTS else 400)
    return message


def _inputs(body: bytes) -> list[Any]:
    try:
        given = loads(body)
    except ValueError as error:
        raise invalid(f"Invalid input JSON: {shown(error)}") from None
    inputs = given.get("inputs") if isinstance(given, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise invalid('Invalid input JSON: expected an object with "inputs", a list of at least one.')
    return inputs
