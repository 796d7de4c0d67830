"""Signing in at the company's OpenID Connect provider: there, and back with its answer.

The browser keeps what an attempt is proved by in a cookie of its own, which comes back with a link from another site
(the session's does not). It holds where to go afterwards too, so the provider does not learn that.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote

from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from web.access import client_place
from web.console import cookie
from web.console.base import SIGN_IN, Frame, PageError, safe_path
from web.public_url import public_base
from web.room import Room, Shares
from worker.auth import sessions
from worker.auth.openid import STALE, NotSignedIn, Provider, SignIn

BEGIN: Final = "/openid/begin"
LIFE: Final = 600
"""Seconds within which somebody must have signed in at the provider."""
LONGEST: Final = 2_000
"""Letters of where to go afterwards: a cookie holds some 4,000."""
_NAME: Final = "-openid"
"""Behind the cookie's name."""
AT_ONCE: Final = 2
"""Threads that wait for the provider: one that does not answer keeps no page from anybody."""


class OpenId:
    """The way to the provider, and the way back."""

    def __init__(self, frame: Frame, provider: Provider) -> None:
        self._frame = frame
        self._provider = provider
        self._threads = CapacityLimiter(AT_ONCE)
        self._leaving = CapacityLimiter(AT_ONCE)
        self._asking = Room()

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider."""
        return await self._asked(self._begin, request)

    async def callback(self, request: Request) -> Response:
        """Take the provider's answer."""
        return await self._asked(self._callback, request)

    async def _asked(self, work: Callable[[Request], Response], request: Request) -> Response:
        """Do what may ask the provider; one address holds up no other, though anybody may begin."""
        async with self._asking.turn(client_place(request), 1, Shares(AT_ONCE, 1)):
            return await self._frame.run(work, request, limiter=self._threads)

    async def signed_out(self, request: Request) -> Response:
        """Lead a person whose session has ended on, to the provider's own sign-out if it has one."""
        return await self._frame.run(self._signed_out, request, limiter=self._leaving)

    def _begin(self, request: Request) -> Response:
        self._must_be_set()
        then = safe_path(request.query_params)
        attempt = SignIn.begin()
        to = self._provider.authorization_url(attempt)
        if isinstance(to, NotSignedIn):  # the sign-in page says why
            return RedirectResponse(SIGN_IN + (f"?next={quote(then, safe='')}" if then else ""), 303)
        response = RedirectResponse(to, 303)
        kept = f"{attempt.value}.{quote(then, safe='')}"
        cookie.keep(response, request, kept if len(kept) <= LONGEST else attempt.value, _NAME, LIFE, "lax")
        return response

    def _callback(self, request: Request) -> Response:
        self._must_be_set()
        value, _, path = request.cookies.get(cookie.name_of(request) + _NAME, "").partition(".")
        user = self._provider.user(SignIn(value), request.query_params) if value else STALE
        if isinstance(user, NotSignedIn):
            raise _not_signed_in(user)
        token = sessions.begin_for(self._frame.process.engine, user, self._provider.issuer, value)
        if token is None:
            raise _not_signed_in(STALE)
        sessions.end(self._frame.process.engine, cookie.read(request) or "")
        # The page goes on by itself: on a redirect that another site began the new cookie would not be sent.
        then = public_base(request) + (safe_path({"next": unquote(path)}) or "/")
        response = self._frame.written(request, user, "go-on.html", {"to": then})
        cookie.keep(response, request, token)
        cookie.keep(response, request, "", _NAME, 0, "lax")
        return response

    def _signed_out(self, request: Request) -> Response:
        """Let the browser, which is signed out here, sign out of the provider too."""
        to = self._provider.sign_out_url()
        if not to:
            return RedirectResponse(SIGN_IN, 303)
        # The page goes on by itself: a form of ours leads to no other site (form-action in the policy).
        return self._frame.written(request, None, "go-on.html", {"to": to})

    def _must_be_set(self) -> None:
        if not self._provider.issuer:
            raise PageError(404, "There is nothing here", "Turnout signs in with keys alone: no provider is set.")


def _not_signed_in(why: NotSignedIn) -> PageError:
    return PageError(why.status, "You are not signed in", why.because)
