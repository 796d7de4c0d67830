"""What happens, verb by verb: one Celery task a file. Celery loads them by `include`; all others send them by name.

- `intake`   the stream is drained: its messages become records in batches
- `accept`   one message that came as a Celery task becomes records in batches; the accepting is `worker.intake.accept`
- `refuse`   a message that is no call of `accept` is kept as not accepted, with the reason
- `deliver`  a permit, a claim, a POST, and what became of it
- `verify`   what HubSpot's answer left open is looked for in HubSpot
- `sweep`    every second: wakes whoever has something due, takes back what a lost worker held
- `job`      some steps of a bulk action; the steps are `worker.operations.steps`
- `notify`   producers are told what became of their submissions; the telling is `worker.webhooks.notify`
- `purge`    a little of what is older than the retention goes; the rules are `worker.retention.purge`
- `fallback` a worker does its due work itself while no wake-up reaches it

What begins with a process, and is imported by it first:

- `begin_worker`  a worker: the verbs, and what watches over them; `begin_beat`: beat, which needs none of the verbs
- `beginning`     how a process ends that cannot begin
"""
