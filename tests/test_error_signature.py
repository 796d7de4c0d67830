import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypedDict, Unpack

import pytest
from hypothesis import assume, given, strategies as st

from models.error_signature import BLANK, LONGEST, About, ErrorKind, gist
from models.message import Address
from models.words import Outcome


@pytest.mark.parametrize(
    ("messages", "common"),
    [
        (
            ["joinedAt param must be earlier for `a@b.com`", "joinedAt param must be earlier for `7`"],
            "joinedAt param must be earlier for …",
        ),
        (["`o'neil@x` is not a valid email", "`@@` is not a valid email"], "… is not a valid email"),
        (["Unknown state for 'REGISTERED'.", "Unknown state for 'X'."], "Unknown state for …."),
        (["Contact 4711 doesn't exist", "Contact 9007199254740993 doesn't exist"], "Contact … doesn't exist"),
        (["HTTP 503; 8 attempts", "HTTP 503; 12 attempts"], "HTTP 503; … attempts"),
        (["HTTP 503; failing for 259201 seconds"], "HTTP 503; failing for … seconds"),
        (["{emails=[a@b.com]}", "{emails=[a@b.com, c@d.com, e@f.com]}"], "{emails=[…]}"),
        (["not at 2026-03-01T10:00:00.5+01:00", "not at 2027-01-01", "not at 10:00:07"], "not at …"),
        (["see https://hubspot.com/docs/a?b=c for\n 5d41402a-bc4b-2a76-b971-9d911017c592"], "see … for …"),
        (['Property "joinedAt" of “Ada” is «odd»', 'Property "joinedAt" of “B 7” is «x»'],
         'Property "joinedAt" of … is …'),
        (["inputs[3].email is missing", "inputs[12].email is missing"], "inputs[…].email is missing"),
        (["no contact ada%40example.com", "no contact bob.7%40example.com"], "no contact …"),
        (["no 0f8fad5bd9cb469fa1657086: 200ms", "no 7c9e6679f8c04e2b9d1f0a2b: 31ms"], "no …: …"),
        (["contacts/4711 (vid=12, #3, 10.5%)", "contacts/9 (vid=7, #44, 3%)"], "contacts/… (vid=…, #…)"),
        ([""], ""),
    ],
)  # fmt: skip
def test_what_differs_from_record_to_record_is_left_out(messages: list[str], common: str) -> None:
    assert {gist(message) for message in messages} == {common}


NAMES = [
    "No marketing event found for {}",
    "No marketing event found for `{}`",
    'No marketing event found for "{}"',
    "Marketing event '{}' does not exist",
    "Event not found: {}.",
    "EVENT {} UNKNOWN",
    "externalEventId={}",
    "Object not found. objectId: {}",
    "Not found",
    "resource not found",
]
EVENTS = (
    *("webinar-24", "berlin-meetup-25", "paris-meetup-25", "summit2026", "q3-kickoff", "77", "78", "decade2026"),
    *("spring", "summer", "no-contact-day", "joinedAt", "20260301", "a@b", "Spring 2026", "Spring 2027"),
)


class Beside(TypedDict, total=False):
    """What came beside a message."""

    context: Mapping[str, object]
    is_unknown: bool


def of(event: str, category: str, message: str, **more: Unpack[Beside]) -> str:
    """The group of an error of an event."""
    address = Address(None, event, "acme")
    about = About(1 + EVENTS.index(event) if event in EVENTS else hash(event), address, **more)
    return ErrorKind.of(Outcome.REJECTED, category, "", message, about).group_id


@pytest.mark.parametrize("message", NAMES)
def test_each_event_that_is_not_known_is_a_group_of_its_own_however_it_is_named(message: str) -> None:
    assert len({of(event, "OBJECT_NOT_FOUND", message.format(event)) for event in EVENTS}) == len(EVENTS)


@pytest.mark.parametrize(
    ("category", "message", "more"),
    [
        ("VALIDATION_ERROR", "Not valid", {"context": {"externalEventId": ["EVENT"]}}),
        ("VALIDATION_ERROR", "EVENT has ended", {}),
        ("VALIDATION_ERROR", "This is not possible for `EVENT` any more", {}),
        ("VALIDATION_ERROR", "The marketingEventId is not valid", {}),
        ("EVENT_DELETED", "It is gone", {}),
        ("SOMETHING", "Nichts gefunden", {"is_unknown": True}),
        ("HTTP", "HubSpot does not know this event, or it belongs to another app", {"is_unknown": True}),
        ("EVENT_NOT_FOUND", "nada", {}),
        ("VALIDATION_ERROR", "webinar-2 does not exist", {}),
        ("VALIDATION_ERROR", "Webinar 2 doesn't exist", {}),
        ("VALIDATION_ERROR", "No such webinar", {}),
        ("VALIDATION_ERROR", "webinar-2 could not be found", {}),
        ("VALIDATION_ERROR", "Unknown id 4711", {}),
        ("VALIDATION_ERROR", "4711 was deleted", {}),
        ("VALIDATION_ERROR", "Not valid", {"context": {"externalEventId": ["webinar-2"]}}),
        ("VALIDATION_ERROR", "Not valid", {"context": {"errors": [{"marketing_event_id": "4711"}]}}),
    ],
)
def test_an_error_about_the_event_is_one_whatever_says_so(category: str, message: str, more: dict[str, Any]) -> None:
    def told(event: str) -> str:
        context = {key: [event] if values == ["EVENT"] else values for key, values in more.get("context", {}).items()}
        return of(event, category, message.replace("EVENT", event), **{**more, "context": context})

    events = ["webinar-24", "berlin-meetup-25", "spring", "summer"]
    assert len({told(event) for event in events}) == len(events)


