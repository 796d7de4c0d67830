"""HubSpot's portals: who there is, where each sends, with which token, and whether it may send now.

- `registry`       accounts added, set, rotated, removed and listed
- `destination`    where an account's batches go, and within which limits
- `token_renewal`  an OAuth access token, replaced before it ends, once for all workers
- `state`          whether an account may send: paused, parked, backed off, or free
"""
