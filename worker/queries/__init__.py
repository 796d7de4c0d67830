"""What pages and commands show: bounded reads, each by an index.

- `status`          what waits, why and until when; `machinery`: Redis, the broker and the workers
- `attention`       what of the status needs action now
- `waiting`         why batches wait; `backlog`: how many, for how long, for metrics
- `batches`         batches of a filter, and one with its attempts; `batch_conditions`: what all filters say of them
- `errors`          open errors, one by one; `error_groups`: by what they have in common
- `error_filter`    which open errors are meant, and finding them; `scan`: looking at so many at most
- `events`          events, and what became of their records
- `person`          everything about one contact; `erasures`: receipts of erased people
- `history`         the calls for records, and their errors
- `submissions`     what became of a submission
- `refusals`        what was not accepted; `refusal_groups`: by what is wrong with it
- `jobs`            bulk actions, and how far they are; `job_results`: the result of each record
- `job_filter`      what a bulk action is done to, whatever it is of
- `throughput`      what was sent and answered, and how much of the limits was used
- `reconciliation`  whether the books balance; `last_audit`: what the last recount found
- `rows`            how rows are bounded, counted and written
"""
