"""HubSpot's calls: each with its token, as JSON or as the token endpoint's form."""

from collections.abc import Mapping
from urllib.parse import urlencode

from hubspot_api.egress import DIRECT, Egress
from hubspot_api.response import NoResponse, Response
from hubspot_api.transport import send

JSON = "application/json"


def post(url: str, token: str, body: bytes, timeout: float, egress: Egress = DIRECT) -> Response | NoResponse:
    """POST a JSON body; `timeout` is in seconds, for everything together."""
    return send("POST", url, _signed(token) | {"Content-Type": JSON}, body, timeout, secret=token, egress=egress)


def get(url: str, token: str, timeout: float, egress: Egress = DIRECT) -> Response | NoResponse:
    """GET; `timeout` is in seconds, for everything together."""
    return send("GET", url, _signed(token), None, timeout, secret=token, egress=egress)


def post_form(url: str, fields: Mapping[str, str], timeout: float, egress: Egress = DIRECT) -> Response | NoResponse:
    """POST a form, with its secrets in the body and no token; `timeout` is in seconds, for everything together."""
    headers = {"Accept": JSON, "Content-Type": "application/x-www-form-urlencoded"}
    return send("POST", url, headers, urlencode(fields).encode(), timeout, egress=egress)


def _signed(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": JSON}
