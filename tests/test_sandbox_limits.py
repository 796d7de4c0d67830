"""Tokens and limits, over real HTTP."""

import time

import pytest
import requests

from tests.support.sandbox_calls import by_email, get, object_path, post
from tests.support.sandbox_server import running_sandbox


def test_over_the_burst_limit_is_a_429() -> None:
    with running_sandbox(burst_limit=3) as sandbox:
        answers = [post(sandbox, by_email(f"p{number}@example.com")) for number in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        body = answers[-1].json()
        assert body.pop("correlationId")
        assert body.pop("groupName")
        assert body == {
            "status": "error",
            "message": "You have reached your ten_secondly_rolling limit.",
            "errorType": "RATE_LIMIT",
            "policyName": "TEN_SECONDLY_ROLLING",
        }
        assert [answer.headers["X-HubSpot-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
        assert answers[-1].headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
        assert "Retry-After" not in answers[-1].headers
        assert sandbox.stats()["stored"] == 3
        assert sandbox.stats()["max_in_window"] == 5


def test_who_keeps_asking_is_let_in_as_soon_as_the_window_has_passed() -> None:
    with running_sandbox(burst_limit=1, burst_seconds=0.3) as sandbox:
        start = time.monotonic()
        assert post(sandbox, by_email()).status_code == 200
        while post(sandbox, by_email()).status_code == 429:
            pass
        assert time.monotonic() - start > 0.15


def test_reads_share_the_limit_with_writes() -> None:
    with running_sandbox(burst_limit=1, retry_after=True) as sandbox:
        assert get(sandbox, "77").status_code == 200
        refused = post(sandbox, by_email())
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 10
        assert sandbox.stats()["requests"] == 1


def test_a_spent_day_is_told_as_such() -> None:
    with running_sandbox(daily_limit=1) as sandbox:
        first, second = post(sandbox, by_email()), post(sandbox, by_email())
        assert first.headers["X-HubSpot-RateLimit-Daily"] == "1"
        assert first.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "0"
        assert (second.status_code, second.json()["policyName"]) == (429, "DAILY")
        assert "category" not in second.json()


def test_a_token_is_an_account_with_limits_and_records_of_its_own() -> None:
    with running_sandbox(burst_limit=1) as sandbox:
        for token in ("pat-1", "pat-2"):
            assert len(post(sandbox, by_email(), token=token).json()["results"]) == 1
            assert post(sandbox, by_email(), token=token).status_code == 429
        assert sandbox.stats()["stored"] == 2
        assert sandbox.stats()["max_in_window"] == 2


@pytest.mark.parametrize(
    ("authorization", "status", "category"),
    [
        (None, 401, "INVALID_AUTHENTICATION"),
        ("Bearer ", 401, "INVALID_AUTHENTICATION"),
        ("Basic pat-1", 401, "INVALID_AUTHENTICATION"),
        ("Bearer wrong", 401, "INVALID_AUTHENTICATION"),
        ("Bearer pat-expired", 401, "EXPIRED_AUTHENTICATION"),
        ("Bearer pat-no-scopes", 403, "MISSING_SCOPES"),
        ("bearer pat-1", 200, None),
    ],
)
def test_tokens_are_refused_as_hubspot_refuses_them(
    authorization: str | None, status: int, category: str | None
) -> None:
    with running_sandbox(tokens=("pat-1",)) as sandbox:
        answer = requests.post(
            sandbox.url + object_path(),
            json={"inputs": [by_email()]},
            headers={"Authorization": authorization} if authorization else None,
            timeout=10,
        )
        assert (answer.status_code, answer.json().get("category")) == (status, category)
        assert sandbox.stats()["by_status"] == {str(status): 1}


def test_a_token_may_write_and_not_read() -> None:
    with running_sandbox() as sandbox:
        assert post(sandbox, by_email(), token="pat-write-only").status_code == 200
        refused = get(sandbox, "77", token="pat-write-only")
        assert (refused.status_code, refused.json()["category"]) == (403, "MISSING_SCOPES")
        assert "crm.objects.marketing_events.read" in refused.text
