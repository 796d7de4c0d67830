"""What goes out, by every way in, as the other side sees it: paths of the expected shape, each value as submitted."""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from hypothesis import given, settings as rules, strategies as st
from pydantic import SecretStr
from sqlalchemy import Engine, func, update

import tasks.accept
from cli.enqueue import NOT_ACCEPTED
from hubspot_api.address import is_base, is_version, path_to
from hubspot_api.client import get
from hubspot_api.oauth import Grant
from hubspot_api.participations import contact_path, event_path
from hubspot_api.response import NoResponse
from models.message import Address
from models.tables import Account, Error
from models.words import Outcome, State
from tasks.accept import accept as accept_task
from tasks.deliver import deliver
from tasks.intake import intake
from tasks.verify import verify
from tests.support.api import Api
from tests.support.contexts import open_context
from tests.support.fixtures import Turnout
from tests.support.hostile_text import HIDING, ODD, WALKING
from tests.support.jobs import ME, retry
from tests.support.ledger import Ledger, do, make_due
from tests.support.recording_hubspot import Recorder, recording
from worker.accounts.registry import listed
from worker.accounts.token_renewal import sealed
from worker.context import Context
from worker.operations import correct, jobs
from worker.queries.error_filter import Filter
from worker.setting_sources import SettingsError
from worker.settings import Settings, read_settings
from worker.webhooks import endpoint
from worker.webhooks.signature import WebhookMessage

WHEN = 1_767_225_600_000
V3 = "/marketing/v3/marketing-events"
DATED = "/marketing/marketing-events/2026-09"
CORPUS = (*WALKING, *HIDING, *ODD)


@pytest.fixture
def hubspot() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
def context(settings: Settings, hubspot: Recorder) -> Iterator[Context]:
    limits = {"burst_limit": 100_000, "daily_limit": 10_000_000}
    with open_context(settings, hubspot_url=hubspot.url, webhook_private=True, **limits) as context:
        yield context


def everything_sent(context: Context) -> None:
    while True:
        make_due(context.engine)
        if not deliver(context, "default"):
            return


def raw(api: Api, method: str, target: str, body: object = None, key: str = "") -> tuple[int, str]:
    """Ask with this very target: no client between here and the API encodes or walks anything."""
    connection = HTTPConnection("127.0.0.1", urlsplit(api.url).port, timeout=60)
    headers = {"Authorization": f"Bearer {key or api.key}", "Content-Type": "application/json"}
    connection.request(method, target, json.dumps(body) if body is not None else None, headers)
    with connection.getresponse() as answer:
        said = answer.status, answer.read().decode()
    connection.close()
    return said


def shaped(line: str, prefix: str, segments: list[str], query: dict[str, str]) -> bool:
    """Say whether a request line has this prefix, then these segments and this query, each decoded once."""
    target = line.partition(" ")[2]
    path, _, asked = target.partition("?")
    if not re.fullmatch(r"[A-Za-z0-9._~/%-]+", path) or not path.startswith(f"{prefix}/"):
        return False
    found = path.removeprefix(f"{prefix}/").split("/")
    return (
        [unquote(one, errors="strict") for one in found] == segments
        and not {".", "..", ""} & set(found)
        and parse_qs(asked, keep_blank_values=True, errors="strict") == {name: [one] for name, one in query.items()}
    )


def envelope(id_: str, *, by_object: bool, contact: str = "ada@example.com") -> dict[str, Any]:
    named = {"object_id": id_} if by_object else {"external_event_id": id_, "external_account_id": id_}
    inputs = [{"email": contact, "interactionDateTime": WHEN, "properties": {}}]
    return {"subscriber_state": "register", **named, "inputs": inputs}


def written(id_: str, *, by_object: bool, prefix: str = V3, verb: str = "email-create") -> Callable[[str], bool]:
    if by_object:
        return lambda line: shaped(line, prefix, [id_, "attendance", "register", verb], {})
    return lambda line: shaped(line, prefix, ["attendance", id_, "register", verb], {"externalAccountId": id_})


def by_stream(context: Context, message: dict[str, Any]) -> None:
    context.stream.add(json.dumps(message).encode())
    intake(context)


