"""Ordered faults, as a real client meets them."""

import time
from collections.abc import Iterator
from random import Random

import pytest
import requests

from sandbox.faults import Cut, Faults, OrderedFault
from sandbox.ordering import BadFaultError, fault_from
from tests.support.sandbox_calls import by_email, by_vid, get, object_path, post
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tests.support.worker_processes import until


@pytest.fixture(scope="module")
def server() -> Iterator[RunningSandbox]:
    with running_sandbox(burst_limit=100_000) as running:
        yield running


@pytest.fixture
def sandbox(server: RunningSandbox) -> RunningSandbox:
    server.reset()
    return server


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize(
    ("fault", "broken", "counted"),
    [
        ({"cut": True}, requests.ConnectionError, "0"),
        ({"hang": 0.1}, requests.ConnectionError, "0"),
        ({"truncate": True}, requests.exceptions.ChunkedEncodingError, "200"),
    ],
)
def test_a_connection_breaks_for_real(
    sandbox: RunningSandbox, fault: dict[str, object], broken: type[Exception], counted: str, *, applied: bool
) -> None:
    sandbox.fault(**fault, applied=applied, count=1)
    with pytest.raises(broken):
        post(sandbox, by_email())
    assert sandbox.stats()["by_status"] == {counted: 1}
    assert sandbox.stats()["stored"] == applied
    assert len(post(sandbox, by_email()).json()["results"]) == (not applied)


def test_a_slow_answer_is_whole_and_its_records_are_stored(sandbox: RunningSandbox) -> None:
    sandbox.fault(slow=0.3, count=1)
    start = time.monotonic()
    assert len(post(sandbox, by_email()).json()["results"]) == 1
    assert time.monotonic() - start > 0.15
    assert sandbox.stats()["stored"] == 1


def test_a_hang_lasts_and_a_client_may_give_up_first(sandbox: RunningSandbox) -> None:
    sandbox.fault(hang=30, applied=True)
    start = time.monotonic()
    with pytest.raises(requests.ReadTimeout):
        post(sandbox, by_email(), timeout=0.2)
    assert 0.1 < time.monotonic() - start < 30
    until(lambda: sandbox.stats()["stored"] == 1, 30, "it was not stored")


@pytest.mark.parametrize("match", ["ada", "ada example.com", "ada@", "0", "-1", "ada@example.com, ben@example.com"])
def test_a_match_that_no_input_can_have_is_refused(match: str) -> None:
    with pytest.raises(BadFaultError, match="can never match: match must be an e-mail address or a vid"):
        fault_from({"match": match, "status": 400})


def test_the_faults_in_force_are_listed_as_they_could_be_ordered_again(sandbox: RunningSandbox) -> None:
    ordered: list[dict[str, object]] = [
        {"match": "ada@example.com", "status": 400, "count": 3, "body": {"a": 1}, "headers": {"X-A": "b"}},
        {"hang": 1.5, "rate": 0.5},
        {"slow": 1.5, "rate": 0.5},
        {"drop": True, "applied": True},
        {"truncate": True, "reads": True},
    ]
    for fault in ordered:
        sandbox.fault(**fault)
    post(sandbox, by_email("ada@example.com"))
    left = requests.get(f"{sandbox.url}/_sandbox/faults", timeout=10).json()
    assert left == [ordered[0] | {"count": 2}, *ordered[1:]]
    for fault in left:
        fault_from(fault)


def test_what_is_in_force_is_removed_and_listed(sandbox: RunningSandbox) -> None:
    sandbox.fault(cut=True, count=2)
    sandbox.fault(status=503)
    assert sandbox.remove_faults() == [{"cut": True, "count": 2}, {"status": 503}]
    assert sandbox.remove_faults() == []
    assert post(sandbox, by_email()).status_code == 200


