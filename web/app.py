"""The web app, put together."""

from functools import partial

from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError, TimeoutError as NoConnection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.access import Keys
from web.attendance import Attendance
from web.console.app import Console
from web.group_commit import Storing
from web.hosts import Hosts
from web.hubspot_format import Fault, busy
from web.limits import Answers
from web.long_poll import LongPoll
from web.masking import masked
from web.participations import Participations
from web.probes import Probes
from web.proxies import Proxies
from web.public_url import PublicUrl
from web.receipts import Receipts
from web.reference import routes as reference
from web.requests_counted import Counting
from web.safe_headers import with_safe_headers
from worker.context import Context
from worker.database import is_away, is_datas_fault
from worker.log import get_logger

log = get_logger(__name__)


def create_app(process: Context) -> FastAPI:
    """Make the app of one process.

    What `app.state.held` names holds answers, and lets go of them by `end()`; what `app.state.threaded` names has
    threads, which end by `end()`.
    """
    app = WebApp(title="Turnout", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    waiting = LongPoll(process.engine)
    keys, answers, storing = Keys(process.engine), Answers(), Storing(process)
    console = Console(process)
    for router in (
        Attendance(process, keys, answers, waiting, storing).router(),
        Participations(process, keys, answers).router(),
        Receipts(process, keys, answers, waiting).router(),
        reference.router(app),
        console.router(),
    ):
        app.router.routes.extend(router.routes)  # `include_router` would make each once more, at the first request
    app.state.held, app.state.threaded = (waiting, console.live), (keys, storing)
    app.add_exception_handler(Fault, _fault)
    app.add_exception_handler(HTTPException, partial(_http, console))
    app.add_exception_handler(DBAPIError, partial(_database, process))
    app.add_exception_handler(NoConnection, partial(_database, process))
    app.add_exception_handler(Exception, _bug)
    app.add_middleware(Counting)
    app.add_middleware(Encoded)
    app.add_middleware(Head)
    app.add_middleware(PublicUrl, url=process.settings.public_url)
    app.add_middleware(Hosts, settings=process.settings)
    app.add_middleware(Proxies, trusted=process.settings.trusted_proxies)
    app.add_middleware(Probes, settings=process.settings)
    return app


class WebApp(FastAPI):
    """The app; what answers for it where something failed answers with the same headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await super().__call__(scope, receive, with_safe_headers(send))


class Encoded:
    """Routes by the path as it was sent: decoded, the event `a/b` could not be told from two segments."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on with the path encoded; whoever reads a value of it decodes that alone."""
        if scope["type"] == "http":
            scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await self._app(scope, receive, send)


class Head:
    """Answers HEAD as GET, and ends the answer behind its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on; a stream ends too, since its client counts as gone once the answer is complete."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, partial(_without_body, send)
        await self._app(scope, receive, send)


async def _without_body(send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        await send(message)
        await send({"type": "http.response.body"})


async def _fault(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, Fault)
    return fault.response()


async def _http(console: Console, request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if "text/html" in request.headers.get("accept", ""):
        return await console.nothing(request, error)
    said = {
        404: f"There is nothing at {masked(request.scope['path'][:200])}",
        405: f"This path does not take {request.method}. See /reference.",
    }
    categories = {404: "OBJECT_NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
    message = said.get(error.status_code, str(error.detail))
    category = categories.get(error.status_code, "VALIDATION_ERROR")
    return Fault(error.status_code, category, message, headers=error.headers).response()


async def _database(process: Context, request: Request, error: Exception) -> Response:
    if isinstance(error, DBAPIError) and is_datas_fault(error):
        return await _bug(request, error)
    if isinstance(error, DBAPIError) and not is_away(error):
        log.error("request not stored", exc_info=error)
    else:
        process.database_outage.failed(error)  # also where all connections are taken, by requests that wait for it
    return busy("The database is out of reach: nothing of this request was stored.", 5).response()


async def _bug(_: Request, error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return Fault(
        500, "INTERNAL_ERROR", "Turnout failed. It is not known whether anything of this request was stored."
    ).response()
