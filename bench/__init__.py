"""Benches: programs that print ratios, both sides measured in turn in one run; never a timed test.

`make bench` (`python -m bench`) is Turnout beside a bare loop and other queues, as one table:

- `contest`      the contestants, and how each does its lines
- `stage`        PostgreSQL, Valkey and HubSpot's stand-in, which all share, and what is counted there
- `bare`         the bare loop
- `contestants/` the other queues' scripts, which run in an environment of their own
- `producers`    submit messages to Turnout by a way in
- `workload`     what is submitted, in its shapes
- `standin`      HubSpot, answering at a small cost
- `counts`       what is asked of PostgreSQL, counted exactly; for tests too
- `processes`    programs that are started and stopped, and what processes use
- `latency`      from submission to the POST on an idle system
- `api`          a request to the HTTP API, against a bare route that only inserts
- `results`      medians, spreads and ratios, as tables and as JSON

Each of the others looks at one part:

- `accept`       storing what producers submit, against a bare INSERT of the same rows
- `settle`       claiming, loading and settling batches, against the same
- `read_file`    a report of a million rows, read: how long, and the memory of the process
- `limit`        the share of HubSpot's limit that is used, and what is refused, with one process and with eight
- `flood`        a million waiting records beside others
- `size`         what a record costs: processor time, bytes, connections
- `pages`        each page of the console on ten million records
- `large`        what ten million records weigh, and what it costs to let them go
- `metrics`      what counting costs beside the same work without it, and what a scrape costs
- `machine`      a whole Turnout in a directory of its own
- `filled`       a database as years of work leave it
- `installation` what the small ones stand on: a PostgreSQL of their own, made-up records, medians
"""
