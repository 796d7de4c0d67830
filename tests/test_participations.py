"""What HubSpot's participation views say of a record."""

import json
from dataclasses import replace
from itertools import pairwise
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, strategies as st

from hubspot_api.answer import Ambiguous, Limited, NotFound, PortalUnavailable, RefusedWhole, Unauthorized
from hubspot_api.participations import (
    Absent,
    Found,
    Overtaken,
    Participation,
    ParticipationPage,
    Wanted,
    contact_path,
    event_path,
    evidence,
    is_worth_paging,
    judge,
    read_page,
    wanted,
)
from hubspot_api.response import NoResponse, Response
from models.input_check import Candidate, check_input
from models.message import Address
from models.verification_policy import (
    GATHERS,
    WAITS,
    Leave,
    ReadAgain,
    SendAgain,
    after_absence,
    is_asked_for_alone,
)
from models.words import State

WHEN = 1_772_000_000_000
EVENT = Address("77", None, None)
EXTERNAL = Address(None, "ev 1/x", "acc")
SPELT = {State.REGISTER: "REGISTERED", State.ATTEND: "ATTENDED", State.CANCEL: "CANCELLED"}


def row(
    state: str = "REGISTERED",
    at: int | None = WHEN,
    seconds: int | None = None,
    address: Address = Address("77", "ev 1/x", "acc"),  # noqa: B008 - it is frozen
) -> Participation:
    return Participation(address, frozenset({"ada@example.com", "501"}), "501", state, at, seconds)


def record(state: State = State.REGISTER, at: int = WHEN, seconds: float | None = None, number: int = 10) -> Wanted:
    return Wanted(number, EVENT, state, at, seconds)


# Paths


def test_a_contacts_view_is_asked_for_by_a_percent_encoded_name_a_hundred_rows_at_a_time() -> None:
    assert contact_path("v3", "a+b/c@example.com") == (
        "/marketing/v3/marketing-events/participations/contacts/a%2Bb%2Fc%40example.com/breakdown?limit=100"
    )
    assert contact_path("2026-09", "501", "a&b=c") == (
        "/marketing/marketing-events/2026-09/participations/contacts/501/breakdown?limit=100&after=a%26b%3Dc"
    )


def test_an_events_breakdown_is_asked_for_in_one_state() -> None:
    assert event_path("v3", EVENT, State.ATTEND) == (
        "/marketing/v3/marketing-events/participations/77/breakdown?limit=100&state=ATTENDED"
    )
    assert event_path("v3", EXTERNAL, State.CANCEL, "9") == (
        "/marketing/v3/marketing-events/participations/acc/ev%201%2Fx/breakdown?limit=100&state=CANCELLED&after=9"
    )


@pytest.mark.parametrize("account", ["contacts", ".", ".."])
def test_an_external_account_whose_path_would_be_another_view_has_no_breakdown(account: str) -> None:
    assert event_path("v3", Address(None, "ada@example.com", account), State.REGISTER) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_a_contact_and_a_cursor_hold_arrives(contact: str, after: str) -> None:
    path = contact_path("v3", contact, after)
    if path is None:
        assert contact in {".", ".."}
        return
    parts = urlsplit(path)
    assert unquote(parts.path.split("/")[-2]) == contact
    assert parse_qs(parts.query).get("after", [""]) == [after]


# Pages


def answered(body: object, status: int = 200, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, headers, raw, 0.1)


def test_a_page_is_read() -> None:
    event = {"marketingEventId": "77", "externalEventId": "ev", "externalAccountId": "acc", "name": "E"}
    page = read_page(
        answered(
            {
                "total": 3,
                "results": [
                    {
                        "id": "77",
                        "createdAt": "2026-03-01T10:00:00Z",
                        "associations": {
                            "marketingEvent": event,
                            "contact": {"contactId": "501", "email": "ADA@Example.com"},
                        },
                        "properties": {
                            "attendanceState": "ATTENDED",
                            "occurredAt": WHEN,
                            "attendanceDurationSeconds": 2730,
                        },
                    }
                ],
                "paging": {"next": {"after": "abc", "link": "?"}},
            }
        )
    )
    seen = Participation(
        Address("77", "ev", "acc"), frozenset({"501", "ada@example.com"}), "501", "ATTENDED", WHEN, 2730
    )
    assert page == ParticipationPage([seen], 3, "abc")


