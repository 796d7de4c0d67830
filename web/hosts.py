"""The names under which Turnout may be asked for; a request that names another host is refused.

Addresses in answers, cookies and the check of a form's origin are made of that name. So it is one that an operator
chose (`PUBLIC_URL`, `HOSTS`), the machine itself, or the very address that the connection came in on.
`X-Forwarded-Host` is not read.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hubspot_api.address import is_loopback
from models.input_check import shown
from web.hubspot_format import Fault, invalid
from worker.setting_values import read_hosts
from worker.settings import Settings

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?")


class Hosts:
    """Lets only requests on that ask for a known host, by a path."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._known = {*read_hosts(settings.hosts)}
        if settings.public_url:
            self._known.add((urlsplit(settings.public_url).hostname or "").lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, or refuse."""
        fault = self._fault(scope) if scope["type"] == "http" else None
        await (self._app if fault is None else fault.response())(scope, receive, send)

    def _fault(self, scope: Scope) -> Fault | None:
        if not scope["raw_path"].startswith(b"/"):
            return invalid("The request asks for an address. Send a path, which begins with /.")
        host = Headers(scope=scope).get("host")
        if host is None:  # HTTP/1.0: what is written into answers is then the address of the connection
            return None
        read = _HOST.fullmatch(host)
        name = (read[1] or read[2]).lower() if read else ""
        if name and (is_loopback(name) or name in self._known or name == (scope.get("server") or ("",))[0]):
            return None
        known = ", ".join(sorted({"localhost", *self._known}))
        asked = f"The host '{shown(host)}'" if read else "What the header Host names"
        return Fault(
            421,
            "MISDIRECTED_REQUEST",
            f"{asked} is not known here. Expected {known}. If it is right, an operator names it in"
            " TURNOUT_PUBLIC_URL (the address from outside) or TURNOUT_HOSTS.",
        )
