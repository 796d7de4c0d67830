"""Webhooks: where a URL may lead, how a message is signed, and that it goes to the address that was judged."""

import json
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Protocol

import pytest
import requests.adapters
from pydantic import SecretStr
from sqlalchemy import Engine

from hubspot_api.response import NoResponse, Response
from models.tables import Key
from models.words import Role
from tests.support.certificate import certificate_for, served_with
from tests.support.fixtures import Turnout
from tests.support.ledger import Ledger
from tests.support.webhook_receiver import Receiver
from worker.auth import keys
from worker.encryption import rekey, unseal
from worker.settings import Settings
from worker.webhooks import endpoint
from worker.webhooks.endpoint import fault, point, send, turn_off
from worker.webhooks.public_addresses import is_public
from worker.webhooks.signature import WebhookMessage, signature

MESSAGE = WebhookMessage("one_finished", 1_767_225_600, b'{"a": 1}')
SECRET = SecretStr("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


# The guard


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700:4700::1111", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::5db8:d822", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::7f00:1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("::ffff:0:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::1", False),
        ("2001:0:5db8:d822::1", False),
        ("2002:7f00:1::", False),
        ("2001:db8::1", False),
        ("3fff::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_only_what_the_internet_reaches_is_public(address: str, public: bool) -> None:  # noqa: FBT001
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("https://hooks.example.com/turnout?x=1", None),
        ("https://hooks.example.com:8443", None),
        ("HTTPS://hooks.example.com", None),
        ("http://hooks.example.com", "is not https"),
        ("ftp://hooks.example.com", "is not https"),
        ("hooks.example.com", "is not https"),
        ("https:///path", "must name a host"),
        ("https://me:secret@hooks.example.com", "must name a host, and no user"),
        ("https://@hooks.example.com", "no user"),
        ("https://hooks.example.com:99999", "is no URL"),
        ("https://hooks.example.com:0", "must name a host"),
        ("https://[::1", "is no URL"),
        ("https://hooks.example.com/a b", "printable"),
        ("https://hooks.example.com/\r\nX: y", "printable"),
        ("https://hööks.example.com", "ASCII"),
        ("https://hooks.example.com/" + "a" * 2_048, "2048"),
    ],
)
def test_a_url_says_what_is_wrong_with_it(url: str, wrong: str | None) -> None:
    found = fault(url, private=False)
    assert (found is None) if wrong is None else wrong in (found or "")


def test_http_is_allowed_by_the_setting_alone() -> None:
    assert fault("http://127.0.0.1:9/x", private=True) is None
    assert fault("gopher://127.0.0.1:9/x", private=True) is not None


# The connection


def sent(url: str, *, private: bool = True, seconds: float = 60) -> Response | NoResponse:
    return send(url, SECRET, MESSAGE, time.monotonic() + seconds, private=private)


class Names(Protocol):
    """Lets a name lead to addresses, one list a look-up, the last again; gives the list of the look-ups."""

    def __call__(self, name: str, *answers: list[str]) -> list[str]: ...


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    real = socket.getaddrinfo

    def lead(name: str, *answers: list[str]) -> list[str]:
        looked: list[str] = []
        rest = list(answers)

        def look(host: str, port: int, *how: int, **named: int) -> list[tuple[object, ...]]:
            if host != name:
                return [*real(host, port, *how, **named)]
            looked.append(host)
            addresses = rest.pop(0) if len(rest) > 1 else rest[0]
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", look)
        return looked

    return lead


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0"]
)
def test_no_way_of_writing_loopback_gets_through(host: str, receiver: Receiver) -> None:
    answer = sent(f"https://{host}:{receiver.port}/", private=False)
    assert isinstance(answer, NoResponse)
    assert "private address" in answer.because or "leads nowhere" in answer.because
    assert not answer.sent


def test_one_private_address_among_public_ones_is_enough_to_refuse(names: Names) -> None:
    names("hooks.example.com", ["93.184.216.34", "10.0.0.1"])
    answer = sent("https://hooks.example.com/", private=False)
    assert isinstance(answer, NoResponse)
    assert "private address 10.0.0.1" in answer.because


def test_a_name_that_leads_elsewhere_a_moment_later_is_looked_up_once(receiver: Receiver, names: Names) -> None:
    looked = names("hooks.example.com", ["127.0.0.1"], ["10.9.9.9"])
    answer = sent(f"http://hooks.example.com:{receiver.port}/in?x=%20y")
    assert isinstance(answer, Response)
    assert looked == ["hooks.example.com"]
    ((path, headers, body),) = receiver.got
    assert (path, headers["host"], body) == ("/in?x=%20y", f"hooks.example.com:{receiver.port}", MESSAGE.body)


def test_a_name_that_leads_nowhere_is_an_answer_not_a_crash(names: Names) -> None:
    names("hooks.example.com", [])
    assert "leads nowhere" in str(sent("https://hooks.example.com/"))
    assert "leads nowhere" in str(sent(f"https://{'a' * 64}.example.com/"))


