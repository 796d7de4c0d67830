"""The console's forms and filters, addresses in free text, and what an operator types to correct a record."""

import asyncio
import contextlib
import re
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request

from models.correction import Change
from models.erasure import Person
from models.error_signature import gist
from models.input_check import Reason
from models.words import Action, Identity
from web.console import selection
from web.console.base import PageError
from web.console.form import read_form
from web.masking import masked
from worker.operations.correction_input import read_change
from worker.queries.job_filter import read_filter

TYPES = (
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=x; charset=none",
    "multipart/form-data",
    "text/plain",
)
ADDRESS = re.compile(r"[a-z0-9]{3,}@[a-z0-9-]{3,}\.[a-z]{2,}", re.IGNORECASE)
WHO = Person(Identity.EMAIL, "ada@example.com")


def judge(data: bytes) -> None:
    """Read a form as each content type, its fields as filters, and its text for addresses."""
    kind = TYPES[data[0] % len(TYPES)] if data else TYPES[0]
    body = data[1:]
    form = asyncio.run(read_form(_request(kind, body)))
    assert form is None or all(text.encode() is not None for text in form.values())
    text = body.decode(errors="replace")
    asked = QueryParams(text)
    for action in (Action.RETRY, Action.CORRECT, Action.DISMISS, Action.CANCEL, Action.REPLAY):
        with contextlib.suppress(PageError):
            chosen = selection.chosen(action, asked)
            assert read_filter(action, chosen.written).written == chosen.written
    fields = dict.fromkeys(("email", "vid", "when", "event", "object_id"), text)
    assert isinstance(read_change(**fields, properties=[text]), Change | Reason)
    assert ADDRESS.search(masked(text)) is None
    gist(text)
    assert not WHO.is_in(WHO.taken_out(text))


def _request(kind: str, body: bytes) -> Request:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers, "app": None}
    return Request(scope, receive)
