"""Alembic's migrations; `turnout db upgrade` applies them.

- `env`       Alembic's environment: the caller's connection
- `versions`  one file a step, never changed once released
"""
