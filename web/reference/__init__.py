"""`/reference`, a page on the API, and `/openapi.json`, the same for programs. Both need nothing from outside.

- `routes`    the two routes
- `document`  the OpenAPI document: what FastAPI knows, with the webhooks and the examples
- `page`      the page: the same calls in groups, the four writes explained once
- `calls`     an example of each call, as curl sends it and with HubSpot's SDK, and its answer
- `answers`   what the examples are answered
- `failures`  each error: when it comes, and what to do
- `webhooks`  the messages to a producer's webhook, and how a receiver verifies them

Every example is run as it is shown by `tests/test_reference.py`.
"""
