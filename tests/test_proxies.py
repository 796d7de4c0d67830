"""Whose address a request counts by: what trusted proxies say, in every spelling, and nothing that others wrote."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from web.proxies import Proxies, client_of, read_address
from worker.setting_values import networks, read_networks

TRUSTED = "10.0.0.0/8, 2001:db8:ffff::/48, 127.0.0.1"
CLIENT = "203.0.113.9"


def come(
    peer: str | None, *headers: tuple[str, str], trusted: str = TRUSTED, scheme: str = "http"
) -> tuple[str | None, str]:
    """Send a request through; give the client and the scheme that arrive."""
    seen: list[Any] = []

    async def app(scope: MutableMapping[str, Any], *_: object) -> None:
        seen.append(scope)

    scope = {
        "type": "http",
        "client": peer and (peer, 4711),
        "scheme": scheme,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }
    asyncio.run(Proxies(app, trusted)(scope, None, None))  # type: ignore[arg-type]
    return seen[0]["client"] and seen[0]["client"][0], seen[0]["scheme"]


def forwarded(*values: str) -> list[tuple[str, str]]:
    return [("X-Forwarded-For", value) for value in values]


@pytest.mark.parametrize(
    ("written", "client"),
    [
        ([CLIENT], CLIENT),
        ([f"{CLIENT}:51234"], CLIENT),
        ([f" {CLIENT} "], CLIENT),
        ([f'"{CLIENT}"'], CLIENT),
        ([f"::ffff:{CLIENT}"], CLIENT),
        ([f"[::ffff:{CLIENT}]:443"], CLIENT),
        (["2001:db8::7"], "2001:db8::7"),
        (["2001:DB8:0:0:0:0:0:7"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["[2001:db8::7]:443"], "2001:db8::7"),
        (['"[2001:db8::7]:443"'], "2001:db8::7"),
        (["fe80::7%eth0"], "fe80::7"),
        ([f"192.0.2.1, {CLIENT}"], CLIENT),
        ([f"192.0.2.1, {CLIENT}, 10.1.2.3"], CLIENT),
        ([f"192.0.2.1,{CLIENT},10.1.2.3,2001:db8:ffff::1"], CLIENT),
        ([f"192.0.2.1, {CLIENT}", "10.1.2.3"], CLIENT),
        (["192.0.2.1", CLIENT, "10.1.2.3, 127.0.0.1"], CLIENT),
        ([f"{CLIENT},"], CLIENT),
        ([f"{CLIENT}, ,10.1.2.3"], CLIENT),
        ([f"10.9.9.9, {CLIENT}"], CLIENT),
        ([f"127.0.0.1, {CLIENT}"], CLIENT),
        ([f"{CLIENT}, ::ffff:10.1.2.3"], CLIENT),
        (["10.1.2.3, 10.1.2.4"], "10.1.2.3"),
        (["unknown"], "10.0.0.7"),
        ([f"{CLIENT}, unknown"], "10.0.0.7"),
        ([f"{CLIENT}, _hidden, 10.1.2.3"], "10.1.2.3"),
        (["203.000.113.009"], "10.0.0.7"),
        (["0xcb.0.0x71.9"], "10.0.0.7"),
        (["127.1"], "10.0.0.7"),
        (["example.com"], "10.0.0.7"),
        (["[2001:db8::7"], "2001:db8::7"),
        (["10.0.0.1/8"], "10.0.0.7"),
        (["\xff\xfe"], "10.0.0.7"),
        ([""], "10.0.0.7"),
        ([",,,"], "10.0.0.7"),
        ([], "10.0.0.7"),
    ],
)
@pytest.mark.parametrize("peer", ["10.0.0.7", "::ffff:10.0.0.7"])
def test_behind_a_trusted_proxy_the_client_is_the_first_from_the_right_that_is_none(
    peer: str, written: list[str], client: str
) -> None:
    assert come(peer, *forwarded(*written))[0] == client


@pytest.mark.parametrize("peer", ["203.0.113.1", "::1", "127.0.0.2", "11.0.0.1", "2001:db8:fffe::1", None, ""])
def test_of_another_nothing_is_believed(peer: str | None) -> None:
    headers = [
        *forwarded("198.51.100.1"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=198.51.100.1;proto=https"),
    ]
    assert come(peer, *headers) == (peer, "http")


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.7", "::1", None])
def test_without_the_setting_nobody_is_believed_on_the_machine_itself_neither(peer: str | None) -> None:
    assert come(peer, *forwarded("198.51.100.1"), ("X-Forwarded-Proto", "https"), trusted="") == (peer, "http")


@pytest.mark.parametrize(
    ("written", "scheme"),
    [
        (["https"], "https"),
        (["HTTPS"], "https"),
        (["http"], "http"),
        (["https, http"], "http"),
        (["http, https"], "https"),
        (["http", "https"], "https"),
        (["ftp"], "http"),
        (["https;x"], "http"),
        ([""], "http"),
        (["javascript"], "http"),
    ],
)
def test_the_scheme_is_the_nearest_proxys_word(written: list[str], scheme: str) -> None:
    assert come("10.0.0.7", *(("X-Forwarded-Proto", one) for one in written))[1] == scheme


def test_the_hosts_and_prefixes_that_proxies_name_are_not_read() -> None:
    headers = [(f"X-Forwarded-{name}", "evil.example") for name in ("Host", "Server", "Prefix", "Port")]
    assert come("10.0.0.7", *headers) == ("10.0.0.7", "http")


def test_a_list_of_any_length_is_read_once() -> None:
    written = ",".join(["10.1.2.3"] * 20_000)
    found = client_of(read_networks("10.0.0.7")[0][0], [f"{CLIENT},{written}"], read_networks(TRUSTED))
    assert str(found) == CLIENT


@pytest.mark.parametrize(
    "written",
    [
        "*",
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0/1,128.0.0.0/1",
        "8000::/1",
        "proxy",
        "10.0.0.7/8",
        "10.0.0.7:80",
        "10.0.0",
        "1;2",
    ],
)
def test_what_is_no_network_and_what_is_every_one_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not the address or network of a proxy"):
        networks(written)


def test_an_address_that_is_none_is_none() -> None:
    assert [read_address(one) for one in ("", "-", ":", "[", "]:", "1", "a:b")] == [None] * 7
