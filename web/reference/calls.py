"""An example of each call: as curl sends it, with HubSpot's SDK, and what it is answered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Example:
    """One call. `path` is a route's, and `values` are its path's; what the SDK prints stands behind `#`."""

    title: str
    path: str
    values: Mapping[str, str]
    answer: Mapping[str, Any]
    sdk: str
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
            lines.append(f"--json '{json.dumps(self.body, indent=2)}'")
        return " \\\n  ".join(lines)


WRITES: Final = (
    Example(
        "Register somebody by e-mail address",
        f"{V3}/attendance/{{externalEventId}}/{{subscriberState}}/email-create",
        {"externalEventId": "spring-summit-2026", "subscriberState": "register"},
        answers.PENDING,
        """\
answer = attendance.record_by_contact_emails(
    "spring-summit-2026",
    "register",
    BatchInputMarketingEventEmailSubscriber(
        inputs=[
            MarketingEventEmailSubscriber(
                email="ada@example.com",
                interaction_date_time=1767225600000,
                properties={},
                contact_properties={"firstname": "Ada"},
            )
        ]
    ),
    external_account_id="acme-events",
)
print(answer.status)  # PENDING""",
        query={"externalAccountId": "acme-events"},
        inputs=[
            {
                "email": "ada@example.com",
                "interactionDateTime": WHEN,
                "properties": {},
                "contactProperties": {"firstname": "Ada"},
            }
        ],
    ),
    Example(
        "Cancel two people, one of whom is not accepted",
        f"{V3}/{{objectId}}/attendance/{{subscriberState}}/email-create",
        {"objectId": "4711", "subscriberState": "cancel"},
        answers.NOT_ACCEPTED,
        """\
answer = attendance.record_by_email(
    "4711",
    "cancel",
    BatchInputMarketingEventEmailSubscriber(
        inputs=[
            MarketingEventEmailSubscriber(
                email=email,
                interaction_date_time=1767225600000,
                properties={},
                contact_properties={},
            )
            for email in ("grace@example.com", "alan@@example.com")
        ]
    ),
    _headers={"Idempotency-Key": "cancellations 1"},
)
print(answer.num_errors, answer.errors[0].context["where"])  # 1 ['inputs[1].email']""",
        headers={"Idempotency-Key": "cancellations 1"},
        inputs=[
            {"email": email, "interactionDateTime": WHEN, "properties": {}, "contactProperties": {}}
            for email in ("grace@example.com", "alan@@example.com")
        ],
    ),
    Example(
        "Record who attended, and wait for HubSpot's answer",
        f"{V3}/{{objectId}}/attendance/{{subscriberState}}/create",
        {"objectId": "4711", "subscriberState": "attend"},
        answers.ATTENDED,
        """\
answer = attendance.record_by_contact_id(
    "4711",
    "attend",
    BatchInputMarketingEventSubscriber(
        inputs=[
            MarketingEventSubscriber(
                vid=101,
                interaction_date_time=1767225600000,
                properties={
                    "joinedAt": "2026-01-01T00:00:00Z",
                    "leftAt": "2026-01-01T00:45:00Z",
                },
            )
        ]
    ),
    _headers={"Prefer": "wait=30"},
)
print(answer.status, answer.results[0].vid)  # COMPLETE 101""",
        headers={"Prefer": "wait=30"},
        inputs=[
            {
                "vid": 101,
                "interactionDateTime": WHEN,
                "properties": {"joinedAt": "2026-01-01T00:00:00Z", "leftAt": "2026-01-01T00:45:00Z"},
            }
        ],
    ),
    Example(
        "Register two people, one of whom HubSpot rejects",
        f"{V3}/attendance/{{externalEventId}}/{{subscriberState}}/create",
        {"externalEventId": "spring-summit-2026", "subscriberState": "register"},
        answers.REJECTED,
        """\
answer = attendance.record_by_contact_ids(
    "spring-summit-2026",
    "register",
    BatchInputMarketingEventSubscriber(
        inputs=[
            MarketingEventSubscriber(vid=vid, interaction_date_time=1767225600000, properties={})
            for vid in (102, 103)
        ]
    ),
    external_account_id="acme-events",
    _headers={"Prefer": "wait=30"},
)
print(answer.results[0].vid, answer.errors[0].context["where"])  # 102 ['inputs[1]']""",
        query={"externalAccountId": "acme-events"},
        headers={"Prefer": "wait=30"},
        inputs=[{"vid": vid, "interactionDateTime": WHEN, "properties": {}} for vid in (102, 103)],
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
        """\
page = participations.get_participations_breakdown_by_contact_id("ada@example.com", limit=10)
print(page.total, page.results[0].properties.attendance_state)  # 1 REGISTERED""",
        query={"limit": "10"},
    ),
    Example(
        "An event's participations, by object id",
        f"{V3}/participations/{{marketingEventId}}/breakdown",
        {"marketingEventId": "4711"},
        answers.OF_AN_OBJECT,
        """\
page = participations.get_participations_breakdown_by_marketing_event_id(4711, state="ATTENDED")
print(page.results[0].associations.contact.contact_id)  # 101""",
        query={"state": "ATTENDED"},
    ),
    Example(
        "An event's participations, by external id",
        f"{V3}/participations/{{externalAccountId}}/{{externalEventId}}/breakdown",
        {"externalAccountId": "acme-events", "externalEventId": "spring-summit-2026"},
        answers.OF_AN_EVENT,
        """\
page = participations.get_participations_breakdown_by_external_event_id(
    "acme-events", "spring-summit-2026", contact_identifier="102"
)
print(page.total)  # 1""",
        query={"contactIdentifier": "102"},
    ),
    Example(
        "An event's counters, by object id",
        f"{V3}/participations/{{marketingEventId}}",
        {"marketingEventId": "4711"},
        answers.COUNTERS_OF_AN_OBJECT,
        """\
counters = participations.get_participations_counters_by_marketing_event_id(4711)
print(counters.attended, counters.cancelled)  # 1 1""",
    ),
    Example(
        "An event's counters, by external id",
        f"{V3}/participations/{{externalAccountId}}/{{externalEventId}}",
        {"externalAccountId": "acme-events", "externalEventId": "spring-summit-2026"},
        answers.COUNTERS_OF_AN_EVENT,
        """\
counters = participations.get_participations_counters_by_event_external_id(
    "acme-events", "spring-summit-2026"
)
print(counters.registered)  # 2""",
    ),
)
EXAMPLES: Final = WRITES + RESULTS + READS
