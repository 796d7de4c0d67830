"""`turnout config`: the settings as a process started here reads them."""

import os
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


@app.command(epilog="Example: turnout config init --production /etc/turnout/.env")
def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; - for standard output.")] = Path(
        ".env"
    ),
    *,
    production: Annotated[
        bool,
        typer.Option("--production", help="Make a secret key too, and the passwords that docker-compose.yml asks for."),
    ] = False,
) -> None:
    """Write a file of settings in which each stands as a comment, with its meaning and its default."""
    from worker.settings_shown import env_file

    text = env_file(production=production)
    if str(path) == "-":
        for line in text.splitlines():
            say(line)
        return
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)  # it is private before anything stands in it
    except FileExistsError:
        fail(f"{path} is there already, and is left as it is: name another file")
    except OSError as error:
        fail(f"{path} cannot be written ({error.strerror}): name another file")
    say(f"{path} is written: take the # off the lines that you set")
