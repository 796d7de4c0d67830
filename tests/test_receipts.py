"""Receipts: what became of a submission, page by page, held until its end, unchanged where nothing changed."""

import json
import threading
import time
from collections.abc import Mapping
from uuid import uuid4

import pytest
from pydantic import SecretStr

from models.words import Role
from tests.support.api import WHEN, Api, delivering, key_for
from tests.support.fixtures import Submit
from tests.support.routes import tells
from tests.support.sandbox_server import RunningSandbox
from web.masking import NOT_SHOWN
from worker.accounts.registry import add
from worker.auth import keys
from worker.context import Context
from worker.settings import Settings


@pytest.fixture
def context(sending: Context) -> Context:
    return sending


def handed_in(api: Api, *emails: str, key: str | None = None, headers: Mapping[str, str] | None = None) -> str:
    """Hand people in, and give the path of the submission's receipt."""
    link: str = api.submit(*emails, key=key, headers=headers).json()["links"]["submission"]
    return link.removeprefix(api.url)


def test_it_tells_of_each_record_what_became_of_it(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.fault(match="bob@example.com", status=400, applied=False)
    with delivering(api.context):
        path = handed_in(api, "ada@example.com", "bob@example.com", "nobody", headers={"Prefer": "wait=30"})
    receipt = api.ask("GET", path).json()
    assert (receipt["status"], receipt["producer"]) == ("COMPLETE", "shop")
    assert (receipt["accepted"], receipt["duplicates"], receipt["refused"]) == (2, 0, 1)
    assert receipt["outcomes"] == {"delivered": 1, "rejected": 1}
    ada, bob = receipt["records"]
    assert (ada["contact"], ada["outcome"], ada["error"]) == ("ada@example.com", "delivered", None)
    assert ada["vid"] > 0
    assert (ada["event"], ada["state"], ada["interactionDateTime"]) == ("acme/webinar-42", "register", WHEN)
    assert (bob["outcome"], bob["error"]["message"]) == ("rejected", "Invalid input for `bob@example.com`")
    (refused,) = receipt["refusals"]
    assert (refused["contact"], refused["reasons"][0]["where"]) == ("nobody", "inputs[2].email")
    assert "paging" not in receipt


def test_its_records_come_page_by_page_each_once_in_their_order(api: Api) -> None:
    people = [f"p{index:03}@example.com" for index in range(25)]
    path = handed_in(api, *people)
    seen, pages, after = [], 0, f"{path}?limit=10"
    while after:
        page = api.ask("GET", after).json()
        seen += [record["contact"] for record in page["records"]]
        pages += 1
        after = page.get("paging", {}).get("next", {}).get("link", "").removeprefix(api.url)
    assert (seen, pages) == (people, 3)


def test_a_record_that_a_later_part_repeats_is_shown_and_counted_once(api: Api, submit: Submit) -> None:
    submission = str(uuid4())
    for part, names in (("1", "cd"), ("2", "abc")):
        inputs = [{"email": f"{name}@example.com", "interactionDateTime": WHEN} for name in names]
        named = {
            "submission_id": submission,
            "producer": "shop",
            "part": part,
            "subscriber_state": "register",
            "object_id": "7",
        }
        submit({**named, "inputs": inputs})
    receipt = api.ask("GET", f"/submissions/{submission}").json()
    assert (receipt["accepted"], receipt["duplicates"], receipt["outcomes"]) == (4, 1, {"pending": 4})
    assert [one["contact"] for one in receipt["records"]] == [f"{name}@example.com" for name in "cdab"]


def test_what_it_repeats_is_shown_with_its_own_outcome(api: Api) -> None:
    with delivering(api.context):
        handed_in(api, "ada@example.com", headers={"Prefer": "wait=30"})
        path = handed_in(api, "ada@example.com", "bob@example.com", "bob@example.com", headers={"Prefer": "wait=30"})
    receipt = api.ask("GET", path).json()
    assert (receipt["accepted"], receipt["duplicates"], receipt["outcomes"]) == (1, 2, {"delivered": 2})
    assert [(one["contact"], one["duplicate"]) for one in receipt["records"]] == [
        ("ada@example.com", True),
        ("bob@example.com", False),
    ]


def test_its_tag_changes_with_what_it_says_and_not_else(api: Api) -> None:
    path = handed_in(api, "ada@example.com")
    first = api.ask("GET", path)
    again = api.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    with delivering(api.context):
        ended = api.ask("GET", path, headers={"If-None-Match": first.headers["ETag"], "Prefer": "wait=30"})
    assert (ended.status_code, ended.json()["outcomes"]) == (200, {"delivered": 1})
    assert ended.headers["ETag"] != first.headers["ETag"]
    assert ended.headers["Preference-Applied"] == "wait=30"
    over = api.ask("GET", path, headers={"Prefer": "wait=30"})
    assert over.headers["Preference-Applied"] == "wait=30", "nothing was left to wait for"


def test_it_is_held_until_the_end_and_no_longer(api: Api) -> None:
    path = handed_in(api, "ada@example.com")
    begun = time.monotonic()
    assert api.ask("GET", path, headers={"Prefer": "wait=1"}).json()["status"] == "PENDING"
    assert 0.5 < time.monotonic() - begun < 50
    ended: list[float] = []

    def wait() -> None:
        assert api.ask("GET", path, headers={"Prefer": "wait=60"}).json()["status"] == "COMPLETE"
        ended.append(time.monotonic())

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    with delivering(api.context):
        waiting.join(30)
    assert ended
    begun = time.monotonic()
    api.ask("GET", path, headers={"Prefer": "wait=60"})
    assert time.monotonic() - begun < 50, "what is over is not waited for"


def test_an_operator_sees_everything_and_a_viewer_everything_but_whom_it_is_about(
    api: Api, sandbox: RunningSandbox
) -> None:
    message = "Invalid input for `ada.lovelace (at) analytical.example.com`: ada.lovelace is unknown"
    sandbox.fault(match="ada.lovelace@analytical.example.com", status=400, body={"message": message}, applied=False)
    people = ("ada.lovelace@analytical.example.com", "grace.hopper(at)analytical.example.com")
    with delivering(api.context):
        path = handed_in(api, *people, headers={"Prefer": "wait=30"})
    operator, viewer = (
        api.ask("GET", path, key=key_for(api.context, f"the {role}", role)) for role in (Role.OPERATOR, Role.VIEWER)
    )
    shown, seen = operator.json(), viewer.json()
    assert (shown["records"][0]["contact"], shown["refusals"][0]["contact"]) == people
    assert message in shown["records"][0]["error"]["message"]
    assert tells(viewer.text, *viewer.headers.values()) == set()
    assert seen["records"][0]["contact"] == "a…e@a…e.com"
    assert seen["refusals"][0]["reasons"] == [
        {"where": "inputs[1].email", "what": NOT_SHOWN, "right": "an address such as ada@example.com"}
    ]
    assert viewer.headers["ETag"] != operator.headers["ETag"], "a tag of what is not shown would confirm a guess"
    for same in ("status", "outcomes", "accepted", "refused", "producer"):
        assert seen[same] == shown[same]


def test_a_producer_sees_what_its_key_submitted_and_another_of_the_same_account_does_not(api: Api) -> None:
    rival = key_for(api.context, "rival")
    path = handed_in(api, "ada@example.com")
    nothing = api.ask("GET", "/submissions/7f8c1f0e-7a52-4f5e-9d8a-0f3f6a6f2b11", key=rival)
    for headers in ({}, {"Prefer": "wait=30"}, {"If-None-Match": api.ask("GET", path).headers["ETag"]}):
        answer = api.ask("GET", path, key=rival, headers=headers)
        assert (answer.status_code, answer.json()["message"]) == (404, nothing.json()["message"])
    rotated = keys.rotate(api.context.engine, "shop")
    assert rotated
    assert [api.ask("GET", path, key=key).status_code for key in (api.key, rotated)] == [200, 200]


def test_what_hubspot_says_of_others_in_the_same_batch_is_not_told(api: Api, sandbox: RunningSandbox) -> None:
    rival = key_for(api.context, "rival")
    both = ("ada@example.com", "Grace.Hopper@example.org")
    said = {
        "category": "VALIDATION_ERROR",
        "message": f"Invalid input for `{both[0]}` and `{both[1]}`",
        "context": {"emails": [*both], "said": ["grace.hopper%40example.org", "grace.hopper at example.org"]},
    }
    sandbox.fault(match=both[0], status=400, body=said, applied=False)
    paths = [handed_in(api, both[0]), handed_in(api, both[1], key=rival)]
    once = {"Prefer": "wait=30", "Idempotency-Key": "1"}
    with delivering(api.context):
        waited = api.submit("eve@example.com", both[0], headers=once)
    shops, rivals = (api.ask("GET", path, key=key) for path, key in zip(paths, (api.key, rival), strict=True))
    for answer in (shops, waited):
        assert "opper" not in answer.text
        assert "Invalid input for `ada@example.com` and `G…r@e…e.org`" in answer.text
    assert shops.json()["records"][0]["error"]["context"]["emails"] == [both[0], "G…r@e…e.org"]
    assert (
        rivals.json()["records"][0]["error"]["message"]
        == "Invalid input for `a…a@e…e.com` and `Grace.Hopper@example.org`"
    )
    operator = api.ask("GET", paths[0], key=key_for(api.context, "olga", Role.OPERATOR))
    assert operator.json()["records"][0]["error"]["context"] == said["context"]


def test_the_name_is_the_producer_so_a_new_key_of_that_name_goes_on_where_the_revoked_one_ended(api: Api) -> None:
    path = handed_in(api, "ada@example.com")
    keys.revoke(api.context.engine, "shop")
    assert api.ask("GET", path).status_code == 401
    assert api.ask("GET", path, key=key_for(api.context, "Shop")).status_code == 404
    assert api.ask("GET", path, key=key_for(api.context, "shop")).status_code == 200


@pytest.mark.parametrize(
    ("producers", "account", "status"),
    [
        (["shop"], "default", 200),
        (["shop", "shop"], "default", 200),
        (["rival"], "default", 404),
        ([""], "default", 404),
        (["shop", "rival"], "default", 404),
        (["shop", ""], "default", 404),
        (["shop"], "acme", 404),
    ],
)
def test_what_names_a_producer_is_its_own_where_every_part_does_and_its_account_is_reached(
    api: Api, submit: Submit, settings: Settings, producers: list[str], account: str, status: int
) -> None:
    add(api.context.engine, settings, "acme", {}, SecretStr("token-of-acme"))
    named = {"submission_id": (submission := str(uuid4())), "account": account, "subscriber_state": "register"}
    for part, producer in enumerate(producers):
        inputs = [{"email": f"p{part}@example.com", "interactionDateTime": WHEN}]
        submit({**named, "part": str(part), "producer": producer, "object_id": "7", "inputs": inputs})
    assert api.ask("GET", f"/submissions/{submission}").status_code == status


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?limit=0", 400),
        ("?limit=101", 400),
        ("?limit=x", 400),
        ("?after=x", 400),
        ("?after=1-", 400),
        ("?after=9-9", 200),
    ],
)
def test_a_wrong_page_is_refused_with_what_is_wrong(api: Api, query: str, status: int) -> None:
    answer = api.ask("GET", handed_in(api, "ada@example.com") + query)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["message"].startswith(query[1:6].rstrip("="))


