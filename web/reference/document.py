"""The OpenAPI document: the routes as FastAPI knows them, the webhooks, and the examples."""

from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from models.message import Json
from web.reference.calls import EXAMPLES, V3, Example
from web.reference.failures import FAILURES
from web.reference.webhooks import described
from web.schemas import INPUTS, SubmissionMessage

DATED: Final = "/marketing/marketing-events/{version}"
_DESCRIPTION: Final = """\
HubSpot's Marketing Events attendance API, asynchronous. A request that is answered 200 is stored, and Turnout delivers
it to HubSpot within HubSpot's limits. If an input is not valid, `errors` says so; the other inputs are accepted."""
_REFERENCES: Final = "#/components/schemas/{model}"


def document(app: FastAPI) -> Json:
    """Give the OpenAPI document."""
    made: Json = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes)
    made["servers"] = [{"url": "/", "description": "The Turnout that served this document"}]
    schemas = {model.__name__: model.model_json_schema() for model in INPUTS}
    told = SubmissionMessage.model_json_schema(ref_template=_REFERENCES)
    made["components"]["schemas"] |= told.pop("$defs") | schemas | {SubmissionMessage.__name__: told}
    made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    made["security"] = [{"key": []}]
    made["webhooks"] = described()
    examples = {example.path: example for example in EXAMPLES}
    for path, operations in made["paths"].items():
        for operation in operations.values():
            _illustrate(operation, examples[path.replace(DATED, V3)])
    return made


def _illustrate(operation: Json, example: Example) -> None:
    """Put an example into an operation: its values, its body and its answer; and the errors that the operation names.

    Not its headers: each is there for a purpose, and whoever tries a call out has to want it.
    """
    values = {**example.values, **example.query}
    operation["parameters"] = [
        one | {"example": values[one["name"]]} if one["name"] in values else one for one in operation["parameters"]
    ]
    if example.inputs:
        _show(operation["requestBody"], {"example": {"summary": example.title, "value": example.body}})
    _show(operation["responses"]["200"], {"example": {"summary": example.title, "value": dict(example.answer)}})
    for status, answer in operation["responses"].items():
        failures = [one for one in FAILURES if str(one.status) == status]
        if failures:
            _show(answer, {one.category: {"summary": one.when, "value": one.body} for one in failures})


def _show(part: Json, examples: Mapping[str, object]) -> None:
    for content in part.get("content", {}).values():
        content["examples"] = dict(examples)
