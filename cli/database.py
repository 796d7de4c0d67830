"""`turnout db`: the tables."""

import typer

app = typer.Typer(help="The database's tables.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `upgrade` a command of its own."""


@app.command()
def upgrade() -> None:
    """Bring the tables to the present version; safe at any time, by any number at once."""
    from worker import migrate
    from worker.database import make_engine
    from worker.settings import load_settings

    migrate.upgrade(make_engine(load_settings()))
    typer.echo("the tables are up to date")
