"""What tests share: servers and processes of their own, callers, data, and what must hold of the tables.

- `ledger`              what stands in the tables and what must hold of them; the steps of the queue's tests
- `jobs`                bulk actions run to their end
- `api`, `console`      the HTTP API and the console on loopback; `browser`: Chromium
- `routes`              every route, with a database full of one person, and what finds her in an answer
- `schemathesis_roles`  whose key goes with each call of schemathesis, and what may come back
- `wrong_calls`         calls by Celery that are wrong; `odd_messages`: what no worker can read
- `hostile_text`        texts that mean harm; `terminal`: a program on a terminal
- `night`               a large database with errors of many causes
- `sandbox_server`      HubSpot's test server in a thread; `sandbox_calls`: calls to it
- `recording_hubspot`   a HubSpot that records each request; `sdk_calls`: what HubSpot's own SDK sends
- `webhook_receiver`    a receiver of webhooks
- `openid_provider`     an OpenID Connect provider that can lie
- `next_release`        migrations of a test's own after ours
- `monitors`            the monitor port of a process; `prometheus`: what judges metrics and rules
- `worker_processes`    real worker processes, started, killed and stopped; `background`: a thread beside a test
- `fixtures`            the types of what `conftest.py` gives; `contexts`: a process's context with other settings
- `databases`           a migrated database for each test, emptied for the next
- `report_files`        attendance reports written from known records
- `dockerfile`, `units` the image's steps and systemd's units, read; `installed`: Turnout as its wheel installs it
- `proxies`             nginx and Caddy with our examples of their settings
- `pace`                which tests are slow, and how long all may take
- `previous_release`    the release before this one, checked out beside, and its processes
- `services`            PostgreSQL and Valkey; `rabbitmq`: the machine's own; `certificate`: one for TLS
- `proxy`               a TCP proxy that can be cut
- `replication`         two PostgreSQL servers that change their parts, and one with an archive of its WAL
"""