def test_every_field_of_a_row_is_optional_and_may_be_anything() -> None:
    rows = [{}, {"associations": None, "properties": []}, {"properties": {"occurredAt": str(WHEN)}}, None, "x", 7]
    page = read_page(answered({"results": rows, "paging": None}))
    assert isinstance(page, ParticipationPage)
    assert (len(page.rows), page.total, page.after) == (3, 0, None)
    assert page.rows[0] == Participation(Address(None, None, None), frozenset(), "", "", None, None)
    assert page.rows[2].occurred_at == WHEN


@pytest.mark.parametrize(
    ("response", "meaning"),
    [
        (answered({}), Ambiguous),
        (answered({"results": None}), Ambiguous),
        (answered(b"<html>"), Ambiguous),
        (answered([]), Ambiguous),
        (answered({}, 503), Ambiguous),
        (NoResponse("no whole answer in time", 30.0), Ambiguous),
        (answered({}, 429), Limited),
        (answered({}, 423), PortalUnavailable),
        (answered({}, 403), Unauthorized),
        (answered({}, 404), NotFound),
        (answered({}, 400), RefusedWhole),
    ],
)
def test_what_is_no_page_means_what_it_would_mean_for_a_post(response: Response | NoResponse, meaning: type) -> None:
    assert isinstance(read_page(response), meaning)


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["results", "associations", "properties", "contact", "marketingEvent", "paging", "next"])
            | st.text(max_size=3),
            children,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["results", "paging", "total"]), nested) | nested)
def test_no_json_breaks_the_reading_of_a_page(body: object) -> None:
    page = read_page(answered(body))
    if isinstance(page, Ambiguous):
        return
    assert isinstance(page, ParticipationPage)
    assert isinstance(judge(page.rows, record()), Found | Overtaken | Absent)
    assert isinstance(json.dumps(evidence(page.rows, EVENT)), str)


# What a row says of a record


