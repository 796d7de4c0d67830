"""What one message must be, and what is said of it where it is not."""

import json
import re
import uuid
from typing import Any

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from models.input_check import Candidate, Reason, unsafe_character
from models.message import MOST_BYTES, MOST_INPUTS, Address, Message, Unreadable, read_fields, read_message
from models.words import State

WHEN = 1_767_225_600_000
ADA = {"email": "ada@example.com", "interactionDateTime": WHEN}
FIELDS = (
    "one of account, external_account_id, external_event_id, inputs, object_id, part, producer, "
    "submission_id, subscriber_state"
)


def fields(**changed: object) -> dict[str, Any]:
    """Give a message's fields; a field that is changed to `...` is left out."""
    all_fields = {"subscriber_state": "register", "object_id": "77", "inputs": [ADA], **changed}
    return {name: value for name, value in all_fields.items() if value is not ...}


def read(**changed: object) -> Message:
    message = read_message(json.dumps(fields(**changed)).encode())
    assert isinstance(message, Message), message
    return message


def refused(raw: object) -> list[tuple[str, str, str]]:
    message = read_message(raw) if isinstance(raw, bytes) else read_fields(raw)
    assert isinstance(message, Unreadable), message
    return [(reason.where, reason.what, reason.right) for reason in message.reasons]


# What is read


def test_a_message_says_what_it_addresses_and_who_handed_it_in() -> None:
    submission = uuid.uuid4()
    message = read(account="eu", submission_id=str(submission), part="7", producer="crm", inputs=[ADA, 5])
    assert (message.account, message.address, message.state) == ("eu", Address("77", None, None), State.REGISTER)
    assert (message.submission, message.part, message.producer) == (submission, "7", "crm")
    assert message.inputs == [ADA, 5]


def test_what_is_not_said_has_its_default() -> None:
    message = read(account="", producer=None)
    assert (message.account, message.submission, message.part, message.producer) == ("default", None, None, "")


@pytest.mark.parametrize(
    ("changed", "address"),
    [
        ({"object_id": "77"}, Address("77", None, None)),
        ({"object_id": 2**60}, Address(str(2**60), None, None)),
        (
            {"object_id": ..., "external_event_id": "ev 1/x", "external_account_id": 5},
            Address(None, "ev 1/x", "5"),
        ),
        ({"object_id": "77", "external_event_id": "", "external_account_id": None}, Address("77", None, None)),
    ],
)
def test_an_event_is_addressed_by(changed: dict[str, Any], address: Address) -> None:
    assert read(**changed).address == address


def test_an_address_reads_as_the_sandbox_writes_it() -> None:
    assert str(Address("77", None, None)) == "77"
    assert str(Address(None, "ev", "acc")) == "acc/ev"


@pytest.mark.parametrize("state", State)
def test_the_state_is_hubspots_word(state: State) -> None:
    assert read(subscriber_state=state.value).state is state


def test_inputs_are_judged_one_by_one_in_their_order() -> None:
    judged = list(read(inputs=[ADA, {"email": "nobody", "interactionDateTime": WHEN}, 5, ADA]).judged())
    assert [isinstance(one, Candidate) for one in judged] == [True, False, False, True]
    assert [reason.where for one in judged if isinstance(one, tuple) for reason in one] == [
        "inputs[1].email",
        "inputs[2]",
    ]


@pytest.mark.parametrize("number", [2**63 - 1, 2**64, 10**30])
def test_no_whole_number_is_rounded(number: int) -> None:
    message = read(inputs=[{"vid": number}])
    assert message.inputs == [{"vid": number}]


def test_half_a_surrogate_pair_makes_only_its_input_wrong() -> None:
    broken, whole = read(inputs=[{**ADA, "properties": {"note": "\ud800"}}, ADA]).judged()
    assert isinstance(broken, tuple)
    assert isinstance(whole, Candidate)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert isinstance(read_message(b"\xef\xbb\xbf" + json.dumps(fields()).encode()), Message)


def test_as_many_inputs_as_are_allowed_are_read() -> None:
    assert len(read(inputs=[ADA] * MOST_INPUTS).inputs) == MOST_INPUTS


# What is refused

STATES = "'register', 'attend' or 'cancel'"
LIST = "a list of inputs, at least one"
EITHER = "object_id, or external_event_id and external_account_id"


