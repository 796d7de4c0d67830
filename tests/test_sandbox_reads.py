"""The participation views."""

from datetime import datetime

import pytest

from sandbox.options import SandboxOptions
from sandbox.world import Request, World
from tests.support.sandbox_calls import ATTENDED, MARCH, by_email, by_vid, external_path, get, object_path, post
from tests.support.sandbox_server import running_sandbox


def test_a_contact_is_read_by_address_and_by_id_in_the_shape_of_the_openapi() -> None:
    with running_sandbox() as sandbox:
        [result] = post(sandbox, by_email(**ATTENDED), path=external_path("ev 1/x", "attend"), account="acc").json()[
            "results"
        ]
        pages = [
            get(sandbox, f"contacts/{contact}/breakdown").json()
            for contact in ("ada@example.com", "ADA%40example.com", result["vid"])
        ]
        assert pages[0] == pages[1] == pages[2]
        assert pages[0].keys() == {"total", "results"}
        assert pages[0]["total"] == 1
        [row] = pages[0]["results"]
        assert row.keys() == {"id", "createdAt", "associations", "properties"}
        assert datetime.fromisoformat(row["createdAt"]).tzinfo
        event = row["associations"]["marketingEvent"]
        assert (event["externalAccountId"], event["externalEventId"], event["name"]) == (
            "acc",
            "ev 1/x",
            "Event acc/ev 1/x",
        )
        assert row["associations"]["contact"] == {"contactId": str(result["vid"]), "email": "ada@example.com"}
        assert row["properties"] == {
            "attendanceState": "ATTENDED",
            "occurredAt": MARCH,
            "attendanceDurationSeconds": 2730,
        }
        assert get(sandbox, "contacts/nobody@example.com/breakdown").json() == {"total": 0, "results": []}
        assert get(sandbox, "contacts/ada@example.com/breakdown", token="pat-2").json()["total"] == 0


def test_the_views_page_and_filter() -> None:
    with running_sandbox() as sandbox:
        post(sandbox, *(by_email(at=MARCH + number) for number in range(25)))
        post(sandbox, by_email(), by_email("b@example.com"), path=object_path(state="cancel"))
        for view in ("contacts/ada@example.com/breakdown", "77/breakdown"):
            after: str | None = None
            seen: list[int] = []
            sizes: list[int] = []
            while True:
                page = get(sandbox, view, state="REGISTERED", after=after).json()
                assert page["total"] == 25
                seen += [row["properties"]["occurredAt"] for row in page["results"]]
                sizes.append(len(page["results"]))
                if "paging" not in page:
                    break
                after = page["paging"]["next"]["after"]
            assert sizes == [10, 10, 5]
            assert seen == [MARCH + number for number in range(25)]
        assert get(sandbox, "contacts/ada@example.com/breakdown", state="CANCELLED").json()["total"] == 1
        assert get(sandbox, "77/breakdown", state="NO_SHOW").json()["total"] == 0
        assert len(get(sandbox, "77/breakdown", limit=100).json()["results"]) == 27
        assert get(sandbox, "77/breakdown", contactIdentifier="B@example.com").json()["total"] == 1
        for wrong in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"state": "attend"}, {"after": "x"}):
            answer = get(sandbox, "77/breakdown", **wrong)
            assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_an_event_is_counted_under_both_its_addresses() -> None:
    with running_sandbox() as sandbox:
        for state, sent in (
            ("register", [by_email(), by_email(at=MARCH + 1), by_email("b@example.com")]),
            ("attend", [by_email(**ATTENDED)]),
            ("cancel", [by_email("b@example.com")]),
        ):
            post(sandbox, *sent, path=external_path("ev/1", state), account="acc")
        counters = get(sandbox, "acc/ev%2F1").json()
        assert counters == {"registered": 2, "attended": 1, "cancelled": 1, "noShows": 0}
        row = get(sandbox, "acc/ev%2F1/breakdown").json()["results"][0]
        object_id = row["associations"]["marketingEvent"]["marketingEventId"]
        assert int(object_id) > 2**32
        assert get(sandbox, object_id).json() == counters
        assert get(sandbox, f"{object_id}/breakdown").json()["total"] == 5
        post(sandbox, by_vid(), path=object_path(object_id, verb="create"))
        assert get(sandbox, "acc/ev%2F1").json()["registered"] == 3


@pytest.mark.parametrize(
    ("view", "seen_after"),
    [("contacts/ada@example.com/breakdown", 3), ("77/breakdown", 30), ("77", 30)],
)
def test_a_write_is_seen_after_a_delay_and_by_the_event_much_later(view: str, seen_after: float) -> None:
    now = [1_000.0]
    world = World(SandboxOptions(read_delay=3), lambda: now[0])
    path = b"/marketing/v3/marketing-events/"
    body = (
        b'{"inputs":[{"email":"ada@example.com","interactionDateTime":1772000000000,'
        b'"properties":{},"contactProperties":{}}]}'
    )
    world.handle(Request("POST", path + b"77/attendance/register/email-create", b"", "Bearer x", body))

    def is_seen() -> bool:
        reply = world.handle(Request("GET", path + b"participations/" + view.encode(), b"", "Bearer x", b""))
        assert reply.answer
        return b'"total":1' in reply.answer.body or b'"registered":1' in reply.answer.body

    assert not is_seen()
    now[0] += seen_after - 0.001
    assert not is_seen()
    now[0] += 0.001
    assert is_seen()
