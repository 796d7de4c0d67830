"""Signing in at an OpenID Connect provider: what is asked of it, which answers are good, and what its claims make."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from joserfc.jwk import RSAKey

from models.words import Role
from tests.support.openid_provider import (
    CLIENT,
    SECRET,
    Answer,
    In,
    OpenIdProvider,
    key_of,
    running_provider,
    signed_with_what_is_public,
    unsigned,
)
from worker.auth import openid
from worker.auth.id_token import SKEW, role_of
from worker.auth.openid import NotSignedIn, Provider, SignIn
from worker.auth.sessions import User
from worker.setting_sources import SettingsError
from worker.settings import Settings, read_settings

ADA = User("Ada Lovelace (248289761001)", Role.OPERATOR)


class Told(TypedDict, total=False):
    """What else is set of the provider."""

    oidc_client_id: str
    oidc_client_secret: str
    oidc_operators: str
    oidc_viewers: str
    oidc_role_claim: str
    public_url: str


USUAL: Told = {
    "oidc_client_id": CLIENT,
    "oidc_client_secret": SECRET,
    "oidc_operators": "ops, night shift",
    "oidc_viewers": "marketing",
    "public_url": "https://turnout.example.com/in",
}


def settings_for(issuer: str, **more: Unpack[Told]) -> Settings:
    return Settings(_env_file=None, oidc_issuer=issuer, **USUAL | more)


@pytest.fixture
def there() -> Iterator[OpenIdProvider]:
    """The provider itself, at which everybody is an operator."""
    with running_provider() as provider:
        provider.claims["groups"] = ["everybody", "ops"]
        yield provider


@pytest.fixture
def here(there: OpenIdProvider) -> Provider:
    """What Turnout knows of it."""
    return Provider(settings_for(there.url))


def back_from(here: Provider, attempt: SignIn) -> dict[str, str]:
    """Go to the provider as a browser does; give what it sends back."""
    to = here.authorization_url(attempt)
    assert isinstance(to, str), to
    answer = requests.get(to, allow_redirects=False, timeout=10)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def signed_in(here: Provider) -> User | NotSignedIn:
    attempt = SignIn.begin()
    return here.user(attempt, back_from(here, attempt))


def refused(here: Provider) -> str:
    found = signed_in(here)
    assert isinstance(found, NotSignedIn), found
    return found.because


def test_a_person_is_signed_in_by_name_and_subject_with_the_role_that_a_claim_makes(
    here: Provider, there: OpenIdProvider
) -> None:
    assert signed_in(here) == ADA
    (exchanged,) = there.exchanged
    assert (exchanged["client"], exchanged["secret"]) == (CLIENT, SECRET)
    assert exchanged["redirect_uri"] == "https://turnout.example.com/in/openid/callback"


def test_what_the_provider_is_asked_for(here: Provider, there: OpenIdProvider) -> None:
    attempt = SignIn.begin()
    to = here.authorization_url(attempt)
    assert isinstance(to, str)
    asked = dict(parse_qsl(urlsplit(to).query))
    assert to.startswith(f"{there.url}/authorize?tenant=1&")
    assert asked.pop("code_challenge") == attempt.challenge
    assert asked == {
        "tenant": "1",
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": "https://turnout.example.com/in/openid/callback",
        "scope": "openid profile",
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge_method": "S256",
    }
    secret = {attempt.value, attempt.state, attempt.nonce, attempt.verifier, attempt.challenge}
    assert len(secret) == 5
    assert attempt.value not in to
    assert attempt.verifier not in to
    assert SignIn.begin().state != attempt.state


@pytest.mark.parametrize("name", ["rsa-1", "ec-1"])
def test_keys_of_both_kinds_are_good(here: Provider, there: OpenIdProvider, name: str) -> None:
    there.rotate(name)
    assert signed_in(here) == ADA


@pytest.mark.parametrize("alg", ["RS512", "PS256"])
def test_signatures_of_other_kinds_are_good(here: Provider, there: OpenIdProvider, alg: str) -> None:
    there.alg = alg
    assert signed_in(here) == ADA


OTHERS = "https://other.example.com"
LIES: list[tuple[dict[str, Any], str]] = [
    ({"iss": OTHERS}, "its iss is not right"),
    ({"iss": None}, "it lacks iss"),
    ({"iss": [OTHERS]}, "its iss is not right"),
    ({"aud": "another"}, "its aud is not right"),
    ({"aud": []}, "its aud is not right"),
    ({"aud": None}, "it lacks aud"),
    ({"aud": {"client": CLIENT}}, "its aud is not right"),
    ({"aud": f"{CLIENT} another"}, "its aud is not right"),
    ({"aud": CLIENT.upper()}, "its aud is not right"),
    ({"aud": [CLIENT, "another"]}, "another client (azp)"),
    ({"aud": [CLIENT, "another"], "azp": "another"}, "another client (azp)"),
    ({"azp": "another"}, "another client (azp)"),
    ({"azp": [CLIENT]}, "another client (azp)"),
    ({"nonce": "another"}, "its nonce"),
    ({"nonce": None}, "it lacks nonce"),
    ({"nonce": ""}, "its nonce"),
    ({"nonce": ["a"]}, "its nonce"),
    ({"nonce": True}, "its nonce"),
    ({"exp": In(-SKEW - 5)}, "it has expired"),
    ({"exp": None}, "it lacks exp"),
    ({"exp": "1900000000"}, "its exp is not right"),
    ({"exp": True}, "its exp is not right"),
    ({"exp": float("nan")}, "its exp is not right"),
    ({"iat": In(SKEW + 300)}, "its iat is not right"),
    ({"iat": None}, "it lacks iat"),
    ({"nbf": In(SKEW + 300)}, "its nbf is not right"),
    ({"sub": None}, "it lacks sub"),
    ({"sub": ""}, "its sub is not right"),
    ({"sub": 7}, "its sub is not right"),
    ({"sub": "a\x1b[2J"}, "its sub is not right"),
    ({"sub": "a" * 256}, "its sub is not right"),
]


@pytest.mark.parametrize(("lie", "because"), LIES, ids=[str(lie)[:60] for lie, _ in LIES])
def test_an_id_token_that_is_not_for_this_sign_in_is_not_good(
    here: Provider, there: OpenIdProvider, lie: dict[str, Any], because: str
) -> None:
    there.claims |= lie
    assert because in refused(here)


@pytest.mark.parametrize(
    "right",
    [
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "another"], "azp": CLIENT},
        {"azp": CLIENT},
        {"exp": In(-SKEW + 30)},
        {"iat": In(SKEW - 30)},
        {"nbf": In(SKEW - 30)},
        {"auth_time": 1, "acr": "0", "amr": ["pwd"], "at_hash": "x", "extra": {"deep": [1]}},
    ],
    ids=str,
)
def test_what_the_standard_allows_is_good(here: Provider, there: OpenIdProvider, right: dict[str, Any]) -> None:
    there.claims |= right
    assert signed_in(here) == ADA


FORGED: dict[str, Any] = {
    "not signed": unsigned,
    "signed with the public key as a secret": signed_with_what_is_public,
    "no token": lambda _: " ",
    "rubbish": lambda _: "a.b.c",
    "five parts": lambda _: "a.b.c.d.e",
    "an array": lambda _: "W10.W10.W10",
    "deep": lambda _: f"{'W1tb' * 40}.W10.W10",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_token_that_the_provider_did_not_sign_is_not_good(
    here: Provider, there: OpenIdProvider, forge: Callable[[dict[str, Any]], str]
) -> None:
    there.signed = forge
    assert "its signature is not good" in refused(here)


def test_a_changed_token_is_not_good(here: Provider, there: OpenIdProvider) -> None:
    right = there.token

    def changed(claims: dict[str, Any]) -> str:
        head, _, signature = right(claims).split(".")
        return ".".join((head, right({**claims, "groups": ["ops"], "name": "Mallory"}).split(".")[1], signature))

    there.signed = changed
    assert "its signature is not good (BadSignatureError)" in refused(here)


def test_a_token_of_another_key_under_the_same_id_is_not_good(here: Provider, there: OpenIdProvider) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "rsa-1"})
    there.signed = lambda claims: there.token(claims, stranger)
    assert "its signature is not good (BadSignatureError)" in refused(here)


HEADERS: list[dict[str, Any]] = [
    {"alg": ["RS256"]},
    {"alg": None},
    {"alg": 7},
    {"alg": "RS256", "kid": ["rsa-1"]},
    {"alg": "RS256", "kid": {"a": 1}},
    {"alg": "RS256", "crit": ["exp"]},
    {"alg": "RS256", "crit": 7},
    {"alg": "RS256", "b64": False, "crit": ["b64"]},
    {"alg": "RS256", "enc": "A128GCM"},
    {"alg": "RSA-OAEP", "enc": "A128GCM"},
    {"alg": "ES256", "kid": "rsa-1"},
    {"alg": "none"},
    {"alg": "NONE"},
    {"alg": "rs256"},
    {},
]


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_a_token_with_an_odd_header_is_not_good(here: Provider, there: OpenIdProvider, header: dict[str, Any]) -> None:
    def forged(claims: dict[str, Any]) -> str:
        head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
        return ".".join((head, *there.token(claims).split(".")[1:]))

    there.signed = forged
    assert "is not good: it" in refused(here)


def test_a_token_whose_header_says_how_it_is_checked_is_not_good(here: Provider, there: OpenIdProvider) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "mallory"})
    own = {"jwk": stranger.as_dict(private=False), "jku": "https://other.example.com/jwks"}
    there.signed = lambda claims: there.token(claims, stranger, kid=None, **own)
    assert "its signature is not good" in refused(here)


def test_a_rotated_key_is_looked_for_once_and_not_all_the_time(
    here: Provider, there: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signed_in(here) == ADA
    there.rotate("rsa-2")
    assert "a key that the provider does not show" in refused(here), "it was asked a moment ago"
    monkeypatch.setattr(openid, "REFRESH", 0.0)
    assert signed_in(here) == ADA
    there.kid = "rsa-9"
    asked = there.asked.count("/jwks/")
    assert "a key that the provider does not show" in refused(here)
    assert there.asked.count("/jwks/") == asked + 1


def test_a_key_that_is_shown_no_more_is_good_no_more(
    here: Provider, there: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signed_in(here) == ADA
    there.shown.clear()
    there.show(key_of("rsa-2"))
    monkeypatch.setattr(openid, "KEPT", 0.0)
    later = Provider(settings_for(there.url))
    assert "a key that the provider does not show" in refused(later)


def test_a_token_without_a_key_id_is_good_only_where_there_is_one_key(here: Provider, there: OpenIdProvider) -> None:
    there.kid = None
    assert signed_in(here) == ADA
    there.show(key_of("ec-1"))
    assert signed_in(Provider(settings_for(there.url))) == ADA, "of its kind it is the only one"
    there.show(key_of("rsa-2"))
    assert "a key that the provider does not show" in refused(Provider(settings_for(there.url)))


def test_keys_that_are_none_are_left_out(here: Provider, there: OpenIdProvider) -> None:
    there.shown[:0] = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "rsa-1"},
        {**key_of("rsa-2").as_dict(private=False), "kid": "rsa-1", "use": "enc"},
        {"kty": "RSA", "kid": "rsa-1", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "kid": "rsa-1", "n": ["x"], "e": 7},
        {"kty": "EC", "kid": "rsa-1", "crv": "P-1", "x": "AA", "y": "AA"},
        {"kty": "EC", "kid": "rsa-1", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "kid": "rsa-1", "crv": ["P-256"], "x": {}, "y": None},
        {"kty": "AKP", "kid": "rsa-1"},
        {"kid": "rsa-1"},
    ]
    assert signed_in(here) == ADA


# What comes back


@pytest.mark.parametrize(
    ("back", "because"),
    [
        ({"state": "another"}, "begun in another browser"),
        ({"state": ""}, "begun in another browser"),
        ({"state": "ÿ\ud800"}, "begun in another browser"),
        ({"iss": OTHERS}, "another provider's"),
        ({"iss": ""}, "another provider's"),
        ({"code": ""}, "too old"),
        ({"code": "guessed"}, "too old"),
        (
            {"code": "", "error": "access_denied", "error_description": "no\x1b[2J\nmore"},
            "(access_denied: no [2J more)",
        ),
        ({"error": "x" * 5_000}, "did not sign you in"),
    ],
    ids=str,
)
def test_an_answer_that_is_not_this_sign_ins_is_not_good(
    here: Provider, there: OpenIdProvider, back: dict[str, str], because: str
) -> None:
    attempt = SignIn.begin()
    right = back_from(here, attempt)
    found = here.user(attempt, {name: one for name, one in (right | back).items() if one})
    assert isinstance(found, NotSignedIn)
    assert because in found.because
    assert len(found.because) < 600
    assert len(there.exchanged) == (back.get("code") == "guessed")


def test_an_answer_to_one_sign_in_is_not_good_for_another(here: Provider) -> None:
    attempt, stolen = SignIn.begin(), back_from(here, SignIn.begin())
    found = here.user(attempt, {**stolen, "state": attempt.state})
    assert isinstance(found, NotSignedIn)
    assert "too old" in found.because


def test_a_provider_that_does_not_name_itself_need_not(there: OpenIdProvider) -> None:
    there.described["authorization_response_iss_parameter_supported"] = None
    there.back["iss"] = ""
    assert signed_in(Provider(settings_for(there.url))) == ADA
    there.back["iss"] = OTHERS
    assert "another provider's" in refused(Provider(settings_for(there.url)))


# The provider is away, or not what it should be


DESCRIBED: list[tuple[dict[str, Any], str]] = [
    ({"issuer": OTHERS}, "another issuer"),
    ({"issuer": None}, "another issuer"),
    ({"authorization_endpoint": None}, "no authorization_endpoint"),
    ({"authorization_endpoint": "http://login.example.com/a"}, "no authorization_endpoint that begins with https://"),
    ({"authorization_endpoint": "javascript:alert(1)"}, "no authorization_endpoint that begins with https://"),
    ({"token_endpoint": "http://login.example.com/t"}, "no token_endpoint that begins with https://"),
    ({"token_endpoint": ["x"]}, "no token_endpoint"),
    ({"jwks_uri": "http://[::1"}, "no jwks_uri"),
    ({"jwks_uri": "file:///etc/passwd"}, "no jwks_uri"),
]


@pytest.mark.parametrize(("lie", "because"), DESCRIBED, ids=[str(lie) for lie, _ in DESCRIBED])
def test_a_description_that_is_not_right_signs_nobody_in(
    here: Provider, there: OpenIdProvider, lie: dict[str, Any], because: str
) -> None:
    there.described |= lie
    found = here.authorization_url(SignIn.begin())
    assert isinstance(found, NotSignedIn)
    assert because in found.because
    assert here.trouble == found.because


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b"{}"),
        (404, {}, b""),
        (200, {}, b"[]"),
        (200, {}, b"<html>"),
        (200, {}, b'{"a":' * 5_000),
        (302, {"Location": "/elsewhere"}, b""),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks/", "/token/"])
def test_whatever_the_provider_answers_nobody_is_signed_in_and_a_sentence_says_why(
    here: Provider, there: OpenIdProvider, path: str, answer: Answer
) -> None:
    there.answers[path] = answer
    attempt = SignIn.begin()
    to = here.authorization_url(attempt)
    found = to if isinstance(to, NotSignedIn) else here.user(attempt, back_from(here, attempt))
    assert isinstance(found, NotSignedIn)
    assert found.status in {502, 503}
    assert "127.0.0.1" in found.because
    assert "/elsewhere" not in there.asked
    assert bool(here.check()) is (path != "/token/")


def test_a_slow_provider_is_waited_for_no_longer_than_the_time_out(
    here: Provider, there: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openid, "TIMEOUT", 0.2)
    there.slow = 1.0
    found = here.authorization_url(SignIn.begin())
    assert isinstance(found, NotSignedIn)
    assert found.status == 503
    assert "no whole answer in time" in found.because


def test_a_provider_that_failed_is_asked_again_later(there: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    there.answers["/.well-known/openid-configuration"] = (500, {}, b"")
    here = Provider(settings_for(there.url))
    for _ in range(3):
        assert isinstance(here.authorization_url(SignIn.begin()), NotSignedIn)
    assert len(there.asked) == 1
    there.answers.clear()
    monkeypatch.setattr(openid, "AGAIN", 0.0)
    here._description.forget(0.0)  # noqa: SLF001 - its time is over
    assert isinstance(here.authorization_url(SignIn.begin()), str)
    assert here.trouble == ""


def test_a_secret_goes_as_the_provider_takes_it_and_a_public_client_has_none(there: OpenIdProvider) -> None:
    there.described["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert signed_in(Provider(settings_for(there.url))) == ADA
    assert signed_in(Provider(settings_for(there.url, oidc_client_secret=""))) == ADA
    posted, public = there.exchanged
    assert (posted["client"], posted["client_id"], posted["client_secret"]) == ("", CLIENT, SECRET)
    assert (public["client_id"], "client_secret" in public) == (CLIENT, False)


def test_an_issuer_with_a_slash_at_its_end_is_the_same(there: OpenIdProvider) -> None:
    there.described["issuer"] = there.claims["iss"] = there.back["iss"] = f"{there.url}/"
    assert signed_in(Provider(settings_for(f"{there.url}/"))) == ADA


# Claims


ROLES: list[tuple[str, dict[str, Any], Role | None]] = [
    ("groups", {"groups": ["ops"]}, Role.OPERATOR),
    ("groups", {"groups": "ops"}, Role.OPERATOR),
    ("groups", {"groups": ["marketing", "night shift"]}, Role.OPERATOR),
    ("groups", {"groups": ["marketing"]}, Role.VIEWER),
    ("groups", {"groups": ["others"]}, None),
    ("groups", {"groups": ["OPS"]}, None),
    ("groups", {"groups": ["ops "]}, None),
    ("groups", {"groups": "ops, marketing"}, None),
    ("groups", {"groups": [["ops"]]}, None),
    ("groups", {"groups": {"ops": True}}, None),
    ("groups", {"groups": [True, 7, None, ""]}, None),
    ("groups", {"groups": None}, None),
    ("groups", {"_claim_names": {"groups": "src1"}}, None),
    ("groups", {}, None),
    ("realm_access.roles", {"realm_access": {"roles": ["ops"]}}, Role.OPERATOR),
    ("realm_access.roles", {"realm_access": ["roles"]}, None),
    ("https://turnout.example.com/roles", {"https://turnout.example.com/roles": ["marketing"]}, Role.VIEWER),
    ("resource.a.b", {"resource": {"a": {"b": ["ops"]}}}, Role.OPERATOR),
    ("resource.a.b", {"resource": {"a.b": ["ops"]}}, None),
]


@pytest.mark.parametrize(("claim", "claims", "role"), ROLES, ids=str)
def test_claims_make_a_role(claim: str, claims: dict[str, Any], role: Role | None) -> None:
    assert role_of(claims, settings_for("https://login.example.com", oidc_role_claim=claim)) == role


@pytest.mark.parametrize("value", ["", ",", " , "])
def test_an_empty_value_makes_nobody_anything(value: str) -> None:
    settings = settings_for("https://login.example.com", oidc_viewers=value)
    assert role_of({"groups": ["", " "]}, settings) is None


@pytest.mark.parametrize(("verified", "role"), [(True, Role.OPERATOR), ("true", None), (False, None), (None, None)])
def test_an_address_makes_a_role_where_the_provider_has_verified_it(verified: object, role: Role | None) -> None:
    settings = settings_for("https://login.example.com", oidc_role_claim="email", oidc_operators="ada@example.com")
    assert role_of({"email": "ada@example.com", "email_verified": verified}, settings) == role


def test_who_has_no_role_is_told_what_is_missing(here: Provider, there: OpenIdProvider) -> None:
    there.claims["groups"] = ["everybody"]
    assert "none of your values of «groups» gives a role here" in refused(here)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Ada Lovelace"}, "Ada Lovelace (1)"),
        ({"name": None, "preferred_username": "ada"}, "ada (1)"),
        ({"name": "", "preferred_username": " "}, "1"),
        ({"name": ["Ada"]}, "1"),
        ({"name": "Olga (2)"}, "Olga 2 (1)"),
        ({"name": "A\u202eda\n\x1b[2J"}, "A da  [2J (1)"),
        ({"name": "x" * 500}, f"{'x' * 100} (1)"),
    ],
    ids=str,
)
def test_the_audit_log_names_somebody_by_name_and_subject(
    here: Provider, there: OpenIdProvider, claims: dict[str, Any], name: str
) -> None:
    there.claims |= {"sub": "1", **claims}
    assert signed_in(here) == replace(ADA, name=name)


# Settings


WRONG: list[tuple[dict[str, str], str]] = [
    ({"ISSUER": "http://login.example.com"}, "TURNOUT_OIDC_ISSUER «http://login.example.com» is not encrypted"),
    ({"ISSUER": "login.example.com"}, "TURNOUT_OIDC_ISSUER «…» is not a URL"),
    ({"ISSUER": "https://login.example.com/?a=1"}, "has more than an address"),
    ({"CLIENT_ID": ""}, "needs TURNOUT_OIDC_CLIENT_ID"),
    ({"OPERATORS": "", "VIEWERS": ""}, "needs TURNOUT_OIDC_OPERATORS or TURNOUT_OIDC_VIEWERS"),
    ({"SCOPES": "profile"}, "TURNOUT_OIDC_SCOPES «profile» lacks the scope openid"),
    ({"ISSUER": ""}, "TURNOUT_OIDC_CLIENT_ID is set without TURNOUT_OIDC_ISSUER"),
    ({"PUBLIC_URL": ""}, "needs TURNOUT_PUBLIC_URL, the https:// address"),
    ({"PUBLIC_URL": "http://turnout.example.com"}, "needs TURNOUT_PUBLIC_URL, the https:// address"),
]


@pytest.mark.parametrize(("changed", "told"), WRONG, ids=[str(one) for one, _ in WRONG])
def test_settings_that_are_not_whole_are_refused_in_one_sentence(
    changed: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"ISSUER": "https://login.example.com", "CLIENT_ID": "turnout", "OPERATORS": "ops"}
    for name, value in (given | {"PUBLIC_URL": "https://turnout.example.com"} | changed).items():
        monkeypatch.setenv(f"TURNOUT_{name}" if name == "PUBLIC_URL" else f"TURNOUT_OIDC_{name}", value)
    with pytest.raises(SettingsError) as error:
        read_settings()
    assert told in str(error.value)
    assert "\n" not in str(error.value)