def by_task(context: Context, message: dict[str, Any]) -> None:
    with patch.object(tasks.accept, "current", lambda: context):
        accept_task.push_request(id=uuid.uuid4().hex)
        accept_task.run(**message)
        accept_task.pop_request()


@pytest.mark.parametrize("by_object", [True, False], ids=["object", "external"])
@pytest.mark.parametrize("submit", [by_stream, by_task])
@pytest.mark.parametrize("version", ["v3", "2026-09"])
def test_a_message_goes_to_its_own_event_or_is_not_accepted(
    context: Context, hubspot: Recorder, submit: Callable[..., None], version: str, *, by_object: bool
) -> None:
    do(context.engine, update(Account).values(hubspot_version=version))
    prefix = V3 if version == "v3" else DATED
    for number, id_ in enumerate(CORPUS):
        submit(context, envelope(id_, by_object=by_object, contact=f"p{number}@example.com"))
    everything_sent(context)
    came = hubspot.taken()
    for id_ in CORPUS:
        its_own = list(filter(written(id_, by_object=by_object, prefix=prefix), came))
        assert len(its_own) == (id_ in ODD), (id_, its_own)
    assert len(came) == len(ODD)
    assert len(Ledger(context.engine).refused()) == len(WALKING) + len(HIDING)


@pytest.mark.parametrize("verb", ["create", "email-create"])
@pytest.mark.parametrize("by_object", [True, False], ids=["object", "external"])
@pytest.mark.parametrize("prefix", [V3, DATED])
def test_a_write_by_http_goes_to_its_own_event_or_is_400(
    api: Api, context: Context, hubspot: Recorder, prefix: str, verb: str, *, by_object: bool
) -> None:
    for number, id_ in enumerate(CORPUS):
        named = quote(id_, safe="")
        event = f"{named}/attendance/register" if by_object else f"attendance/{named}/register"
        query = "" if by_object else f"?externalAccountId={named}"
        contact = {"vid": number + 1} if verb == "create" else {"email": f"p{number}@example.com"}
        body = {"inputs": [{**contact, "interactionDateTime": WHEN, "properties": {}}]}
        status, said = raw(api, "POST", f"{prefix}/{event}/{verb}{query}", body)
        assert status == (200 if id_ in ODD else 400), (id_, said)
    everything_sent(context)
    came = hubspot.taken()
    for id_ in CORPUS:
        its_own = list(filter(written(id_, by_object=by_object, verb=verb), came))
        assert len(its_own) == (id_ in ODD), (id_, its_own)
    assert len(came) == len(ODD)


@pytest.mark.parametrize(
    "target",
    [
        f"{V3}/%E9/attendance/register/create",
        f"{V3}/attendance/%E9/register/create?externalAccountId=acme",
        f"{V3}/attendance/ev/register/create?externalAccountId=%E9",
        f"{V3}/attendance/ev/register/create?externalAccountId=%C3",
        f"{V3}/attendance/ev/register/create?externalAccountId=%ED%A0%80",
        f"{V3}/attendance/ev/register/create?externalAccountId=a&externalAccountId=b",
        f"{V3}/participations/%E9/breakdown",
        f"{V3}/participations/%C0%AE%C0%AE/breakdown",
        f"{V3}/participations/contacts/%FF/breakdown",
        f"{V3}/participations/7/breakdown?after=%E9",
    ],
)
def test_what_is_not_utf_8_or_stands_twice_is_400(api: Api, hubspot: Recorder, target: str) -> None:
    method = "GET" if "participations" in target else "POST"
    body = {"inputs": [{"vid": 1, "interactionDateTime": WHEN}]} if method == "POST" else None
    assert raw(api, method, target, body)[0] == 400
    assert hubspot.taken() == []


READS = {
    "contacts/{}/breakdown": ["contacts", "{}", "breakdown"],
    "{}/breakdown": ["{}", "breakdown"],
    "{}/{}/breakdown": ["{}", "{}", "breakdown"],
    "{}": ["{}"],
    "{}/{}": ["{}", "{}"],
}


