"""The write paths, over real HTTP, against the tables of what was seen on a live portal."""

from collections.abc import Iterator
from datetime import datetime

import pytest
import requests

from tests.support.sandbox_calls import ATTENDED, EVENT, MARCH, by_email, by_vid, external_path, object_path, post
from tests.support.sandbox_server import RunningSandbox, running_sandbox

PREFIXES = [EVENT, *(f"/marketing/marketing-events/{version}" for version in ("2025-09", "2026-03", "2026-09"))]
STANDARD_ERROR = {"category", "context", "errors", "links", "message", "status"}
"""The required fields of a StandardError in HubSpot's OpenAPI."""


UNBUILDABLE = (
    "Invalid input JSON: Cannot build MarketingEventEmailSubscriber, "
    "some of required attributes are not set [interactionDateTime]"
)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningSandbox]:
    with running_sandbox(burst_limit=100_000, seed=1) as running:
        yield running


@pytest.fixture
def sandbox(server: RunningSandbox) -> RunningSandbox:
    server.reset()
    return server


def names(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return sorted(result["email"] for result in answer.json()["results"])


@pytest.mark.parametrize("prefix", PREFIXES)
def test_all_four_paths_store_and_answer_in_the_shape_of_the_openapi(sandbox: RunningSandbox, prefix: str) -> None:
    mail, vid = by_email(), by_vid()
    answers = [
        post(sandbox, mail, path=object_path("77", base=prefix)),
        post(sandbox, vid, path=object_path("77", verb="create", base=prefix)),
        post(sandbox, mail, path=external_path("ev 1/x", base=prefix), account="acc"),
        post(sandbox, vid, path=external_path("ev 1/x", verb="create", base=prefix), account="acc"),
    ]
    for answer, fields in zip(answers, ({"email", "vid"}, {"vid"}) * 2, strict=True):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("application/json")
        body = answer.json()
        assert {"status", "startedAt", "completedAt", "results"} <= body.keys()
        assert body["status"] == "COMPLETE"
        assert datetime.fromisoformat(body["startedAt"]) <= datetime.fromisoformat(body["completedAt"])
        assert [result.keys() for result in body["results"]] == [fields]
    stored = [(row["event"], row["contact"], row["state"], row["occurredAt"]) for row in sandbox.participations()]
    assert stored == [
        ("77", "ada@example.com", "register", MARCH),
        ("77", "5000000001", "register", MARCH),
        ("acc/ev 1/x", "ada@example.com", "register", MARCH),
        ("acc/ev 1/x", "5000000001", "register", MARCH),
    ]


@pytest.mark.parametrize(
    ("said", "state", "sent", "named", "stored"),
    [
        ("attend without both instants", "attend", by_email(), [], 0),
        ("attend without leftAt", "attend", by_email(joinedAt=ATTENDED["joinedAt"]), [], 0),
        (
            "a span under one second",
            "attend",
            by_email(joinedAt="2026-03-01T10:00:00Z", leftAt="2026-03-01T10:00:00.500Z"),
            ["ada@example.com"],
            0,
        ),
        ("time in seconds", "register", by_email(at=MARCH // 1000), [], 0),
        ("what is right", "attend", by_email(**ATTENDED), ["ada@example.com"], 1),
    ],
)
def test_a_200_is_not_success(
    sandbox: RunningSandbox, *, said: str, state: str, sent: object, named: list[str], stored: int
) -> None:
    answer = post(sandbox, sent, path=object_path(state=state))
    assert names(answer) == named, said
    assert "errors" not in answer.json()
    assert sandbox.stats()["stored"] == stored


def test_left_before_joined_is_an_error_that_names_the_contact_and_spares_the_others(sandbox: RunningSandbox) -> None:
    wrong = by_email("a@example.com", joinedAt=ATTENDED["leftAt"], leftAt=ATTENDED["joinedAt"])
    answer = post(sandbox, wrong, by_email("b@example.com", **ATTENDED), path=object_path(state="attend"))
    assert names(answer) == ["b@example.com"]
    [error] = answer.json()["errors"]
    assert error.keys() >= STANDARD_ERROR
    assert error["category"] == "VALIDATION_ERROR"
    assert error["subCategory"] == "AttendanceValidationError.JOINED_AT_IS_LATER_THAN_LEFT_AT_FOR_EMAIL"
    assert error["message"] == "joinedAt param must be earlier than leftAt for `a@example.com`"
    assert answer.json()["numErrors"] == 1
    assert [(row["contact"], row["durationSeconds"]) for row in sandbox.participations()] == [("b@example.com", 2730)]


def test_an_identical_repeat_names_nobody_and_leaves_what_is_stored(sandbox: RunningSandbox) -> None:
    first = by_email(**ATTENDED)
    assert names(post(sandbox, first, path=object_path(state="attend"))) == ["ada@example.com"]
    before = sandbox.participations()
    longer = by_email("ADA@example.com", joinedAt="2026-03-01T09:00:00Z", leftAt="2026-03-01T11:00:00Z")
    for repeat in (first, longer):
        assert names(post(sandbox, repeat, path=object_path(state="attend"))) == []
    assert sandbox.participations() == before


@pytest.mark.parametrize("changed", ["event", "contact", "state", "time"])
def test_a_change_of_event_contact_state_or_time_is_no_repeat(sandbox: RunningSandbox, changed: str) -> None:
    post(sandbox, by_email())
    other = by_email("b@example.com" if changed == "contact" else "ada@example.com", MARCH + (changed == "time"))
    path = object_path("78" if changed == "event" else "77", "cancel" if changed == "state" else "register")
    assert len(names(post(sandbox, other, path=path))) == 1
    assert sandbox.stats()["stored"] == 2


def test_a_contact_is_the_same_by_email_and_by_id(sandbox: RunningSandbox) -> None:
    [result] = post(sandbox, by_email()).json()["results"]
    again = post(sandbox, by_vid(result["vid"]), path=object_path(verb="create"))
    assert again.json()["results"] == []
    assert sandbox.stats()["stored"] == 1


def test_a_duplicate_within_one_request_counts_as_a_repeat(sandbox: RunningSandbox) -> None:
    assert (
        names(post(sandbox, by_email(), by_email("Ada@Example.com"), by_email(at=MARCH + 1))) == ["ada@example.com"] * 2
    )
    assert sandbox.stats()["stored"] == 2


def test_contact_ids_are_drawn_from_the_seed_and_do_not_fit_32_bits(sandbox: RunningSandbox) -> None:
    people = [by_email(f"p{number}@example.com") for number in range(50)]
    first = {result["email"]: result["vid"] for result in post(sandbox, *people).json()["results"]}
    sandbox.reset()
    assert {result["email"]: result["vid"] for result in post(sandbox, *people).json()["results"]} == first
    assert len(set(first.values())) == 50
    assert all(2**32 <= vid < 2**53 for vid in first.values())


def test_results_come_in_any_order_the_same_for_a_seed(sandbox: RunningSandbox) -> None:
    people = [by_email(f"p{number}@example.com") for number in range(50)]
    order = [result["email"] for result in post(sandbox, *people).json()["results"]]
    sandbox.reset()
    assert [result["email"] for result in post(sandbox, *people).json()["results"]] == order
    assert order != sorted(order, key=lambda email: int(email[1:].partition("@")[0]))


@pytest.mark.parametrize(
    ("path", "account", "inputs", "message"),
    [
        (
            object_path(state="REGISTERED"),
            None,
            [by_email()],
            "Unknown state for 'REGISTERED'. Correct are 'register', 'attend' or 'cancel'.",
        ),
        (
            object_path(state="Attend"),
            None,
            [by_email()],
            "Unknown state for 'Attend'. Correct are 'register', 'attend' or 'cancel'.",
        ),
        (external_path("ev"), None, [by_email()], "externalAccountId is required"),
        (external_path("ev"), "", [by_email()], "externalAccountId is required"),
        (
            object_path(),
            None,
            [by_email("b@example.com"), {"email": "ada@example.com", "properties": {}, "contactProperties": {}}],
            UNBUILDABLE,
        ),
        (object_path(), None, [by_email("nobody")], "`nobody` is not a valid email"),
        (
            object_path(),
            None,
            [by_email()] * 501,
            "At most 500 inputs are allowed in one request, there are 501",
        ),
    ],
)
def test_some_mistakes_refuse_the_whole_request(
    sandbox: RunningSandbox, path: str, account: str | None, inputs: list[object], message: str
) -> None:
    answer = post(sandbox, *inputs, path=path, account=account)
    body = answer.json()
    assert (answer.status_code, body["status"], body["category"]) == (400, "error", "VALIDATION_ERROR")
    assert body["message"] == message
    assert body["correlationId"]
    assert sandbox.stats()["stored"] == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"inputs": {}}', b'{"input": []}'])
def test_a_body_without_inputs_is_a_400(sandbox: RunningSandbox, body: bytes) -> None:
    url, headers = sandbox.url + object_path(), {"Authorization": "Bearer x"}
    assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 400


def test_what_hubspot_does_not_have_is_404_and_the_wrong_method_405(sandbox: RunningSandbox) -> None:
    assert post(sandbox, by_email(), path="/marketing/v3/marketing-events/77/attendance").status_code == 404
    assert requests.get(sandbox.url + object_path(), timeout=10).status_code == 405
    assert sandbox.stats()["requests"] == 0


def test_only_the_listed_events_exist() -> None:
    with running_sandbox(known_events=("77", "acc/ev/1")) as sandbox:
        assert post(sandbox, by_email()).ok
        assert post(sandbox, by_email(), path=external_path("ev/1"), account="acc").ok
        for unknown in (
            post(sandbox, by_email(), path=object_path("78")),
            post(sandbox, by_email(), path=external_path("ev/1"), account="other"),
        ):
            body = unknown.json()
            assert (unknown.status_code, body["status"], body["category"]) == (404, "error", "OBJECT_NOT_FOUND")
            assert {"message", "correlationId"} <= body.keys()


def test_stats_count_what_came(sandbox: RunningSandbox) -> None:
    post(sandbox, by_email(), by_email("b@example.com"))
    post(sandbox, by_email())
    post(sandbox, by_email(), path=object_path(state="nonsense"))
    assert sandbox.stats() == {
        "requests": 3,
        "by_status": {"200": 2, "400": 1},
        "max_in_window": 3,
        "inputs": 4,
        "stored": 2,
    }
    sandbox.reset()
    assert sandbox.stats() == {"requests": 0, "by_status": {}, "max_in_window": 0, "inputs": 0, "stored": 0}
    assert sandbox.participations() == []


def test_a_long_list_of_participations_is_whole(sandbox: RunningSandbox) -> None:
    for request in range(9):
        post(sandbox, *(by_email(f"p{request}-{number}@example.com") for number in range(500)))
    stored = sandbox.participations()
    assert len(stored) == len({row["contact"] for row in stored}) == 4_500
    assert sandbox.participations("pat-1") == stored
    assert sandbox.participations("pat-2") == []
