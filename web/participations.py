"""HubSpot's read-backs, passed on: asked of HubSpot anew, with the account's token, within its limit.

Nothing of a request's path or query goes out as it came: each value is decoded, judged, and encoded again.
"""

import re
from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hubspot_api.answer import Limited
from hubspot_api.client import get
from hubspot_api.limiter import Use
from hubspot_api.participations import LIMIT, contact_view, event_view, read_page
from hubspot_api.response import NoResponse, Response as HubSpotResponse
from hubspot_api.transport import LONGEST_ANSWER
from models.ids import hidden_character, id_fault
from models.input_check import shown
from models.message import Json, loads
from models.words import Role, Via
from web.access import Keys, account_of, may
from web.attendance import PREFIXES, check_version
from web.descriptions import ACCOUNT, faults, path_parameters
from web.hubspot_format import JSON, Fault, busy, invalid
from web.limits import Answers
from web.room import Turns
from web.values import path_value, query_values
from worker.accounts.destination import NoDestination
from worker.auth.keys import ApiKey
from worker.context import Context
from worker.delivery import permits
from worker.delivery.account_stops import reaction, stop
from worker.delivery.call import word
from worker.delivery.read_back import tell, told
from worker.operations.audit_log import READ_BACK, Actor, note
from worker.queue import attempts, unconfirmed

THREADS: Final = (4, 2)
"""Calls to HubSpot at once, and of one key."""
PATIENCE: Final = 1.0
"""Seconds that a read waits for a permit; of these read-backs have a tenth, so that they never hold up delivery."""
PATHS: Final = {
    "contacts/{contactIdentifier}/breakdown": "A contact's participations",
    "{marketingEventId}/breakdown": "An event's participations, by its object id",
    "{externalAccountId}/{externalEventId}/breakdown": "An event's participations, by its external id",
    "{marketingEventId}": "An event's counters, by its object id",
    "{externalAccountId}/{externalEventId}": "An event's counters, by its external id",
}
LONGEST_AFTER: Final = 1_000
"""Characters of a cursor. HubSpot publishes no bound."""
_NUMBER: Final = re.compile("[1-9][0-9]{0,2}")
_SECONDS: Final = re.compile("[0-9]{1,9}")
ANSWERS: Final[dict[int | str, Json]] = {
    200: {"description": "HubSpot's answer, as it came", "content": {"application/json": {"schema": {}}}},
    "default": {"description": "HubSpot's refusal as it came, where it is JSON, with HubSpot's status"},
}


class Participations:
    """The read-backs of one process."""

    def __init__(self, process: Context, keys: Keys, answers: Answers) -> None:
        self._process, self._keys, self._answers = process, keys, answers
        self._turns = Turns(*THREADS)

    def router(self) -> APIRouter:
        """Give the routes."""
        router = APIRouter(tags=["Participations"])
        for prefix in PREFIXES:
            for path, summary in PATHS.items():
                whole = f"{prefix}/participations/{path}"
                router.add_api_route(
                    whole,
                    partial(self._pass_on, path),
                    methods=["GET"],
                    summary=summary,
                    description="Asked of HubSpot with the account's token, within a tenth of its limit.",
                    response_model=None,
                    responses=ANSWERS | faults(400, 401, 403, 404, 421, 429, 502, 503),
                    openapi_extra={"parameters": [*path_parameters(whole), *_described(path), ACCOUNT]},
                )
        return router

    async def _pass_on(self, view: str, request: Request) -> Response:
        check_version(request)
        key = await self._keys.of(request)
        may(key, Role.PRODUCER, Role.OPERATOR)
        account, path = account_of(key, request), _path(request, view)
        ask = partial(self._ask, account, path, key)
        return await self._answers.held(key, LONGEST_ANSWER, partial(self._turns.run, key.id, ask))

    def _ask(self, account: str, path: str, key: ApiKey) -> Response:
        process = self._process
        try:
            to = process.destination(account)
        except NoDestination:
            raise busy(f"The account {account} cannot be asked now: see `turnout status`.", 60) from None
        held = permits.permit(process, to, Use.READ_BACK, PATIENCE)
        if held is None:
            raise Fault(
                429,
                "RATE_LIMITS",
                "The account has no call to HubSpot left for reading at this moment. Try again in a second.",
                headers={"Retry-After": "1"},
            )
        attempt_id = unconfirmed.begin(process.engine, to.account_id, process.settings.lease, [])
        if attempt_id is None:
            permits.give_back(process, to, held)
            raise busy(f"The account {account} sends nothing now: see `turnout status`.", 60)
        self._note(key, account)
        response = get(to.url + path, to.token.get_secret_value(), process.settings.timeout)
        headers = {} if isinstance(response, NoResponse) else response.headers
        permits.release(process, to, held, headers, response.duration)
        answer = read_page(response)
        call = told(response, answer)
        attempts.complete_alone(process.engine, attempt_id, call)
        if isinstance(answer, Limited):
            decision = reaction(answer, 0, 0.0)
            tell(to, 0, call, word(decision))
            stop(process, to, decision, None)
        else:
            tell(to, 0, call, "pass on")
        if isinstance(response, NoResponse):
            raise Fault(502, "BAD_GATEWAY", f"HubSpot gave no answer: {response.because}.")
        return passed_on(response)

    def _note(self, key: ApiKey, account: str) -> None:
        """Note that an operator takes data out; of whom or what stands in no audit log."""
        if key.role is Role.OPERATOR:
            with self._process.engine.begin() as connection:
                note(connection, Actor(key.name, Via.API), READ_BACK, {"account": account})