@pytest.mark.parametrize(
    ("seen", "of", "verdict"),
    [
        (row(), record(), "found"),
        (row("CANCELLED"), record(State.CANCEL), "found"),
        (row("ATTENDED", seconds=2730), record(State.ATTEND, seconds=2730.0), "found"),
        (row("ATTENDED", seconds=2730), record(State.ATTEND, seconds=2730.9), "found"),
        (row("ATTENDED", seconds=2731), record(State.ATTEND, seconds=2730.5), "found"),
        (row("ATTENDED", seconds=2732), record(State.ATTEND, seconds=2730.9), "absent"),
        (row("ATTENDED", seconds=60), record(State.ATTEND, seconds=2730.0), "absent"),
        (row("ATTENDED"), record(State.ATTEND, seconds=2730.0), "absent"),
        (row(at=WHEN + 1), record(), "absent"),
        (row(at=WHEN // 1000), record(), "absent"),
        (row(at=None), record(), "absent"),
        (row("ATTENDED", seconds=1), record(), "absent"),
        (row("NO_SHOW"), record(), "absent"),
        (row("registered"), record(), "absent"),
        (row(address=Address("78", None, None)), record(), "absent"),
        (row(address=Address(None, None, None)), record(), "absent"),
        (row(), replace(record(), address=EXTERNAL), "found"),
        (row(), replace(record(), address=Address(None, "ev 1/x", "other")), "absent"),
        (row(address=Address("77", None, None)), replace(record(), address=EXTERNAL), "absent"),
    ],
)
def test_event_state_time_and_duration_must_agree(seen: Participation, of: Wanted, verdict: str) -> None:
    assert type(judge([seen], of)).__name__.lower() == verdict


def test_one_row_that_agrees_is_enough() -> None:
    assert judge([row("CANCELLED", WHEN + 5), row(), row(at=5)], record()) == Found(row())


@pytest.mark.parametrize(
    ("rows", "ours", "verdict"),
    [
        # HubSpot shows a contact's last state alone, or every write.
        ([row("CANCELLED", WHEN + 9)], [record(State.CANCEL, WHEN + 9, number=11)], 11),
        ([row(at=1), row("CANCELLED", WHEN + 9)], [record(State.CANCEL, WHEN + 9, number=11)], 11),
        ([row("CANCELLED", WHEN - 9)], [record(State.CANCEL, WHEN - 9, number=11)], 11),
        ([row(at=1), row(at=2)], [record(at=1, number=11), record(at=2, number=12)], 12),
        # Accepted before it: it overtakes nothing, and sending again undoes nothing.
        ([row("CANCELLED", WHEN + 9)], [record(State.CANCEL, WHEN + 9, number=9)], False),
        # Of nobody of ours.
        ([row("CANCELLED", WHEN + 9)], [], True),
        ([row("CANCELLED", WHEN - 9)], [], False),
        ([row("CANCELLED", WHEN + 9)], [record(State.CANCEL, WHEN + 8, number=11)], True),
        ([row("ATTENDED", WHEN + 9, 5)], [record(State.ATTEND, WHEN + 9, 900.0, number=11)], False),
        ([row("NO_SHOW", WHEN + 9)], [], False),
        ([row("CANCELLED", WHEN + 9, address=Address("78", None, None))], [], False),
        ([], [record(State.CANCEL, number=11)], False),
    ],
)
def test_a_later_state_of_our_own_supersedes_and_one_of_others_is_not_undone(
    rows: list[Participation], ours: list[Wanted], verdict: object
) -> None:
    judged = judge(rows, record(), [record(), *ours])
    if isinstance(verdict, bool):
        assert judged == Absent(newer=verdict)
    else:
        assert isinstance(judged, Overtaken)
        assert judged.by == verdict


moments = st.integers(WHEN, WHEN + 3)
rows = st.builds(
    row,
    st.sampled_from(["REGISTERED", "ATTENDED", "CANCELLED", "NO_SHOW", "EMPTY"]),
    st.none() | moments,
    st.none() | st.integers(0, 3),
    st.sampled_from([Address("77", None, None), Address("78", "ev 1/x", "acc"), Address(None, None, None)]),
)
records = st.builds(
    lambda state, at, seconds, number: record(state, at, seconds if state is State.ATTEND else None, number),
    st.sampled_from(State),
    moments,
    st.floats(1, 4),
    st.integers(1, 20),
)


@given(st.lists(rows, max_size=6), records, st.lists(records, max_size=4), st.randoms())
def test_the_order_of_rows_changes_no_verdict_and_only_newer_records_overtake(
    seen: list[Participation], of: Wanted, ours: list[Wanted], chance: object
) -> None:
    verdict = judge(seen, of, ours)
    shuffled = list(seen)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    again = judge(shuffled, of, ours)
    assert type(verdict) is type(again)
    if isinstance(verdict, Overtaken) and isinstance(again, Overtaken):
        assert verdict.by == again.by > of.record_id
    if isinstance(verdict, Found):
        assert (verdict.row.attendance_state, verdict.row.occurred_at) == (SPELT[of.state], of.occurred_at)
        assert verdict.row.address.object_id == "77"
    else:
        assert isinstance(judge([*seen, row(SPELT[of.state], of.occurred_at, round(of.seconds or 0))], of), Found)


@given(st.integers(1, 10**6), st.sampled_from(["Z", "+02:00", "-0530"]), st.integers(0, 999))
def test_a_records_span_is_what_preflight_let_through(seconds: int, offset: str, millis: int) -> None:
    from datetime import datetime, timedelta

    left = datetime(2026, 3, 1, 10) + timedelta(seconds=seconds, milliseconds=millis)  # noqa: DTZ001 - the offset follows
    properties = {"joinedAt": f"2026-03-01T10:00:00{offset}", "leftAt": f"{left.isoformat()}{offset}"}
    checked = check_input(
        {"email": "ada@example.com", "interactionDateTime": str(WHEN), "properties": properties}, State.ATTEND
    )
    assert isinstance(checked, Candidate)
    found = wanted(1, EVENT, State.ATTEND, checked.input)
    assert found == record(State.ATTEND, WHEN, found.seconds, 1)
    assert found.seconds == pytest.approx(seconds + millis / 1000)


def test_evidence_is_what_was_seen_of_the_event_the_last_few() -> None:
    seen = [row(at=number) for number in range(20)] + [row(address=Address("78", None, None))]
    said = evidence(seen, EVENT)
    assert [one["occurredAt"] for one in said] == [15, 16, 17, 18, 19]
    assert said[0].keys() == {"attendanceState", "occurredAt", "attendanceDurationSeconds", "contactId"}


# How far to page, and what follows a look that found nothing


@pytest.mark.parametrize(
    ("total", "seen", "missing", "worth"),
    [
        (1_000, 100, 50, True),
        (1_000, 100, 10, True),
        (1_000, 100, 9, False),
        (100_000, 100, 100, False),
        (0, 100, 50, True),
        (0, 5_000, 50, False),
        (100, 100, 1, False),
    ],
)
def test_paging_goes_on_while_it_costs_less_than_asking_for_each(
    total: int, seen: int, missing: int, *, worth: bool
) -> None:
    assert is_worth_paging(total, seen, missing) is worth


@given(st.integers(0, 10**6), st.integers(1, 10**4))
def test_finding_all_costs_at_most_one_call_more_than_the_cheaper_way(total: int, missing: int) -> None:
    pages, seen = 1, 100
    while seen < total and is_worth_paging(total, seen, missing):
        pages, seen = pages + 1, seen + 100
    calls = pages + (missing if seen < total else 0)
    assert calls <= min(max(1, -(-total // 100)), missing) + 1


@pytest.mark.parametrize(
    ("reads", "sent_again", "newer", "follows"),
    [
        (1, False, False, ReadAgain(30)),
        (2, False, False, ReadAgain(120)),
        (3, True, True, ReadAgain(600)),
        (4, False, False, SendAgain(GATHERS)),
        (4, True, False, Leave("it was sent once more, and is still not there")),
        (
            4,
            False,
            True,
            Leave("HubSpot shows a later state that is none of ours, which sending it again would undo"),
        ),
    ],
)
def test_what_follows_a_look_that_found_nothing(
    reads: int, follows: ReadAgain | SendAgain | Leave, *, sent_again: bool, newer: bool
) -> None:
    assert after_absence(reads, sent_again=sent_again, newer=newer) == follows


@pytest.mark.parametrize(("waits", "alone"), [(WAITS, [2, 4]), ((1.0,), [2]), ((), [1])])
def test_contacts_are_asked_for_once_early_and_once_at_last(waits: tuple[float, ...], alone: list[int]) -> None:
    assert [look for look in range(1, len(waits) + 2) if is_asked_for_alone(look - 1, waits)] == alone


def test_patience_grows_and_ends_after_some_thirteen_minutes() -> None:
    assert all(earlier < later for earlier, later in pairwise(WAITS))
    assert 600 < sum(WAITS) < 900


@given(st.lists(st.floats(0, 1e6), max_size=6), st.booleans(), st.booleans())
def test_every_schedule_ends_and_sends_at_most_once_more(waits: list[float], sent_again: bool, newer: bool) -> None:  # noqa: FBT001
    came = [
        after_absence(number, sent_again=sent_again, newer=newer, waits=waits) for number in range(1, len(waits) + 2)
    ]
    assert [one.seconds for one in came[:-1] if isinstance(one, ReadAgain)] == waits
    assert isinstance(came[-1], Leave if sent_again or newer else SendAgain)