@pytest.mark.parametrize("view", READS)
@pytest.mark.parametrize("prefix", [V3, DATED])
def test_a_read_back_asks_for_the_view_that_was_asked_for_or_is_400(
    api: Api, hubspot: Recorder, view: str, prefix: str
) -> None:
    wrong = []
    for id_ in CORPUS:
        target = f"{prefix}/participations/{view.replace('{}', quote(id_, safe=''))}"
        status, said = raw(api, "GET", target)
        came = hubspot.taken()
        if id_ in ODD:
            segments = ["participations", *(id_ if one == "{}" else one for one in READS[view])]
            fine = status == 200 and len(came) == 1 and shaped(came[0], prefix, segments, {})
        else:
            fine = (status, came) == (400, [])
        if not fine:
            wrong.append((id_, status, said, came))
    assert wrong == []


@pytest.mark.parametrize(
    "path",
    [
        # As they were seen to lead out of the read-backs, and what is like them.
        "../4711",
        "../search?q=a",
        "../.",
        "../..",
        "../../breakdown",
        "%2e%2e/4711",
        "%2E./..%2f/breakdown",
        "4711/../breakdown",
        "contacts/../breakdown",
        "contacts/%2e%2e/breakdown",
        "4711/.",
        "..;/4711",
        "..%5c/4711",
        # These would ask for another view.
        "contacts",
        "Contacts",
        "%63ontacts",
        "%2563ontacts",
        "contacts/4711",
        "contacts/breakdown",
        "contacts%20/4711/breakdown",
        "%63ontacts/4711/breakdown",
        "contacts%3Bx/4711/breakdown",
        "acme/%62reakdown",
        "acme/breakdown%20",
        "breakdown",
        # A query of which HubSpot knows nothing, or that says something else.
        "4711?q=a",
        "4711?limit=10",
        "4711/breakdown?q=a",
        "4711/breakdown?hapikey=x",
        "4711/breakdown?limit=0",
        "4711/breakdown?limit=101",
        "4711/breakdown?limit=%D9%A1",
        "4711/breakdown?limit=1&limit=2",
        "4711/breakdown?state=attended",
        "4711/breakdown?state=ATTENDED%26limit=5",
        "4711/breakdown?after=",
        "4711/breakdown?after=a%0D%0AX:1",
        "4711/breakdown?contactIdentifier=",
        "contacts/1/breakdown?contactIdentifier=2",
    ],
)
def test_a_read_back_that_would_ask_for_something_else_is_400(api: Api, hubspot: Recorder, path: str) -> None:
    status, said = raw(api, "GET", f"{V3}/participations/{path}")
    if status == 200:  # a view of its own by the letter: then exactly that is asked for
        assert path == "breakdown"
    else:
        assert (status, json.loads(said)["category"]) == (400, "VALIDATION_ERROR")
        assert hubspot.taken() == []


@pytest.mark.parametrize("path", ["", "/", "//breakdown", "/a//breakdown", "/a/b/c/breakdown", "/contacts//breakdown"])
def test_an_empty_segment_is_nothing(api: Api, hubspot: Recorder, path: str) -> None:
    assert raw(api, "GET", f"{V3}/participations{path}")[0] in {400, 404, 307}
    assert hubspot.taken() == []


def test_a_read_backs_query_is_encoded_anew(api: Api, hubspot: Recorder) -> None:
    asked = {"state": "ATTENDED", "limit": "7", "after": "a+b/c&d=e#f ü"}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items())
    assert raw(api, "GET", f"{V3}/participations/4711/breakdown?{query}")[0] == 200
    (line,) = hubspot.taken()
    assert shaped(line, V3, ["participations", "4711", "breakdown"], asked)


