"""Fields of HubSpot's JSON: whatever is in them, reading gives a value of the kind asked for."""

import pytest
from hypothesis import given, strategies as st

from hubspot_api.fields import DAY, nested, number, objects, read_object, seconds, text, texts

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("a", "a"),
        (7, "7"),
        (True, ""),
        (None, ""),
        (1.5, ""),
        (["a"], ""),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
        ("abcdef", "abcd"),
    ],
)
def test_text_is_a_text_or_a_whole_number_that_can_be_stored(value: object, read: str) -> None:
    assert text({"it": value}, "it", 4) == read
    assert text({}, "it") == ""


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (7, 7),
        ("7", 7),
        (-7, -7),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (-(2**63), -(2**63)),
        ("9" * 5_000, None),
        ("7.0", None),
        ("٣", None),
        (7.0, None),
        (True, None),
        (None, None),
    ],
)
def test_a_number_is_whole_and_of_64_bits(value: object, read: int | None) -> None:
    assert number({"it": value}, "it") == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (10, 10.0),
        ("2.5", 2.5),
        (10**7, DAY),
        ("1e400", None),
        (10**400, None),
        ("nan", None),
        (0, None),
        (-1, None),
        ("soon", None),
        (None, None),
        ([], None),
    ],
)
def test_seconds_are_more_than_zero_and_at_most_a_day(value: object, read: float | None) -> None:
    assert seconds(value) == read


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "\\ud800"}', {"a": "?"}),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        (b"[]", None),
        (b"", None),
        (b"<html>", None),
        (b"[" * 100_000, None),
    ],
)
def test_an_object_is_read_in_spite_of_odd_characters(body: bytes, read: object) -> None:
    assert read_object(body) == read


@given(ANYTHING)
def test_nothing_that_may_come_raises(value: object) -> None:
    fields = {"it": value}
    assert isinstance(nested(fields, "it"), dict)
    assert all(isinstance(one, dict) for one in objects(fields, "it"))
    assert all(isinstance(one, str) for one in texts(value))
    text(fields, "it").encode()
    assert isinstance(number(fields, "it"), int | None)
    assert isinstance(seconds(value), float | None)
