"""An example of each call: as curl sends it, with HubSpot's SDK, and what it is answered."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, Final
from urllib.parse import quote, urlencode

from web.reference import answers

HOST: Final = "https://turnout.example.com"
"""Stands for this Turnout in the examples; the page shows the address that it was asked at."""
WHEN: Final = 1_767_225_600_000
V3: Final = "/marketing/v3/marketing-events"

SDK_CLIENT: Final = """\
import os

from hubspot import HubSpot
from hubspot.marketing.events import (
    BatchInputMarketingEventEmailSubscriber,
    BatchInputMarketingEventSubscriber,
    MarketingEventEmailSubscriber,
    MarketingEventSubscriber,
)

turnout = HubSpot(
    access_token=os.environ["TURNOUT_KEY"],
    host=os.environ["TURNOUT_URL"],
)
attendance = turnout.marketing.events.add_event_attendees_api
participations = turnout.marketing.events.retrieve_participant_state_api"""
"""What each `sdk` below goes on from."""


LINE: Final = 70
"""Characters of a line of Python that is not broken, at most."""
_CAPITAL: Final = re.compile("(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Sdk:
    """How HubSpot's SDK makes a call: its method, what is printed of the `answer`, and what that shows."""

    method: str
    prints: str
    shows: str


@dataclass(frozen=True, slots=True)
class Example:
    """One call. `path` is a route's, and `values` are its path's, in the SDK's order too."""

    title: str
    path: str
    values: Mapping[str, str]
    answer: Mapping[str, Any]
    by_sdk: Sdk | str
    """A text where the SDK has no method for it."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    inputs: Sequence[Mapping[str, object]] = ()

    @property
    def method(self) -> str:
        """Give the HTTP method."""
        return "POST" if self.inputs else "GET"

    @property
    def body(self) -> dict[str, object]:
        """Give the request's body."""
        return {"inputs": list(self.inputs)}

    @property
    def curl(self) -> str:
        """Write it as a command."""
        path = self.path.format(**{name: quote(value, safe="@") for name, value in self.values.items()})
        url = f"$TURNOUT_URL{path}" + (f"?{urlencode(self.query)}" if self.query else "")
        lines = [f'curl "{url}"', '-H "Authorization: Bearer $TURNOUT_KEY"']
        lines += [f"-H '{name}: {value}'" for name, value in self.headers.items()]
        if self.inputs:
            lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(self.body, indent=2)}'"]
        lines.append("-w '\\n'")
        return " \\\n  ".join(lines)

    @property
    def sdk(self) -> str:
        """Write it as HubSpot's SDK makes it; what it prints stands behind `#`."""
        if isinstance(self.by_sdk, str):
            return self.by_sdk
        arguments = [_python(name, value) for name, value in self.values.items()]
        if self.inputs:
            kind = "MarketingEventEmailSubscriber" if "email" in self.inputs[0] else "MarketingEventSubscriber"
            inputs = _broken("inputs=[", [_broken(f"{kind}(", _named(one), ")") for one in self.inputs], "]")
            arguments.append(_broken(f"BatchInput{kind}(", [inputs], ")"))
        arguments += _named(self.query)
        if self.headers:
            arguments += _named({"_headers": dict(self.headers)})
        call = _broken(f"{self.by_sdk.method}(", arguments, ")")
        return f"answer = {call}\nprint({self.by_sdk.prints})  # {self.by_sdk.shows}"


def _python(name: str, value: object) -> str:
    """Write a value in Python, as in JSON; the SDK takes as numbers some that a URL holds as text."""
    return str(value) if name in {"marketingEventId", "limit"} else json.dumps(value)


def _named(values: Mapping[str, object]) -> list[str]:
    """Write arguments by their names, as the SDK has them."""
    return [f"{_CAPITAL.sub('_', name).lower()}={_python(name, value)}" for name, value in values.items()]


def _broken(begin: str, parts: Sequence[str], end: str) -> str:
    """Write parts in one line, or each on a line of its own where that would be long."""
    line = f"{begin}{', '.join(parts)}{end}"
    if len(line) <= LINE and "\n" not in line:
        return line
    lines = indent(",\n".join(parts), " " * 4)
    return f"{begin}\n{lines},\n{end}"


def _by_email(email: str, **contact: str) -> dict[str, object]:
    return {"email": email, "interactionDateTime": WHEN, "properties": {}, "contactProperties": contact}


def _by_id(vid: int, **properties: str) -> dict[str, object]:
    return {"vid": vid, "interactionDateTime": WHEN, "properties": properties}