@pytest.mark.parametrize("way", ["csv", "jsonl", "option"])
def test_a_files_rows_go_to_their_own_events_or_are_refused(
    context: Context,
    hubspot: Recorder,
    turnout: Turnout,
    tmp_path: Path,
    way: str,
) -> None:
    corpus = [id_ for id_ in CORPUS if id_.isprintable() and id_ == id_.strip() and len(id_) < 100]
    odd = [id_ for id_ in corpus if id_ in ODD]
    if way == "option":
        corpus, odd = ["..", "a\x1b[2K", "ev 1/x"], ["ev 1/x"]
    rows = [envelope(id_, by_object=True, contact=f"p{number}@example.com") for number, id_ in enumerate(corpus)]
    file = tmp_path / "list"
    with ThreadPoolExecutor(1) as other:
        runs: list[tuple[list[str], int]] = []
        if way == "jsonl":
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            runs.append(([], NOT_ACCEPTED))
        elif way == "csv":
            import csv

            with file.open("w", newline="") as out:
                sheet = csv.writer(out)
                sheet.writerow(["Email", "Date", "object_id"])
                sheet.writerows([row["inputs"][0]["email"], "2026-03-01T10:00:00Z", row["object_id"]] for row in rows)
            runs.append((["--state", "register"], NOT_ACCEPTED))
        else:
            file.write_text("Email,Date\na@example.com,2026-03-01T10:00:00Z\n")
            runs += [
                (["--state", "register", "--object-id", id_], 2 if "\x1b" in id_ else int(id_ not in odd))
                for id_ in corpus
            ]
        for index, (options, status) in enumerate(runs):
            stop = other.submit(_intake_until, context, done := [])
            try:
                turnout("enqueue", str(file), "--refused", str(tmp_path / f"refused{index}"), *options, status=status)
            finally:
                done.append(True)
                stop.result()
    everything_sent(context)
    came = hubspot.taken()
    missing = [id_ for id_ in odd if not any(written(id_, by_object=True)(line) for line in came)]
    assert (missing, len(came)) == ([], len(odd)), came


def _intake_until(context: Context, done: list[bool]) -> None:
    while not done:
        intake(context)


@pytest.mark.parametrize("by_object", [True, False], ids=["object", "external"])
def test_retried_and_verified_the_paths_are_the_same(context: Context, hubspot: Recorder, *, by_object: bool) -> None:
    hubspot.silent = True  # HubSpot names nobody: every record is unconfirmed
    for number, id_ in enumerate(ODD):
        by_stream(context, envelope(id_, by_object=by_object, contact=f"p{number}@example.com"))
    everything_sent(context)
    assert len(hubspot.taken()) == len(ODD)
    assert retry(context.engine, 100, Filter((Outcome.UNCONFIRMED,))) == len(ODD)
    hubspot.silent = False
    everything_sent(context)
    again = hubspot.taken()
    assert [id_ for id_ in ODD if not any(written(id_, by_object=by_object)(line) for line in again)] == []


def test_what_is_verified_is_asked_for_by_its_contact_and_its_event(context: Context, hubspot: Recorder) -> None:
    hubspot.silent = True
    contacts = [
        "a/b@example.com",
        "a+b@example.com",
        "a%2e@example.com",
        "a#b@example.com",
        "ü@example.com",
        "a?b@example.com",
    ]
    for contact in contacts:
        by_stream(context, envelope("77", by_object=True, contact=contact))
    many = envelope("ev 1/x", by_object=False)
    many["inputs"] = [{"email": f"p{n}@example.com", "interactionDateTime": WHEN} for n in range(12)]
    by_stream(context, many)
    everything_sent(context)
    hubspot.taken()
    hubspot.page = {
        "results": [],
        "total": 500,
        "paging": {"next": {"after": "../x&limit=1", "link": "http://evil.example/../../crm?after=9"}},
    }
    do(context.engine, update(Error).where(Error.verify_at.is_not(None)).values(verify_at=func.now()))
    verify(context, "default")
    came = hubspot.taken()
    assert all(line.startswith(f"GET {V3}/participations/") for line in came)
    queries = [{"limit": "100"}, {"limit": "100", "after": "../x&limit=1"}]
    events = [query | {"state": "REGISTERED"} for query in queries]
    for line in came:
        views = [(["contacts", contact], queries) for contact in (*contacts, *(f"p{n}@example.com" for n in range(12)))]
        views.append((["ev 1/x", "ev 1/x"], events))
        assert any(
            shaped(line, V3, ["participations", *segments, "breakdown"], query)
            for segments, asked in views
            for query in asked
        ), line
    for contact in contacts:
        segments = ["participations", "contacts", contact, "breakdown"]
        assert any(shaped(line, V3, segments, {"limit": "100"}) for line in came), contact


