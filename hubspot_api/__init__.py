"""The destination.

- `address`   where a batch is POSTed; `client`: one call within a deadline, and what came back
- `answer`    what that means for each record, as values; `reaction`: what to do about it, decided purely
- `isolating` which inputs of a request that was refused whole are to blame, as a search that sends nothing itself
- `participations` HubSpot's views read back: their paths, their pages, and what a row says of a record
- `limiter`   permits for calls, shared by every worker on every host
- `oauth`     an access token for a refresh token; `tiers`: HubSpot's published limits
"""
