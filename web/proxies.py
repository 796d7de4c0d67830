"""The address that a request came from, where it passed proxies that the settings trust.

Each proxy appends to `X-Forwarded-For` who asked it. So the list is read from its end, as long as the one who wrote an
entry is trusted: what a client wrote there itself stands further left, behind its own address, and is never read.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.setting_values import read_networks

IPAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_SCHEMES: Final = frozenset({"http", "https"})


class Proxies:
    """Puts the client's address and scheme where a trusted proxy says they were; without one, nothing is believed."""

    def __init__(self, app: ASGIApp, trusted: str) -> None:
        """Take the networks as the setting writes them."""
        self._app = app
        self._trusted = read_networks(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on with the client's own address."""
        peer = read_address((scope.get("client") or ("",))[0]) if scope["type"] == "http" and self._trusted else None
        if peer is not None and is_in(peer, self._trusted):
            headers = Headers(scope=scope)
            address = client_of(peer, headers.getlist("x-forwarded-for"), self._trusted)
            schemes = ",".join(headers.getlist("x-forwarded-proto")).lower().split(",")
            scheme = schemes[-1].strip()  # the nearest proxy's word
            scope = {**scope, "client": (str(address), 0)} | ({"scheme": scheme} if scheme in _SCHEMES else {})
        await self._app(scope, receive, send)


def client_of(peer: IPAddress, forwarded: Sequence[str], trusted: Sequence[Network]) -> IPAddress:
    """Give the first address from the right that is no trusted proxy's; of a list that breaks off, the last known."""
    client = peer
    for written in reversed([one for line in forwarded for one in line.split(",") if one.strip()]):
        if not is_in(client, trusted):
            break
        address = read_address(written)
        if address is None:
            break
        client = address
    return client


def is_in(address: IPAddress, networks: Sequence[Network]) -> bool:
    """Say whether one of the networks holds an address."""
    return any(address in network for network in networks)


def read_address(written: str) -> IPAddress | None:
    """Read an address as proxies write it: with a port, in brackets, in quotes, an IPv4 one within IPv6."""
    text = written.strip().strip('"')
    if text.startswith("["):
        text, _, _ = text[1:].partition("]")
    elif text.count(":") == 1:
        text, _, _ = text.partition(":")
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
