"""The process and its edges.

- `settings`   the only reader of the environment; `database`, `secrets`: how to reach and open what is kept
- `stream`     the intake stream in Redis; `intake`: draining it; `accept`: the one transaction that stores records
- `receipts`   what a submission came to when it was accepted; `submissions`: what became of it
- `newest`     the one look-up that keeps order per contact
- `keys`       who may use the HTTP door and the console; `sessions`: who is signed in to it, `lockout`: wrong keys
- `webhooks`   where a producer is told, and how that is guarded and signed; `notify`: telling it
- `claim`, `deliver`, `settle`   a due batch, POSTed, and what became of it; `calling`: one such POST
- `isolate`    a batch refused whole, searched part by part for what is to blame
- `verify`     unconfirmed records looked for at HubSpot; `reader`: one such call, `reads`: what it changes
- `stops`      what an answer that settles nothing does to its account
- `sweep`      what time brings about; `wake`: who is told
- `retry`, `cancel`              an operator's actions; `groups`: errors by what they have in common
- `correct`    a record corrected and sent; `sheet`: those that are not delivered, out as CSV and mended back in
- `refused`    what was refused at the door, shown and handed in again
- `purge`, `erase`               what is old goes, and a person, from everything kept
- `accounts`, `roster`           what stops and starts an account's sending; who there is, added and removed
- `destination`, `access`        where an account's batches go, and with which token; OAuth's, kept fresh
- `facts`      what commands and pages show; `throughput`: what was sent and answered; `audit`: the books
- `celery`     the Celery app; `alive`: its processes' signs of life, `watchdog`: the end of one that is stuck
- `files`      reading attendance files
"""
