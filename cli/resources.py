"""What commands work with, made of the settings only once a command runs, so that `--help` needs neither."""

from typing import TYPE_CHECKING

from cli.output import complain

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.context import Context
    from worker.finding import Finding


def open_engine() -> "Engine":
    """Give the database."""
    from worker.database import make_engine
    from worker.settings import load_settings

    return make_engine(load_settings())


def open_database() -> "Engine":
    """Give the database where nothing else is needed: no other setting has to be there, or right."""
    from worker.database import make_engine
    from worker.setting_sources import SettingsError
    from worker.settings import usable_settings

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


def open_what_there_is() -> "tuple[Context, list[Finding]]":
    """Give the settings as far as they can be used, and what is wrong with them, for what runs and reports also then.

    Raises:
        SettingsError: where no setting says where anything is.

    """
    from worker.context import Context
    from worker.finding import Finding, Level
    from worker.settings import load_settings, unset, usable_settings

    settings, wrong = usable_settings()
    said = [wrong] if wrong is not None else []
    if not said and unset(settings) and not settings.database_url and not settings.broker_url:
        load_settings()  # says so
    said += [error for error in unset(settings) if not error.wrong & (wrong.wrong if wrong else frozenset())]
    todo = "`turnout config` shows each setting and its source"
    return Context(settings), [Finding(Level.ATTENTION, "settings", str(error), todo) for error in said]
