"""OAuth: an access token asked for before the old one ends, once for all workers, and what HubSpot may answer."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr
from requests.structures import CaseInsensitiveDict
from sqlalchemy import Engine, func, update

from hubspot_api.oauth import AGAIN, LIFE, Denied, Grant, Granted, NotNow, read, refresh
from hubspot_api.response import NoResponse, Response
from models.tables import Account
from tasks.deliver import deliver
from tests.support.fixtures import Submit
from tests.support.ledger import Ledger, do, idle_transactions, spanned
from tests.support.worker_processes import until
from worker.accounts import registry, token_renewal
from worker.accounts.destination import NoToken, destination
from worker.context import Context
from worker.settings import Settings

GRANT = Grant("client-1", SecretStr("shh-secret"), SecretStr("shh-refresh"))
WHEN = 1_767_225_600_000


@dataclass
class Portal:
    """A HubSpot that gives `access-1`, `access-2`, … and takes only the newest; `answers` go first."""

    url: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Path, content type and form of each question for a token."""
    bearers: list[str] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], dict[str, object]]] = field(default_factory=list)
    extra: dict[str, object] = field(default_factory=dict)
    meanwhile: Callable[[], object] = lambda: None
    refuses_all: bool = False
    given: int = 0
    revoked: int = 0
    """Tokens up to this number are taken no more."""

    def answer(self, path: str, headers: Message, body: bytes) -> tuple[int, dict[str, str], dict[str, object]]:
        if path.startswith("/oauth/"):
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.asked.append((path, headers["Content-Type"], form))
            self.meanwhile()
            if self.answers:
                return self.answers.pop(0)
            self.given += 1
            return 200, {}, {"access_token": f"access-{self.given}", "expires_in": 1800, **self.extra}
        bearer = headers["Authorization"].removeprefix("Bearer ")
        self.bearers.append(bearer)
        if self.refuses_all or bearer not in {f"access-{n}" for n in range(self.revoked + 1, self.given + 1)}:
            return 401, {}, {"category": "EXPIRED_AUTHENTICATION", "message": "The OAuth token used is expired"}
        return 200, {}, {"status": "COMPLETE", "results": [{"email": i["email"]} for i in json.loads(body)["inputs"]]}


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, headers, fields = portal.answer(
                self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"]))
            )
            body = json.dumps(fields).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    portal.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield portal
    server.shutdown()
    server.server_close()
    thread.join()


Acme = Callable[[], Account]
"""Gives the row of the account as it is now."""


@pytest.fixture
def acme(engine: Engine, settings: Settings, portal: Portal) -> Acme:
    """Add an OAuth account; what it gives shows its row."""
    assert registry.add(engine, settings, "acme", {"hubspot_url": portal.url}, GRANT)

    return lambda: Ledger(engine).account("acme")


def ending(engine: Engine, seconds: int) -> None:
    """Let the access token end in so many seconds; it was given long ago."""
    long_ago = func.now() - timedelta(minutes=25)
    ends_at = func.now() + timedelta(seconds=seconds)
    do(engine, update(Account).where(Account.name == "acme").values(access_until=ends_at, token_set_at=long_ago))


def token(engine: Engine, settings: Settings) -> str:
    return destination(engine, settings, "acme").token.get_secret_value()


def test_a_token_is_asked_for_by_a_form_in_the_body(portal: Portal) -> None:
    granted = refresh(portal.url, GRANT, 5)
    assert granted == Granted(SecretStr("access-1"), 1800, None)
    (path, kind, form) = portal.asked[0]
    assert (path, kind) == ("/oauth/2026-03/token", "application/x-www-form-urlencoded")
    assert form == {
        "grant_type": "refresh_token",
        "client_id": "client-1",
        "client_secret": "shh-secret",
        "refresh_token": "shh-refresh",
    }
    assert "shh" not in repr(GRANT)
    assert "access-1" not in repr(granted)


