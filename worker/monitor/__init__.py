"""What a process tells about itself, on a port of its own: whether it lives, is ready, and its metrics.

- `latest`     what a look found lately: one at a time, and no caller waits longer than its patience
- `readiness`  what a process cannot work without, and whether that is there
- `exposition` what `/metrics` answers
- `gathered`   what beat reads for it: `gather_database` and `gather_redis`, as `samples`
- `server`     the port: `/healthz`, `/readyz`, `/metrics`
- `start`      the port of this process is opened
"""
