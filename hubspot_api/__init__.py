"""HubSpot's side: addresses, the wire format, what an answer means, and permits to call.

- `address`           where a batch is POSTed
- `transport`         one call within one deadline, to a name or to one pinned address
- `egress`            the way out: through which proxy, and whom TLS trusts; `response`: what a call gives
- `client`            HubSpot's calls: POST, GET, the token's form
- `answer`            what came back, as a value for each record
- `fields`            JSON from HubSpot, read without trust in any field of it
- `reaction`          what to do about an answer, decided purely
- `isolation_search`  which inputs of a refused request are to blame, as a search that sends nothing itself
- `participations`    HubSpot's views, read back: paths, pages, and what a row says of a record
- `limiter`           permits shared by every worker on every host; its scripts are in `lua/`
- `oauth`             an access token for a refresh token
- `tiers`             HubSpot's published limits
"""
