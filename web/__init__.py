"""The HTTP door, HubSpot's attendance API, asynchronous, with receipts; and the operators' console.

- `app`          the parts put together; `server`: the app on a socket
- `attendance`   HubSpot's four writes; `receipts`: what became of a submission
- `participations`  HubSpot's read-backs, passed through
- `wire`         HubSpot's words: its errors, its batch response; `shapes`: the same as OpenAPI schemas
- `access`       whose key came with a request, and which account it is for
- `masking`      what a viewer is shown: everything but whom it is about; `spelling`: an address, however it is spelt
- `admission`    what is not let in: bodies too large or too slow, more at once than there is room for
- `storing`      what comes at the same moment is stored together
- `waiting`      requests held until their records have an answer
- `reference`    OpenAPI, and a page to read it
- `console`      the operators' pages, at `/`
"""
