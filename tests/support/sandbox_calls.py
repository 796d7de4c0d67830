"""What a client of HubSpot sends, for the tests of the sandbox."""

from typing import Final, TypedDict
from urllib.parse import quote

import requests

from tests.support.sandbox_server import RunningSandbox

MARCH = 1_772_000_000_000
"""An interactionDateTime in 2026."""


class Stay(TypedDict):
    """The properties of an attendance, as HubSpot names them."""

    joinedAt: str
    leftAt: str


ATTENDED: Final[Stay] = {"joinedAt": "2026-03-01T10:00:00Z", "leftAt": "2026-03-01T10:45:30Z"}
EVENT = "/marketing/v3/marketing-events"


def by_email(email: str = "ada@example.com", at: int = MARCH, **properties: str) -> dict[str, object]:
    return {"email": email, "interactionDateTime": at, "properties": properties, "contactProperties": {}}


def by_vid(vid: int = 5_000_000_001, at: int = MARCH, **properties: str) -> dict[str, object]:
    return {"vid": vid, "interactionDateTime": at, "properties": properties}


def object_path(object_id: str = "77", state: str = "register", verb: str = "email-create", base: str = EVENT) -> str:
    return f"{base}/{quote(object_id, safe='')}/attendance/{state}/{verb}"


def external_path(event_id: str, state: str = "register", verb: str = "email-create", base: str = EVENT) -> str:
    return f"{base}/attendance/{quote(event_id, safe='')}/{state}/{verb}"


def post(
    sandbox: RunningSandbox,
    *inputs: object,
    path: str | None = None,
    token: str = "pat-1",
    account: str | None = None,
    timeout: float = 10,
) -> requests.Response:
    return requests.post(
        sandbox.url + (path or object_path()),
        json={"inputs": list(inputs)},
        params={"externalAccountId": account} if account is not None else None,
        headers={"Authorization": f"Bearer {token}"},
        timeout=timeout,
    )


def get(sandbox: RunningSandbox, path: str, token: str = "pat-1", **query: str | int | None) -> requests.Response:
    return requests.get(
        f"{sandbox.url}{EVENT}/participations/{path}",
        params=query,
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