def test_the_next_address_is_tried_where_one_cannot_be_reached(receiver: Receiver, names: Names) -> None:
    names("hooks.example.com", ["127.0.0.2", "127.0.0.1"])
    assert isinstance(sent(f"http://hooks.example.com:{receiver.port}/"), Response)
    assert len(receiver.got) == 1


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for the name hooks.example.com, trusted."""
    path = certificate_for("hooks.example.com", tmp_path)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(path))
    return served_with(path)


def test_tls_is_checked_against_the_name_although_the_connection_goes_to_the_address(
    certified: ssl.SSLContext, names: Names
) -> None:
    asked: list[str | None] = []
    certified.sni_callback = lambda _, name, __: asked.append(name)
    receiver = Receiver(certified)
    try:
        names("hooks.example.com", ["127.0.0.1"])
        assert isinstance(sent(f"https://hooks.example.com:{receiver.port}/"), Response)
        assert asked == ["hooks.example.com"]
        names("other.example.com", ["127.0.0.1"])
        answer = sent(f"https://other.example.com:{receiver.port}/")
        assert isinstance(answer, NoResponse)
        assert not answer.sent
        assert not isinstance(sent(f"https://127.0.0.1:{receiver.port}/"), Response)
        assert len(receiver.got) == 1
    finally:
        receiver.close()


def test_a_certificate_that_nobody_trusts_is_not_talked_to(
    certified: ssl.SSLContext, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    import certifi

    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", certifi.where())
    receiver = Receiver(certified)
    try:
        names("hooks.example.com", ["127.0.0.1"])
        assert not isinstance(sent(f"https://hooks.example.com:{receiver.port}/"), Response)
        assert not receiver.got
    finally:
        receiver.close()


def test_a_redirect_is_not_followed_and_no_proxy_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    receiver.answers = [(307, {"Location": "/elsewhere"}, b"")]
    answer = sent(f"http://127.0.0.1:{receiver.port}/")
    assert isinstance(answer, Response)
    assert (answer.status, len(receiver.got)) == (307, 1)


def test_of_a_long_answer_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.answers = [(500, {}, b"a" * 10_000_000)]
    answer = sent(f"http://127.0.0.1:{receiver.port}/")
    assert isinstance(answer, Response)
    assert len(answer.body) == endpoint.LONGEST_ANSWER


def test_a_receiver_that_drips_is_cut_off_at_the_deadline() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    closing = threading.Event()

    def drip() -> None:
        with listening, listening.accept()[0] as connection:
            connection.sendall(b"HTTP/1.1 200 ")
            while not closing.wait(0.1):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    answer = sent(f"http://127.0.0.1:{listening.getsockname()[1]}/", seconds=1)
    closing.set()
    thread.join()
    assert isinstance(answer, NoResponse)
    assert answer.because == "no whole answer in time"
    assert answer.duration > 0.5  # and it ended, though the receiver would have dripped on


# The signature


def test_the_signature_is_the_standards_own_example() -> None:
    body = b'{"test": 2432232314}'
    message = WebhookMessage("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
    assert signature(SECRET, message) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


# The key


def test_a_url_is_a_producers_and_its_secret_is_kept_encrypted_and_can_be_rekeyed(
    engine: Engine, settings: Settings
) -> None:
    keys.create(engine, "shop", Role.PRODUCER, [1])
    keys.create(engine, "boss", Role.OPERATOR)
    assert point(engine, settings, "nobody", "https://a.example.com") is None
    assert point(engine, settings, "boss", "https://a.example.com") is None
    first = point(engine, settings, "shop", "https://a.example.com")
    secret = point(engine, settings, "shop", "https://b.example.com")
    assert first is not None
    assert secret is not None
    assert first != secret
    assert {key.name: key.webhook for key in keys.listed(engine)} == {
        "boss": None,
        "shop": "https://b.example.com",
    }

    def kept() -> bytes | None:
        (key,) = Ledger(engine).all(Key, Key.name == "shop")
        return key.webhook_secret

    assert secret.encode() not in (kept() or secret.encode())
    both = settings.model_copy(update={"secret_key": SecretStr("new,a key of the tests")})
    rekey(engine, both)
    assert unseal(settings.model_copy(update={"secret_key": SecretStr("new")}), kept() or b"") == secret
    assert turn_off(engine, "shop")
    assert kept() is None
    assert not turn_off(engine, "boss")


def test_the_command_shows_the_secret_once_and_says_what_is_wrong(engine: Engine, turnout: Turnout) -> None:
    keys.create(engine, "shop", Role.PRODUCER, [1])
    webhook = ("keys", "webhook", "shop")
    made = json.loads(turnout(*webhook, "--url", "https://a.example.com/x", "--json").stdout)
    assert (made["name"], made["url"], made["secret"][:6]) == ("shop", "https://a.example.com/x", "whsec_")
    listed = turnout("keys", "list").stdout
    assert "https://a.example.com/x" in listed
    assert made["secret"] not in listed
    assert "is not https" in turnout(*webhook, "--url", "http://a.example.com", status=2).stderr
    assert "either --url or --off" in turnout(*webhook, status=2).stderr
    assert "no producer's key nobody" in turnout("keys", "webhook", "nobody", "--off", status=1).stderr
    assert turnout(*webhook, "--off").stdout == "the webhook of shop is off\n"
    assert "https://a.example.com/x" not in turnout("keys", "list").stdout
