"""Calls to HubSpot: each with a permit, on record before it is made, with no transaction open.

- `call`            one POST of a claim's members, and its answer
- `isolate`         a batch that was refused whole is searched for the records to blame
- `permits`         the rate limit as the tasks use it
- `account_stops`   what an answer means for its whole account: block, park, pause
- `read_back`       one GET that looks for unconfirmed records
- `read_back_plan`  where they are looked for, how far a view is read, and what it says of them
"""
