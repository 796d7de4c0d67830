"""Where a batch is POSTed, compared with the paths of HubSpot's OpenAPI."""

import pytest
from hypothesis import example, given, settings, strategies as st
from requests import Request, Session

from hubspot_api.address import attendance_path, prefix
from models.message import Address, Message, read_fields
from models.words import Identity, State

BY_OBJECT = Address("77", None, None)
BY_EXTERNAL = Address(None, "ev", "acc")


@pytest.mark.parametrize(
    ("version", "address", "state", "identity", "path"),
    [
        (
            "v3",
            BY_EXTERNAL,
            State.ATTEND,
            Identity.VID,
            "/marketing/v3/marketing-events/attendance/ev/attend/create?externalAccountId=acc",
        ),
        (
            "v3",
            BY_EXTERNAL,
            State.REGISTER,
            Identity.EMAIL,
            "/marketing/v3/marketing-events/attendance/ev/register/email-create?externalAccountId=acc",
        ),
        ("v3", BY_OBJECT, State.CANCEL, Identity.VID, "/marketing/v3/marketing-events/77/attendance/cancel/create"),
        (
            "v3",
            BY_OBJECT,
            State.CANCEL,
            Identity.EMAIL,
            "/marketing/v3/marketing-events/77/attendance/cancel/email-create",
        ),
        (
            "2026-09",
            BY_EXTERNAL,
            State.ATTEND,
            Identity.VID,
            "/marketing/marketing-events/2026-09/attendance/ev/attend/create?externalAccountId=acc",
        ),
        (
            "2025-09",
            BY_OBJECT,
            State.ATTEND,
            Identity.EMAIL,
            "/marketing/marketing-events/2025-09/77/attendance/attend/email-create",
        ),
    ],
)
def test_the_four_writes_and_their_dated_successors(
    version: str, address: Address, state: State, identity: Identity, path: str
) -> None:
    assert attendance_path(version, address, state, identity) == path
    assert path.startswith(prefix(version))


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("ev 1/x", "ev%201%2Fx"),
        ("50%", "50%25"),
        ("a+b&c=d?e#f", "a%2Bb%26c%3Dd%3Fe%23f"),
        ("é", "%C3%A9"),
        ("%2F", "%252F"),
        ("a.b~c_d-e", "a.b~c_d-e"),
        ("\\..", "%5C.."),
    ],
)
def test_values_are_percent_encoded_with_nothing_safe(text: str, encoded: str) -> None:
    external = attendance_path("v3", Address(None, text, text), State.ATTEND, Identity.VID)
    assert external == (
        f"/marketing/v3/marketing-events/attendance/{encoded}/attend/create?externalAccountId={encoded}"
    )
    by_object = attendance_path("v3", Address(text, None, None), State.ATTEND, Identity.VID)
    assert by_object == f"/marketing/v3/marketing-events/{encoded}/attendance/attend/create"


IDS = st.text(min_size=1, max_size=20) | st.text("./%\\ ?#;a", min_size=1, max_size=6)


@settings(deadline=None)
@given(IDS, IDS)
@example("%2E%2E", "..")
@example(". ", "a")
def test_whatever_id_is_accepted_goes_over_the_wire_as_it_was_encoded(event: str, account: str) -> None:
    """Nothing between us and the wire walks a `..` or decodes anything: one event's records never reach another."""
    fields = {"subscriber_state": "attend", "inputs": [1]}
    for message in (
        read_fields({**fields, "object_id": event}),
        read_fields({**fields, "external_event_id": event, "external_account_id": account}),
    ):
        if isinstance(message, Message):
            path = attendance_path("v3", message.address, message.state, Identity.EMAIL)
            with Session() as session:
                prepared = session.prepare_request(Request("POST", f"http://127.0.0.1{path}"))
            assert prepared.path_url == path
