"""What an app does with HubSpot's own SDK, unchanged but for its host: the four calls, and an error it is shown.

Run with the SDK on the path: it prints one JSON object, by call, of what the SDK gave or raised.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from hubspot import HubSpot
from hubspot.marketing.events import (
    ApiException,
    BatchInputMarketingEventEmailSubscriber,
    BatchInputMarketingEventSubscriber,
    MarketingEventEmailSubscriber,
    MarketingEventSubscriber,
)

WHEN = 1_767_225_600_000
url, key = sys.argv[1:3]
client = HubSpot(access_token=key)
api = client.marketing.events.add_event_attendees_api
api.api_client.configuration.host = url
stranger = HubSpot(access_token="pat-na1-of-hubspot").marketing.events.add_event_attendees_api
stranger.api_client.configuration.host = url


def by_email(*emails: str) -> Any:
    return BatchInputMarketingEventEmailSubscriber(
        inputs=[
            MarketingEventEmailSubscriber(
                email=email, interaction_date_time=WHEN, properties={}, contact_properties={"firstname": "Ada"}
            )
            for email in emails
        ]
    )


def by_vid(*vids: int) -> Any:
    return BatchInputMarketingEventSubscriber(
        inputs=[MarketingEventSubscriber(vid=vid, interaction_date_time=WHEN, properties={}) for vid in vids]
    )


def called(call: Callable[..., Any], *args: object, **more: object) -> Any:
    try:
        return call(*args, **more).to_dict()
    except ApiException as error:
        return {"raised": type(error).__name__, "status": error.status, "body": json.loads(error.body)}


api.api_client.default_headers["Prefer"] = "wait=30"
said = {
    "external, email": called(
        api.record_by_contact_emails,
        "ev 1/x",
        "register",
        by_email("ada@example.com", "no address"),
        external_account_id="acme",
    ),
    "external, vid": called(api.record_by_contact_ids, "ev 1/x", "cancel", by_vid(101), external_account_id="acme"),
    "object, email": called(api.record_by_email, "4711", "register", by_email("bob@example.com")),
    "object, vid": called(api.record_by_contact_id, "4711", "register", by_vid(2**40)),
    "state": called(api.record_by_contact_ids, "e", "REGISTERED", by_vid(1), external_account_id="acme"),
    "account": called(api.record_by_contact_ids, "e", "register", by_vid(1)),
    "key": called(stranger.record_by_contact_ids, "e", "register", by_vid(1), external_account_id="acme"),
}
print(json.dumps(said, default=str))
