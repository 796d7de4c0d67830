"""What commands work with, made of the settings only once a command runs, so that `--help` needs neither."""

from typing import TYPE_CHECKING

from cli.output import complain

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.context import Context


def open_engine() -> "Engine":
    """Give the database."""
    from worker.database import make_engine
    from worker.settings import load_settings

    return make_engine(load_settings())


def open_database() -> "Engine":
    """Give the database where nothing else is needed: no other setting has to be there, or right."""
    from worker.database import make_engine
    from worker.settings import SettingsError, usable_settings

    settings, wrong = usable_settings()
    if wrong is not None and "database_url" in wrong.wrong:
        raise wrong
    if wrong is not None:
        complain(f"turnout: warning: {wrong}")
    if not settings.database_url:
        raise SettingsError(
            f"TURNOUT_DATABASE_URL is not set, and no `turnout up` runs on {settings.data_dir}: set it, or start it"
        )
    return make_engine(settings)


def open_process() -> "Context":
    """Give the settings with all that they lead to: the database, the stream, the rules."""
    from worker.context import Context
    from worker.settings import load_settings

    return Context(load_settings())
