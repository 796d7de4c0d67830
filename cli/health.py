"""`turnout health`: asks a process whether it lives, or is ready, for those who have no HTTP of their own."""

import json
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import typer

from cli.output import complain, say

PATIENCE: Final = 10.0
"""Seconds for an answer: more than a process gives the services that it asks."""
SERVES: Final = "http://127.0.0.1:8800"
"""Where `turnout serve` listens where nothing else is said."""
EVERY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - it is asked, not listened on


def health(
    *,
    ready: Annotated[bool, typer.Option("--ready", help="Ask whether it has what it cannot work without.")] = False,
    port: Annotated[
        int | None, typer.Option(help="The port that is asked, on this machine.", show_default=False)
    ] = None,
) -> None:
    """Ask the process of this machine whether it lives, or is ready, in one line.

    It asks at TURNOUT_MONITOR_PORT. If that is not set, it asks every part of a running `turnout up`; else
    `turnout serve` at port 8800.

    Exit status 1 where one does not answer or is not ready.
    """
    found = {name: _ask(f"{url}/{'readyz' if ready else 'healthz'}") for name, url in _asked(port).items()}
    wrong = [f"{name}: {said}" if name else said for name, said in found.items() if said]
    if wrong:
        complain(f"not {'ready' if ready else 'alive'}: {'; '.join(wrong)}")
        raise typer.Exit(1)
    names = ", ".join(filter(None, found))
    say(f"{'ready' if ready else 'alive'}{f': {names}' if names else ''}")


def _asked(port: int | None) -> dict[str, str]:
    """Give the addresses that are asked, by the names of their processes where there are several."""
    from worker.setting_sources import running
    from worker.settings import usable_settings

    if port is not None:
        return {"": f"http://127.0.0.1:{port}"}
    settings, _ = usable_settings()
    if settings.monitor_port:
        host = EVERY_ADDRESS.get(settings.monitor_host, settings.monitor_host)
        return {"": f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{settings.monitor_port}"}
    found = running(settings.data_dir).get("monitors", "")
    return dict(each.split("=", 1) for each in found.split()) or {"": SERVES}


def _ask(url: str) -> str:
    """Ask; give what is wrong, nothing where it is well."""
    opener = build_opener(ProxyHandler({}))  # an address of this machine is never asked by a proxy
    try:
        with opener.open(url, timeout=PATIENCE):
            return ""
    except HTTPError as error:
        if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
            return f"{url} answers HTTP {error.code}"
        return _reasons(error.read(100_000))
    except OSError as error:
        reason = getattr(error, "reason", error)
        return f"{url} does not answer ({reason})"


def _reasons(content: bytes) -> str:
    try:
        checks: list[dict[str, Any]] = json.loads(content)["checks"]
        return "; ".join(str(check["detail"] or check["name"]) for check in checks if not check["ok"])
    except (ValueError, KeyError, TypeError):
        return "it does not say why"
