"""Signing people in at the company's OpenID Connect provider, by the authorization code flow with PKCE.

What one attempt is proved by (state, nonce, code verifier) is derived from the random value in the browser's cookie, so
nothing is stored before the provider has answered, and an answer is good in no other browser. What the provider says of
itself, and its keys, are asked for when they are first needed and kept for an hour. Nothing here raises for what the
provider answers: it is a `User`, or why there is none.
"""

import base64
import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from hubspot_api.fields import read_object
from hubspot_api.response import NoResponse, Response
from hubspot_api.transport import send
from worker.auth.id_token import UnknownKey, checked, is_same, name_of, read_keys, role_of, shown, text_of
from worker.auth.sessions import User
from worker.log import get_logger
from worker.setting_values import is_private
from worker.settings import Settings

if TYPE_CHECKING:
    from joserfc.jwk import Key

T = TypeVar("T")

log = get_logger(__name__)

TIMEOUT: Final = 5.0
"""Seconds for one call to the provider, whole."""
KEPT: Final = 3_600.0
"""Seconds that the provider's description and its keys are used before they are asked for again."""
AGAIN: Final = 10.0
"""Seconds after which a provider that failed is asked again."""
REFRESH: Final = 60.0
"""Seconds between two looks for a key that is not among the known ones."""
CALLBACK: Final = "/openid/callback"
"""The path to which the provider sends the browser back."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One attempt to sign in, by the random value that the browser's cookie holds."""

    value: str

    @classmethod
    def begin(cls) -> "SignIn":
        """Give one that nobody has seen."""
        return cls(secrets.token_urlsafe(32))

    @property
    def state(self) -> str:
        """What the provider sends back with its answer: proves that this browser asked."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """What the ID token must hold: proves that it was made for this attempt."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What the code is exchanged with: proves that the one who asked has it."""
        return self._derived("verifier")

    @property
    def challenge(self) -> str:
        """What the provider is shown of the verifier beforehand."""
        return _written(hashlib.sha256(self.verifier.encode()).digest())

    def _derived(self, what: str) -> str:
        return _written(hmac.digest(self.value.encode(), f"openid {what}".encode(), hashlib.sha256))


