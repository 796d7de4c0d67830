"""`/openapi.json`, and `/reference`, a page to read it that needs nothing from outside."""

from functools import cache
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from web.hubspot_format import json_response
from web.schemas import INPUTS

_DESCRIPTION: Final = """\
HubSpot's Marketing Events attendance API, asynchronous: what is answered 200 is stored, and delivered to HubSpot within
its limits. An app that called HubSpot changes its host and its token. What is wrong with an input stands in `errors`,
and costs the others nothing."""
_SAFE: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_TEMPLATES: Final = "templates"


def router(app: FastAPI) -> APIRouter:
    """Give the routes; the document is made when it is first asked for."""
    found = cache(lambda: document(app))
    page = cache(lambda: _page(found()))
    routes = APIRouter(include_in_schema=False)

    @routes.get("/openapi.json")
    async def openapi() -> Response:
        return json_response(found())

    @routes.get("/reference")
    async def reference() -> Response:
        return HTMLResponse(page(), headers=_SAFE)

    return routes


def document(app: FastAPI) -> dict[str, Any]:
    """Give the OpenAPI document."""
    made: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
    )
    made["components"]["schemas"] |= {model.__name__: model.model_json_schema() for model in INPUTS}
    made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    made["security"] = [{"key": []}]
    return made


def _page(openapi: dict[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("web", _TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("reference.html").render(openapi=openapi)
