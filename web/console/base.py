"""A request on its way to a page or an action: whose it is, whether it may, and what is said where it goes wrong."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import quote, unquote

from anyio import CapacityLimiter, to_thread
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models.words import Role, Via
from web.console import cookie
from web.console.form import LARGEST_FORM, USUAL, FormLimits, read_form
from web.console.rendering import render
from web.room import NoRoom, Room, Shares
from worker.auth import sessions
from worker.auth.sessions import User
from worker.context import Context
from worker.database import is_away
from worker.log import get_logger
from worker.operations.audit_log import Actor
from worker.queries.status import find_destination

log = get_logger(__name__)

THREADS: Final = 3
"""Pages made at once: the HTTP door keeps its database connections."""
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers would send `Origin: null` with our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""What a page says beside the headers of every answer (`web.safe_headers`)."""
SIGN_IN: Final = "/sign-in"
SLOW: Final = 2
"""Actions that take minutes, done at once."""
UPLOADS: Final = Shares(4, 2)
"""Large forms and files that are read and worked on at once, and with one key."""


@dataclass(frozen=True)
class ConsoleRequest:
    """A request of somebody who is signed in."""

    process: Context
    request: Request
    user: User

    def path(self, name: str) -> str:
        """Give a value out of the path."""
        return unquote(self.request.path_params[name]).replace("\0", "")

    def number(self, name: str) -> int:
        """Give a number out of the path.

        Raises:
            PageError: 404 where it is none.

        """
        number = _number(self.path(name))
        if number is None:
            raise PageError(404, "There is nothing like that", f"{self.path(name)} is not a number.")
        return number

    def asked(self, name: str) -> str | None:
        """Give a filter out of the URL, or none where it is not set."""
        return self.request.query_params.get(name, "").replace("\0", "").strip() or None

    def before(self) -> int | None:
        """Give where the page is to begin; none at the newest."""
        return _number(self.asked("before") or "")

    def after(self) -> int | None:
        """Give behind what the page is to begin; none at the first."""
        return _number(self.asked("after") or "")

    @property
    def by(self) -> Actor:
        """Give who does something, as it is noted."""
        return Actor(self.user.name, Via.CONSOLE)

    def must_operate(self) -> None:
        """Let only operators on.

        Raises:
            PageError: 403 for a viewer.

        """
        self._must_be_operators("Only operators do that", "a viewer sees everything and changes nothing")

    def must_see_contacts(self) -> None:
        """Let only those on who may see contacts: that a page is there, or empty, tells of an address too.

        Raises:
            PageError: 403 for a viewer.

        """
        self._must_be_operators(
            "Only operators look people up", "a viewer sees no e-mail address and looks up no person"
        )

    def _must_be_operators(self, title: str, otherwise: str) -> None:
        if self.user.role is not Role.OPERATOR:
            raise PageError(403, title, f"{self.user.name} is a {self.user.role}: {otherwise}.")


@dataclass(frozen=True)
class Page:
    """A page: its template and what it shows."""

    template: str
    facts: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True)
class Redirect:
    """What an action came to, and where that is shown; or, with nothing to say, just where to go."""

    said: str
    then: str


class PageError(Exception):
    """A page that says in plain words why there is nothing else."""

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(message)
        self.status, self.title, self.message = status, title, message


BUSY: Final = PageError(
    429, "Too much is being uploaded", "Wait until the files that are being uploaded are done, then send yours again."
)
PageFunction = Callable[[ConsoleRequest], Page | Redirect | Response]
ActionFunction = Callable[[ConsoleRequest, Mapping[str, str]], Page | Redirect]
Endpoint = Callable[[Request], Awaitable[Response]]


