"""Submit records with HubSpot's own SDK: `TURNOUT_URL=https://… TURNOUT_KEY=turnout_… python by_hubspot_sdk.py`.

The client that records attendance gets Turnout's host and key. Turnout has no other call of HubSpot's: for contacts
or events keep a second client with HubSpot's own token. It needs `hubspot-api-client`.
"""

import os

from hubspot import HubSpot
from hubspot.marketing.events import BatchInputMarketingEventEmailSubscriber, MarketingEventEmailSubscriber

client = HubSpot(access_token=os.environ["TURNOUT_KEY"], host=os.environ["TURNOUT_URL"])

answer = client.marketing.events.add_event_attendees_api.record_by_contact_emails(
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
# PENDING: it is stored, and what HubSpot says of it comes later. What was refused at once is in `errors`.
for error in answer.errors or []:
    print(error.message)
print(answer.status, answer.links["submission"])  # what became of it: ask there, with the key
