"""Where a webhook may lead: no address that IANA's registries call special, whatever this Python's table says."""

import csv
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, strategies as st

from worker.webhooks.public_addresses import is_public

CORPUS: Final = Path(__file__).parent / "corpora" / "special_addresses.csv"
"""The IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and what updates it), with multicast and what is
reserved or was given up, each with its source."""
SPECIAL: Final = [row["range"] for row in csv.DictReader(CORPUS.read_text("utf-8").splitlines())]
NAT64: Final = int(IPv6Address("64:ff9b::"))
MAPPED: Final = int(IPv6Address("::ffff:0:0"))
ISATAP: Final = int(IPv6Address("2600:1f18::5efe:0:0"))


@pytest.mark.parametrize("written", SPECIAL)
def test_no_address_of_a_special_range_is_public(written: str) -> None:
    network: Any = ip_network(written)
    middle = network[network.num_addresses // 2]
    assert [str(one) for one in (network[0], network[1 % network.num_addresses], middle, network[-1])
            if is_public(str(one))] == []  # fmt: skip


@pytest.mark.parametrize("written", [one for one in SPECIAL if "." in one and ":" not in one])
def test_no_ipv6_address_carries_a_special_ipv4_address_by(written: str) -> None:
    network = IPv4Network(written)
    for one in (network[0], network[-1]):
        for around in (NAT64, MAPPED, ISATAP):
            assert not is_public(str(IPv6Address(around + int(one))))


@pytest.mark.parametrize(
    "written",
    [
        *("1.0.0.1", "9.255.255.255", "11.0.0.0", "93.184.216.34", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
        *("128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0"),
        *("192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0"),
        *("223.255.255.255", "2000::1", "2001:200::1", "2001:db7::1", "2001:db9::1", "2003::1", "2606:4700:4700::1111"),
        *("2620:4f:7fff::1", "2a00:1450:4001::200e", "3ffe:ffff::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"),
    ],
)
def test_what_lies_beside_is_public(written: str) -> None:
    assert is_public(written)


@pytest.mark.parametrize("written", ["168.63.129.16", "2600:1f18::5efe:a00:1", "2600:1f18::200:5efe:a00:1",
                                     "2606:4700:4700::1111%eth0", "fe80::1%eth0"])  # fmt: skip
def test_what_leads_inside_by_another_way_is_not_public(written: str) -> None:
    assert not is_public(written)


@given(st.ip_addresses())
def test_what_is_public_is_in_no_special_range(address: IPv4Address | IPv6Address) -> None:
    networks = [ip_network(one) for one in SPECIAL]
    if is_public(str(address)):
        assert not [one for one in networks if one.version == address.version and ip_address(str(address)) in one]