@pytest.mark.parametrize("name", ["none", "7f8c1f0e", "7f8c1f0e-7a52-4f5e-9d8a-0f3f6a6f2b11"])
def test_what_nobody_handed_in_is_unknown(api: Api, name: str) -> None:
    answer = api.ask("GET", f"/submissions/{name}")
    assert (answer.status_code, answer.json()["category"]) == (404, "OBJECT_NOT_FOUND")
    assert api.ask("GET", f"/submissions/{name}", key="").status_code == 401


def test_what_another_door_took_is_told_too(api: Api, submit: Submit) -> None:
    submission = str(uuid4())
    inputs = [{"email": "ada@example.com", "interactionDateTime": WHEN}]
    named = {"subscriber_state": "register", "object_id": "7", "submission_id": submission, "producer": "shop"}
    submit({**named, "inputs": inputs})
    assert api.ask("GET", f"/submissions/{submission}").json()["outcomes"] == {"pending": 1}
    fields = {"submission_id": (unread := str(uuid4())), "account": "default", "producer": "shop"}
    submit(json.dumps(fields).encode())
    assert api.ask("GET", f"/submissions/{unread}").status_code == 404, "nobody knows whose it is"
    operator = key_for(api.context, "somebody", Role.OPERATOR)
    assert api.ask("GET", f"/submissions/{unread}", key=operator).json()["refused"] == 1
