"""The routes of the reference and of the OpenAPI document."""

from functools import cache, lru_cache
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from web.hubspot_format import json_response
from web.public_url import public_base
from web.reference.document import document
from web.reference.page import page

_POLICY: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
}
_ADDRESSES: Final = 16
"""Pages that are kept, one for each address that was asked; a request may name any."""


def router(app: FastAPI) -> APIRouter:
    """Give the routes; the document is made when it is first asked for."""
    found = cache(lambda: document(app))
    written = lru_cache(_ADDRESSES)(lambda here: page(found(), here))
    routes = APIRouter(include_in_schema=False)

    @routes.get("/openapi.json")
    async def openapi() -> Response:
        return json_response(found())

    @routes.get("/reference")
    async def reference(request: Request) -> Response:
        return HTMLResponse(written(public_base(request)), headers=_POLICY)

    return routes
