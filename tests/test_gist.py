import pytest
from hypothesis import given, strategies as st

from models.gist import BLANK, LONGEST, Kind, gist
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
        (["no event ev-1/x at 2026-03-01T10:00:00.5+01:00", "no event 77 at 2027-01-01"], "no event … at …"),
        (["see https://hubspot.com/docs/a?b=c for\n 5d41402a-bc4b-2a76-b971-9d911017c592"], "see … for …"),
        (['Property "joinedAt" of “Ada” is «odd»'], "Property … of … is …"),
        (["inputs[3].email is missing", "inputs[12].email is missing"], "inputs[…].email is missing"),
        ([""], ""),
    ],
)  # fmt: skip
def test_what_differs_from_record_to_record_is_left_out(messages: list[str], common: str) -> None:
    assert {gist(message) for message in messages} == {common}


@given(st.text(), st.from_regex(r"[a-z]{1,9}@[a-z]{1,9}\.org", fullmatch=True))
def test_no_address_is_kept_whatever_stands_around_it(around: str, address: str) -> None:
    kept = gist(f"{around} {address} {around}")
    assert address not in kept
    assert len(kept) <= LONGEST


def test_a_long_message_is_looked_at_in_no_time() -> None:
    for text in ("a-" * 1_000, "`" * 2_000, "a@" * 1_000, "1" * 2_000, f"{BLANK} , " * 700):
        gist(text)


def test_each_of_the_four_makes_another_group_and_the_same_four_the_same() -> None:
    kinds = [
        Kind.of(Outcome.REJECTED, "A", "B", "C"),
        Kind.of(Outcome.UNCONFIRMED, "A", "B", "C"),
        Kind.of(Outcome.REJECTED, "AB", "", "C"),
        Kind.of(Outcome.REJECTED, "A", "B", "D"),
    ]
    assert len({kind.group_id for kind in kinds}) == 4
    assert Kind.of(Outcome.REJECTED, "A", "B", "C 1").group_id == Kind.of(Outcome.REJECTED, "A", "B", "C 2").group_id
