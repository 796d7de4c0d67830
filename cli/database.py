"""`turnout db`: the tables, and the key of what they keep encrypted."""

import typer

from cli.output import complain, say
from cli.resources import open_database, open_process

app = typer.Typer(
    help="The database's tables, and the key of what they keep encrypted.",
    epilog="Example: turnout db upgrade",
    no_args_is_help=True,
)


@app.command(epilog="Example: turnout db upgrade")
def upgrade() -> None:
    """Bring the tables to the schema of this version, while work goes on; safe at any time, by any number at once.

    It needs TURNOUT_DATABASE_URL alone. A table that is in use is waited for, a few seconds at a time. There is no
    downgrade: an older version works on the newer schema where that names it (`turnout db check` of that version).
    """
    from worker.local import migrate
    from worker.schema import needed

    before, after = migrate.upgrade(open_database(), say)
    if after != needed():
        say(f"the schema is {after}, a newer Turnout's: nothing was changed (this Turnout's is {needed()})")
    elif before == after:
        say(f"the schema is {after}: up to date, nothing was changed")
    else:
        say(f"the schema was {before or 'not there'} and is now {after}: the tables are up to date")


@app.command(epilog="Example: turnout db current")
def current() -> None:
    """Show the schema of the database, and the one that this version needs."""
    from worker.schema import needed, read_schema

    with open_database().connect() as connection:
        found = read_schema(connection)
    say(f"the database's schema: {found.revision or 'none, there are no tables of Turnout'}")
    say(f"this Turnout's schema: {needed()}")


@app.command(epilog="Example: turnout db check")
def check() -> None:
    """Check whether this version can work on the database; exit status 1 where it cannot.

    It can where the schema is its own, or a newer one that names it as compatible.
    """
    from worker import startup

    found = startup.of_schema(open_database())
    for one in found:
        complain(f"turnout: {one}")
    if found:
        raise typer.Exit(1)
    say("this Turnout can work on the database")


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
