"""The HTTP API as an app meets it that called HubSpot before: HubSpot's own SDK, its errors, its answers."""

import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import delete

from models.tables import Event, Submission
from models.words import Role
from tests.support.api import BY_EMAIL, WHEN, Api, delivering, key_for, running_server
from tests.support.background import waits_for_a_lock
from tests.support.fixtures import Submit
from tests.support.ledger import Ledger
from tests.support.sandbox_server import RunningSandbox
from worker.accounts.registry import add
from worker.context import Context
from worker.encryption import rekey
from worker.queries.reconciliation import audit
from worker.queue.locks import lock_event
from worker.settings import Settings


@pytest.fixture
def context(sending: Context) -> Context:
    return sending


def outcomes(api: Api) -> dict[str, int]:
    books = audit(api.context.engine)
    assert books.balanced, books.wrong
    return {outcome.value: number for outcome, number in books.outcomes.items() if number}


def test_hubspots_sdk_works_with_only_its_host_changed(api: Api, sandbox: RunningSandbox, tmp_path: Path) -> None:
    with delivering(api.context):
        done = subprocess.run(
            [sys.executable, Path(__file__).parent / "support" / "sdk_calls.py", api.url, api.key],
            cwd=tmp_path,
            env={"PYTHONSAFEPATH": "1"},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    by_email = said["external, email"]
    assert by_email["status"] == "COMPLETE"
    assert [one["email"] for one in by_email["results"]] == ["ada@example.com"]
    assert by_email["results"][0]["vid"] > 0
    assert by_email["num_errors"] == 1
    assert "`no address`" in by_email["errors"][0]["message"]
    assert by_email["errors"][0]["context"]["where"] == ["inputs[1].email"]
    assert said["external, vid"]["results"] == [{"vid": 101}]
    assert [one["email"] for one in said["object, email"]["results"]] == ["bob@example.com"]
    assert said["object, vid"]["results"] == [{"vid": 2**40}]
    assert (said["state"]["raised"], said["state"]["status"]) == ("ApiException", 400)
    state = "Unknown state for 'REGISTERED'. Correct are 'register', 'attend' or 'cancel'."
    assert said["state"]["body"]["message"] == state
    assert said["account"]["body"]["message"] == "externalAccountId is required"
    assert (said["key"]["raised"], said["key"]["status"]) == ("UnauthorizedException", 401)
    assert said["key"]["body"]["category"] == "INVALID_AUTHENTICATION"
    stored = {(one["event"], one["contact"], one["state"]) for one in sandbox.participations()}
    assert stored == {
        ("acme/ev 1/x", "ada@example.com", "register"),
        ("acme/ev 1/x", "101", "cancel"),
        ("4711", "bob@example.com", "register"),
        ("4711", str(2**40), "register"),
    }


def test_without_waiting_the_answer_is_pending_and_names_the_submission(api: Api) -> None:
    answer = api.submit("ada@example.com")
    said = answer.json()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    assert (said["status"], said["results"]) == ("PENDING", [])
    assert "errors" not in said
    assert said["requestedAt"] == said["startedAt"] == said["completedAt"]
    receipt = api.ask("GET", said["links"]["submission"].removeprefix(api.url))
    assert receipt.json()["outcomes"] == {"pending": 1}


@pytest.mark.parametrize("version", ["v3", "2025-09", "2026-03", "2026-09", "2031-12"])
@pytest.mark.parametrize("event", ["attendance/webinar-42", "4711/attendance"])
@pytest.mark.parametrize(("verb", "contact"), [("create", {"vid": 7}), ("email-create", {"email": "ada@example.com"})])
def test_every_path_of_hubspots_is_there(
    api: Api, version: str, event: str, verb: str, contact: dict[str, object]
) -> None:
    prefix = "/marketing/v3/marketing-events" if version == "v3" else f"/marketing/marketing-events/{version}"
    path = f"{prefix}/{event}/register/{verb}?externalAccountId=acme"
    answer = api.ask("POST", path, json={"inputs": [{**contact, "interactionDateTime": WHEN}]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "PENDING"


def test_an_input_of_the_other_kind_than_the_paths_is_refused_alone(api: Api) -> None:
    inputs = [{"vid": 7, "interactionDateTime": WHEN}, {"email": "ada@example.com", "interactionDateTime": WHEN}]
    said = api.ask("POST", BY_EMAIL, json={"inputs": inputs}).json()
    assert said["numErrors"] == 1
    assert said["errors"][0]["context"] == {"where": ["inputs[0].vid"], "contact": ["7"]}
    assert outcomes(api) == {"pending": 1}


def test_what_is_refused_entirely_is_complete_at_once_and_kept(api: Api) -> None:
    said = api.submit("nobody", headers={"Prefer": "wait=30"}).json()
    assert (said["status"], said["results"], said["numErrors"]) == ("COMPLETE", [], 1)
    assert audit(api.context.engine).refused == 1


def test_what_hubspot_rejects_stands_in_errors_in_its_words(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.fault(match="bob@example.com", status=400, applied=False)
    with delivering(api.context):
        said = api.submit("ada@example.com", "bob@example.com", headers={"Prefer": "wait=30"}).json()
    assert [one["email"] for one in said["results"]] == ["ada@example.com"]
    assert [one["context"]["contact"] for one in said["errors"]] == [["bob@example.com"]]
    assert said["errors"][0]["message"] == "Invalid input for `bob@example.com`"
    assert said["errors"][0]["category"] == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    ("inputs", "places"),
    [
        ([{"email": "bob@example.com"}], [["inputs[0]"]]),
        ([{"email": "nobody"}, {"email": "ada@example.com"}, {"email": "Bob@Example.COM"}], [["inputs[2]"]]),
        ([{"email": "bob@example.com", "at": 1}, {"email": "bob@example.com"}], [["inputs[0]"], ["inputs[1]"]]),
        ([{"email": "bob@example.com"}, {"email": "BOB@example.com"}], [["inputs[0]", "inputs[1]"]]),
        (
            [{"email": "bob@example.com", "properties": {"seat": "1"}}, {"email": "bob@example.com"}],
            [["inputs[0]"], ["inputs[1]"]],
        ),
        (
            [{"email": "ada@example.com"}, {"email": "bob@example.com", "contactProperties": {"firstname": "Bob"}}],
            [["inputs[1]"]],
        ),
    ],
)
def test_an_error_of_hubspots_names_the_place_in_the_request(
    api: Api, sandbox: RunningSandbox, inputs: list[dict[str, Any]], places: list[list[str]]
) -> None:
    sandbox.fault(match="bob@example.com", status=400, applied=False)
    body = {"inputs": [{"interactionDateTime": WHEN + one.pop("at", 0)} | one for one in inputs]}
    asked: dict[str, Any] = {"json": body, "headers": {"Prefer": "wait=30", "Idempotency-Key": "one"}}
    with delivering(api.context):
        first = api.ask("POST", BY_EMAIL, **asked).json()
    again = api.ask("POST", BY_EMAIL, **asked).json()
    rejected = [one["context"] for one in first["errors"] if one["context"]["contact"] == ["bob@example.com"]]
    assert sorted(one["where"] for one in rejected) == places
    assert again == first
    repeated = api.ask("POST", BY_EMAIL, **asked | {"headers": {"Prefer": "wait=1"}}).json()
    assert sorted(one["context"]["where"] for one in repeated["errors"]) == sorted(
        one["context"]["where"] for one in first["errors"]
    )


def test_an_account_that_the_key_does_not_reach_is_named_and_no_scope_is(api: Api) -> None:
    answer = api.submit("ada@example.com", headers={"Turnout-Account": "other"})
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["context"] == {"accounts": ["default"]}
    assert "Scope" not in answer.text
    assert "default" in answer.json()["message"]


def test_a_record_handed_in_again_is_answered_with_what_became_of_it(api: Api) -> None:
    with delivering(api.context):
        first = api.submit("ada@example.com", headers={"Prefer": "wait=30"}).json()
        again = api.submit("ada@example.com", headers={"Prefer": "wait=30"}).json()
    assert again["results"] == first["results"] != []
    assert again["links"] != first["links"]
    assert outcomes(api) == {"delivered": 1}


def test_an_answer_that_is_not_known_in_time_is_pending(api: Api) -> None:
    begun = time.monotonic()
    answer = api.submit("ada@example.com", headers={"Prefer": "respond-async, wait=1"})
    assert answer.json()["status"] == "PENDING"
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert 0.5 < time.monotonic() - begun < 50


@pytest.mark.parametrize("value", ["wait=abc", "wait=", "wait", "wait=-1"])
def test_a_wait_that_is_not_a_number_of_seconds_is_ignored(api: Api, value: str) -> None:
    answer = api.submit("ada@example.com", headers={"Prefer": value})
    assert answer.json()["status"] == "PENDING"
    assert "Preference-Applied" not in answer.headers


def test_an_idempotency_key_brings_the_first_answer_again(api: Api) -> None:
    once = {"Idempotency-Key": "order 4711"}
    first = api.submit("ada@example.com", "nobody", headers=once)
    with delivering(api.context):
        api.submit("ada@example.com", headers={"Prefer": "wait=30"})
    again = api.submit("ada@example.com", "nobody", headers=once)
    assert again.content == first.content
    other = api.submit("bob@example.com", headers=once)
    assert other.status_code == 409
    assert "Idempotency-Key" in other.json()["message"]
    stranger = key_for(api.context, "another shop")
    assert api.submit("bob@example.com", headers=once, key=stranger).status_code == 200


def test_another_producers_idempotency_key_names_another_submission(api: Api) -> None:
    once = {"Idempotency-Key": "order 4711"}
    first = api.submit("ada@example.com", headers=once)
    again = api.submit("ada@example.com", headers=once, key=key_for(api.context, "rival"))
    assert again.status_code == 200
    assert again.json()["links"] != first.json()["links"]


def test_a_submission_that_a_message_made_before_is_never_a_requests_answer(api: Api, submit: Submit) -> None:
    once = {"Idempotency-Key": "order 4711"}
    submission = api.submit("ada@example.com", headers=once).json()["links"]["submission"].rpartition("/")[2]
    with api.context.engine.begin() as connection:
        connection.execute(delete(Submission))
    inputs = [{"email": "eve@example.com", "interactionDateTime": WHEN}]
    named = {"submission_id": submission, "part": "request", "subscriber_state": "register", "object_id": "7"}
    submit({**named, "inputs": inputs})
    answer = api.submit("ada@example.com", headers=once)
    assert (answer.status_code, answer.json()["category"]) == (409, "VALIDATION_ERROR")


def test_its_id_is_not_computed_from_what_others_know_and_outlives_restarts_and_new_secret_keys(
    api: Api, settings: Settings
) -> None:
    once = {"Idempotency-Key": "order-1001"}
    link = api.submit("ada@example.com", headers=once).json()["links"]["submission"].rpartition("/")[2]
    number = api.key.split("_")[1]
    unkeyed = blake2b(f"{number} order-1001".encode(), digest_size=16).digest()
    assert UUID(link) != UUID(bytes=unkeyed, version=4)
    both = api.context.settings.model_copy(update={"secret_key": SecretStr("new,a key of the tests")})
    assert rekey(api.context.engine, both)
    restarted = Context(both.model_copy(update={"secret_key": SecretStr("new")}))
    with running_server(restarted) as url:
        again = Api(url, api.key, restarted).submit("ada@example.com", headers=once)
    assert again.json()["links"]["submission"] == f"{url}/submissions/{link}"
    assert settings.secret_key != restarted.settings.secret_key
    restarted.engine.dispose()
    restarted.redis.close()


def test_two_requests_at_once_under_one_idempotency_key_make_one_submission(api: Api) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            asked = [
                pool.submit(api.submit, f"p{number}@example.com", headers={"Idempotency-Key": str(number)})
                for _ in range(4)
            ]
            answers = {one.result().content for one in asked}
            assert len(answers) == 1, answers
    books = audit(api.context.engine)
    assert (books.accepted, books.duplicates) == (10, 0)


def test_order_is_kept_per_contact(api: Api) -> None:
    for number, state in enumerate(("register", "cancel", "register")):
        inputs = [{"email": "ada@example.com", "interactionDateTime": WHEN + number}]
        api.ask("POST", BY_EMAIL.replace("register", state), json={"inputs": inputs})
    waiting = Ledger(api.context.engine).batches()
    assert [row.state for row in waiting] == ["register", "cancel", "register"]
    assert [len(row.after) for row in waiting] == [0, 1, 1]


# Whole requests that are refused, in HubSpot's shape


def test_a_request_is_answered_once_its_records_are_committed(api: Api) -> None:
    api.submit("ada@example.com")
    engine = api.context.engine
    with engine.begin() as settling, ThreadPoolExecutor(1) as one:
        lock_event(settling, Ledger(engine).all(Event)[0].id)
        asked = one.submit(api.submit, "bob@example.com")
        assert waits_for_a_lock(engine, asked)
        settling.rollback()
        assert asked.result(10).status_code == 200
    assert outcomes(api) == {"pending": 2}


@pytest.mark.parametrize(
    ("change", "status", "category", "said"),
    [
        ({"path": BY_EMAIL.replace("register", "REGISTERED")}, 400, "VALIDATION_ERROR", "Unknown state for"),
        ({"path": BY_EMAIL.partition("?")[0]}, 400, "VALIDATION_ERROR", "externalAccountId is required"),
        ({"data": b"{"}, 400, "VALIDATION_ERROR", "Invalid input JSON"),
        ({"data": b"[" * 100_000}, 400, "VALIDATION_ERROR", "Invalid input JSON"),
        ({"data": b'{"inputs": []}'}, 400, "VALIDATION_ERROR", "inputs"),
        ({"data": b'{"inputs": [' + b"1," * 10_000 + b"1]}"}, 413, "VALIDATION_ERROR", "at most 10,000"),
        ({"data": b" " * (8 * 1024 * 1024 + 1)}, 413, "VALIDATION_ERROR", "larger than"),
        ({"headers": {"Content-Type": "text/plain"}}, 415, "VALIDATION_ERROR", "application/json"),
        ({"headers": {"Content-Encoding": "gzip"}}, 415, "VALIDATION_ERROR", "Content-Encoding"),
        ({"headers": {"Idempotency-Key": ""}}, 400, "VALIDATION_ERROR", "Idempotency-Key"),
        ({"headers": {"Turnout-Account": "another"}}, 403, "FORBIDDEN", "does not reach the account 'another'"),
        ({"key": ""}, 401, "INVALID_AUTHENTICATION", "turnout keys create"),
        ({"key": "turnout_1_" + "x" * 43}, 401, "INVALID_AUTHENTICATION", "turnout keys create"),
        ({"path": "/marketing/v4/x"}, 404, "OBJECT_NOT_FOUND", "/marketing/v4/x"),
        ({"path": BY_EMAIL.replace("v3/marketing-events", "marketing-events/soon")}, 404, "OBJECT_NOT_FOUND", "v3"),
    ],
)
def test_a_whole_request_is_refused_as_hubspot_refuses(
    api: Api, change: dict[str, Any], status: int, category: str, said: str
) -> None:
    headers = {"Content-Type": "application/json"} | change.pop("headers", {})
    data = json.dumps({"inputs": [{"email": "ada@example.com", "interactionDateTime": WHEN}]}).encode()
    answer = api.ask("POST", **{"path": BY_EMAIL, "data": data, "headers": headers, **change})
    body = answer.json()
    assert (answer.status_code, body["category"], body["status"]) == (status, category, "error"), body
    assert said in body["message"]
    assert body["correlationId"]
    books = audit(api.context.engine)
    assert (books.accepted, books.refused) == (0, 0)


def test_a_get_of_a_write_is_not_done(api: Api) -> None:
    answer = api.ask("GET", BY_EMAIL)
    assert (answer.status_code, answer.json()["category"]) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
def test_only_producers_hand_in(api: Api, role: Role) -> None:
    answer = api.submit("ada@example.com", key=key_for(api.context, "somebody", role))
    assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")


def test_a_key_for_several_accounts_names_the_one(api: Api, settings: Settings) -> None:
    add(api.context.engine, settings, "acme", {}, SecretStr("token-of-acme"))
    both = key_for(api.context, "both", Role.PRODUCER, "default", "acme")
    unnamed = api.submit("ada@example.com", key=both)
    assert (unnamed.status_code, "acme, default" in unnamed.json()["message"]) == (400, True)
    named = api.submit("ada@example.com", key=both, headers={"Turnout-Account": "acme"})
    assert named.status_code == 200
    ledger = Ledger(api.context.engine)
    assert ledger.batch().account_id == ledger.account("acme").id
    receipt = named.json()["links"]["submission"].removeprefix(api.url)
    assert api.ask("GET", receipt, key=both).status_code == 200
    assert api.ask("GET", receipt).status_code == 404, "a key of another account"


def test_the_database_out_of_reach_is_503_and_nothing_is_stored(settings: Settings) -> None:
    context = Context(settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/nowhere"}))
    with running_server(context) as url:
        answer = Api(url, "turnout_1_" + "x" * 43, context).submit("ada@example.com")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


# What it says of itself


def test_every_shape_that_openapi_refers_to_is_there(api: Api) -> None:
    openapi = api.ask("GET", "/openapi.json")
    named = set(re.findall(r'"#/components/schemas/(\w+)"', openapi.text))
    assert named == set(openapi.json()["components"]["schemas"])
