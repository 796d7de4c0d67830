"""Alembic's migrations; `turnout db upgrade` applies them."""