def response(status: int, body: object, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status, named, raw, 0.1)


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        (response(200, {"access_token": "a"}), Granted(SecretStr("a"), LIFE, None)),
        (response(200, {"access_token": "a", "expires_in": "60"}), Granted(SecretStr("a"), 60, None)),
        (response(200, {"access_token": "a", "expires_in": -1}), Granted(SecretStr("a"), LIFE, None)),
        (response(200, {"access_token": "a", "refresh_token": "shh-refresh"}), Granted(SecretStr("a"), LIFE, None)),
        (
            response(200, {"access_token": "a", "refresh_token": "new"}),
            Granted(SecretStr("a"), LIFE, SecretStr("new")),
        ),
        (response(200, {"access_token": "a b"}), NotNow("its answer holds no access token", AGAIN)),
        (response(200, b"<html>"), NotNow("its answer holds no access token", AGAIN)),
        (response(200, []), NotNow("its answer holds no access token", AGAIN)),
        (response(429, {}, Retry_After="7"), NotNow("HTTP 429", 7)),
        (response(429, {}), NotNow("HTTP 429", AGAIN)),
        (response(429, {}, Retry_After="soon"), NotNow("HTTP 429", AGAIN)),
        (response(502, b"<html>"), NotNow("HTTP 502", AGAIN)),
        (response(301, b""), NotNow("HTTP 301", AGAIN)),
        (NoResponse("no whole answer in time", 10), NotNow("no whole answer in time", AGAIN)),
        (
            response(400, {"error": "invalid_grant", "error_description": "refresh token shh-refresh is invalid"}),
            Denied("invalid_grant: refresh token [secret] is invalid"),
        ),
        (
            response(400, {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}),
            Denied("missing or invalid refresh token"),
        ),
        (response(401, b""), Denied("HTTP 401")),
    ],
    ids=str,
)
def test_each_answer_of_the_token_endpoint_has_its_meaning(answer: Response | NoResponse, means: object) -> None:
    assert read(answer, GRANT) == means


def test_the_first_use_asks_and_everything_secret_is_encrypted(
    acme: Acme, portal: Portal, engine: Engine, settings: Settings
) -> None:
    with spanned(engine) as span:
        assert token(engine, settings) == "access-1"
    assert span.has(acme().access_until, before=1_800)
    assert acme().refreshing_until is None
    kept = (acme().token or b"") + (acme().oauth or b"")
    assert kept
    assert not [one for one in (b"access-1", b"shh", b"client-1") if one in kept]
    assert token(engine, settings) == "access-1"
    assert len(portal.asked) == 1
    (shown,) = registry.listed(engine, settings, "acme")
    assert (shown.token, shown.access_until) == ("by OAuth", acme().access_until)
    assert not [one for one in ("access-1", "shh", "client-1") if one in str(shown)]


@pytest.mark.usefixtures("acme")
def test_no_days_quota_binds_an_oauth_account_but_its_own(engine: Engine, settings: Settings) -> None:
    assert destination(engine, settings, "acme").daily_limit is None
    assert registry.listed(engine, settings, "acme")[0].daily_limit is None
    registry.change(engine, "acme", {"daily_limit": 7})
    assert destination(engine, settings, "acme").daily_limit == 7
    assert registry.listed(engine, settings, "acme")[0].daily_limit == 7


def used_by_eight(portal: Portal, use: Callable[[], str]) -> list[str]:
    """Let eight threads use a token, for which the portal gives one once seven have gone on without it."""
    used: list[Future[str]] = []
    portal.meanwhile = lambda: until(lambda: sum(one.done() for one in used) == 7, 30, "the others wait for it")
    with ThreadPoolExecutor(8) as eight:
        used.extend(eight.submit(use) for _ in range(8))
    return sorted(one.result() for one in used)


def test_eight_threads_that_find_it_ending_ask_once_and_the_others_go_on_with_the_old(
    acme: Acme, portal: Portal, engine: Engine, settings: Settings
) -> None:
    token(engine, settings)
    ending(engine, 240)
    with spanned(engine) as span:
        assert used_by_eight(portal, lambda: token(engine, settings)) == ["access-1"] * 7 + ["access-2"]
    assert len(portal.asked) == 2
    assert token(engine, settings) == "access-2"
    assert span.has(acme().access_until, before=1_800)


def test_eight_threads_without_a_token_ask_once_and_the_others_send_nothing_meanwhile(
    acme: Acme, portal: Portal, engine: Engine, settings: Settings
) -> None:
    def use() -> str:
        try:
            return token(engine, settings)
        except NoToken:
            return "none"

    assert used_by_eight(portal, use) == ["access-1"] + ["none"] * 7
    assert len(portal.asked) == 1
    assert acme().paused_at is None
    assert acme().parked_until is None


@pytest.mark.usefixtures("acme")
def test_no_transaction_is_open_while_the_token_endpoint_answers(
    portal: Portal, engine: Engine, settings: Settings
) -> None:
    seen = []

    def look() -> None:
        asks = Ledger(engine).all(Account, Account.refreshing_until > func.now())
        seen.append(([account.name for account in asks], idle_transactions(engine)))

    portal.meanwhile = look
    assert token(engine, settings) == "access-1"
    assert seen == [(["acme"], 0)]