def passed_on(response: HubSpotResponse) -> Response:
    """Pass HubSpot's answer on: its status and its JSON. Of its headers only for how long to wait.

    Raises:
        Fault: where it is no JSON, or no answer to a reading (a redirect).

    """
    wait = response.headers.get("Retry-After", "")
    headers = {"Retry-After": wait} if _SECONDS.fullmatch(wait) else {}
    is_failure = 400 <= response.status < 600  # noqa: PLR2004 - HTTP
    if is_failure or response.status == 200:  # noqa: PLR2004 - HTTP
        try:
            loads(response.body)
        except ValueError:
            pass
        else:
            return Response(response.body, response.status, headers=headers | {"Content-Type": JSON})
    said = f"HubSpot answered HTTP {response.status}, without JSON that could be passed on. Ask again later."
    raise Fault(response.status if is_failure else 502, "BAD_GATEWAY", said, headers=headers)


STATES: Final = ("REGISTERED", "ATTENDED", "CANCELLED", "NO_SHOW", "EMPTY")
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": LONGEST_AFTER}
_QUERY: Final[dict[str, Json]] = {
    "state": {"type": "string", "enum": list(STATES)},
    "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT},
    "after": _TEXT,
    "contactIdentifier": _TEXT,
}
"""What HubSpot's breakdowns take; its counters take nothing."""


def _known(view: str) -> list[str]:
    """Name the parameters that a view takes."""
    if not view.endswith("/breakdown"):
        return []
    return [name for name in _QUERY if name != "contactIdentifier" or "{contactIdentifier}" not in view]


def _described(view: str) -> list[Json]:
    """Describe a view's query."""
    said = "Passed on to HubSpot."
    return [{"name": name, "in": "query", "description": said, "schema": _QUERY[name]} for name in _known(view)]


def _path(request: Request, view: str) -> str:
    """Put together what HubSpot is asked for.

    Raises:
        Fault: 400 where a value is none, or would make it something else.

    """
    names = [part[1:-1] for part in view.split("/") if part.startswith("{")]
    ids = {name: path_value(request, name) for name in names}
    query = _judged(query_values(request), _known(view))
    for name, value in (ids | query).items():
        if fault := id_fault(value) if name != "after" else None:
            raise invalid(f"{name} {fault[0]}: expected {fault[1]}.")
    version = request.path_params.get("version", "v3")
    if "contactIdentifier" in ids:
        path = contact_view(version, *ids.values(), **query)
    else:
        path = event_view(version, *ids.values(), breakdown=view.endswith("/breakdown"), **query)
    if path is None:
        said = ", ".join(f"{name} '{shown(value)}'" for name, value in ids.items())
        raise invalid(f"{said} would ask for another path: expected the id of an event or a contact.")
    return path


def _judged(query: dict[str, str], known: list[str]) -> dict[str, str]:
    """Let only a view's parameters on, each with a value that HubSpot can take."""
    for name, value in query.items():
        if name not in known:
            right = f"one of {', '.join(known)}" if known else "no query"
            raise invalid(f"The query parameter '{shown(name)}' is not known here: expected {right}.")
        if name == "state" and value not in STATES:
            raise invalid(f"state '{shown(value)}' is unknown: expected one of {', '.join(STATES)}.")
        if name == "limit" and not (_NUMBER.fullmatch(value) and int(value) <= LIMIT):
            raise invalid(f"limit '{shown(value)}' is no whole number from 1 to {LIMIT}.")
        if name == "after" and not (0 < len(value) <= LONGEST_AFTER and hidden_character(value) is None):
            raise invalid("after is none that paging.next gave.")
        if name == "contactIdentifier" and not value:
            raise invalid("contactIdentifier is empty: expected an e-mail address or a contact id.")
    return query
