"""Engines for tests: those of one database share its connections' dialect and what was compiled for it.

An engine compiles each statement when it first runs it. With an engine of its own, every test would compile some fifty
statements again: a quarter of the processor time of a test that uses the database.
"""

from sqlalchemy import Engine

from worker import database
from worker.settings import Settings

_kept: dict[tuple[str, int], Engine] = {}


def shared_engine(settings: Settings, pool: int = database.POOL) -> Engine:
    """Give an engine with listeners of its own; pool, dialect and compiled statements are its database's."""
    key = (settings.database_url, pool)
    if key not in _kept:
        _kept[key] = database.make_engine(settings, pool)
    return _kept[key].execution_options()