def _written(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """Why nobody is signed in, as a sentence for the browser, and with which HTTP status."""

    status: int
    because: str


STALE: Final = NotSignedIn(
    400, "This sign-in is too old, was used already, or was begun in another browser. Sign in again."
)


@dataclass(frozen=True, slots=True)
class Description:
    """What a provider says of itself (its discovery document), as far as Turnout uses it."""

    issuer: str
    authorization: str
    token: str
    keys: str
    end_session: str
    """Where a browser signs out; empty: nowhere."""
    names_itself: bool
    """Its answers name it (RFC 9207), so one that does not is another's."""
    takes_basic: bool
    """The client secret goes in a header, not in the form."""


def read_description(answer: Response, issuer: str) -> Description | str:
    """Read a discovery document; or say what is wrong with it."""
    said = read_object(answer.body)
    if answer.status != 200 or said is None:  # noqa: PLR2004 - HTTP
        return f"its discovery document was not given (HTTP {answer.status})"
    named = text_of(said, "issuer")
    if named.rstrip("/") != issuer:
        return "its discovery document names another issuer"
    found = {name: text_of(said, name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    for name, url in found.items():
        if not is_private(url):
            return f"its discovery document has no {name} that begins with https://"
    out = text_of(said, "end_session_endpoint")
    methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Description(
        named,
        found["authorization_endpoint"],
        found["token_endpoint"],
        found["jwks_uri"],
        out if is_private(out) else "",
        said.get("authorization_response_iss_parameter_supported") is True,
        isinstance(methods, list) and ("client_secret_basic" in methods or "client_secret_post" not in methods),
    )


class Provider:
    """The provider of one process; its threads share what is known of it."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is asked yet."""
        self._settings = settings
        self._description = _Kept[Description](self._ask_description)
        self._keys = _Kept["list[Key]"](self._ask_keys)

    @property
    def issuer(self) -> str:
        """Which provider this is, as sessions note it; empty: none."""
        return self._settings.oidc_issuer

    @property
    def name(self) -> str:
        """What people know it by: its host; empty where there is none."""
        return urlsplit(self.issuer).hostname or ""

    @property
    def trouble(self) -> str:
        """Why it cannot be used, where it failed a moment ago."""
        return self._description.trouble

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends the browser back."""
        return self._settings.public_url + CALLBACK

    def authorization_url(self, attempt: SignIn) -> str | NotSignedIn:
        """Give where the browser goes to sign in."""
        described = self._description.get()
        if isinstance(described, str):
            return NotSignedIn(503, described)
        return _with(
            described.authorization,
            response_type="code",
            client_id=self._settings.oidc_client_id,
            redirect_uri=self.redirect_uri,
            scope=self._settings.oidc_scopes,
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=attempt.challenge,
            code_challenge_method="S256",
        )

    def sign_out_url(self) -> str:
        """Give where the browser signs out of the provider too; empty where it names no such place, or is away."""
        described = self._description.get()
        if isinstance(described, str) or not described.end_session:
            return ""
        back = f"{self._settings.public_url}/sign-in"
        return _with(described.end_session, client_id=self._settings.oidc_client_id, post_logout_redirect_uri=back)

    def check(self) -> str:
        """Ask for its description and its keys; say what is wrong, or nothing."""
        for kept in (self._description, self._keys):
            found = kept.get()
            if isinstance(found, str):
                return found
        return ""

    def user(self, attempt: SignIn, answer: Mapping[str, str]) -> User | NotSignedIn:
        """Say who signed in, by what the provider sent the browser back with."""
        if not is_same(answer.get("state", ""), attempt.state):
            return STALE
        described = self._description.get()
        if isinstance(described, str):
            return NotSignedIn(503, described)
        code = self._code(described, answer)
        token = code if isinstance(code, NotSignedIn) else self._exchanged(described, attempt, code)
        if isinstance(token, NotSignedIn):
            return token
        claims = self._claims(described, attempt, token)
        if isinstance(claims, NotSignedIn):
            return claims
        role = role_of(claims, self._settings)
        if role is None:
            return NotSignedIn(
                403,
                f"{self.name} signed you in, and none of your values of «{self._settings.oidc_role_claim}» gives a role"
                " here. Whoever runs Turnout names them in TURNOUT_OIDC_OPERATORS or TURNOUT_OIDC_VIEWERS.",
            )
        return User(name_of(claims), role)

    def _code(self, described: Description, answer: Mapping[str, str]) -> str | NotSignedIn:
        """Give the code of an answer that is this provider's."""
        if ("iss" in answer or described.names_itself) and answer.get("iss") != described.issuer:
            return self._not_good("the answer is another provider's")
        if "error" in answer:
            said = ": ".join(filter(None, (shown(answer.get(name, "")) for name in ("error", "error_description"))))
            return NotSignedIn(403, f"{self.name} did not sign you in ({said}).")
        return answer.get("code") or STALE

    def _exchanged(self, described: Description, attempt: SignIn, code: str) -> str | NotSignedIn:
        """Exchange the code for an ID token."""
        client, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret.get_secret_value()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if secret and described.takes_basic:
            pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": client} | ({"client_secret": secret} if secret else {})
        answer = self._send("POST", described.token, headers, urlencode(form).encode())
        if isinstance(answer, NoResponse):
            return NotSignedIn(503, self._away(answer.because))
        said = read_object(answer.body) or {}
        if answer.status == 200 and isinstance(said.get("id_token"), str):  # noqa: PLR2004 - HTTP
            return str(said["id_token"])
        error = shown(text_of(said, "error")) or f"HTTP {answer.status}, and no ID token"
        log.warning("sign-in code not exchanged", status=answer.status)
        if error == "invalid_grant":
            return STALE
        if answer.status >= 500:  # noqa: PLR2004 - the class of failures
            return NotSignedIn(503, self._away(f"HTTP {answer.status}"))
        return NotSignedIn(
            502,
            f"{self.name} gave no ID token ({error}). Whoever runs Turnout looks at TURNOUT_OIDC_CLIENT_ID,"
            " TURNOUT_OIDC_CLIENT_SECRET and the redirect URI that the provider has.",
        )

    def _claims(self, described: Description, attempt: SignIn, token: str) -> Mapping[str, Any] | NotSignedIn:
        """Check an ID token; give its claims. A key that is not known is looked for once, and not all the time."""
        for _ in range(2):
            known = self._keys.get()
            if isinstance(known, str):
                return NotSignedIn(503, known)
            try:
                claims = checked(token, known, described.issuer, self._settings.oidc_client_id, attempt.nonce)
            except UnknownKey:
                self._keys.forget(REFRESH)
            else:
                return self._not_good(claims) if isinstance(claims, str) else claims
        return self._not_good("it is signed with a key that the provider does not show")

    def _not_good(self, because: str) -> NotSignedIn:
        log.warning("sign-in at the provider not accepted", because=because)
        return NotSignedIn(403, f"What {self.name} sent is not good: {because}. Sign in again.")

    def _away(self, because: str) -> str:
        log.warning("provider cannot sign in", because=because)
        return f"{self.name} cannot sign anybody in now ({because}): sign in with a key, or try again in a moment."

    def _ask_description(self) -> Description | str:
        answer = self._send("GET", f"{self.issuer}/.well-known/openid-configuration")
        if isinstance(answer, NoResponse):
            return self._away(answer.because)
        described = read_description(answer, self.issuer)
        return self._away(described) if isinstance(described, str) else described

    def _ask_keys(self) -> "list[Key] | str":
        described = self._description.get()
        if isinstance(described, str):
            return described
        answer = self._send("GET", described.keys)
        if isinstance(answer, NoResponse):
            return self._away(answer.because)
        found = list(read_keys(answer.body))
        return found or self._away(f"it gives no key that can be used (HTTP {answer.status})")

    def _send(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Response | NoResponse:
        wanted = {"Accept": "application/json", **(headers or {})}
        secret = self._settings.oidc_client_secret.get_secret_value()
        return send(method, url, wanted, body, TIMEOUT, secret=secret, egress=self._settings.oidc_egress, is_whole=True)


class _Kept(Generic[T]):
    """What the provider was asked for, and until when that is used; where it failed, why, for a moment."""

    def __init__(self, ask: Callable[[], T | str]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._found: T | str = ""
        self._until = self._since = -math.inf

    @property
    def trouble(self) -> str:
        """Why there is nothing; empty where there is, or it was not asked for of late."""
        found = self._found
        return found if isinstance(found, str) and time.monotonic() < self._until else ""

    def get(self) -> T | str:
        """Give it, or why there is none; one thread asks, the others wait for it."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = self._ask()
                self._since = time.monotonic()
                self._until = self._since + (AGAIN if isinstance(self._found, str) else KEPT)
            return self._found

    def forget(self, age: float) -> None:
        """Ask anew the next time, where this is older than so many seconds."""
        with self._lock:
            if time.monotonic() >= self._since + age:
                self._until = -math.inf


def _with(url: str, **more: str) -> str:
    """Put parameters behind those that a URL has."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(more, quote_via=quote))))
    return urlunsplit(parts._replace(query=query, fragment=""))
