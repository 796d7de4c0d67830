"""What is true: the words, the tables, the moves of a batch, and policy as pure functions of plain data.

Nothing here knows HTTP, Celery, settings or a clock.

- `words`        the closed lists of words: state, status, outcome, origin …
- `message`      one message from a producer, read; `preflight`: one input of it, checked
- `fingerprint`  what makes two inputs the same record
- `batching`     which record goes into which batch, and what that batch waits for
- `moves`        the allowed moves of a batch's status
- `backoff`      how long to wait, and when to give up; `patience`: how long a record is looked for at HubSpot
- `gist`         what errors have in common; `advice`: what one means, and what to do about it
- `correction`   what an operator changes of a record
- `person`       somebody to be erased, and what mentions them
- `tables`       the tables; `outcome`: a record's outcome, derived in one place
- `answer`       what HubSpot's answer means for each record, as values
"""