class Frame:
    """What all pages of one process have in common."""

    def __init__(self, process: Context) -> None:
        self.process = process
        self._threads = CapacityLimiter(THREADS)
        self._uploads = Room()
        self._slow = CapacityLimiter(SLOW)  # beside the others, so that no page waits for what is slow

    def page(self, page: PageFunction) -> Endpoint:
        """Give the endpoint of a page."""

        async def endpoint(request: Request) -> Response:
            return await self.run(partial(self._show, page), request)

        return endpoint

    def action(self, action: ActionFunction, limits: FormLimits = USUAL) -> Endpoint:
        """Give the endpoint of a button, for operators."""

        async def endpoint(request: Request) -> Response:
            if limits.largest <= LARGEST_FORM:
                return await self._taken(action, request, limits)
            admitted = await self.run(self._admit, request)  # so much is not read of anybody
            if admitted.status_code != 204:  # noqa: PLR2004 - HTTP
                return admitted
            try:
                with self._uploads.place(request.state.owner, UPLOADS):
                    return await self._taken(action, request, limits)
            except NoRoom:
                return await self.run(lambda asked: self.refused(asked, BUSY), request)

        return endpoint

    async def _taken(self, action: ActionFunction, request: Request, limits: FormLimits) -> Response:
        form = await read_form(request, limits)
        return await self.run(partial(self._act, action, form, limits), request, is_slow=limits.is_slow)

    async def run(
        self,
        work: Callable[[Request], Response],
        request: Request,
        *,
        is_slow: bool = False,
        limiter: CapacityLimiter | None = None,
    ) -> Response:
        """Do the work in a thread, and make every answer a safe page."""
        limiter = limiter or (self._slow if is_slow else self._threads)
        response = await to_thread.run_sync(self._told, work, request, limiter=limiter)
        response.headers.update(HEADERS)
        return response

    def _told(self, work: Callable[[Request], Response], request: Request) -> Response:
        try:
            return work(request)
        except PageError as refusal:
            return self.refused(request, refusal)
        except DBAPIError as error:
            if not is_away(error):
                return self._failed(request, error)
            message = "Nothing can be shown until it is back; nothing that was accepted is lost. Try again in a moment."
            return self.refused(request, PageError(503, "The database is out of reach", message))
        except Exception as error:  # noqa: BLE001 - a bug: it is logged
            return self._failed(request, error)

    def _failed(self, request: Request, error: Exception) -> Response:
        log.error("page failed", exc_info=error)
        return self.refused(request, PageError(500, "Something is wrong here", "The log of `turnout serve` says what."))

    def _show(self, page: PageFunction, request: Request) -> Response:
        user = self.who(request)
        if user is None:
            return self.to_sign_in(request)
        response = self.shown(page, ConsoleRequest(self.process, request, user), said=(said := self._said(request)))
        if said and response.status_code == 200:  # noqa: PLR2004 - a page that only leads on shows nothing
            cookie.keep(response, request, "", cookie.SAID, life=0)
        return response

    def shown(self, page: PageFunction, visit: ConsoleRequest, *, said: str) -> Response:
        """Write what a page shows, and what is said on it once."""
        shown = page(visit)
        if isinstance(shown, Response):
            return shown
        if isinstance(shown, Redirect):
            return RedirectResponse(shown.then, 303)
        return self.written(visit.request, visit.user, shown.template, {**shown.facts, "said": said}, shown.status)

    def _admit(self, request: Request) -> Response:
        user = self.who(request)
        if user is None:
            return self.to_sign_in(request)
        ConsoleRequest(self.process, request, user).must_operate()
        request.state.owner = user.name
        return Response(status_code=204)

    def _act(
        self, action: ActionFunction, form: Mapping[str, str] | None, limits: FormLimits, request: Request
    ) -> Response:
        check_form(request, form, limits)
        user = self.who(request)
        if user is None or form is None:
            return self.to_sign_in(request)
        visit = ConsoleRequest(self.process, request, user)
        visit.must_operate()
        done = action(visit, form)
        if isinstance(done, Page):
            return self.written(request, user, done.template, done.facts, done.status)
        response = RedirectResponse(done.then, 303)
        if done.said or self._said(request):
            cookie.keep(response, request, quote(done.said[:1_000]), cookie.SAID, life=60)
        return response

    def who(self, request: Request) -> User | None:
        """Say who is signed in."""
        value = cookie.read(request)
        issuer = self.process.settings.oidc_issuer
        return None if value is None else sessions.find(self.process.engine, value, issuer)

    def written(
        self, request: Request, user: User | None, template: str, facts: Mapping[str, Any], status: int = 200
    ) -> Response:
        """Write a page."""
        frame: dict[str, object] = {
            "delivers_to": self.process.lately("delivers_to", self._delivers_to),
            "user": user,
            "may_act": user is not None and user.role is Role.OPERATOR,
            "form": cookie.form_token(cookie.read(request) or ""),
            "here": request.url.path,
            "said": "",
        }
        return HTMLResponse(render(user.role if user else None, template, {**frame, **facts}), status)

    def _delivers_to(self) -> str:
        return find_destination(self.process.engine, self.process.settings)

    def refused(self, request: Request, refusal: PageError) -> Response:
        """Write why there is nothing else."""
        facts = {"title": refusal.title, "message": refusal.message}
        return self.written(request, None, "refused.html", facts, refusal.status)

    def _said(self, request: Request) -> str:
        return unquote(request.cookies.get(cookie.name_of(request) + cookie.SAID, ""))

    def to_sign_in(self, request: Request) -> Response:
        """Send to the sign-in page; a link on another site brings no cookie, so there the browser asks once more."""
        if request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET":
            return self.written(request, None, "again.html", {})
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        wanted = asked if request.method == "GET" and asked != "/" else ""
        return RedirectResponse(SIGN_IN + (f"?next={quote(wanted, safe='')}" if wanted else ""), 303)


def safe_path(given: Mapping[str, str]) -> str:
    """Give where to go after signing in: a path of ours, never another site."""
    path = given.get("next", "")
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else ""


def check_form(request: Request, form: Mapping[str, str] | None, limits: FormLimits = USUAL) -> None:
    """Let only what was filled in on our own pages on.

    Raises:
        PageError: 413 where it did not come whole, 403 where it came from elsewhere.

    """
    if form is None:
        message = f"This form holds at most {limits.largest:,} bytes, and comes at once. {limits.beyond}"
        raise PageError(413, "That is too much, or too slow", message)
    origin = request.headers.get("origin", "").partition("://")[2]
    if origin != request.headers.get("host"):
        message = (
            f"The form came from {origin or 'nowhere'}, and this is {request.headers.get('host')}: nothing was done."
            " A proxy in front of Turnout must pass the Host header on."
        )
        raise PageError(403, "This form came from another site", message)
    value = cookie.read(request)
    if not cookie.is_form_of(value, form.get("form", "")):
        message = "Nothing was done: go back, load the page again, and press once more." + (
            ""
            if value is not None
            else " Your browser sent no cookie: outside of the machine itself it goes by https only."
        )
        raise PageError(403, "This form is out of date", message)


def _number(written: str) -> int | None:
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 19 else None  # noqa: PLR2004 - a bigint
