"""Signing in with an operator's or a viewer's key, by the link of `turnout up`, or as `openid` has it; and out.

The link is for whoever sits at the machine: it works from loopback alone, and not through a proxy, behind which
everybody seems to come from there. Its page asks for one press of a button, so that a program that only looks at links
does not use it up.
"""

from asyncio import sleep
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hubspot_api.address import is_loopback
from models.words import Role
from web.access import client_place
from web.console import cookie
from web.console.base import SIGN_IN, Frame, PageError, check_form, safe_path
from web.console.form import read_form
from web.console.openid import BEGIN, OpenId
from web.public_url import public_base
from web.room import Room, Shares
from worker.auth import keys, sessions, signin_limit
from worker.auth.openid import Provider

SLOWED: Final = 2.0
"""Seconds for which the answer to a wrong key waits, after many from one address."""
LINK: Final = f"{SIGN_IN}/{{link}}"
VERIFIED: Final = Shares(2, 1)
"""Keys that are verified at once, and of one address: pages are made in the same threads, of which there are more."""
TOO_MANY: Final = 429
_OF_PROXIES: Final = frozenset({"forwarded", "via", "x-real-ip"})


class Signing:
    """The sign-in page and the two forms."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._provider = Provider(frame.process.settings)
        self.openid = OpenId(frame, self._provider)
        self._verifying = Room()

    async def page(self, request: Request) -> Response:
        """Show the form."""
        return await self._frame.run(self._page, request)

    async def sign_in(self, request: Request) -> Response:
        """Take a key; many wrong ones from one address are slowed down, which holds up nobody else."""
        form = await read_form(request)
        async with self._verifying.turn(client_place(request), 1, VERIFIED):
            response = await self._frame.run(partial(self._sign_in, form), request)
        if response.status_code == TOO_MANY:
            await sleep(SLOWED)
        return response

    async def link(self, request: Request) -> Response:
        """Show the button of a sign-in link."""
        return await self._frame.run(self._link, request)

    async def follow(self, request: Request) -> Response:
        """Use a sign-in link up."""
        return await self._frame.run(partial(self._follow, await read_form(request)), request)

    async def sign_out(self, request: Request) -> Response:
        """End the session; a person's ends at the provider too."""
        response = await self._frame.run(partial(self._sign_out, await read_form(request)), request)
        if getattr(request.state, "was_a_persons", False):  # it has ended; only the way on may take a moment
            response = await self.openid.signed_out(request)
            cookie.keep(response, request, "", life=0)
        return response

    def _page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        if not problem and self._frame.who(request) is not None:
            return RedirectResponse("/", 303)
        if request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET":
            return self._frame.to_sign_in(request)  # without its cookie: a new one would end the session there is
        value = cookie.read(request) or cookie.fresh()
        then = safe_path(request.query_params)
        facts = {
            "form": cookie.form_token(value),
            "problem": problem or self._provider.trouble,
            "next": then,
            "provider": self._provider.name,
            "begin": f"{public_base(request)}{BEGIN}" + (f"?next={quote(then, safe='')}" if then else ""),
        }
        response = self._frame.written(request, None, "sign-in.html", facts, status)
        cookie.keep(response, request, value)
        return response

    def _sign_in(self, form: Mapping[str, str] | None, request: Request) -> Response:
        check_form(request, form)
        assert form is not None
        process, address = self._frame.process, request.client.host if request.client else ""
        with process.engine.begin() as connection:
            key = keys.verify(connection, form.get("key", "").strip())
        if key is None:
            problem = "This key is not good: mistyped, revoked, or rotated away."
            until = signin_limit.slowed_until(process.redis, address)
            if until is None:
                return self._page(request, problem, 403)
            problem += (
                " Many wrong keys came from your address, so each further one is answered slowly until"
                f" {until:%Y-%m-%d %H:%M:%S}Z. A good key signs in at once."
            )
            return self._page(request, problem, TOO_MANY)
        signin_limit.forgive(process.redis, address)
        if key.role is Role.PRODUCER:
            problem = (
                f"{key.name} is a producer's key: it hands records in. The console takes an operator's or a viewer's"
                " key: turnout keys create NAME --role viewer."
            )
            return self._page(request, problem, 403)
        sessions.end(process.engine, cookie.read(request) or "")  # or it would be good until its time is over
        response = RedirectResponse(safe_path(form) or "/", 303)
        cookie.keep(response, request, sessions.begin(process.engine, key))
        return response

    def _link(self, request: Request) -> Response:
        _must_be_at_the_machine(request)
        key = sessions.find_link(self._frame.process.engine, request.path_params["link"])
        if key is None:
            raise _spent()
        value = cookie.read(request) or cookie.fresh()
        facts = {"form": cookie.form_token(value), "name": key.name, "link": request.path_params["link"]}
        response = self._frame.written(request, None, "sign-in-link.html", facts)
        cookie.keep(response, request, value)
        return response

    def _follow(self, form: Mapping[str, str] | None, request: Request) -> Response:
        _must_be_at_the_machine(request)
        check_form(request, form)
        engine = self._frame.process.engine
        value = sessions.follow(engine, request.path_params["link"])
        if value is None:
            raise _spent()
        sessions.end(engine, cookie.read(request) or "")
        response = RedirectResponse("/", 303)
        cookie.keep(response, request, value)
        return response

    def _sign_out(self, form: Mapping[str, str] | None, request: Request) -> Response:
        check_form(request, form)
        request.state.was_a_persons = sessions.end(self._frame.process.engine, cookie.read(request) or "")
        response = RedirectResponse(SIGN_IN, 303)
        cookie.keep(response, request, "", life=0)
        return response


def _spent() -> PageError:
    message = (
        "A link is good once, and for five minutes. Start `turnout up` again for a new one, or sign in with a key:"
        " turnout keys create NAME --role operator."
    )
    return PageError(410, "This sign-in link is not good any more", message)


def _must_be_at_the_machine(request: Request) -> None:
    """Let only whoever is at the machine itself use a sign-in link.

    Raises:
        PageError: 403 for everybody else, and where a proxy stands in between.

    """
    address = request.client.host if request.client else ""
    by_proxy = any(name in _OF_PROXIES or name.startswith("x-forwarded-") for name in request.headers)
    if by_proxy or not is_loopback(address) or not is_loopback(request.url.hostname or ""):
        message = (
            "Open it in a browser on the machine on which `turnout up` runs, at the address that it printed. From"
            " elsewhere sign in with a key: turnout keys create NAME --role operator."
        )
        raise PageError(403, "A sign-in link works only on its own machine", message)
