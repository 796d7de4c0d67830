"""HubSpot's read-backs, passed through: asked of HubSpot as they come, with the account's token, within its limit."""

from functools import partial
from typing import Any, Final

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hubspot.answer import Limited
from hubspot.client import NoResponse, get
from hubspot.limiter import Use
from hubspot.participations import read_page
from models.words import Role
from web.access import account_of, key_of, may
from web.attendance import PREFIXES, check_version
from web.shapes import ACCOUNT, faults, path_parameters
from web.wire import JSON, Fault, busy
from worker import permits, reads
from worker.destination import Destination, NoDestination
from worker.process import Process
from worker.reader import told
from worker.settle import complete_attempt
from worker.stops import stop

THREADS: Final = 4
PATIENCE: Final = 1.0
"""Seconds that a read waits for a permit; of these read-backs have a tenth, so that they never hold up delivery."""
PATHS: Final = {
    "contacts/{contactIdentifier}/breakdown": "A contact's participations",
    "{marketingEventId}/breakdown": "An event's participations, by its object id",
    "{externalAccountId}/{externalEventId}/breakdown": "An event's participations, by its external id",
    "{marketingEventId}": "An event's counters, by its object id",
    "{externalAccountId}/{externalEventId}": "An event's counters, by its external id",
}
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "HubSpot's answer, as it came", "content": {"application/json": {"schema": {}}}},
    "default": {"description": "HubSpot's answer, as it came, whatever its status"},
}


class Participations:
    """The read-backs of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._threads = CapacityLimiter(THREADS)

    def router(self) -> APIRouter:
        """Give the routes."""
        router = APIRouter(tags=["Participations"])
        for prefix in PREFIXES:
            for path, summary in PATHS.items():
                whole = f"{prefix}/participations/{path}"
                router.add_api_route(
                    whole,
                    self._pass_through,
                    methods=["GET"],
                    summary=summary,
                    description="Asked of HubSpot with the account's token, within a tenth of its limit.",
                    response_model=None,
                    responses=ANSWERS | faults(400, 401, 403, 404, 429, 502, 503),
                    openapi_extra={"parameters": [*path_parameters(whole), *_QUERY, ACCOUNT]},
                )
        return router

    async def _pass_through(self, request: Request) -> Response:
        check_version(request)
        run = partial(to_thread.run_sync, limiter=self._threads)
        key = await run(key_of, self._process.engine, request)
        may(key, Role.PRODUCER, Role.OPERATOR)
        query = request.scope["query_string"].decode("latin-1")
        path = request.scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        return await run(self._ask, account_of(key, request), path)

    def _ask(self, account: str, path: str) -> Response:
        process = self._process
        try:
            to = process.destination(account)
        except NoDestination:
            raise busy(f"The account {account} cannot be asked now: see `turnout status`.", 60) from None
        held = permits.permit(process, to, Use.READ_BACK, PATIENCE)
        if held is None:
            raise Fault(
                429, "RATE_LIMITS", "The account's limit leaves no call for this.", headers={"Retry-After": "1"}
            )
        attempt_id = reads.begin(process.engine, to.account_id, process.settings.lease, [])
        if attempt_id is None:
            permits.give_back(process, to, held)
            raise busy(f"The account {account} sends nothing now: see `turnout status`.", 60)
        response = get(to.url + path, to.token.get_secret_value(), process.settings.timeout)
        headers = {} if isinstance(response, NoResponse) else response.headers
        permits.release(process, to, held, headers, response.duration)
        answer = read_page(response)
        complete_attempt(process.engine, attempt_id, told(response, answer))
        if isinstance(answer, Limited):
            self._slow_down(to, answer)
        if isinstance(response, NoResponse):
            raise Fault(502, "BAD_GATEWAY", f"HubSpot gave no answer: {response.because}.")
        passed = {name: headers[name] for name in ("Retry-After",) if name in headers}
        passed["Content-Type"] = headers.get("Content-Type", JSON)
        return Response(response.body, response.status, headers=passed)

    def _slow_down(self, to: Destination, answer: Limited) -> None:
        stop(self._process, to, answer, None, 0, 0.0)


_QUERY: Final[tuple[dict[str, Any], ...]] = tuple(
    {"name": name, "in": "query", "description": "Passed on to HubSpot.", "schema": schema}
    for name, schema in (
        ("state", {"type": "string", "enum": ["REGISTERED", "ATTENDED", "CANCELLED", "NO_SHOW", "EMPTY"]}),
        ("limit", {"type": "integer", "minimum": 1, "maximum": 100}),
        ("after", {"type": "string", "minLength": 1}),
    )
)
