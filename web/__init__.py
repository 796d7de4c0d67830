"""The HTTP API, HubSpot's attendance API with receipts, and the operators' console.

- `app`             the parts put together; `server`: the app on a socket
- `attendance`      HubSpot's four writes; `receipts`: what became of a submission
- `participations`  HubSpot's read-backs, passed through
- `hubspot_format`  HubSpot's errors and its batch response
- `schemas`         the same for OpenAPI; `descriptions`: the routes' parameters and answers
- `masking`         what a viewer is shown
- `templating`      the templates, and the files that pages need
- `public_url`      the address under which all this is found from outside
- `values`          what a path and a query carry, decoded strictly
- `access`          whose key came with a request, and which account it is for
- `limits`          bodies too large or too slow, and more at once than there is room for
- `group_commit`    what comes at the same moment is stored in one transaction
- `long_poll`       requests held until their records have an answer
- `reference`       `/reference`, a page on the API, and `/openapi.json`
- `console`         the operators' pages, at `/`
"""
