"""The console with an OpenID Connect provider: signing in there and out, whose session it is, and where it leads."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
import requests
from playwright.sync_api import Browser, expect

from models.tables import Session
from models.words import Role
from tests.support.api import key_for
from tests.support.browser import browser
from tests.support.console import RunningConsole, Visitor, running_console, words
from tests.support.ledger import Ledger, ask, do
from tests.support.openid_provider import CLIENT, SECRET, OpenIdProvider, running_provider
from worker import doctor
from worker.context import Context
from worker.finding import Finding, Level
from worker.local.services import free_port

__all__ = ["browser"]
ADA = "Ada Lovelace (248289761001)"


@pytest.fixture
def there() -> Iterator[OpenIdProvider]:
    with running_provider() as provider:
        provider.claims["groups"] = ["ops"]
        yield provider


def console_of(context: Context, there: OpenIdProvider, **more: object) -> AbstractContextManager[RunningConsole]:
    port = free_port()
    given: dict[str, object] = {
        "oidc_issuer": there.url,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": type(context.settings.secret_key)(SECRET),
        "oidc_operators": "ops",
        "oidc_viewers": "marketing",
        "public_url": f"http://127.0.0.1:{port}",
    }
    return running_console(replace(context, settings=context.settings.model_copy(update=given | more)), port)


@pytest.fixture
def here(context: Context, there: OpenIdProvider) -> Iterator[RunningConsole]:
    """A console that people sign in to at the provider."""
    with console_of(context, there) as running:
        yield running


def begun(visitor: Visitor, path: str = "/openid/begin") -> str:
    """Press the button; give where the provider sends the browser back."""
    to = visitor.get(path, allow_redirects=False)
    assert to.status_code == 303, to.text
    back = requests.get(to.headers["Location"], allow_redirects=False, timeout=30)
    return back.headers["Location"].removeprefix(visitor.url)


def led_to(answer: requests.Response) -> str:
    """Give where a page goes by itself."""
    assert 'http-equiv="refresh"' in answer.text, words(answer.text)
    return answer.text.partition('content="0; url=')[2].partition('"')[0].replace("&amp;", "&")


def signed_in(console: RunningConsole) -> Visitor:
    visitor = console.visitor()
    answer = visitor.get(begun(visitor))
    assert (answer.status_code, led_to(answer)) == (200, f"{console.url}/"), words(answer.text)
    return visitor


def test_the_sign_in_page_shows_both_ways_and_asks_the_provider_nothing(
    here: RunningConsole, there: OpenIdProvider, context: Context
) -> None:
    page = here.visitor().page("/sign-in?next=/batches")
    assert 'name="key"' in page
    assert "Sign in with 127.0.0.1" in words(page)
    assert f'href="{here.url}/openid/begin?next=%2Fbatches"' in page
    assert there.asked == []
    with running_console(context) as without:
        assert "Sign in with" not in words(without.visitor().page("/sign-in"))
        for path in ("/openid/begin", "/openid/callback?state=x&code=y"):
            assert without.visitor().get(path).status_code == 404


def test_an_operator_acts_under_name_and_subject(here: RunningConsole) -> None:
    visitor = signed_in(here)
    assert f"{ADA} operator" in words(visitor.page("/"))
    visitor.press("/accounts/default/pause", "/accounts", because="a trial")
    (act,) = Ledger(here.context.engine).actions()
    assert (act.who, act.via, act.what) == (ADA, "console", "pause")
    assert ADA in words(visitor.page("/actions"))


def test_a_viewer_changes_nothing(here: RunningConsole, there: OpenIdProvider) -> None:
    there.claims["groups"] = ["marketing"]
    visitor = signed_in(here)
    assert f"{ADA} viewer" in words(visitor.page("/"))
    answer = visitor.press("/accounts/default/pause", "/sign-in", because="a trial")
    assert answer.status_code == 403
    assert f"{ADA} is a viewer" in words(answer.text)


def test_who_has_no_role_gets_nothing(here: RunningConsole, there: OpenIdProvider) -> None:
    there.claims["groups"] = ["others"]
    visitor = here.visitor()
    answer = visitor.get(begun(visitor))
    assert answer.status_code == 403
    assert "none of your values of «groups» gives a role here" in words(answer.text)
    assert visitor.get("/batches").url.startswith(f"{here.url}/sign-in")
    assert Ledger(here.context.engine).all(Session) == []


def test_the_cookies_are_out_of_reach_of_scripts_and_other_sites(here: RunningConsole) -> None:
    visitor = here.visitor()
    begin = visitor.get("/openid/begin?next=/person/ada%2540example.com", allow_redirects=False)
    assert "example.com" not in begin.headers["Location"], "the provider does not learn where somebody goes"
    (attempt,) = begin.headers["Set-Cookie"].split(", turnout")
    assert attempt.lower().startswith(f"turnout-{here.url.rpartition(':')[2]}-openid=")
    assert "; httponly; max-age=600; path=/; samesite=lax" in attempt.lower()
    back = requests.get(begin.headers["Location"], allow_redirects=False, timeout=30).headers["Location"]
    answer = visitor.get(back.removeprefix(here.url), allow_redirects=False)
    assert answer.headers["Set-Cookie"].lower().count("samesite=strict") == 1
    assert led_to(answer) == f"{here.url}/person/ada%40example.com"
    assert f"turnout-{here.url.rpartition(':')[2]}-openid" not in visitor.http.cookies


def test_behind_https_every_cookie_is_secure_and_of_this_host(context: Context, there: OpenIdProvider) -> None:
    with console_of(context, there, public_url="https://turnout.example.com/in") as running:
        page = running.visitor().page("/in/sign-in")
        assert 'href="https://turnout.example.com/in/openid/begin"' in page
        begin = running.visitor().get("/in/openid/begin", allow_redirects=False)
        asked = dict(parse_qsl(urlsplit(begin.headers["Location"]).query))
        assert asked["redirect_uri"] == "https://turnout.example.com/in/openid/callback"
        cookie = begin.headers["Set-Cookie"]
        assert cookie.startswith("__Host-turnout-openid=")
        assert "; Secure" in cookie
        back = requests.get(begin.headers["Location"], allow_redirects=False, timeout=30).headers["Location"]
        path = back.removeprefix("https://turnout.example.com")
        answer = requests.get(
            running.url + path, headers={"Cookie": cookie.partition(";")[0]}, allow_redirects=False, timeout=30
        )
        assert led_to(answer) == "https://turnout.example.com/in/"
        assert "__Host-turnout=" in answer.headers["Set-Cookie"]


# Whose answer it is


def test_an_answer_is_good_in_no_other_browser(here: RunningConsole) -> None:
    """Who sends somebody the answer to an own sign-in would have them work under that name."""
    mallory, ada = here.visitor(), here.visitor()
    answer = begun(mallory)
    for victim in (ada, signed_in(here)):
        told = victim.get(answer)
        assert (told.status_code, "Set-Cookie" in told.headers) == (400, False)
        assert "was begun in another browser" in words(told.text)
    begun(ada)
    assert ada.get(answer).status_code == 400


def test_an_answer_is_good_once_whatever_the_provider_takes(here: RunningConsole, there: OpenIdProvider) -> None:
    there.forgetful = True
    visitor = here.visitor()
    answer = begun(visitor)
    kept = dict(visitor.http.cookies)
    assert visitor.get(answer).status_code == 200
    assert visitor.get(answer).status_code == 400, "the cookie is gone"
    again = requests.get(here.url + answer, cookies=kept, timeout=30)
    assert (again.status_code, len(there.exchanged)) == (400, 2)
    visitor.press("/sign-out", "/batches")
    assert requests.get(here.url + answer, cookies=kept, timeout=30).status_code == 400, "nor once it has ended"


@pytest.mark.parametrize(
    "query",
    ["", "?state=", "?state=%ED%A0%80", "?code=x", "?error=<script>", "?state=a&state=b", f"?state={'x' * 3000}"],
)
def test_an_answer_out_of_nowhere_is_a_page_that_says_so(here: RunningConsole, query: str) -> None:
    visitor = here.visitor()
    begun(visitor)
    answer = visitor.get(f"/openid/callback{query}")
    assert answer.status_code == 400
    assert "<script>" not in answer.text.replace("<script src", "")


NEXT = [
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "/a\r\nX: y",
    "\\\\e",
    "/%09/e",
    "x",
]


@pytest.mark.parametrize("path", NEXT)
def test_it_leads_to_no_other_site(here: RunningConsole, path: str) -> None:
    visitor = here.visitor()
    answer = visitor.get(begun(visitor, f"/openid/begin?next={quote(path, safe='')}"))
    to = urlsplit(led_to(answer))
    assert f"{to.scheme}://{to.netloc}" == here.url
    forged = here.visitor()
    back = begun(forged)
    name = next(iter(dict(forged.http.cookies)))
    value = forged.http.cookies[name].partition(".")[0]
    answer = requests.get(here.url + back, cookies={name: f"{value}.{quote(path, safe='')}"}, timeout=30)
    to = urlsplit(led_to(answer))
    assert f"{to.scheme}://{to.netloc}" == here.url


def test_a_way_that_is_too_long_for_a_cookie_is_left_out(here: RunningConsole) -> None:
    visitor = here.visitor()
    assert led_to(visitor.get(begun(visitor, f"/openid/begin?next=/{'x' * 3_000}"))) == f"{here.url}/"


# Sessions


def test_the_sign_in_page_opened_from_another_site_leaves_the_session_alone(here: RunningConsole) -> None:
    """The browser sends no cookie then: one that the page set would take the place of the session's."""
    answer = requests.get(f"{here.url}/sign-in", headers={"Sec-Fetch-Site": "cross-site"}, timeout=30)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)
    assert 'http-equiv="refresh"' in answer.text, "it asks once more, with the cookie"


