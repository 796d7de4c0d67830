"""Who may do what, and who sees whom: every route of the application, walked by everybody."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from starlette.routing import BaseRoute

import web.masking
import web.receipts
from tests.support.api import WHEN, Api, delivering, running_api
from tests.support.contexts import open_context
from tests.support.routes import (
    RIVALS,
    SAMPLES,
    SPELT,
    SUBMISSION,
    Route,
    Walker,
    all_of,
    fill,
    routes_of,
    tells,
    walkers,
)
from tests.support.sandbox_server import running_sandbox
from web.app import create_app
from worker.accounts.registry import add
from worker.context import Context
from worker.settings import Settings

PRODUCERS = ("shop", "rival", "stranger")
EVERYBODY = ("nobody", *PRODUCERS, "viewer", "operator")


@dataclass(frozen=True)
class Expected:
    """What a route answers to whom, and who may see whom it is about."""

    status: dict[str, set[int]]
    sees: frozenset[str] = frozenset()
    """Who is shown addresses; where this names the operator, the walk would see them."""
    asked: tuple[str, ...] = ()
    """Paths beside the route's own with its samples: with filters, with ids of another kind."""


class More(TypedDict, total=False):
    """What else is expected of a route."""

    sees: frozenset[str]
    asked: tuple[str, ...]


def answers(
    operator: Iterable[int], viewer: Iterable[int] = (), others: Iterable[int] = (303,), **more: Unpack[More]
) -> Expected:
    """Give what a page or a button answers: whoever has no session is sent to sign in."""
    status = {name: set(others) for name in EVERYBODY}
    return Expected(status | {"operator": set(operator), "viewer": set(viewer or operator)}, **more)


def page(
    *asked: str, shows: bool = False, viewer: Iterable[int] = (200,), operator: Iterable[int] = (200,)
) -> Expected:
    return answers(operator, viewer, sees=frozenset({"operator"} if shows else ()), asked=asked)


def open_to_all(status: int = 200) -> Expected:
    return Expected({name: {status} for name in EVERYBODY})


