"""`GET /submissions/{id}`: what became of a submission, with its records page by page."""

import hashlib
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from models.message import Json
from models.words import Role, Status
from web import hubspot_format
from web.access import Keys
from web.attendance import wait_of
from web.descriptions import WAIT, faults, header, path_parameters
from web.hubspot_format import Fault, invalid
from web.limits import Answers
from web.long_poll import LongPoll
from web.masking import for_producer, for_viewer
from web.public_url import public_base
from web.room import Turns
from web.schemas import SubmissionReceipt
from worker.auth.keys import ApiKey
from worker.context import Context
from worker.queries import submissions
from worker.queries.submissions import Cursor, SubmissionRecord, SubmissionRefusal, SubmissionSummary

PATH: Final = "/submissions/{submission}"
PAGE: Final = 100
ANSWERS: Final[dict[int | str, Json]] = {
    200: {"model": SubmissionReceipt, "description": "Its counts, and a page of its records"},
    304: {"description": "Nothing has changed since the ETag of `If-None-Match`"},
}
ROOM_OF_RECORD: Final = 16_384
"""Bytes that an answer may need for each record, about."""
THREADS: Final = (4, 2)
"""Receipts that are read at once, and of one key: one of a large submission takes a while."""


class Receipts:
    """The receipts, asked for in one process."""

    def __init__(self, process: Context, keys: Keys, answers: Answers, waiting: LongPoll) -> None:
        self._engine, self._keys, self._answers, self._waiting = process.engine, keys, answers, waiting
        self._turns = Turns(*THREADS)

    def router(self) -> APIRouter:
        """Give the route."""
        router = APIRouter(tags=["Results"])
        query = [
            {
                "name": "limit",
                "in": "query",
                "description": "Records on a page.",
                "schema": {"type": "integer", "minimum": 1, "maximum": PAGE},
            },
            {
                "name": "after",
                "in": "query",
                "description": "What `paging.next` gave.",
                "schema": {"type": "string", "pattern": "^[0-9]{1,18}-[0-9]{1,18}$"},
            },
        ]
        router.add_api_route(
            PATH,
            self._show,
            methods=["GET"],
            summary="The results of a submission",
            description=(
                "A producer asks about its own submissions: those made with its key, rotated or not, and those"
                " that name the key as their `producer`, by stream, task or file. Another producer's is not found."
                " Operators see every submission; viewers too, without contacts."
            ),
            response_model=None,
            responses=ANSWERS | faults(400, 401, 404, 421, 503),
            openapi_extra={
                "parameters": [
                    *path_parameters(PATH),
                    *query,
                    header("If-None-Match", "The ETag of the answer that is known already."),
                    WAIT,
                ]
            },
        )
        return router

    async def _show(self, request: Request) -> Response:
        key = await self._keys.of(request)
        try:
            submission = UUID(request.path_params["submission"])
        except ValueError:
            raise _unknown() from None
        limit, after = _page(request)

        async def ask() -> Json:
            return await self._turns.run(key.id, self._receipt, key, submission, limit, after, request)

        seconds, headers = wait_of(request), {}
        if seconds:
            is_over = (await ask())["status"] == Status.COMPLETE
            if is_over or await self._waiting.until_settled(submission, seconds, key.id):
                headers = hubspot_format.applied(seconds)

        async def made() -> Response:
            body = orjson.dumps(await ask(), default=str)
            headers["ETag"] = tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
            if tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
                return Response(status_code=304, headers=headers)
            return Response(body, headers=headers | {"Content-Type": hubspot_format.JSON})

        return await self._answers.held(key, limit * ROOM_OF_RECORD, made)

    def _receipt(self, key: ApiKey, submission: UUID, limit: int, after: Cursor, request: Request) -> Json:
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            found = submissions.summary(connection, submission)
            if found is None or not _may_see(key, found):
                raise _unknown()
            members = submissions.records(connection, submission, after, limit + 1)
            refused = []
            if after == Cursor() and found.refused:
                refused = submissions.refusals(connection, submission, 0, PAGE)
        if key.role is Role.VIEWER:
            found, members, refused = for_viewer((found, members, refused))
        elif key.role is Role.PRODUCER:
            members = for_producer(members)
        shown = {
            "submission": submission,
            "status": found.status,
            "requestedAt": hubspot_format.instant(found.received_at),
            "completedAt": hubspot_format.instant(found.completed_at) if found.completed_at else None,
            "producer": found.producer,
            "accepted": found.accepted,
            "duplicates": found.duplicates,
            "refused": found.refused,
            "refusedOpen": found.refused_open,
            "outcomes": found.outcomes,
            "records": [_record(row) for row in members[:limit]],
            "refusals": [_refusal(row) for row in refused],
        }
        if len(members) > limit:
            last = Cursor(members[limit - 1].part_id, members[limit - 1].id)
            link = f"{public_base(request)}/submissions/{submission}?{urlencode({'after': str(last), 'limit': limit})}"
            shown["paging"] = {"next": {"after": str(last), "link": link}}
        return shown


def _page(request: Request) -> tuple[int, Cursor]:
    limit, after = request.query_params.get("limit", str(PAGE)), request.query_params.get("after")
    if not (limit.isascii() and limit.isdecimal() and len(limit) < 4 and 1 <= int(limit) <= PAGE):  # noqa: PLR2004 - digits
        raise invalid(f"limit is no whole number from 1 to {PAGE}")
    cursor = Cursor() if after is None else Cursor.read(after)
    if cursor is None:
        raise invalid("after is none that paging.next gave")
    return int(limit), cursor


def _may_see(key: ApiKey, found: SubmissionSummary) -> bool:
    """Say whether a submission is the producer's own, every part of it, and of accounts that the key reaches.

    A part that was unreadable is of no account.
    """
    if key.role is not Role.PRODUCER:
        return True
    known = {account_id for account_id in found.account_ids if account_id is not None}
    return found.producers == [key.name] and bool(known) and known <= set(key.accounts.values())


def _unknown() -> Fault:
    message = "There is no such submission, or nothing of it was accepted yet, or another producer submitted it."
    return Fault(404, "OBJECT_NOT_FOUND", message)


def _record(row: SubmissionRecord) -> Json:
    error = row.error_at and {
        "category": row.category,
        "code": row.code,
        "message": row.message,
        "context": row.context,
        "resolution": row.resolution,
        "at": hubspot_format.instant(row.error_at),
    }
    return {
        "record": row.id,
        "contact": row.contact,
        "event": row.event,
        "state": row.state,
        "interactionDateTime": row.input["interactionDateTime"],
        "outcome": row.outcome,
        "vid": row.contact_id,
        "batch": row.batch_id,
        "duplicate": row.duplicate,
        "error": error or None,
    }


def _refusal(row: SubmissionRefusal) -> Json:
    said = hubspot_format.refusal(row)
    context = said["context"]
    assert isinstance(context, dict)
    contact = context.get("contact", [None])[0]
    told = {"message": said["message"], "contact": contact, "inputs": row.inputs, "reasons": row.reasons}
    return {**told, "standing": row.standing}
