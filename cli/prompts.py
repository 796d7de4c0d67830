"""Secrets asked for, by a prompt that shows nothing, or read from standard input; never from the command line.

There it would be in the shell's history and in `ps`.
"""

import sys
from typing import TYPE_CHECKING

import orjson
import typer
from pydantic import SecretStr

from cli.output import prompt

if TYPE_CHECKING:
    from hubspot_api.oauth import Grant
    from worker.accounts.registry import Credential

FIELDS = ("client_id", "client_secret", "refresh_token")


def credential(*, oauth: bool, from_stdin: bool) -> "Credential":
    """Ask for a token, or for what OAuth gives one for."""
    if not from_stdin and not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask on: pass the token with --token-stdin")
    if oauth:
        return _of_stdin() if from_stdin else _asked()
    return SecretStr(_sound("token", sys.stdin.read() if from_stdin else _hidden("Access token")))


def _asked() -> "Grant":
    from hubspot_api.oauth import Grant

    client_id = _sound("client id", prompt("Client id"))
    secret = SecretStr(_sound("client secret", _hidden("Client secret")))
    return Grant(client_id, secret, SecretStr(_sound("refresh token", _hidden("Refresh token"))))


def _hidden(what: str) -> str:
    return prompt(what, hidden=True)


def _of_stdin() -> "Grant":
    from hubspot_api.oauth import Grant

    try:
        fields = orjson.loads(sys.stdin.read())
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(fields.get(name), str) for name in FIELDS):
        raise typer.BadParameter(f"what came on standard input is not a JSON object of {', '.join(FIELDS)}")
    client_id, secret, token = (_sound(name.replace("_", " "), fields[name]) for name in FIELDS)
    return Grant(client_id, SecretStr(secret), SecretStr(token))


def _sound(what: str, text: str) -> str:
    """Take what a header or a form can carry as it is; what was typed is not repeated."""
    from hubspot_api.oauth import is_token

    if not is_token(text.strip()):
        raise typer.BadParameter(f"the {what} is empty, or holds spaces or letters that no {what} of HubSpot's has")
    return text.strip()
