"""Benches: small programs that print ratios, both sides measured in turn in one run; never a timed test.

- `accept`   storing what producers submit, against a bare INSERT of the same rows
- `settle`   claiming, loading and settling batches, against the same
- `api`     a request to the HTTP API, against a bare route that only inserts
- `through`  a file from `turnout enqueue` until the test server holds every record
- `read_file`  a report of a million rows, read: how long, and the memory of the process
- `limit`    the share of HubSpot's limit that is used, and what is refused, with one process and with eight
- `size`     what a record costs: processor time, bytes, connections
- `large`    what ten million records weigh, and what it costs to let them go
- `metrics`  what counting costs beside the same work without it, and what a scrape costs
- `installation`   what they stand on: a PostgreSQL of their own, made-up records, medians
"""
