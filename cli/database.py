"""`turnout db`: the tables, and the key of what they keep encrypted."""

import typer

from cli.output import say
from cli.resources import open_engine, open_process

app = typer.Typer(
    help="The database's tables, and the key of what they keep encrypted.",
    epilog="Example: turnout db upgrade",
    no_args_is_help=True,
)


@app.command(epilog="Example: turnout db upgrade")
def upgrade() -> None:
    """Bring the tables to the present version; safe at any time, by any number at once."""
    from worker.local import migrate

    migrate.upgrade(open_engine())
    say("the tables are up to date")


@app.command(epilog="Example: turnout db rekey")
def rekey() -> None:
    """Encrypt everything secret (tokens, OAuth, the fingerprints' key) anew with the first key of TURNOUT_SECRET_KEY.

    To change the key: set TURNOUT_SECRET_KEY=NEW,OLD everywhere and restart; run this; then NEW alone suffices. Where
    it was never set, OLD stands in the file secret.key in TURNOUT_DATA_DIR.
    """
    from worker import encryption

    process = open_process()
    done = encryption.rekey(process.engine, process.settings)
    say(f"secrets encrypted with the first key: {done:,}; it alone suffices from now on")