BUTTON = answers({200, 303, 400, 404, 422}, {403}, {303, 403}, sees=frozenset({"operator"}))
"""A form: without a session there is none that could have been filled in."""
WRITE = Expected(
    {name: {200} for name in PRODUCERS} | {"nobody": {401}, "viewer": {403}, "operator": {403}},
    frozenset({"shop", "rival", "stranger"}),
)
"""What a producer is answered names whom it has just named itself."""
READ_BACK = Expected(
    {"nobody": {401}, "viewer": {403}, "stranger": {200, 404, 429, 503}}
    | {name: {200, 400, 404, 429, 503} for name in ("shop", "rival", "operator")},
    frozenset({"shop", "rival", "operator"}),
)
"""Of an account, as its token reads it at HubSpot: whose key reaches the account asks as HubSpot's own user would."""
FILTERS = "event={0}&account={0}&category={0}&group={0}&who={0}&what={0}"
V3, DATED = "/marketing/v3/marketing-events", "/marketing/marketing-events/{version}"
WRITES = {
    f"{prefix}/{event}/{{subscriberState}}/{verb}": WRITE
    for prefix in (V3, DATED)
    for event in ("attendance/{externalEventId}", "{objectId}/attendance")
    for verb in ("create", "email-create")
}
READ_BACKS = {
    f"{prefix}/participations/{path}": READ_BACK
    for prefix in (V3, DATED)
    for path in (
        "contacts/{contactIdentifier}/breakdown",
        "{marketingEventId}/breakdown",
        "{externalAccountId}/{externalEventId}/breakdown",
        "{marketingEventId}",
        "{externalAccountId}/{externalEventId}",
    )
}
ROUTES: dict[Route, Expected] = {
    **{("POST", path): expected for path, expected in WRITES.items()},
    **{("GET", path): expected for path, expected in READ_BACKS.items()},
    ("GET", "/submissions/{submission}"): Expected(
        {"nobody": {401}, "shop": {200}, "rival": {404}, "stranger": {404}, "viewer": {200}, "operator": {200}},
        frozenset({"shop", "operator"}),
        ("/submissions/{submission}?limit=7&after=0-0",),
    ),
    ("GET", "/openapi.json"): open_to_all(),
    ("GET", "/reference"): open_to_all(),
    ("GET", "/static/{name}"): open_to_all(),
    ("GET", "/sign-in"): answers({303}, {303}, {200}),
    ("POST", "/sign-in"): answers({403}, {403}, {403}),
    ("GET", "/openid/begin"): open_to_all(404),  # no provider is set here; tests/test_openid_console.py has one
    ("GET", "/openid/callback"): open_to_all(404),
    ("GET", "/sign-in/{link}"): open_to_all(410),
    ("POST", "/sign-in/{link}"): answers({410}, {410}, {403}),
    ("POST", "/sign-out"): answers({303}, {303}, {403}),
    ("GET", "/"): page(shows=True),
    ("GET", "/batches"): page(f"/batches?{FILTERS}", "/batches?status=PENDING", "/batches?errors=1", shows=True),
    ("GET", "/batch/{batch}"): page(*(f"/batch/{number}" for number in range(1, 5)), shows=True),
    ("GET", "/groups"): page(shows=True),
    ("GET", "/errors"): page(f"/errors?{FILTERS}", "/errors?outcome=failed", "/errors?outcome=unconfirmed", shows=True),
    ("GET", "/events"): page("/events?event={0}", shows=True),
    ("GET", "/event/{event}"): page(*(f"/event/{number}" for number in range(1, 4)), shows=True),
    ("GET", "/accounts"): page(shows=True),
    ("GET", "/submission/{submission}"): page(shows=True),
    ("GET", "/person/{contact}"): page("/person/{0}", "/person/1000", shows=True, viewer={200, 403}),
    ("GET", "/refused"): page(f"/refused?{FILTERS}", shows=True),
    ("GET", "/refused/{refusal}"): page(*(f"/refused/{number}" for number in range(1, 12)), shows=True),
    ("GET", "/act/{action}"): page(
        *(f"/act/{action}?all=1" for action in ("retry", "dismiss", "cancel", "replay")), shows=True, viewer={403}
    ),
    ("GET", "/correct"): page("/correct?record=1&email={0}", shows=True, viewer={403}, operator={200, 400}),
    ("GET", "/errors.csv"): page("/errors.csv?outcome=failed", shows=True, viewer={403}),
    ("GET", "/jobs"): page(shows=True),
    ("GET", "/job/{job}"): page(*(f"/job/{number}?skipped=1" for number in (1, 2, 3)), "/job/2", "/job/3", shows=True),
    ("GET", "/schedules"): page(shows=True),
    ("GET", "/schedules/{schedule}/begin"): page(shows=True, viewer={403}),
    ("GET", "/actions"): page("/actions?who={0}&what={0}", shows=True),
    ("GET", "/erase"): page(viewer={403}),
    ("GET", "/erase/sure"): page(viewer={403}, operator={400}),
    ("GET", "/erasures"): page(),
    ("GET", "/erasures/{erasure}"): page(viewer={404}, operator={404}),
    ("GET", "/find"): page(
        "/find?what={0}", "/find?what=1000", f"/find?what={SUBMISSION}", viewer={303, 403}, operator={303}, shows=True
    ),
    **{
        ("POST", path): BUTTON
        for path in (
            "/batch/{batch}/retry",
            "/batch/{batch}/cancel",
            "/accounts/{account}/pause",
            "/accounts/{account}/resume",
            "/refused/{refusal}",
            "/act/{action}",
            "/job/{job}/stop",
            "/job/{job}/begin",
            "/correct",
            "/correct/file",
            "/schedules",
            "/schedules/{schedule}/begin",
            "/schedules/{schedule}/pause",
            "/schedules/{schedule}/resume",
            "/schedules/{schedule}/remove",
            "/erase",
            "/erasures",
        )
    },
}
TYPED = [quote(one, safe="") for one in SPELT]


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    """An API to a database that is full of one person, and to a HubSpot that knows her too."""
    with running_sandbox(burst_limit=10_000) as sandbox, open_context(settings, hubspot_url=sandbox.url) as context:
        add(context.engine, settings, "acme", {"hubspot_url": sandbox.url}, SecretStr("token-of-acme"))
        with running_api(context) as running:
            with delivering(context):
                told = running.submit(SPELT[0], headers={"Prefer": "wait=30"}).json()
                assert told["status"] == "COMPLETE"
            fill(context)
            yield running


