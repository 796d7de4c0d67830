"""The console's routes."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from web.console.actions import ACTIONS, LIMITS
from web.console.base import HEADERS, SIGN_IN, Frame, PageError
from web.console.form import USUAL
from web.console.live import Live
from web.console.openid import BEGIN
from web.console.pages import PAGES
from web.console.sign_in import LINK, Signing
from web.templating import STATIC, static
from worker.auth.openid import CALLBACK
from worker.context import Context


class Console:
    """The console of one process."""

    def __init__(self, process: Context) -> None:
        self._frame = Frame(process)
        self._signing = Signing(self._frame)
        self.live = Live(self._frame)

    def router(self) -> APIRouter:
        """Give the routes."""
        router = APIRouter(include_in_schema=False)
        for path, page in PAGES.items():
            router.add_api_route(path, self.live.page(page), methods=["GET"], response_model=None)
        for path, action in ACTIONS.items():
            endpoint = self._frame.action(action, LIMITS.get(path, USUAL))
            router.add_api_route(path, endpoint, methods=["POST"], response_model=None)
        router.add_api_route(SIGN_IN, self._signing.page, methods=["GET"], response_model=None)
        router.add_api_route(SIGN_IN, self._signing.sign_in, methods=["POST"], response_model=None)
        router.add_api_route(LINK, self._signing.link, methods=["GET"], response_model=None)
        router.add_api_route(LINK, self._signing.follow, methods=["POST"], response_model=None)
        router.add_api_route(BEGIN, self._signing.openid.begin, methods=["GET"], response_model=None)
        router.add_api_route(CALLBACK, self._signing.openid.callback, methods=["GET"], response_model=None)
        router.add_api_route("/sign-out", self._signing.sign_out, methods=["POST"], response_model=None)
        router.add_api_route("/static/{name}", _static, methods=["GET"], response_model=None)
        return router

    async def nothing(self, request: Request, error: HTTPException) -> Response:
        """Answer a browser that asked for what is not there, or opened what only a button sends."""
        at = f"Nothing is at {request.url.path[:200]}."
        if error.status_code == 405:  # noqa: PLR2004 - HTTP
            at = f"{request.url.path[:200]} is not a page: a button sends there."
        refusal = PageError(error.status_code, "There is nothing here", at)
        response = await self._frame.run(lambda asked: self._frame.refused(asked, refusal), request)
        response.headers.update(error.headers or {})
        return response


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC:
        return Response("", 404)
    # Links carry the content's hash, so what is there never changes.
    kept = HEADERS | {"Cache-Control": "public, max-age=31536000, immutable", "Content-Type": STATIC[name]}
    return Response(static(name), headers=kept)
