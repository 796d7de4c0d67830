"""What a test of your app may look like. `register` stands for the code that you test."""

import requests
from conftest import Sandbox, Turnout

EVENT = "acme-events/spring-summit-2026"
WHEN = 1_767_225_600_000


def register(url: str, key: str, email: str) -> requests.Response:
    """Register somebody: the code of your app, which calls Turnout as it would call HubSpot."""
    return requests.post(
        f"{url}/marketing/v3/marketing-events/attendance/spring-summit-2026/register/email-create",
        params={"externalAccountId": "acme-events"},
        headers={"Authorization": f"Bearer {key}", "Prefer": "wait=30"},
        json={"inputs": [{"email": email, "interactionDateTime": WHEN, "properties": {}, "contactProperties": {}}]},
        timeout=60,
    )


def test_what_my_app_sends_is_what_hubspot_understands(sandbox: Sandbox) -> None:
    answer = register(sandbox.url, "any-token", "ada@example.com")
    assert answer.json()["status"] == "COMPLETE"
    assert [(row["event"], row["contact"], row["state"]) for row in sandbox.participations()] == [
        (EVENT, "ada@example.com", "register")
    ]


def test_a_record_goes_through_turnout_to_hubspot(turnout: Turnout) -> None:
    answer = register(turnout.url, turnout.key, "grace@example.com")
    assert answer.json().get("errors", []) == []
    assert turnout.sandbox.wait_for("grace@example.com")["event"] == EVENT


def test_my_app_sees_what_hubspot_refuses(turnout: Turnout) -> None:
    turnout.sandbox.refuse("ben@example.com")
    (error,) = register(turnout.url, turnout.key, "ben@example.com").json()["errors"]
    assert error["context"]["contact"] == ["ben@example.com"]


def test_my_app_sees_what_turnout_does_not_accept(turnout: Turnout) -> None:
    (error,) = register(turnout.url, turnout.key, "no address").json()["errors"]
    assert "no address" in error["message"]
