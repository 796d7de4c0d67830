"""Alembic's migrations; `turnout db upgrade` applies them.

- `env`       Alembic's environment: the caller's connection, a transaction a migration
- `online`    indexes built and dropped while everybody goes on
- `versions`  one file a step, never changed once released
"""
