"""What operators do, as jobs that go on wherever they were killed; each is in the audit log.

- `preview`           what an action will do, before it is done; `tally`: what many corrections come to
- `duration`          how many calls that makes, and how long they take
- `jobs`              a bulk action, step by step; `steps`: what one step does
- `retry`             records that were not delivered are sent again
- `cancel`            waiting batches are taken out of the queue
- `correct`           a corrected record takes the place of one that was not delivered
- `correction_input`  a correction as typed; `correction_csv`: corrections as a spreadsheet, out and in
- `replay`            what was not accepted is submitted again
- `compare`           what HubSpot holds of an event, against what is known here
- `schedules`         retries that begin by themselves
- `audit_log`         who did what, when, to how many
"""
