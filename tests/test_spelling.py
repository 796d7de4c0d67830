"""One address in many spellings: masked, blanked out of groups of errors, and erased, by one recogniser."""

import time
import unicodedata
from typing import Final

import pytest
from hypothesis import given, strategies as st

from models.erasure import Person
from models.error_signature import gist
from models.spelling import unfolded
from models.words import Identity
from tests.support.spellings import SPELLINGS
from web.masking import masked

WHO: Final = Person(Identity.EMAIL, "zora.quillfeather@example.com")
AROUND: Final = (
    "{}",
    "Contact {} is bad",
    "Invalid input for `{}`",
    "{{emails=[{}], n=1}}",
    "x={}&y=1",
    "<p>{}</p>",
)
OTHERS: Final = (
    "azora.quillfeather@example.com",
    "x.zora.quillfeather@example.com",
    "zora.quillfeather@example.com.au",
    "zora.quillfeather@example.community",
    "zora.quillfeather+news@example.com",
    "zora.quill@example.com",
    "quillfeather@example.com",
    "zora.quillfeather",
    "example.com",
)


def tells(text: str) -> bool:
    """Say whether somebody who looks for the name finds it."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return "quillfeather" in "".join(letter for letter in plain if letter.isalnum())


@pytest.mark.parametrize("spelt", SPELLINGS, ids=ascii)
def test_every_spelling_is_found_by_all(spelt: str) -> None:
    assert len(SPELLINGS) > 80
    for around in AROUND:
        said = around.format(spelt)
        assert not tells(masked(said)), said
        assert not tells(gist(said)), said
        assert WHO.is_in(said), said
        without = WHO.taken_out(said)
        assert not tells(without), said
        assert not WHO.is_in(without)
        assert "erased" in without


@pytest.mark.parametrize("spelt", SPELLINGS, ids=ascii)
def test_an_address_that_was_cut_is_erased_too(spelt: str) -> None:
    if "zora.quillfeather" not in spelt:
        return  # some of its letters are spelt another way: without its end nothing says that it is an address
    at = spelt.index("quillfeather")
    for end in range(at + 3, len(spelt)):
        without = WHO.taken_out(f"{'x' * 300} {spelt[:end]}")
        assert "quill" not in without, spelt[:end]


@pytest.mark.parametrize("other", OTHERS)
def test_nobody_else_is_erased(other: str) -> None:
    assert not WHO.is_in(f"Contact {other} is bad")


@pytest.mark.parametrize(
    ("who", "spelt"),
    [
        ("zora@m\u00fcnchen.de", "zora@xn--mnchen-3ya.de"),
        ("zora@xn--mnchen-3ya.de", "Zora@M\u00dcNCHEN.de"),
        ("zora@xn--mnchen-3ya.de", "zora%40m%C3%BCnchen.de"),
        ("zora@m\u00fcnchen.de", "zora (at) mu\u0308nchen.de"),
    ],
)
def test_a_domain_is_the_same_in_both_alphabets(who: str, spelt: str) -> None:
    person = Person.named(who)
    assert person is not None
    assert person.contacts == ["zora@m\u00fcnchen.de", "zora@xn--mnchen-3ya.de"]
    assert person.taken_out(f"<{spelt}>") == "<erased>"


@given(st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=20), st.text())
def test_nothing_is_left_of_anybody(local: str, domain: str, around: str) -> None:
    person = Person.named(f"{local}@{domain}")
    if person is not None:
        assert not person.is_in(person.taken_out(f"{around}{person.contact}{around * 3}"))


@given(st.text())
def test_a_text_without_an_address_is_left_as_it_is(text: str) -> None:
    if "@" not in unfolded(text):
        assert gist(text) == gist(" ".join(text.split()))
        assert WHO.taken_out(text) == text


@pytest.mark.parametrize(
    "said",
    ["HTTP 503 at 10:00", "limit=40 of 100 %", "R&amp;D: <b>at</b> noon", "a=1&b=2", "due at 2026-01-01",
     "the point is, meet at the dot", "+Adam and 3+A4", "=?utf-8?q?x?="],
)  # fmt: skip
def test_what_is_no_address_is_not_made_one(said: str) -> None:
    assert "@" not in unfolded(said)


@pytest.mark.parametrize("sign", ["\\", "%5C", "&", "<", "=4", "@", "at ", "a.", "\\x{", "\\0", "(", "zora"])
def test_a_long_run_of_one_sign_takes_no_longer_than_its_length(sign: str) -> None:
    """A run of 20,000 backslashes took half a minute, and an erasure reads every text that has one."""

    def seconds(length: int) -> float:
        text = sign * (length // len(sign))
        begun = time.process_time()
        WHO.is_in(text)
        masked(text)
        return time.process_time() - begun

    machine = seconds(2_000) + 0.05
    assert seconds(40_000) < 100 * machine


def test_an_address_that_begins_as_what_is_written_in_its_place_is_erased() -> None:
    person = Person.named("erased.person@example.com")
    assert person is not None
    assert person.taken_out("z " * 150 + "erased.person@exa") == "z " * 150 + "erased"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("bounce+zora.quillfeather=example.com@lists.net", "bounce+zora.quillfeather=example.com@lists.net"),
        ("zora.quillfeather=example.com@lists.net", "erased@lists.net"),
        ("zora.quillfeather_example.com#EXT#@shop.onmicrosoft.com", "erased#EXT#@shop.onmicrosoft.com"),
        ("see _zora.quillfeather@example.com_.", "see _erased_."),
        ("- -zora.quillfeather@example.com", "- -erased"),
        ("a-zora.quillfeather@example.com", "a-zora.quillfeather@example.com"),
        ("zora.quillfeather@example.com-x", "zora.quillfeather@example.com-x"),
    ],
)
def test_an_address_within_another_or_in_marks_is_erased(text: str, left: str) -> None:
    assert WHO.taken_out(text) == left
