"""Seeded runs of the real system while everything fails: `make chaos`; docs/reliability.md says what they show.

- `plan`       what a run does, drawn from its seed before it begins; pure
- `system`     PostgreSQL with a standby, Valkey, HubSpot's test server and the processes of two hosts
- `producers`  who submits, and what each was told
- `faults`     how each thing that can happen is done, and undone
- `run`        one run: submit, let it happen, drain, compare the books
- `clock`      shifts the clock of one host's processes
"""
