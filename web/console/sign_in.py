"""Signing in with an operator's or a viewer's key, and out."""

from collections.abc import Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from models.words import Role
from web.console import cookie
from web.console.base import SIGN_IN, Frame, check_form
from web.console.form import read_form
from worker.auth import keys, sessions, signin_limit


class Signing:
    """The sign-in page and the two forms."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def page(self, request: Request) -> Response:
        """Show the form."""
        return await self._frame.run(self._page, request)

    async def sign_in(self, request: Request) -> Response:
        """Take a key."""
        return await self._frame.run(partial(self._sign_in, await read_form(request)), request)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        return await self._frame.run(partial(self._sign_out, await read_form(request)), request)

    def _page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        if not problem and self._frame.who(request) is not None:
            return RedirectResponse("/", 303)
        value = cookie.read(request) or cookie.fresh()
        facts = {"form": cookie.form_token(value), "problem": problem, "next": _next(request.query_params)}
        response = self._frame.written(request, None, "sign-in.html", facts, status)
        cookie.keep(response, request, value)
        return response

    def _sign_in(self, form: Mapping[str, str] | None, request: Request) -> Response:
        check_form(request, form)
        assert form is not None
        process, address = self._frame.process, request.client.host if request.client else ""
        until = signin_limit.locked_until(process.redis, address)
        if until is not None:
            problem = (
                "Too many wrong keys came in a short time. Nobody signs in from here, with the right key neither, until"
                f" {until:%Y-%m-%d %H:%M:%S}Z."
            )
            return self._page(request, problem, 429)
        with process.engine.begin() as connection:
            key = keys.verify(connection, form.get("key", "").strip())
        if key is None:
            return self._page(request, "This key is not good: mistyped, revoked, or rotated away.", 403)
        signin_limit.forgive(process.redis, address)
        if key.role is Role.PRODUCER:
            problem = (
                f"{key.name} is a producer's key: it hands records in. The console takes an operator's or a viewer's"
                " key: turnout keys create NAME --role viewer."
            )
            return self._page(request, problem, 403)
        sessions.end(process.engine, cookie.read(request) or "")  # or it would be good until its time is over
        response = RedirectResponse(_next(form) or "/", 303)
        cookie.keep(response, request, sessions.begin(process.engine, key))
        return response

    def _sign_out(self, form: Mapping[str, str] | None, request: Request) -> Response:
        check_form(request, form)
        sessions.end(self._frame.process.engine, cookie.read(request) or "")
        response = RedirectResponse(SIGN_IN, 303)
        cookie.keep(response, request, "", life=0)
        return response


def _next(given: Mapping[str, str]) -> str:
    """Give where to go after signing in: a path of ours, never another site."""
    path = given.get("next", "")
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else ""
