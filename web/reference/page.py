"""The page: calls in groups, each group's parameters once, with the examples."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from markupsafe import Markup, escape

from models.message import MOST_BYTES, MOST_INPUTS
from models.words import Outcome, State, Status
from web.long_poll import LONGEST
from web.reference import calls, failures, webhooks
from web.templating import environment

MEANINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "Outcome": {
        Outcome.PENDING: "It waits to be sent to HubSpot.",
        Outcome.PROCESSING: "It is being sent to HubSpot.",
        Outcome.DELIVERED: "HubSpot accepted it.",
        Outcome.REJECTED: "HubSpot did not accept it; its `error` says why.",
        Outcome.UNCONFIRMED: "HubSpot answered, and said neither. Turnout looks whether HubSpot has stored it.",
        Outcome.FAILED: "HubSpot gave no usable answer, however often it was tried. An operator can retry it.",
        Outcome.CANCELED: "An operator canceled or corrected it, or a newer record took its place: see `error`.",
    },
    "State": {
        State.REGISTER: "The person registered.",
        State.ATTEND: "The person attended.",
        State.CANCEL: "The person canceled.",
    },
    "Status": {
        Status.PENDING: "Records wait to be sent to HubSpot.",
        Status.PROCESSING: "Records are being sent to HubSpot.",
        Status.COMPLETE: "Every record has its outcome, whichever it is.",
        Status.CANCELED: "Canceled or given up; a record that HubSpot may have is looked for there.",
    },
}
"""What the words of the closed lists mean."""
_CODE: Final = re.compile("`([^`]+)`")


def page(openapi: Mapping[str, Any], here: str) -> str:
    """Write the page for whoever asked at the address `here`."""
    templates = environment()
    templates.filters |= {"prose": _prose, "json": lambda value: _json(value).replace(calls.HOST, here)}
    return templates.get_template("reference.html").render(
        openapi=openapi,
        parameters={tag: _parameters(openapi, tag) for tag in ("Attendance", "Results", "Participations")},
        here=here,
        meanings=MEANINGS,
        calls=calls,
        failures=failures.FAILURES,
        webhooks=webhooks,
        most_inputs=MOST_INPUTS,
        most_mebibytes=MOST_BYTES // 2**20,
        longest_wait=LONGEST,
    )


def _parameters(openapi: Mapping[str, Any], tag: str) -> list[Mapping[str, Any]]:
    """Give the parameters of a group's calls, each once; that of the dated paths is explained apart."""
    found: dict[str, Mapping[str, Any]] = {}
    for operation in _operations(openapi):
        if tag in operation["tags"]:
            for one in operation["parameters"]:
                found.setdefault(one["name"], one)
    found.pop("version", None)
    order = ("path", "query", "header")
    return sorted(found.values(), key=lambda one: order.index(one["in"]))


def _operations(openapi: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for operations in openapi["paths"].values():
        yield from operations.values()


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _prose(text: str) -> Markup:
    """Write a text whose code stands between back-ticks."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - it is escaped