def test_a_hang_in_progress_does_not_hold_up_the_end() -> None:
    start = time.monotonic()
    with running_sandbox() as sandbox:
        sandbox.fault(hang=60)
        with pytest.raises(requests.ReadTimeout):
            post(sandbox, by_email(), timeout=0.1)
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("status", "category", "kind"),
    [
        (400, "VALIDATION_ERROR", "json"),
        (401, "INVALID_AUTHENTICATION", "json"),
        (403, "MISSING_SCOPES", "json"),
        (404, "OBJECT_NOT_FOUND", "json"),
        (413, None, "html"),
        (423, "LOCKED", "json"),
        (429, None, "json"),
        (477, "MIGRATION", "json"),
        (500, None, "json"),
        (502, None, "html"),
        (503, None, "html"),
        (504, None, "html"),
        (521, None, "html"),
        (524, None, "html"),
        (599, None, "json"),
    ],
)
def test_a_status_comes_with_its_usual_body(
    sandbox: RunningSandbox, status: int, category: str | None, kind: str
) -> None:
    sandbox.fault(status=status)
    answer = post(sandbox, by_email())
    assert answer.status_code == status
    assert kind in answer.headers["Content-Type"]
    assert ("Retry-After" in answer.headers) is (status == 477)
    if kind == "json":
        assert answer.json()["status"] == "error"
        assert answer.json().get("category") == category
    assert sandbox.stats()["by_status"] == {str(status): 1}
    assert sandbox.stats()["stored"] == 0


def test_a_400_names_the_contact_that_matches(sandbox: RunningSandbox) -> None:
    sandbox.fault(status=400, match="B@example.com")
    people = [by_email(f"{name}@example.com") for name in "abc"]
    assert "`b@example.com`" in post(sandbox, *people).json()["message"]
    assert post(sandbox, people[0], people[2]).status_code == 200
    sandbox.reset()
    sandbox.fault(status=400)
    assert "`a@example.com`" in post(sandbox, *people).json()["message"]
    sandbox.reset()
    sandbox.fault(status=400, match=5_000_000_001)
    assert "`5000000001`" in post(sandbox, by_vid(), path=object_path(verb="create")).json()["message"]


@pytest.mark.parametrize(
    ("ordered", "content_type", "body"),
    [
        ({"body": "<h1>Oops</h1>"}, "text/html; charset=utf-8", b"<h1>Oops</h1>"),
        ({"body": "no json", "headers": {"content-type": "application/json"}}, "application/json", b"no json"),
        ({"body": {"a": [1]}}, "application/json;charset=utf-8", b'{"a":[1]}'),
        ({"body": ""}, "text/html; charset=utf-8", b""),
    ],
)
def test_a_body_is_sent_as_ordered(
    sandbox: RunningSandbox, ordered: dict[str, object], content_type: str, body: bytes
) -> None:
    sandbox.fault(status=200, **ordered)
    answer = post(sandbox, by_email())
    assert (answer.status_code, answer.headers["Content-Type"], answer.content) == (200, content_type, body)


def test_headers_are_sent_as_ordered(sandbox: RunningSandbox) -> None:
    sandbox.fault(status=477, headers={"retry-after": 7})
    assert post(sandbox, by_email()).headers["Retry-After"] == "7"


def test_another_2xx_carries_the_answer_itself(sandbox: RunningSandbox) -> None:
    sandbox.fault(status=207, applied=True)
    answer = post(sandbox, by_email())
    assert (answer.status_code, len(answer.json()["results"])) == (207, 1)
    assert sandbox.stats()["stored"] == 1


def test_an_error_may_come_after_all_was_stored(sandbox: RunningSandbox) -> None:
    sandbox.fault(status=502, applied=True, count=1)
    assert post(sandbox, by_email()).status_code == 502
    assert post(sandbox, by_email()).json()["results"] == []
    assert sandbox.stats()["stored"] == 1


@pytest.mark.parametrize("applied", [False, True])
def test_a_drop_names_the_others_only(sandbox: RunningSandbox, *, applied: bool) -> None:
    sandbox.fault(drop=True, match="b@example.com", applied=applied)
    answer = post(sandbox, by_email("a@example.com"), by_email("b@example.com"))
    assert [result["email"] for result in answer.json()["results"]] == ["a@example.com"]
    stored = {row["contact"] for row in sandbox.participations()}
    assert stored == ({"a@example.com", "b@example.com"} if applied else {"a@example.com"})


def test_a_drop_of_all_answers_200_and_nothing(sandbox: RunningSandbox) -> None:
    sandbox.fault(drop=True)
    answer = post(sandbox, by_email("a@example.com"))
    assert (answer.status_code, answer.json()["results"]) == (200, [])
    assert sandbox.stats()["stored"] == 0


