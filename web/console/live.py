"""Live pages: a page asked for as a stream of events sends itself anew whenever it has changed.

The page's own function and template write it, so nothing is written twice. Every few seconds, as many as its
`data-live` says, it is looked at as by somebody who comes anew: his session and his role are looked up each time.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from web.console.base import HEADERS, SIGN_IN, ConsoleRequest, Endpoint, Frame, PageFunction
from web.room import NoRoom, Room, Shares
from worker.auth.sessions import User

PLACES: Final = 24
"""Streams at once; a browser that finds none free asks again later."""
PLACES_OF_ONE: Final = 12
"""Of them, at most, for one key, or one person."""
LONGEST: Final = 600.0
"""Seconds after which a stream ends, and the browser asks anew: by then with the cookie that it has now."""
BEAT: Final = 15.0
"""Seconds without an event after which a look sends a comment, so that no proxy takes the stream for dead."""
AGAIN: Final = format_sse_event(retry=2_000)
"""The browser asks anew so many milliseconds after the stream ended."""
RELOAD: Final = format_sse_event(event="reload", data_str="")
"""There is no such page any more, or it is somebody else's: the browser is to load it anew."""
LATER: Final = "15"
"""Seconds after which whoever was refused may ask again."""

_MAIN: Final = re.compile(r"<main\b([^>]*)>.*</main>", re.DOTALL)
_COUNTS: Final = re.compile(r'(<time datetime="[^"]*")[^<]*')
"""A moment's age alone is no change, or each second would be one: the browser counts it on by itself."""


class OutOfReach(Exception):  # noqa: N818 - it is a state of the world
    """Nothing can be shown at the moment."""


class Watch:
    """One tab's looks at a page."""

    _user: User | None = None
    """Whose it is since the first look."""

    def __init__(self, frame: Frame, page: PageFunction, request: Request) -> None:
        self._frame, self._page, self._request = frame, page, request
        self._seen = request.headers.get("last-event-id", "")
        self.every = 0.0
        """Seconds until the next look; none where there is nothing to look at any more."""

    @property
    def owner(self) -> str:
        """Name who looks; empty where nobody is signed in."""
        return self._user.name if self._user else ""

    async def news(self) -> bytes:
        """Look, and give the event that says what changed; nothing where nothing did.

        Raises:
            OutOfReach: where the page could not be made.

        """
        self.every = 0.0
        response = await self._frame.run(self._written, self._request)
        if response.status_code >= 500:  # noqa: PLR2004 - HTTP
            raise OutOfReach
        is_page = response.status_code == 200 and isinstance(response, HTMLResponse)  # noqa: PLR2004
        main = _MAIN.search(bytes(response.body).decode()) if is_page else None
        if main is None:
            return RELOAD
        self.every = seconds_between(main[1])
        mark = hashlib.blake2b(_COUNTS.sub(r"\1", main[0]).encode(), digest_size=12).hexdigest()
        if mark == self._seen:
            return b""
        self._seen = mark
        return format_sse_event(id=mark, data_str=main[0])

    def _written(self, request: Request) -> Response:
        user = self._frame.who(request)
        if user is None or (self._user or user) != user:
            return RedirectResponse(SIGN_IN, 303)
        self._user = user
        return self._frame.shown(self._page, ConsoleRequest(self._frame.process, request, user), said="")


class Live:
    """The streams of one process."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._ended = asyncio.Event()
        self.places = Room()

    def page(self, page: PageFunction) -> Endpoint:
        """Give the endpoint of a page, whole or as a stream, as it is asked for."""
        whole = self._frame.page(page)

        async def endpoint(request: Request) -> Response:
            if request.headers.get("accept") != EventSourceResponse.media_type:
                return await whole(request)
            watch = Watch(self._frame, page, request)
            try:
                news = await watch.news()
            except OutOfReach:
                return later()
            if not news and not watch.every:
                return Response(status_code=204, headers=HEADERS)  # for good: the browser asks no more
            return EventStream(self, watch.owner, self._events(watch, news))

        return endpoint

    def end(self) -> None:
        """End all: the process stops."""
        self._ended.set()

    async def _events(self, watch: Watch, news: bytes) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        ends, sent = clock() + LONGEST, clock()
        yield AGAIN + news
        while watch.every and clock() < ends:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), watch.every)
                return
            try:
                news = await watch.news()
            except OutOfReach:
                return
            if not news and clock() - sent >= BEAT:
                news = KEEPALIVE_COMMENT
            if news:
                sent = clock()
                yield news


class EventStream(EventSourceResponse):
    """An answer that goes on, where there is a place for it; whoever leaves gives it up at once."""

    def __init__(self, live: Live, owner: str, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, headers=HEADERS | {"X-Accel-Buffering": "no"})
        self._live, self._owner = live, owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            with self._live.places.place(self._owner, Shares(PLACES, PLACES_OF_ONE)):
                await super().__call__(scope, receive, send)
        except NoRoom:
            await later()(scope, receive, send)


def seconds_between(attributes: str) -> float:
    """Read from `<main>` how many seconds lie between two looks; none where the page is not live."""
    found = re.search(r'data-live="(\d+)"', attributes)
    return float(found[1]) if found else 0.0


def later() -> Response:
    """Answer that there is no place, or nothing to show, at the moment."""
    return Response("try again later\n", 503, HEADERS | {"Retry-After": LATER}, "text/plain")
