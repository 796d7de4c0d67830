import pytest

from sandbox.address import (
    ContactBreakdown,
    ContactKind,
    EventBreakdown,
    EventCounters,
    ExternalAddress,
    ObjectAddress,
    Read,
    Write,
    parse,
)

PREFIXES = [
    "/marketing/v3/marketing-events",
    "/marketing/marketing-events/2025-09",
    "/marketing/marketing-events/2026-03",
    "/marketing/marketing-events/2026-09",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("path", "query", "call"),
    [
        (
            "/attendance/ev%201%2Fx/register/create",
            "externalAccountId=acc%2F1",
            Write(ExternalAddress("acc/1", "ev 1/x"), "register", ContactKind.VID),
        ),
        (
            "/attendance/e/attend/email-create",
            "externalAccountId=a+b",
            Write(ExternalAddress("a b", "e"), "attend", ContactKind.EMAIL),
        ),
        ("/attendance/a+b/cancel/email-create", "", Write(ExternalAddress(None, "a+b"), "cancel", ContactKind.EMAIL)),
        ("/77/attendance/cancel/create", "", Write(ObjectAddress("77"), "cancel", ContactKind.VID)),
        ("/77/attendance/ATTENDED/email-create", "", Write(ObjectAddress("77"), "ATTENDED", ContactKind.EMAIL)),
        (
            "/attendance/attendance/attend/create",
            "",
            Write(ExternalAddress(None, "attendance"), "attend", ContactKind.VID),
        ),
        (
            "/participations/contacts/ada%40example.com/breakdown",
            "state=ATTENDED&limit=5&after=3",
            ContactBreakdown("ada@example.com", {"state": "ATTENDED", "limit": "5", "after": "3"}),
        ),
        ("/participations/77", "", EventCounters(ObjectAddress("77"))),
        ("/participations/77/breakdown", "", EventBreakdown(ObjectAddress("77"), {})),
        ("/participations/acc/ev%2F1", "", EventCounters(ExternalAddress("acc", "ev/1"))),
        (
            "/participations/acc/ev%2F1/breakdown",
            "limit=1",
            EventBreakdown(ExternalAddress("acc", "ev/1"), {"limit": "1"}),
        ),
        ("/77/attendance/register/delete", "", None),
        ("/attendance/e/register", "", None),
        ("/attendance//register/create", "", None),
        ("/participations/a/b/c/d", "", None),
        ("", "", None),
    ],
)
def test_every_endpoint_is_known_by_its_raw_path(prefix: str, path: str, query: str, call: Write | Read | None) -> None:
    assert parse(f"{prefix}{path}".encode(), query.encode()) == call


@pytest.mark.parametrize(
    "path", ["/", "/marketing/v4/marketing-events/77/attendance/register/create", "/crm/v3/objects"]
)
def test_what_hubspot_does_not_have_is_nothing(path: str) -> None:
    assert parse(path.encode(), b"") is None