def test_a_corrected_record_goes_to_its_new_event_or_stays(context: Context, hubspot: Recorder) -> None:
    hubspot.silent = True
    by_stream(context, envelope("wrong", by_object=True))
    everything_sent(context)
    hubspot.taken()
    (record,) = Ledger(context.engine).records()
    from models.correction import Change

    wrong = []
    for id_ in (*WALKING, *HIDING):
        (looked,) = correct.look(context.engine, context.rules, {record.id: Change(object_id=id_)})
        if not looked.reasons:
            wrong.append(id_)
    assert wrong == []
    hubspot.silent = False
    job_id = jobs.ask_to_mend(context.engine, ME, iter([(0, record.id, Change(object_id="ev 1/x"))]))
    list(jobs.finish(context.engine, context.rules, job_id))
    everything_sent(context)
    (line,) = hubspot.taken()
    assert written("ev 1/x", by_object=True)(line)


def test_oauth_and_webhooks_ask_for_their_own_paths(context: Context, hubspot: Recorder) -> None:
    do(
        context.engine,
        update(Account).values(
            oauth=sealed(context.settings, Grant("client", SecretStr("shh"), SecretStr("shh"))), access_until=func.now()
        ),
    )
    context.destination("default")
    assert hubspot.taken() == ["POST /oauth/2026-03/token"]
    message = WebhookMessage("msg_1", 1, b"{}")
    url = f"{hubspot.url}/hook/a%2F..%2Fb?token=x%2Fy"
    endpoint.send(url, SecretStr("whsec_c2VjcmV0"), message, time.monotonic() + 5, private=True)
    assert hubspot.taken() == ["POST /hook/a%2F..%2Fb?token=x%2Fy"]


@pytest.mark.parametrize(
    "path",
    [
        "/a/../b",
        "/a/./b",
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/..",
        "/a//b",
        "//evil.example/b",
        "/a/",
        "/a b",
        "/a\\b",
        "/a\r\nX-Injected: 1",
        "/a\tb",
        "/é",
        "/a#b",
        "/a%zz",
        "/%41",
        "?a",
    ],
)
def test_the_client_sends_no_path_that_would_be_another(hubspot: Recorder, path: str) -> None:
    answer = get(hubspot.url + path, "token", 5)
    assert isinstance(answer, NoResponse)
    assert not answer.sent
    assert hubspot.taken() == []


segments = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.text(
    "./%\\ ;#?2eE", min_size=1, max_size=6
)


@rules(deadline=None, max_examples=200)
@given(st.lists(segments, min_size=1, max_size=3))
def test_whatever_is_put_together_arrives_as_it_is_or_not_at_all(values: list[str]) -> None:
    assert ARRIVED is not None
    path = path_to("v3", *values, after=values[0])
    answer = get(ARRIVED.url + path, "token", 5)
    if {".", ".."} & set(values):
        assert (isinstance(answer, NoResponse), ARRIVED.taken()) == (True, [])
    else:
        (line,) = ARRIVED.taken()
        assert shaped(line, V3, values, {"after": values[0]})


ARRIVED: Recorder | None = None


@pytest.fixture(autouse=True, scope="module")
def arrived() -> Iterator[None]:
    global ARRIVED  # noqa: PLW0603 - Hypothesis takes no fixture of a function
    with recording() as recorder:
        ARRIVED = recorder
        yield


def test_views_of_stored_rows_that_no_path_can_carry_are_not_asked_for() -> None:
    for id_ in WALKING:
        assert event_path("v3", Address(id_, None, None), State.REGISTER) is None
        assert event_path("v3", Address(None, id_, "acme"), State.REGISTER) is None
        assert event_path("v3", Address(None, "ev", id_), State.REGISTER) is None
        assert contact_path("v3", id_) is None
    for account in ("contacts", "Contacts", "contacts;x", "%63ontacts", "contacts "):
        assert event_path("v3", Address(None, "ada@example.com", account), State.REGISTER) is None