@pytest.mark.parametrize(
    ("changed", "where", "what", "right"),
    [
        ({"subscriber_state": ...}, "subscriber_state", "is missing", STATES),
        ({"subscriber_state": "went"}, "subscriber_state", "went is unknown", STATES),
        ({"subscriber_state": 5}, "subscriber_state", "5 is unknown", STATES),
        ({"subscriber_state": "REGISTERED"}, "subscriber_state", "REGISTERED is unknown", "'register'"),
        ({"subscriber_state": "Attended"}, "subscriber_state", "Attended is unknown", "'attend'"),
        ({"subscriber_state": "CANCELED"}, "subscriber_state", "CANCELED is unknown", "'cancel'"),
        ({"subscriber_state": "CANCELLED"}, "subscriber_state", "CANCELLED is unknown", "'cancel'"),
        ({"subscriber_state": "Cancel"}, "subscriber_state", "Cancel is unknown", "'cancel'"),
        ({"object_id": ...}, "message", "names no event", EITHER),
        ({"object_id": ""}, "message", "names no event", EITHER),
        (
            {"external_event_id": "e"},
            "object_id",
            "stands beside an external address",
            "one of the two ways to name the event",
        ),
        (
            {"object_id": ..., "external_event_id": "e"},
            "external_account_id",
            "is missing",
            "the account id the event was created with",
        ),
        (
            {"object_id": ..., "external_account_id": "a"},
            "external_event_id",
            "is missing",
            "the event's id in the system it was created by",
        ),
        ({"object_id": ".."}, "object_id", "is '..', which in a path means another path", "the event's id"),
        (
            {"object_id": ..., "external_event_id": ".", "external_account_id": "a"},
            "external_event_id",
            "is '.', which in a path means another path",
            "the event's id",
        ),
        ({"inputs": ...}, "inputs", "is no list", LIST),
        ({"inputs": ADA}, "inputs", "is no list", LIST),
        ({"inputs": []}, "inputs", "is empty", LIST),
        (
            {"inputs": [ADA] * (MOST_INPUTS + 1)},
            "inputs",
            "holds 10,001 inputs",
            "at most 10,000: submit them as several messages",
        ),
        ({"submission_id": "x"}, "submission_id", "x is no UUID", "a UUID, or no submission_id"),
        ({"submission_id": 5}, "submission_id", "5 is no UUID", "a UUID, or no submission_id"),
        ({"account": "x" * 256}, "account", f"{'x' * 77}… is no short text", "text of at most 255 characters"),
        ({"producer": []}, "producer", "[] is no short text", "text of at most 255 characters"),
        ({"part": True}, "part", "True is no short text", "text of at most 255 characters"),
        ({"producer": "a\x00"}, "producer", "holds NUL (\\u0000)", "text without it"),
        ({"account": "\ud800"}, "account", "holds half of a surrogate pair (\\ud800)", "text without it"),
        ({"event": "77"}, "event", "is no field of a message", FIELDS),
    ],
)
def test_it_is_refused_and_says_where_what_and_what_would_be_right(
    changed: dict[str, Any], where: str, what: str, right: str
) -> None:
    for one in (fields(**changed), json.dumps(fields(**changed)).encode()):
        assert [reason for reason in refused(one) if not reason[0].startswith("inputs[")] == [(where, what, right)]


def test_every_reason_is_said_at_once_and_what_can_be_read_of_its_origin_is_kept() -> None:
    submission = uuid.uuid4()
    message = read_fields({"submission_id": str(submission), "part": 3, "producer": "crm", "more": 1})
    assert isinstance(message, Unreadable)
    assert [reason.where for reason in message.reasons] == ["more", "subscriber_state", "message", "inputs"]
    assert (message.submission, message.part, message.producer) == (submission, "3", "crm")


@pytest.mark.parametrize("raw", [[], None, 5, "x", [ADA]])
def test_what_is_no_object_is_no_message(raw: object) -> None:
    right = 'an object with "subscriber_state", "inputs", …'
    assert refused(json.dumps(raw).encode()) == [("message", "is no object", right)]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff\xfe", b"{} {}", b"[" * 100_000, b'{"a": ' * 2_000, b"9" * 5_000 + b"x", b"nonsense"]
)
def test_what_is_no_json_is_no_message(raw: bytes) -> None:
    ((where, what, right),) = refused(raw)
    assert (where, right) == ("message", "one JSON object")
    assert what.startswith("is no JSON (")


def test_a_message_that_is_too_long_is_refused_unread() -> None:
    right = "at most 8,388,608 bytes: hand its inputs in as several messages"
    assert refused(b"x" * (MOST_BYTES + 1)) == [("message", "is 8,388,609 bytes long", right)]


@pytest.mark.parametrize("name", sorted({*fields(), "submission_id", "account", "part", "producer", "more"}))
def test_nesting_without_end_is_refused_and_no_crash(name: str) -> None:
    nest = orjson.loads(b"[" * 1_010 + b"]" * 1_010)
    message = read_fields(fields(**{name: nest}))
    if isinstance(message, Message):
        assert all(isinstance(one, tuple) for one in message.judged())
        assert isinstance(read_message(message.alone(0)), Message)


# Alone


