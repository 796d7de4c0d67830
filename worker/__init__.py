"""The process and its edges.

- `settings`   the only reader of the environment; `database`, `secrets`: how to reach and open what is kept
- `stream`     the intake stream in Redis; `intake`: draining it; `accept`: the one transaction that stores records
- `receipts`   what became of a submission
- `claim`, `deliver`, `settle`   a due batch, POSTed, and what became of it
- `sweep`      what time brings about; `wake`: who is told
- `retry`, `cancel`              an operator's actions
- `facts`      what commands and pages show; `audit`: the books
- `celery`     the Celery app
- `files`      reading attendance files
"""
