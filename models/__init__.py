"""What is true: the words, the tables, the moves of a batch, and policy as pure functions of plain data.

Nothing here knows HTTP, Celery, settings or a clock.

- `words`                the closed lists of words: state, status, outcome, origin …
- `message`              one message from a producer, read; `input_check`: one input of it, checked
- `fingerprint`          what makes two inputs the same record, and the id of a submission that names none
- `accept_rules`         what accepting needs of the settings
- `batching`             which record goes into which batch, and what that batch waits for
- `moves`                the allowed moves of a batch's status
- `ids`                  which ids and names cannot be used; `escaping`: what others wrote, safe to print
- `zones`                time zones by their names; `spoken_zones`: in people's words
- `backoff`              how long to wait before a batch is sent again
- `verification_policy`  how long a record is looked for in HubSpot
- `error_signature`      what errors have in common; `advice`: what one means, and what to do about it
- `refusal_kind`         what is wrong with what was not accepted, and who can fix it
- `counted`              numbers with their nouns: 1 record, 2 records
- `estimate`             how long a number of calls takes; `sizing`: what a load needs
- `correction`           what an operator changes of a record; `tally`: what many changes come to
- `job_params`           how a job is done to what is chosen
- `erasure`              a person to be erased, and what mentions them; `spelling`: an address, however it is spelt
- `tables`               the tables; `outcome`: a record's outcome, derived in one place
"""
