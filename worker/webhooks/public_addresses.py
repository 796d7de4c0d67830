"""Which addresses are the public Internet's: a list of our own, for Python's own differs from release to release.

Whatever IANA lists as special is none of it, also what its registries call globally reachable (the anycast addresses of
AS112, AMT and the like): no webhook is there.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_SPECIAL_IPV4: Final = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # inside Azure it is the host, whatever the registries say
        ),
    )
)
_UNICAST: Final = IPv6Network("2000::/3")
"""All of IPv6 that is given out. Beyond it lie loopback, private, link-local, site-local and multicast addresses."""
_SPECIAL_IPV6: Final = tuple(
    map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16"))
)
"""Protocols and tunnels (Teredo, 6to4), which may lead anywhere, and addresses for documentation."""
_CARRIES_IPV4: Final = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""IPv4 addresses as IPv6 writes them, and as NAT64 reaches them: judged by what they carry."""
_ISATAP: Final = (b"\0\0\x5e\xfe", b"\x02\0\x5e\xfe")
"""Bytes 9 to 12 of an address that tunnels to the IPv4 address behind them."""


def is_public(written: str) -> bool:
    """Say whether an address is one of the public Internet's."""
    address = ip_address(written)
    if isinstance(address, IPv4Address):
        return _is_public_ipv4(address)
    if address.scope_id is not None:
        return False
    if any(address in network for network in _CARRIES_IPV4):
        return _is_public_ipv4(IPv4Address(address.packed[-4:]))
    return _is_public_ipv6(address)


def _is_public_ipv4(address: IPv4Address) -> bool:
    return not any(address in network for network in _SPECIAL_IPV4)


def _is_public_ipv6(address: IPv6Address) -> bool:
    is_special = any(address in network for network in _SPECIAL_IPV6) or address.packed[8:12] in _ISATAP
    return address in _UNICAST and not is_special
