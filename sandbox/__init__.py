"""A test server in place of HubSpot: it answers, stores, limits and breaks as the real one was seen to do.

Turnout is measured against it, so it imports nothing of Turnout and is right where it hurts: a 200 may store nothing,
the limits are counted for real, a cut connection is cut on the socket. Everything is kept in memory by one process.

One request, read downwards:

- `server`          a socket, uvicorn, and the app on it; `connection` lets the app break a connection
- `app`             the ASGI app: `control` (`/_sandbox/...`) beside `gateway` (everything of HubSpot's)
- `gateway`         HTTP only: reads a request, waits the latency, sends the reply or breaks off
- `world`           what there is (accounts, faults, counters) and the order in which a request is judged
- `address`         a raw path and query -> which of HubSpot's endpoints, with its values decoded
- `tokens`          401 and 403
- `allowance`       429: `window` (the rolling burst limit) and the day's quota
- `faults`          what can be ordered to go wrong, and which order meets a request; `ordering` reads one from JSON
- `writing`         one POST of attendance: `judging` decides each input alone, purely
- `reading`         the participation views
- `received`        the writes that came, and what each came to, where they are kept
- `participations`  what one account has stored; `events` which there are; `identity` numbers contacts and events
- `reply`           what goes back: an `answers` body whole, half or not at all
- `options`         what can be set, with HubSpot's tiers
"""
