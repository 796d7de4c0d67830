"""The HTTP API, HubSpot's attendance API with receipts, and the operators' console.

- `app`             the parts put together; `server`: the app on a socket
- `attendance`      HubSpot's four writes; `receipts`: what became of a submission
- `participations`  HubSpot's read-backs, passed through
- `hubspot_format`  HubSpot's errors and its batch response
- `schemas`         the same for OpenAPI; `descriptions`: the routes' parameters and answers
- `masking`         what a viewer is shown
- `templating`      the templates, and the files that pages need
- `public_url`      the address under which all this is found from outside
- `probes`          whether this process lives and is ready
- `requests_counted`  requests, counted by path and answer
- `hosts`           the names by which it may be asked for; `proxies`: whom a trusted proxy speaks for
- `request_heads`   heads of requests that two programs could read in two ways
- `safe_headers`    headers that every answer carries
- `values`          what a path and a query carry, decoded strictly
- `access`          whose key came with a request, and which account it is for
- `limits`          bodies too large or too slow, and more at once than there is room for
- `room`            what keys share, and how much of it each gets
- `together`        what is asked for at the same moment is done together, in a thread
- `group_commit`    what comes at the same moment is stored in one transaction
- `long_poll`       requests held until their records have an answer
- `reference`       `/reference`, a page on the API, and `/openapi.json`
- `console`         the operators' pages, at `/`
"""
