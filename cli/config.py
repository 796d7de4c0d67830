"""`turnout config`: the settings as a process started here reads them."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.output import AsJson, complain, fail, print_json, print_table, say

app = typer.Typer(
    help="The settings: each with its value and where that comes from. Secrets are masked.",
    epilog="Example: turnout config",
)


@app.callback(invoke_without_command=True)
def config(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show every setting, its value and its source; exit status 1 where one is refused."""
    if context.invoked_subcommand:
        return
    from worker.settings_shown import shown_settings

    shown = shown_settings()
    if as_json:
        print_json(asdict(shown))
    else:
        print_table("Settings", shown.settings, ["name", "value", "source"], "no settings")
        say("The sources, in this order: the environment, files, .env, a running `turnout up`, the default.")
    if shown.refused:
        complain(f"turnout: {shown.refused}")
        raise typer.Exit(1)


@app.command(epilog="Example: turnout config init")
def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path(".env"),
) -> None:
    """Write a file of settings in which each stands as a comment, with its meaning and its default."""
    from worker.settings_shown import env_file

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(env_file())
    except FileExistsError:
        fail(f"{path} is there already, and is left as it is: name another file")
    except OSError as error:
        fail(f"{path} cannot be written ({error.strerror}): name another file")
    path.chmod(0o600)
    say(f"{path} is written: take the # off the lines that you set")
