"""`turnout up`: everything on one machine.

- `stack`       services, migrations, workers, beat, web and sandbox, started in order
- `supervisor`  starts processes, restarts those that die, stops all
- `services`    PostgreSQL and Valkey, out of their Python packages
- `migrate`     the migrations applied
"""
