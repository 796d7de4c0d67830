"""An OpenID Connect provider for tests: real HTTP on loopback, real keys, and the ability to lie.

It signs everybody in at once. What it is to say otherwise stands in its fields: a test changes them.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jws, jwt
from joserfc.jwk import ECKey, Key, RSAKey

CLIENT, SECRET = "turnout-client", "the-client's secret/+:"


@cache
def key_of(name: str) -> Key:
    """Give a private key: made once for all tests, under this id."""
    return (
        ECKey.generate_key("P-256", {"kid": name})
        if name.startswith("ec")
        else RSAKey.generate_key(2048, {"kid": name})
    )


@dataclass(frozen=True)
class In:
    """A claim that is a moment: so many seconds from when the token is made."""

    seconds: int


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class OpenIdProvider:
    """The provider; `issued` are its codes with what they were asked for."""

    url: str = ""
    key: Key = field(default_factory=lambda: key_of("rsa-1"))
    """What it signs with."""
    shown: list[dict[str, Any]] = field(default_factory=list)
    """The public keys that it shows."""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "248289761001", "name": "Ada Lovelace"})
    """What it says of whoever signs in, over what is right; a claim that is None is left out."""
    described: dict[str, Any] = field(default_factory=dict)
    """The same of its discovery document."""
    signed: Callable[[dict[str, Any]], str] | None = None
    """Makes the ID token in another way."""
    alg: str = "RS256"
    kid: str | None = ""
    """The key's id in the header; empty: the right one, none: no id."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """What is answered instead, by path."""
    back: dict[str, str] = field(default_factory=dict)
    """What it sends the browser back with, over what is right; an empty value is left out."""
    slow: float = 0.0
    forgetful: bool = False
    """It takes a code again and again."""
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for."""
    issued: dict[str, dict[str, str]] = field(default_factory=dict)
    exchanged: list[dict[str, str]] = field(default_factory=list)

    def rotate(self, name: str) -> None:
        """Sign with another key from now on, and show that one too."""
        self.key = key_of(name)
        self.alg = "ES256" if name.startswith("ec") else "RS256"
        self.show(self.key)

    def show(self, *keys: Key) -> None:
        self.shown += [key.as_dict(private=False) for key in keys]

    def answer(self, method: str, path: str, query: dict[str, str], headers: Message, body: bytes) -> Answer:
        self.asked.append(path)
        time.sleep(self.slow)
        if path in self.answers:
            return self.answers[path]
        form = {name: one for name, (one, *_) in parse_qs(body.decode()).items()}
        made: dict[tuple[str, str], Callable[[], Answer]] = {
            ("GET", "/.well-known/openid-configuration"): lambda: _json(_over(self._description(), self.described)),
            ("GET", "/jwks/"): lambda: _json({"keys": self.shown}),
            ("GET", "/authorize"): lambda: self._authorized(query),
            ("POST", "/token/"): lambda: self._exchanged(form, headers),
            ("GET", "/out"): lambda: (200, {"Content-Type": "text/html"}, b"<h1>You are signed out</h1>"),
        }
        return made.get((method, path), lambda: (404, {}, b""))()

    def _description(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?tenant=1",
            "token_endpoint": f"{self.url}/token/",
            "jwks_uri": f"{self.url}/jwks/",
            "end_session_endpoint": f"{self.url}/out",
            "authorization_response_iss_parameter_supported": True,
        }

    def _authorized(self, query: dict[str, str]) -> Answer:
        assert query.pop("tenant") == "1"
        code = f"code-{len(self.issued)}"
        self.issued[code] = query
        back = _over({"code": code, "state": query["state"], "iss": self.url}, self.back)
        back = {name: one for name, one in back.items() if one}
        return 303, {"Location": f"{query['redirect_uri']}?{urlencode(back)}"}, b""

    def _exchanged(self, form: dict[str, str], headers: Message) -> Answer:
        basic = base64.b64decode(headers.get("Authorization", "").removeprefix("Basic ")).decode()
        client, _, secret = map(unquote, basic.partition(":"))
        self.exchanged.append({"client": client, "secret": secret, **form})
        issued = self.issued.get(form["code"]) if self.forgetful else self.issued.pop(form["code"], None)
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        )
        if issued is None or challenge != issued["code_challenge"] or issued["redirect_uri"] != form["redirect_uri"]:
            return _json({"error": "invalid_grant"}, 400)
        now = int(time.time())
        right = {"iss": self.url, "aud": CLIENT, "iat": In(0), "exp": In(300), "nonce": issued["nonce"]}
        claims = {
            name: now + one.seconds if isinstance(one, In) else one for name, one in _over(right, self.claims).items()
        }
        token = self.signed(claims) if self.signed else self.token(claims)
        return _json({"token_type": "Bearer", "access_token": "not asked for", "id_token": token})

    def token(self, claims: dict[str, Any], key: Key | None = None, **header: object) -> str:
        """Sign claims, as it is set or with another key or header."""
        key = key or self.key
        named: dict[str, Any] = {"alg": self.alg, "kid": key.kid if self.kid == "" else self.kid, **header}
        named = {name: one for name, one in named.items() if one is not None}
        return jwt.encode(named, claims, key, registry=jws.JWSRegistry(algorithms=[named["alg"]]))


def unsigned(claims: dict[str, Any], alg: str = "none") -> str:
    """Write claims as a token that nobody signed."""
    parts = [json.dumps(part).encode() for part in ({"alg": alg, "kid": "rsa-1", "typ": "JWT"}, claims)]
    return ".".join([*map(_base64, parts), ""])


def signed_with_what_is_public(claims: dict[str, Any]) -> str:
    """Sign with the provider's public key as if it were a shared secret; joserfc itself would not."""
    token = unsigned(claims, "HS256")
    key = key_of("rsa-1")
    assert isinstance(key, RSAKey)
    public = key.as_pem(private=False)
    return token + _base64(hmac.digest(public, token.removesuffix(".").encode(), "sha256"))


def _base64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _over(right: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in (right | changed).items() if one is not None}


def _json(what: dict[str, Any], status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(what).encode()


@contextmanager
def running_provider() -> Iterator[OpenIdProvider]:
    """Run a provider until the block ends."""
    provider = OpenIdProvider()
    provider.show(provider.key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            asked = urlsplit(self.path)
            query = {name: one for name, (one, *_) in parse_qs(asked.query).items()}
            status, headers, content = provider.answer(self.command, asked.path, query, self.headers, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever asked has hung up
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