MAY: dict[str, list[Route]] = {
    "submit records": [("POST", path) for path in WRITES],
    "read the results of a submission": [("GET", "/submissions/{submission}")],
    "read participations from HubSpot": [("GET", path) for path in READ_BACKS],
    "see the console's pages": [
        route
        for route, of in ROUTES.items()
        if route[0] == "GET" and of.status["viewer"] == {200} and of.status["shop"] == {303}
    ],
    "look people up, export errors, correct records": [
        ("GET", path) for path in ("/person/{contact}", "/errors.csv", "/act/{action}")
    ],
    "press a button that changes something": [route for route, of in ROUTES.items() if of is BUTTON],
}
"""What docs/security.md says of roles, and the routes that show it."""
NAMES = {"producer": PRODUCERS, "viewer": ("viewer",), "operator": ("operator",)}


def may(role: str, routes: list[Route]) -> str:
    """Say in the words of the page whether a role may use these routes."""
    allowed = [200 in ROUTES[route].status[name] for route in routes for name in NAMES[role]]
    if role == "viewer" and any("operator" in ROUTES[route].sees for route in routes):
        return "masked" if 403 not in set().union(*(ROUTES[route].status[role] for route in routes)) else "no"
    return "yes" if all(allowed) else "its own" if any(allowed) else "no"


def test_the_page_on_security_says_of_roles_what_holds() -> None:
    page = (Path(__file__).parent.parent / "docs" / "security.md").read_text()
    table = page.partition("## Who may do what")[2].partition("| --- |")[2].partition("\n\n")[0]
    said = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    assert said == [[what, *(may(role, routes) for role in NAMES)] for what, routes in MAY.items()]
    assert all(len(routes) > 0 for routes in MAY.values())
    assert len(MAY["see the console's pages"]) > 10


def unknown(routes: Iterable[BaseRoute]) -> set[Route]:
    """Say which routes the table above does not tell of, and of which it does though there are none."""
    return set(routes_of(routes)) ^ ROUTES.keys()


def sent_to(method: str, path: str) -> dict[str, Any]:
    """Give what is sent to a route: whom it names is in the body."""
    if method == "GET":
        return {}
    if path.startswith("/marketing"):
        one = {"vid": 1000} if path.endswith("/create") else {"email": SPELT[0]}
        wrong = [{"email": one, "interactionDateTime": WHEN} for one in SPELT[3:]]
        inputs = [{**one, "interactionDateTime": WHEN, "properties": {}}, *wrong]
        return {"json": {"inputs": inputs}, "params": {"externalAccountId": "acme"}}
    if path == "/correct/file":
        return {"files": {"file": ("mend.csv", f"record,email\n1,{SPELT[0]}\n", "text/csv")}}
    return {
        "data": {"contact": SPELT[3], "because": SPELT[4], "message": SPELT[5], "chosen": "record=1", "name": SPELT[6]}
    }


def walk(walker: Walker, wanted: Iterable[Route]) -> tuple[list[str], dict[Route, str], dict[Route, str]]:
    """Ask for these routes in every way; give what was not as expected, where she was seen, and where she may not."""
    wrong: list[str] = []
    seen: dict[Route, str] = {}
    for method, path in wanted:
        expected = ROUTES[method, path]
        for asked in _asked(path, expected, walker):
            answer = walker.ask(method, asked, **_filled_in(walker, sent_to(method, path), path))
            if answer.status_code not in expected.status[walker.name]:
                wrong.append(f"{walker.name}: {method} {asked}: {answer.status_code} {answer.text[:200]}")
            said = [*all_of(answer)]
            if method == "GET" and "application/json" not in answer.headers.get("Content-Type", ""):
                said += all_of(*walker.first_event(asked))
            for quoted in tells(*said):
                seen[method, path] = f"{asked}: {quoted}"
        for other in {"HEAD", "OPTIONS", "PUT", "DELETE"} if method == "GET" else ():
            answer = walker.ask(other, _path(path))
            if answer.status_code not in (expected.status[walker.name] if other == "HEAD" else {405}):
                wrong.append(f"{walker.name}: {other} {path}: {answer.status_code}")
            for quoted in tells(*all_of(answer)):
                seen[method, path] = f"{other}: {quoted}"
    return wrong, seen, {route: quoted for route, quoted in seen.items() if walker.name not in ROUTES[route].sees}