WRITES: Final = (
    Example(
        "Register somebody by e-mail address",
        f"{V3}/attendance/{{externalEventId}}/{{subscriberState}}/email-create",
        {"externalEventId": "spring-summit-2026", "subscriberState": "register"},
        answers.PENDING,
        Sdk("attendance.record_by_contact_emails", "answer.status", "PENDING"),
        query={"externalAccountId": "acme-events"},
        inputs=[_by_email("ada@example.com", firstname="Ada")],
    ),
    Example(
        "Cancel two people, one of whom is not accepted",
        f"{V3}/{{objectId}}/attendance/{{subscriberState}}/email-create",
        {"objectId": "4711", "subscriberState": "cancel"},
        answers.NOT_ACCEPTED,
        Sdk(
            "attendance.record_by_email",
            'answer.num_errors, answer.errors[0].context["where"]',
            "1 ['inputs[1].email']",
        ),
        headers={"Idempotency-Key": "cancellations 1"},
        inputs=[_by_email("grace@example.com"), _by_email("alan@@example.com")],
    ),
    Example(
        "Record who attended, and wait for HubSpot's answer",
        f"{V3}/{{objectId}}/attendance/{{subscriberState}}/create",
        {"objectId": "4711", "subscriberState": "attend"},
        answers.ATTENDED,
        Sdk("attendance.record_by_contact_id", "answer.status, answer.results[0].vid", "COMPLETE 101"),
        headers={"Prefer": "wait=30"},
        inputs=[_by_id(101, joinedAt="2026-01-01T00:00:00Z", leftAt="2026-01-01T00:45:00Z")],
    ),
    Example(
        "Register two people, one of whom HubSpot rejects",
        f"{V3}/attendance/{{externalEventId}}/{{subscriberState}}/create",
        {"externalEventId": "spring-summit-2026", "subscriberState": "register"},
        answers.REJECTED,
        Sdk(
            "attendance.record_by_contact_ids",
            'answer.results[0].vid, answer.errors[0].context["where"]',
            "102 ['inputs[1]']",
        ),
        query={"externalAccountId": "acme-events"},
        headers={"Prefer": "wait=30"},
        inputs=[_by_id(102), _by_id(103)],
    ),
)

RESULTS: Final = (
    Example(
        "The results of a submission",
        "/submissions/{submission}",
        {"submission": answers.SUBMISSION},
        answers.RECEIPT,
        f"""\
receipt = turnout.api_request(
    {{
        "base_url": os.environ["TURNOUT_URL"],
        "path": "/submissions/{answers.SUBMISSION}",
        "headers": {{"Prefer": "wait=30"}},
    }}
).json()
print(receipt["status"], receipt["outcomes"])  # COMPLETE {{'delivered': 1}}""",
        headers={"Prefer": "wait=30"},
    ),
)

READS: Final = (
    Example(
        "A contact's participations",
        f"{V3}/participations/contacts/{{contactIdentifier}}/breakdown",
        {"contactIdentifier": "ada@example.com"},
        answers.OF_A_CONTACT,
        Sdk(
            "participations.get_participations_breakdown_by_contact_id",
            "answer.total, answer.results[0].properties.attendance_state",
            "1 REGISTERED",
        ),
        query={"limit": "10"},
    ),
    Example(
        "An event's participations, by object id",
        f"{V3}/participations/{{marketingEventId}}/breakdown",
        {"marketingEventId": "4711"},
        answers.OF_AN_OBJECT,
        Sdk(
            "participations.get_participations_breakdown_by_marketing_event_id",
            "answer.results[0].associations.contact.contact_id",
            "101",
        ),
        query={"state": "ATTENDED"},
    ),
    Example(
        "An event's participations, by external id",
        f"{V3}/participations/{{externalAccountId}}/{{externalEventId}}/breakdown",
        {"externalAccountId": "acme-events", "externalEventId": "spring-summit-2026"},
        answers.OF_AN_EVENT,
        Sdk("participations.get_participations_breakdown_by_external_event_id", "answer.total", "1"),
        query={"contactIdentifier": "102"},
    ),
    Example(
        "An event's counters, by object id",
        f"{V3}/participations/{{marketingEventId}}",
        {"marketingEventId": "4711"},
        answers.COUNTERS_OF_AN_OBJECT,
        Sdk(
            "participations.get_participations_counters_by_marketing_event_id",
            "answer.attended, answer.cancelled",
            "1 1",
        ),
    ),
    Example(
        "An event's counters, by external id",
        f"{V3}/participations/{{externalAccountId}}/{{externalEventId}}",
        {"externalAccountId": "acme-events", "externalEventId": "spring-summit-2026"},
        answers.COUNTERS_OF_AN_EVENT,
        Sdk("participations.get_participations_counters_by_event_external_id", "answer.registered", "2"),
    ),
)
EXAMPLES: Final = WRITES + RESULTS + READS
