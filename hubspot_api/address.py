"""Where a call goes (HubSpot's OpenAPI, `v3` and its dated successors): the one place where a path is put together."""

import ipaddress
import re
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from models.message import Address
from models.words import Identity, State

_VERSION: Final = re.compile(r"v3|[0-9]{4}-(?:0[1-9]|1[0-2])")
_BASE: Final = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*/?")


def is_version(text: str) -> bool:
    """Say whether it is a version that HubSpot's paths carry: `v3`, or a year and a month."""
    return _VERSION.fullmatch(text) is not None


def is_base(url: str) -> bool:
    """Say whether paths can be put behind a URL: http or https, a host, a port perhaps, and plain segments."""
    if not _BASE.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        return parts.port != 0 and not {".", ".."} & set(parts.path.split("/"))
    except ValueError:  # a port beyond the last, an address that is none
        return False


def is_loopback(host: str) -> bool:
    """Say whether a host is the machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_open(url: str) -> bool:
    """Say whether what goes to a base URL, the token too, can be read on its way: http, to another machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def prefix(version: str) -> str:
    """Give the path before the addresses: `v3` stands inside, a dated version behind."""
    return "/marketing/v3/marketing-events" if version == "v3" else f"/marketing/marketing-events/{version}"


def path_to(version: str, *segments: str, **query: str) -> str:
    """Put a path together of what is not encoded yet: each segment and each value is encoded, with nothing safe.

    A segment `.` or `..` cannot be encoded: whoever takes ids in refuses them, and the client sends no such path.
    """
    path = "/".join((prefix(version), *(quote(segment, safe="") for segment in segments)))
    return f"{path}?{urlencode(query, quote_via=quote, safe='')}" if query else path


def attendance_path(version: str, address: Address, state: State, identity: Identity) -> str:
    """Give path and query of the write."""
    verb = "email-create" if identity is Identity.EMAIL else "create"
    if address.object_id is not None:
        return path_to(version, address.object_id, "attendance", state, verb)
    event, account = address.external_event_id or "", address.external_account_id or ""
    return path_to(version, "attendance", event, state, verb, externalAccountId=account)