def test_alone_an_input_keeps_its_address_and_its_producer_but_not_its_submission() -> None:
    message = read(account="eu", submission_id=str(uuid.uuid4()), part="7", producer="crm", inputs=[ADA, 5])
    assert json.loads(message.alone(1)) == fields(account="eu", producer="crm", inputs=[5])


TEXTS = st.text(st.characters(exclude_categories=[]), max_size=8) | st.sampled_from(["\x00", "\ud800", "77", ".."])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from([WHEN, 2**70])
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
INPUTS = ANYTHING | st.fixed_dictionaries(
    {"interactionDateTime": st.just(WHEN) | ANYTHING},
    optional={
        "email": st.just("Ada@example.com") | ANYTHING,
        "vid": st.integers(1, 2**64),
        "properties": ANYTHING | st.dictionaries(TEXTS, TEXTS, max_size=2),
        "contactProperties": ANYTHING,
    },
)
SHORT = st.text("ab.", max_size=3) | st.integers() | ANYTHING
MESSAGES = st.fixed_dictionaries(
    {
        "subscriber_state": st.sampled_from([*State, "Attended"]) | ANYTHING,
        "inputs": st.lists(INPUTS, min_size=1, max_size=4) | ANYTHING,
    },
    optional={
        "object_id": SHORT,
        "external_event_id": SHORT,
        "external_account_id": SHORT,
        "account": SHORT,
        "producer": SHORT,
        "part": SHORT,
        "submission_id": st.uuids().map(str) | ANYTHING,
    },
)


@settings(deadline=None)
@given(st.one_of(MESSAGES, ANYTHING).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=30))
def test_any_bytes_are_read_or_refused_with_a_reason_that_can_be_stored(raw: bytes) -> None:
    message = read_message(raw)
    if isinstance(message, Unreadable):
        assert message.reasons
        for reason in message.reasons:
            assert isinstance(reason, Reason)
            assert not unsafe_character(str(reason))
    texts = [message.part or "", message.producer]
    if isinstance(message, Message):
        texts += [message.account, str(message.address)]
        assert message.inputs
    assert all(not unsafe_character(text) and len(text) <= 511 for text in texts)


@settings(deadline=None)
@given(
    st.lists(INPUTS, min_size=1, max_size=4),
    st.sampled_from(State),
    st.sampled_from([{"object_id": 77}, {"external_event_id": "é/", "external_account_id": "a", "producer": "p"}]),
)
def test_alone_an_input_reads_back_to_the_same_judgement(inputs: list[Any], state: State, how: dict[str, Any]) -> None:
    message = read_message(json.dumps({"subscriber_state": state, "inputs": inputs, **how}).encode())
    assert isinstance(message, Message)
    for index, judged in enumerate(message.judged()):
        alone = read_message(message.alone(index))
        assert isinstance(alone, Message)
        assert (alone.account, alone.address, alone.state) == (message.account, message.address, message.state)
        (again,) = alone.judged()
        if isinstance(judged, Candidate):
            assert again == judged
        else:
            assert isinstance(again, tuple)
            assert [(one.where.replace("inputs[0]", f"inputs[{index}]", 1), one.what, one.right) for one in again] == [
                (one.where, one.what, one.right) for one in judged
            ]


@pytest.mark.parametrize("digits", ["9" * 1_000_000, "-" + "9" * 1_000_000, "9" * 4_301, "1" + "0" * 5_000])
def test_a_number_of_a_million_digits_is_its_inputs_fault_alone(digits: str) -> None:
    inputs = (
        f'[{{"email": "ada@example.com", "interactionDateTime": {digits}}}, {{"vid": {digits}}},'
        f' {{"email": "bob@example.com", "interactionDateTime": 1767225600000}}]'
    )
    message = read_message(f'{{"subscriber_state": "register", "object_id": "7", "inputs": {inputs}}}'.encode())
    assert isinstance(message, Message)
    judged = list(message.judged())
    assert [isinstance(one, Candidate) for one in judged] == [False, False, True]
    assert len(str(judged[0])) < 1_000
    assert len(message.alone(0)) < 6_000


@pytest.mark.parametrize("nest", ["[" * 100_000, '{"a":' * 100_000, "[" * 5_000 + "]" * 5_000])
def test_what_is_nested_deep_is_no_message_and_says_so(nest: str) -> None:
    told = read_message(nest.encode())
    assert isinstance(told, Unreadable)
    assert "JSON" in str(told.reasons[0])


def test_of_a_message_at_most_ten_reasons_are_told() -> None:
    told = read_fields({f"f{index}": 1 for index in range(200_000)})
    assert isinstance(told, Unreadable)
    assert len(told.reasons) == 11
    assert re.fullmatch(r"message: and [0-9,]+ more", str(told.reasons[10]))
