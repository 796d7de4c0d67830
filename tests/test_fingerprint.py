from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st

from models.fingerprint import fingerprint, submission_id
from models.input_check import Candidate, check_input
from models.words import State

KEY = b"a key of the tests"
WHEN = 1_767_225_600_000


def candidate(**fields: object) -> Candidate:
    judged = check_input({"email": "ada@example.com", "interactionDateTime": WHEN, **fields}, State.REGISTER)
    assert isinstance(judged, Candidate), judged
    return judged


def print_of(key: bytes = KEY, event_id: int = 1, state: State = State.REGISTER, **fields: object) -> bytes:
    return fingerprint(key, event_id, state, candidate(**fields))


@pytest.mark.parametrize(
    ("equal", "fields"),
    [
        ("capitals in the address", {"email": "ADA@Example.COM"}),
        ("other contactProperties", {"contactProperties": {"firstname": "Ada"}}),
        ("no properties or empty ones", {"properties": {}}),
        ("the time as text", {"interactionDateTime": str(WHEN)}),
    ],
)
def test_it_is_equal_for(equal: str, fields: dict[str, Any]) -> None:
    assert print_of(**fields) == print_of(), equal


def test_it_is_equal_for_an_id_as_number_and_as_text() -> None:
    assert print_of(email=None, vid="0051") == print_of(email=None, vid=51)


def test_it_is_equal_for_both_spellings_of_an_accent() -> None:
    assert print_of(email="jos\u00e9@example.com") == print_of(email="jose\u0301@example.com")


def test_it_is_equal_for_properties_in_another_order() -> None:
    one, other = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert print_of(properties=one) == print_of(properties=other)


@pytest.mark.parametrize(
    ("other", "fields"),
    [
        ("contact", {"email": "bob@example.com"}),
        ("kind of identity", {"email": None, "vid": 51}),
        ("time", {"interactionDateTime": WHEN + 1}),
        ("property", {"properties": {"a": "1"}}),
        ("event", {"event_id": 2}),
        ("state", {"state": State.CANCEL}),
        ("key", {"key": b"another"}),
    ],
)
def test_it_differs_for_another(other: str, fields: dict[str, Any]) -> None:
    assert print_of(**fields) != print_of(), other


def test_it_is_24_bytes_that_say_nothing_of_the_person() -> None:
    printed = print_of()
    assert len(printed) == 24
    assert printed[:8] == WHEN.to_bytes(8, "big")
    assert b"ada" not in printed


TIMES = st.integers(10**11, 253_402_300_799_999)


@settings(deadline=None)
@given(TIMES, TIMES)
def test_it_sorts_by_time(one: int, other: int) -> None:
    assume(one != other)
    assert (print_of(interactionDateTime=one) < print_of(interactionDateTime=other)) == (one < other)


FACTS = st.fixed_dictionaries(
    {
        "event_id": st.integers(1, 3),
        "state": st.sampled_from(State),
        "email": st.sampled_from(["a@example.com", "b@example.com"]),
        "interactionDateTime": st.integers(WHEN, WHEN + 2),
        "properties": st.dictionaries(st.text("ab", max_size=1), st.text('ab",:', max_size=3), max_size=2),
    }
)


@settings(deadline=None)
@given(FACTS, FACTS)
def test_it_is_equal_exactly_where_all_its_facts_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (print_of(**one) == print_of(**other)) == (one == other)


def test_a_submissions_id_is_the_same_for_the_same_and_says_nothing_without_the_key() -> None:
    known = submission_id(KEY, "http", b"3 order-1001")
    assert submission_id(KEY, "http", b"3 order-1001") == known
    others = [
        submission_id(b"another key", "http", b"3 order-1001"),
        submission_id(KEY, "stream", b"3 order-1001"),
        submission_id(KEY, "http", b"4 order-1001"),
        submission_id(KEY, "http", b"3 order-1002"),
    ]
    assert len({known, *others}) == 5
    assert known.version == 4