@pytest.mark.parametrize(
    "version",
    ["v3/../..", "v4", "", "2026-13", "2026-1-", "20-26-9", "２０２６-09", "2026-09/..", "2026-09\n", "..", "v3 "],
)
def test_a_version_is_v3_or_a_year_and_a_month(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_version(version)
    if version.strip() not in {"", "v3", "2026-09"}:
        monkeypatch.setenv("TURNOUT_HUBSPOT_VERSION", version)
        with pytest.raises(SettingsError, match="HUBSPOT_VERSION"):
            read_settings()


@pytest.mark.parametrize(
    "url",
    [
        "https://x/ y",
        "https://x/a/../b",
        "https://x/.",
        "https://x//a",
        "https://x/a?b",
        "https://x/a#b",
        "https://user:pw@x",
        "https://x\\y",
        "https://x/%2e%2e",
        "http://127.0.0.1:8941\r\nX: y",
        "http://127.0.0.1:99999",
        "http://[::1",
        "ftp://x",
        "x",
        "https://",
        "https://x\u202e",
        "https://é.example",
    ],
)
def test_a_base_url_is_one_that_paths_can_be_put_behind(
    url: str, turnout: Turnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_base(url)
    monkeypatch.setenv("TURNOUT_HUBSPOT_URL", url)
    with pytest.raises(SettingsError, match="HUBSPOT_URL"):
        read_settings()
    assert "not a base URL" in turnout("accounts", "set", "default", "--url", url, status=2).output


@pytest.mark.parametrize(
    "url",
    [
        "https://api.hubapi.com",
        "http://127.0.0.1:8900",
        "http://[::1]:8900/",
        "https://x.example/hub/v1",
        "http://sandbox:8900",
    ],
)
def test_a_base_url_may_have_a_port_and_a_path(url: str) -> None:
    assert is_base(url)


OPEN = (
    "http://api.hubapi.com",
    "http://sandbox:8900",
    "http://10.0.0.7:8900/hub",
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://127.1",
    "http://2130706433",
    "http://0.0.0.0:8900",
    "http://[::]:8900",
    "http://[::ffff:10.0.0.7]",
    "HTTP://API.hubapi.com",
)
"""Where the token would be sent in clear."""


@pytest.mark.parametrize("url", OPEN)
def test_a_token_is_sent_in_clear_to_no_other_machine_but_by_a_setting(
    url: str, turnout: Turnout, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_HUBSPOT_URL", url)
    with pytest.raises(SettingsError, match="token in clear"):
        read_settings()
    added = ("accounts", "add", "partner", "--token-stdin", "--url", url)
    for words in (("accounts", "set", "default", "--url", url), added, (*added, "--oauth")):
        assert turnout(*words, stdin="pat-1", status=2).exit_code
    assert [one.name for one in listed(engine, settings)] == ["default"]
    monkeypatch.setenv("TURNOUT_HUBSPOT_HTTP", "true")
    assert read_settings().hubspot_http


@pytest.mark.parametrize(
    "url", ["http://localhost:8900", "http://127.0.0.1:8900", "http://127.9.9.9", "http://[::1]:1"]
)
def test_http_is_for_the_machine_itself(url: str, turnout: Turnout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_HUBSPOT_URL", url)
    assert read_settings().hubspot_url == url
    turnout("accounts", "set", "default", "--url", url)


@pytest.mark.parametrize("key", ["a\x1bb", "a\x7fb", "a\x9bb", "a\xc2\x85b", "a\xe2\x80\xaeb", "a\tb"])
def test_an_idempotency_key_that_hides_something_is_400(api: Api, key: str) -> None:
    import socket

    body = json.dumps({"inputs": [{"vid": 1, "interactionDateTime": WHEN}]}).encode()
    with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0)) as sock:
        sock.sendall(
            f"POST {V3}/7/attendance/register/create HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nIdempotency-Key: {key}\r\n"
            "Connection: close\r\n\r\n".encode("latin-1")
            + body
        )
        answer = sock.makefile("rb").readline()
    assert b" 400 " in answer


def test_an_idempotency_key_may_be_any_text_that_is_seen(api: Api) -> None:
    for key in ("order-1001", "é".encode().decode("latin-1"), "À".encode().decode("latin-1"), "\xe9"):
        answer = api.submit("ada@example.com", headers={"Idempotency-Key": key})
        assert answer.status_code == 200, answer.text