def test_a_429_is_waited_out_by_all_while_the_old_token_lasts(
    acme: Acme, portal: Portal, engine: Engine, settings: Settings
) -> None:
    token(engine, settings)
    ending(engine, 240)
    portal.answers = [(429, {"Retry-After": "30"}, {})]
    with spanned(engine) as span:
        assert [token(engine, settings) for _ in range(3)] == ["access-1"] * 3
    assert len(portal.asked) == 2
    assert span.has(acme().refreshing_until, before=30)
    assert acme().parked_until is None
    do(engine, update(Account).where(Account.name == "acme").values(refreshing_until=func.now()))
    assert token(engine, settings) == "access-2"


def test_where_the_old_token_has_ended_too_the_account_is_parked_and_says_why(
    acme: Acme, portal: Portal, engine: Engine, settings: Settings
) -> None:
    portal.answers = [(429, {"Retry-After": "30"}, {})]
    with spanned(engine) as span:
        for _ in range(3):
            with pytest.raises(NoToken):
                token(engine, settings)
    assert len(portal.asked) == 1
    assert span.has(acme().parked_until, before=30)
    assert acme().parked_because == "HubSpot gives no access token now: HTTP 429"
    assert acme().paused_at is None


def test_a_refresh_token_that_is_denied_pauses_the_account_in_plain_words(
    acme: Acme, portal: Portal, engine: Engine, settings: Settings
) -> None:
    portal.answers = [(400, {}, {"error": "invalid_grant", "error_description": "refresh token is invalid"})]
    for _ in range(3):
        with pytest.raises(NoToken):
            token(engine, settings)
    assert len(portal.asked) == 1
    assert "invalid_grant: refresh token is invalid; install the app again" in acme().paused_because
    assert acme().paused_because.endswith("turnout accounts rotate acme")
    assert registry.rotate(engine, settings, "acme", Grant("client-1", SecretStr("s"), SecretStr("another")))
    do(engine, update(Account).where(Account.name == "acme").values(paused_at=None))
    assert token(engine, settings) == "access-1"
    assert portal.asked[-1][2]["refresh_token"] == "another"


def test_a_new_refresh_token_is_kept_and_asked_with_the_next_time(
    acme: Acme, portal: Portal, engine: Engine, settings: Settings
) -> None:
    portal.extra = {"refresh_token": "shh-second"}
    token(engine, settings)
    assert token_renewal.unsealed(settings, acme().oauth or b"").refresh_token.get_secret_value() == "shh-second"
    ending(engine, 1)
    token(engine, settings)
    assert [form["refresh_token"] for _, _, form in portal.asked] == ["shh-refresh", "shh-second"]


def test_what_an_operator_sets_while_a_token_is_asked_for_is_not_replaced(
    acme: Acme, portal: Portal, engine: Engine, settings: Settings
) -> None:
    portal.meanwhile = lambda: registry.rotate(engine, settings, "acme", SecretStr("pat-private"))
    assert token(engine, settings) == "pat-private"
    assert acme().oauth is None
    assert token(engine, settings) == "pat-private"


@pytest.fixture
def waiting(acme: Acme, context: Context, submit: Submit) -> Context:
    """A process for whose OAuth account two batches wait, and whose limits are known."""
    deliver(context, acme().name)
    for number in range(2):
        inputs = [{"email": f"{number}@example.com", "interactionDateTime": WHEN}]
        submit({"subscriber_state": "register", "object_id": f"{number}", "inputs": inputs, "account": "acme"})
    return context


def test_a_401_before_its_time_asks_for_one_more_token_and_pauses_nothing(
    waiting: Context, acme: Acme, portal: Portal
) -> None:
    ending(waiting.engine, 1_000)
    waiting.forget("acme")
    portal.revoked = 1
    assert deliver(waiting, "acme") == 3
    assert portal.bearers == ["access-1", "access-2", "access-2"]
    assert len(portal.asked) == 2
    assert (acme().paused_at, acme().in_a_row) == (None, 0)


def test_a_fresh_token_that_is_refused_pauses_the_account(waiting: Context, acme: Acme, portal: Portal) -> None:
    ending(waiting.engine, 1_000)
    waiting.forget("acme")
    portal.refuses_all = True
    assert deliver(waiting, "acme") == 2
    assert portal.bearers == ["access-1", "access-2"]
    assert "The OAuth token used is expired" in acme().paused_because
    assert deliver(waiting, "acme") == 0
    assert len(portal.asked) == 2


def test_a_removed_accounts_secrets_are_forgotten(acme: Acme, engine: Engine, settings: Settings) -> None:
    token(engine, settings)
    assert registry.remove(engine, acme().id).batches == 0
    assert (acme().token, acme().oauth, acme().access_until) == (None, None, None)
