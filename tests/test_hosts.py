"""Which host a request may name, so that no address in an answer is written by whoever asks."""

import asyncio
import socket
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.api import Api, key_for, running_server
from tests.support.contexts import open_context
from web.hosts import Hosts
from worker.setting_values import hosts as read_setting
from worker.settings import Settings

EVIL = (
    "evil.example",
    "evil.example:8800",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example#localhost",
    "localhost@evil.example",
    "localhost:80@evil.example",
    "evil.example/localhost",
    "localhost/../evil.example",
    "localhost evil.example",
    "localhost, evil.example",
    "localhost:8800:80",
    "localhost:",
    "localhost:x",
    "localhost:+80",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0.0.0.0",
    "[::]",
    "::1",
    "[::1",
    "[::1]x",
    "[::1%25lo]",
    "[::ffff:203.0.113.9]",
    "192.0.2.7",
    "localhost\xe9",
    "xn--localhost-x9a",
    "",
    ".",
    "-",
    '"><script>',
)
"""Hosts of somebody else, however they are dressed."""


def status(host: str | None, path: bytes = b"/", server: str = "192.0.2.80", /, **settings: str) -> int:
    """Ask by a host at a connection's address; give the answer's status, 200 where the request is let on."""
    statuses: list[int] = []

    async def app(*_: object) -> None:
        statuses.append(200)

    async def send(message: MutableMapping[str, Any]) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    scope = {"type": "http", "raw_path": path, "headers": headers, "server": (server, 8800)}
    asyncio.run(Hosts(app, Settings(_env_file=None, **settings))(scope, None, send))  # type: ignore[arg-type]
    return statuses[0]


@pytest.mark.parametrize("settings", [{}, {"public_url": "https://turnout.example.com/x"}, {"hosts": "web, 10.0.0.7"}])
@pytest.mark.parametrize("host", EVIL)
def test_a_host_that_nobody_named_is_refused(host: str, settings: dict[str, str]) -> None:
    assert status(host, **settings) == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1:8800", "127.8.9.1", "[::1]", "[::1]:8800"])
def test_the_machine_itself_is_known(host: str) -> None:
    assert status(host) == 200


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("turnout.example.com", {"public_url": "https://turnout.example.com"}),
        ("TURNOUT.example.com:443", {"public_url": "https://turnout.example.com/turnout"}),
        ("[2001:db8::7]", {"public_url": "http://[2001:db8::7]:8800"}),
        ("web:8800", {"hosts": "web"}),
        ("10.0.0.7", {"hosts": "web,10.0.0.7"}),
        ("Web.Internal", {"hosts": "web.internal"}),
        ("[2001:db8::8]:80", {"hosts": "2001:db8::8"}),
        ("[2001:db8::8]:80", {"hosts": "[2001:db8::8]"}),
        ("192.0.2.80:8800", {}),
    ],
)
def test_what_an_operator_named_is_known_and_the_address_of_the_connection(host: str, settings: dict[str, str]) -> None:
    assert status(host, **settings) == 200


def test_a_request_without_a_host_gets_the_connections_address() -> None:
    assert status(None) == 200


@pytest.mark.parametrize("target", [b"http://evil.example/", b"//evil.example"[1:] + b":80", b"*", b"evil", b""])
def test_a_target_that_is_no_path_is_refused(target: bytes) -> None:
    assert status("localhost", target) == (200 if target.startswith(b"/") else 400)


@pytest.mark.parametrize("written", ["https://x", "a b", "a/b", "x;y", "*", "a:80", "é"])
def test_a_setting_that_is_no_name_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a host"):
        read_setting(written)


def test_links_are_of_the_public_url_whatever_the_request_names(settings: Settings) -> None:
    outside = "https://events.example.com/turnout"
    with open_context(settings, public_url=outside, hosts="web") as context, running_server(context) as url:
        asked = Api(url, key_for(context, "shop"), context)
        for host in ("web", "localhost:1", "events.example.com"):
            named = {"Host": host, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
            answer = asked.submit("ada@example.com", "bob@example.com", headers=named)
            link = answer.json()["links"]["submission"]
            page = asked.ask("GET", urlsplit(link).path.removeprefix("/turnout") + "?limit=1", headers=named).json()
            for one in (link, page["paging"]["next"]["link"]):
                assert one.startswith(f"{outside}/submissions/")
        refused = requests.get(f"{url}/reference", headers={"Host": "evil.example"}, timeout=10)
    assert (refused.status_code, refused.json()["category"]) == (421, "MISDIRECTED_REQUEST")


def test_on_the_machine_itself_links_follow_the_name_that_was_asked(api: Api) -> None:
    port = urlsplit(api.url).port
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/x", "X-Forwarded-Proto": "https"}
    answer = api.submit("ada@example.com", headers=forwarded | {"Host": f"localhost:{port}"})
    assert answer.json()["links"]["submission"].startswith(f"http://localhost:{port}/submissions/")


def test_two_hosts_are_none(api: Api) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), 10) as client:
        client.sendall(b"GET /reference HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert client.makefile("rb").readline().startswith(b"HTTP/1.1 400 ")