ENDS: dict[str, Callable[[RunningConsole], object]] = {
    "time": lambda console: do(console.context.engine, "UPDATE sessions SET ends_at = ends_at - interval '8 hours'"),
    "the provider is another's": lambda console: console.context.settings.__dict__.update(oidc_issuer="https://x"),
    "there is no provider": lambda console: console.context.settings.__dict__.update(oidc_issuer=""),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_session_ends(here: RunningConsole, end: Callable[[RunningConsole], object]) -> None:
    visitor = signed_in(here)
    assert visitor.get("/batches").url == f"{here.url}/batches"
    left = "SELECT round(extract(epoch FROM ends_at - now()) / 60) AS minutes FROM sessions WHERE who IS NOT NULL"
    assert [row.minutes for row in ask(here.context.engine, left)] == [480]
    end(here)
    assert visitor.get("/batches", allow_redirects=False).status_code == 303


def test_a_person_who_lost_the_group_gets_in_no_more_once_the_session_is_over(
    here: RunningConsole, there: OpenIdProvider
) -> None:
    visitor = signed_in(here)
    there.claims["groups"] = []
    ENDS["time"](here)
    assert visitor.get(begun(visitor)).status_code == 403


def test_of_a_person_the_database_keeps_name_subject_and_role_alone(
    here: RunningConsole, there: OpenIdProvider
) -> None:
    there.claims |= {"email": "ada@example.com", "phone_number": "+44 20 7946 0999", "preferred_username": "lovelace"}
    visitor = signed_in(here)
    rows = [row.row for row in ask(here.context.engine, "SELECT sessions::text AS row FROM sessions")]
    assert len(rows) == 2, "a session, and that this sign-in is used up"
    assert any(ADA in row and "operator" in row for row in rows)
    for row in rows:
        assert not [one for one in ("ada@example.com", "7946", "lovelace") if one in row]
        assert not [one for one in visitor.http.cookies.values() if one in row]


def test_a_key_signs_in_as_ever_and_its_session_knows_nothing_of_a_provider(here: RunningConsole) -> None:
    visitor = here.of(Role.VIEWER, "vera")
    assert "vera viewer" in words(visitor.page("/"))
    answer = visitor.press("/sign-out", "/batches", allow_redirects="")
    assert answer.url == f"{here.url}/sign-in"


def test_signing_out_ends_the_session_here_and_at_the_provider(here: RunningConsole, there: OpenIdProvider) -> None:
    visitor = signed_in(here)
    answer = visitor.press("/sign-out", "/batches")
    to = urlsplit(led_to(answer))
    assert f"{to.scheme}://{to.netloc}{to.path}" == f"{there.url}/out"
    assert dict(parse_qsl(to.query)) == {"client_id": CLIENT, "post_logout_redirect_uri": f"{here.url}/sign-in"}
    assert visitor.get("/batches", allow_redirects=False).status_code == 303


def test_signing_out_works_where_the_provider_names_no_way_out(context: Context, there: OpenIdProvider) -> None:
    for way_out in (None, "http://login.example.com/out", "javascript:alert(1)"):
        there.described["end_session_endpoint"] = way_out
        with console_of(context, there) as console:
            assert signed_in(console).press("/sign-out", "/batches").url == f"{console.url}/sign-in"


# A provider that is away


def test_while_the_provider_is_away_keys_sign_in_and_the_page_says_so(
    here: RunningConsole, there: OpenIdProvider
) -> None:
    there.answers["/.well-known/openid-configuration"] = (503, {}, b"")
    visitor = here.visitor()
    answer = visitor.get("/openid/begin?next=/batches")
    assert answer.url == f"{here.url}/sign-in?next=%2Fbatches"
    assert "127.0.0.1 cannot sign anybody in now (its discovery document was not given (HTTP 503))" in words(
        answer.text
    )
    assert visitor.sign_in(key_for(here.context, "olga", Role.OPERATOR)).url == f"{here.url}/"
    assert "cannot sign anybody in" not in words(visitor.page("/batches"))


def test_doctor_looks_at_the_provider(here: RunningConsole, there: OpenIdProvider) -> None:
    def found() -> Finding:
        return doctor._sign_in(here.context)  # noqa: SLF001 - the others are not asked

    assert found().level is Level.OK
    assert f"it must know {here.url}/openid/callback" in found().text
    there.answers["/jwks/"] = (200, {}, b'{"keys": []}')
    assert (found().level, "no key that can be used" in found().text) == (Level.ATTENTION, True)


# In a browser


def test_a_person_signs_in_and_out_in_a_browser(browser: Browser, here: RunningConsole, there: OpenIdProvider) -> None:
    page = browser.new_context().new_page()
    page.set_default_timeout(10_000)
    page.goto(f"{here.url}/batches")
    page.get_by_role("link", name="Sign in with 127.0.0.1").click()
    expect(page).to_have_url(f"{here.url}/batches")
    expect(page.locator(".who")).to_contain_text(ADA)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    assert there.asked[-1] == "/out" or "/favicon.ico" in there.asked
    page.goto(f"{here.url}/batches")
    expect(page.get_by_label("key")).to_be_visible()
    page.context.close()