@pytest.mark.parametrize(
    ("category", "message"),
    [
        ("VALIDATION_ERROR", "`{}` is not a valid email address"),
        ("VALIDATION_ERROR", "joinedAt param must be earlier than leftAt for `{}`"),
        ("OBJECT_NOT_FOUND", "Contact {} does not exist"),
        ("VALIDATION_ERROR", "Property values were not valid for {}"),
        ("MISSING_SCOPES", "One or more scopes are required"),
        ("SOMETHING", "Prevented, eventually, for {}"),
        ("VALIDATION_ERROR", "Contact {} could not be found"),
        ("VALIDATION_ERROR", "No such person: {}"),
        ("VALIDATION_ERROR", "Property score does not exist"),
        ("VALIDATION_ERROR", "Unknown state for '{}'"),
    ],
)
def test_what_is_about_contacts_is_one_group_of_all_events_and_contacts(category: str, message: str) -> None:
    contacts = ["ada@example.com", "bob.7+x@example.org", "ada%40example.com", "4711", "4712"]
    events = ["webinar-24", "berlin-meetup-25", "77"]
    assert len({of(event, category, message.format(one)) for event in events for one in contacts}) == 1


def test_properties_are_told_apart_by_their_names_digits_and_all() -> None:
    messages = [
        message.replace("NAME", name)
        for name in ("attendance_score_1", "attendance_score_2", "address1", "address2", "address")
        for message in (
            "Property NAME does not exist",
            "Property `NAME` is read-only",
            'property "NAME" is no number',
            'Property values were not valid: [{"isValid":false,"message":"Property \\"NAME\\" was odd","error":"X"}]',
            "field NAME is too long",
            "properties.NAME is missing",
            '"propertyName":"NAME"',
            '[{"message":"maybe was not one of the allowed options","name":"NAME"}]',
        )
    ]
    assert len({gist(message) for message in messages}) == len(messages)
    beside = [of("spring", "VALIDATION_ERROR", "Not valid", context={"propertyName": [name]}) for name in ("a1", "a2")]
    assert beside[0] != beside[1]


@given(st.text(min_size=1), st.text(min_size=1), st.sampled_from(NAMES))
def test_two_events_are_never_one_group(one: str, other: str, message: str) -> None:
    assume(one != other)
    kinds = [
        ErrorKind.of(
            Outcome.REJECTED, "OBJECT_NOT_FOUND", "", message.format(name), About(number, Address(None, name, "a"))
        )
        for number, name in enumerate((one, other))
    ]
    assert kinds[0].group_id != kinds[1].group_id


ADDRESSES = st.from_regex(r"[a-z0-9._'-][a-z0-9.+_'-]{0,8}@[a-z0-9-]{1,9}\.org", fullmatch=True)
"""A plus sign alone before the @ is read as the space of an address that is spelt out: `ada +@ example.com`."""
VARYING = (
    ADDRESSES,
    st.integers(1, 2**53).map(str),
    st.uuids().map(str),
    st.datetimes().map(lambda at: at.isoformat()),
)


@given(
    st.lists(st.one_of(*VARYING), min_size=2, max_size=9),
    st.sampled_from(["`{}` is not a valid email", "Contact {} does not exist", "{} is odd", "odd: {}", "vid={}; sent"]),
)
def test_two_contacts_of_one_kind_are_one_group(contacts: list[str], message: str) -> None:
    assert len({of("webinar-24", "VALIDATION_ERROR", message.format(one)) for one in contacts}) == 1


@given(st.text(), st.from_regex(r"[a-z]{1,9}@[a-z]{1,9}\.org", fullmatch=True))
def test_no_address_is_kept_whatever_stands_around_it(around: str, address: str) -> None:
    kept = gist(f"{around} {address} {around}")
    assert address not in kept
    assert len(kept) <= LONGEST


def processor_time(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def test_no_long_message_takes_long() -> None:
    """Each takes about as long as this machine needs to add up a million numbers, and never fifty times that."""
    machine = processor_time(lambda: sum(range(1_000_000)))
    for text in (
        "a-" * 1_000,
        "`" * 2_000,
        "a@" * 1_000,
        "1" * 2_000,
        "1-" * 1_000,
        "f" * 2_000,
        '\\"' * 1_000,
        "property " * 300,
        f"{BLANK} , " * 700,
    ):
        assert processor_time(partial(gist, text)) < 50 * machine, text[:20]


def test_each_of_the_four_makes_another_group_and_the_same_four_the_same() -> None:
    kinds = [
        ErrorKind.of(Outcome.REJECTED, "A", "B", "C"),
        ErrorKind.of(Outcome.UNCONFIRMED, "A", "B", "C"),
        ErrorKind.of(Outcome.REJECTED, "AB", "", "C"),
        ErrorKind.of(Outcome.REJECTED, "A", "B", "D"),
    ]
    assert len({kind.group_id for kind in kinds}) == 4
    assert (
        ErrorKind.of(Outcome.REJECTED, "A", "B", "C 1").group_id
        == ErrorKind.of(Outcome.REJECTED, "A", "B", "C 2").group_id
    )
