"""HubSpot's read-backs through the HTTP API: passed through, with the account's token, within its limit."""

from collections.abc import Iterator

import pytest

from hubspot_api.limiter import Use
from models.tables import Attempt
from models.words import AttemptKind, Role
from tests.support.api import WHEN, Api, delivering, key_for, running_api
from tests.support.ledger import Ledger
from worker.accounts import state
from worker.context import Context
from worker.delivery import permits
from worker.operations.audit_log import listed

V3 = "/marketing/v3/marketing-events/participations"


@pytest.fixture
def api(sending: Context) -> Iterator[Api]:
    with running_api(sending) as running, delivering(sending):
        assert running.submit("ada@example.com", headers={"Prefer": "wait=30"}).json()["status"] == "COMPLETE"
        yield running


@pytest.mark.parametrize("prefix", [V3, "/marketing/marketing-events/2026-09/participations"])
def test_a_contacts_participations_are_hubspots(api: Api, prefix: str) -> None:
    answer = api.ask("GET", f"{prefix}/contacts/ada%40example.com/breakdown?state=REGISTERED&limit=10")
    assert answer.status_code == 200
    (row,) = answer.json()["results"]
    assert row["associations"]["contact"]["email"] == "ada@example.com"
    assert row["properties"]["occurredAt"] == WHEN
    (attempt,) = Ledger(api.context.engine).attempts(Attempt.kind == AttemptKind.READ_BACK)
    assert (attempt.http_status, attempt.finished_at is not None) == (200, True)


@pytest.mark.parametrize("path", ["acme/webinar-42", "acme/webinar-42/breakdown"])
def test_an_events_counters_and_breakdown_are_hubspots(api: Api, path: str) -> None:
    assert api.ask("GET", f"{V3}/{path}").status_code == 200


def test_what_hubspot_refuses_is_passed_through(api: Api) -> None:
    answer = api.ask("GET", f"{V3}/acme/nowhere/breakdown?limit=9999")
    assert answer.status_code >= 400
    assert answer.json()["status"] == "error"


def test_without_a_permit_it_is_429_and_nothing_is_asked(api: Api) -> None:
    to = api.context.destination("default")
    held = []
    while permit := permits.permit(api.context, to, Use.READ_BACK, patience=0):
        held.append(permit)
    answer = api.ask("GET", f"{V3}/contacts/ada%40example.com/breakdown")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert Ledger(api.context.engine).attempts(Attempt.kind == AttemptKind.READ_BACK) == []


def test_a_paused_account_is_not_asked(api: Api) -> None:
    state.pause(api.context.engine, api.context.destination("default").account_id, "by a test")
    answer = api.ask("GET", f"{V3}/contacts/ada%40example.com/breakdown")
    assert (answer.status_code, answer.json()["category"]) == (503, "UNAVAILABLE")


def test_no_answer_is_502(api: Api) -> None:
    api.context.destination("default")
    object.__setattr__(api.context.destination("default"), "url", "http://127.0.0.1:9")
    answer = api.ask("GET", f"{V3}/contacts/ada%40example.com/breakdown")
    assert (answer.status_code, answer.json()["category"]) == (502, "BAD_GATEWAY")


def test_what_an_operator_reads_is_in_the_audit_log_and_names_no_person(api: Api) -> None:
    path = f"{V3}/contacts/ada%40example.com/breakdown"
    assert api.ask("GET", path).status_code == 200
    assert api.ask("GET", path, key=key_for(api.context, "olga", Role.OPERATOR)).status_code == 200
    (row,) = listed(api.context.engine)
    assert (row.who, row.via, row.what, row.filter) == ("olga", "api", "read back", {"account": "default"})


def test_a_viewers_key_may_not_spend_calls(api: Api) -> None:
    answer = api.ask("GET", f"{V3}/4711", key=key_for(api.context, "auditor", Role.VIEWER))
    assert answer.status_code == 403