def _asked(path: str, expected: Expected, walker: Walker) -> Iterator[str]:
    """Give the paths to ask for; whoever has no session is led back to what he typed, so he types no address."""
    yield _path(path)
    typed = TYPED if walker.token else ["x"]
    for asked in expected.asked:
        for one in typed if "{0}" in asked else [""]:
            yield _path(asked.replace("{0}", one))


def _path(path: str) -> str:
    for name, value in SAMPLES.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def _filled_in(walker: Walker, sent: dict[str, Any], path: str) -> dict[str, Any]:
    """Add the token of the forms, but where a session would begin or end."""
    if "json" in sent or not sent:
        return sent
    data = sent.get("data", {}) | ({"form": walker.token} if path != "/sign-in" else {})
    return {**sent, "data": data}


def test_the_table_knows_every_route(context: Context) -> None:
    app = create_app(context)
    assert unknown(app.routes) == set()
    app.add_api_route("/people.csv", lambda: None, methods=["GET"])
    assert unknown(app.routes) == {("GET", "/people.csv")}


def test_everybody_is_answered_what_is_theirs_and_only_they_see_whom_it_is_about(api: Api) -> None:
    people = walkers(api)
    gets, posts = ([route for route in ROUTES if route[0] == method] for method in ("GET", "POST"))
    posts.sort(key=lambda route: route[1] == "/sign-out")
    for name, walker in people.items():
        wrong, seen, leaks = walk(walker, gets)
        assert (wrong, leaks) == ([], {}), name
        if name == "operator":
            blind = {
                route for route in gets if name in ROUTES[route].sees and "participations" not in route[1]
            } - seen.keys()
            assert blind == set(), "the walk sees nobody where somebody is shown"
    for walker in (people[name] for name in EVERYBODY):  # the operator last, whose buttons do something
        wrong, _, leaks = walk(walker, posts)
        assert (wrong, leaks) == ([], {}), walker.name


def test_the_walk_sees_what_is_not_masked(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = walkers(api)["viewer"]
    monkeypatch.setattr(web.masking._Mask, "of", lambda _, value, name="": (name, value)[1])  # noqa: SLF001 - to see
    shown = [
        route
        for route, of in ROUTES.items()
        if route[0] == "GET" and of.sees == {"operator"} and 200 in of.status["viewer"]
    ]
    shown.append(("GET", "/submissions/{submission}"))
    *_, leaks = walk(viewer, shown)
    assert set(leaks) == set(shown)


def test_the_walk_sees_what_another_producer_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    rival = walkers(api)["rival"]
    monkeypatch.setattr(web.receipts, "_may_see", lambda *_: True)
    wrong, _, leaks = walk(rival, [("GET", "/submissions/{submission}")])
    assert set(leaks) == {("GET", "/submissions/{submission}")}
    assert wrong


def test_a_rival_sees_its_own_and_a_nothing_is_nothing_in_every_spelling(api: Api) -> None:
    people = walkers(api)
    assert people["rival"].ask("GET", f"/submissions/{RIVALS}").status_code == 200
    assert people["shop"].ask("GET", f"/submissions/{RIVALS}").status_code == 404
    pages = ("nothing", "batch", "submission", "submissions", "job", "act", "refused", "event", "static")
    filters = ("/batches?status={0}", "/batches?since={0}", "/refused?submission={0}")
    for path in (*(f"/{name}/{{0}}" for name in pages), *filters):
        for typed in TYPED:
            for accept in ("text/html", "application/json"):
                answer = people["viewer"].ask("GET", path.format(typed), headers={"Accept": accept})
                assert 400 <= answer.status_code < 500, path
                assert tells(*all_of(answer)) == set(), (path, typed)