def test_the_first_fault_that_matches_wins_until_it_is_spent(sandbox: RunningSandbox) -> None:
    sandbox.fault(status=503, match="b@example.com", count=1)
    sandbox.fault(status=502, count=2)
    sandbox.fault(status=504)
    answers = [post(sandbox, by_email(f"{name}@example.com")).status_code for name in "abbbb"]
    assert answers == [502, 503, 502, 504, 504]


def test_a_fault_spends_itself_on_no_request_that_was_refused_before(sandbox: RunningSandbox) -> None:
    sandbox.fault(status=502, count=1)
    assert post(sandbox, by_email(), token="pat-expired").status_code == 401
    assert post(sandbox, by_email()).status_code == 502


def test_reads_fail_only_where_it_is_ordered(sandbox: RunningSandbox) -> None:
    view = "contacts/ada@example.com/breakdown"
    sandbox.fault(status=502, count=1)
    assert get(sandbox, view).status_code == 200
    sandbox.fault(status=503, reads=True, match="Ada@example.com")
    assert get(sandbox, view).status_code == 503
    assert get(sandbox, "contacts/b@example.com/breakdown").status_code == 200
    sandbox.fault(cut=True, reads=True)
    with pytest.raises(requests.ConnectionError):
        get(sandbox, "77")
    assert sandbox.stats()["requests"] == 0


def test_a_rate_is_the_share_of_requests_that_fail() -> None:
    faults = Faults(Random(7))
    faults.add(OrderedFault(Cut(), rate=0.3))
    assert 2_700 < sum(faults.meet([]) is not None for _ in range(10_000)) < 3_300


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ([], "a fault is a JSON object"),
        ({}, "exactly one of status, slow, hang, cut, truncate, drop is needed, there are 0"),
        ({"status": 500, "cut": True}, "exactly one of status, slow, hang, cut, truncate, drop is needed, there are 2"),
        ({"status": 500, "when": "now"}, "unknown field: when"),
        ({"status": 100}, "status must be an integer from 200 to 599"),
        ({"status": "500"}, "status must be an integer from 200 to 599"),
        ({"status": 500, "headers": []}, "headers must be an object"),
        ({"status": 500, "headers": {"Content-Length": "1"}}, "the header Content-Length is the sandbox's own"),
        ({"status": 500, "headers": {"X-A": "a\nb"}}, "the header X-A is not printable ASCII"),
        ({"cut": True, "body": ""}, "body and headers go with status"),
        ({"cut": False}, "cut can only be true"),
        ({"truncate": 1}, "truncate can only be true"),
        ({"hang": -1}, "hang must be a number from 0"),
        ({"hang": True}, "hang must be a number from 0"),
        ({"slow": -1}, "slow must be a number from 0"),
        ({"cut": True, "count": 0}, "count must be an integer of at least 1"),
        ({"cut": True, "rate": 1.5}, "rate must be a number from 0 to 1"),
        ({"cut": True, "rate": 1, "count": 1}, "count or rate, not both"),
        ({"cut": True, "match": ["a@example.com"]}, "match must be an e-mail address or a vid"),
        ({"cut": True, "applied": "yes"}, "applied must be true or false"),
        (
            {"cut": True, "reads": True, "applied": True},
            "drop and applied are for writes: a read stores nothing",
        ),
    ],
)
def test_what_is_no_fault_is_refused_with_a_sentence(definition: object, why: str) -> None:
    with pytest.raises(BadFaultError) as refused:
        fault_from(definition)
    assert str(refused.value) == why


@pytest.mark.parametrize("body", [b"{", b'{"status": 99}'])
def test_a_refused_fault_is_a_400_and_changes_nothing(sandbox: RunningSandbox, body: bytes) -> None:
    answer = requests.post(f"{sandbox.url}/_sandbox/faults", data=body, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert post(sandbox, by_email()).status_code == 200


def test_an_answer_takes_the_latency_and_the_jitter() -> None:
    with running_sandbox(latency=0.1, jitter=0.1) as sandbox:
        start = time.monotonic()
        post(sandbox, by_email())
        assert time.monotonic() - start > 0.05
