"""What a viewer is shown: masked by what a field means, and in free text by the look of an address in any spelling."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given, strategies as st

from models.input_check import Reason
from models.words import Outcome, State
from tests.support.routes import SPELT, tells
from web.masking import EXAMPLE, HIDDEN, NOT_SHOWN, for_viewer, masked


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("ada@example.com", "a…a@e…e.com"),
        ("bo@x.org", "…@….org"),
        ("ada@ example.com is no address, nor is ada@", "a…a@e…e.com is no address, nor is a…a@…"),
        ("Invalid input for `ada@mail.example.co.uk`", "Invalid input for `a…a@m…o.uk`"),
        ("{emails=[ada@example.com, bob@example.com]}", "{emails=[a…a@e…e.com, b…b@e…e.com]}"),
        ("?email=ada%40example.com&x=1", "?e…a@e…e.com&x=1"),
        ('"ada\\u0040example.com"', '"a…a@e…e.com"'),
        ("jürgen@münchen.de, ada@[10.0.0.1]", "j…n@m…n.de, a…a@[…0.1]"),
        ('"john doe"@example.com', '"…"@e…e.com'),
        ("a…a@e…e.com", "a…a@e…e.com"),
        ("gustav.o-brien.523 at example.net is unknown", "g…3@e…e.net is unknown"),
        ("grace.hopper(at)example.com", "g…r@e…e.com"),
        ("ada [at] example dot com", "a…a@e…e.com"),
        ("ada -at- example -dot- com", "a…a@e…e.com"),
        ("ada &lt;at&gt; example&period;com", "a…a@e…e.com"),
        ("ada%u0040example.com", "a…a@e…e.com"),
        ("ada\\x40example.com", "a…a@e…e.com"),
        ("ada=40example=2Ecom", "a…a@e…e.com"),
        ("a@b@example.com", "…@e…e.com"),
        ("ada@@example.com", "a…a@e…e.com"),
        ("ada(lovelace)@example.com", "a…)@e…e.com"),
        ("ada\\U00000040example.com, ada\\100example\\056com", "a…a@e…e.com, a…a@e…e.com"),
        ("ada\\N{COMMERCIAL AT}example.com", "a…a@e…e.com"),
        ("ada%2525252525252540example.com", "a…a@e…e.com"),
        ("ada&amp;amp;amp;amp;amp;amp;commat;example.com", "a…a@e…e.com"),
        ("ada {a} example.com", "a…a@e…e.com"),
        ("ada arroba example punto com", "a…a@e…e.com"),
        ("ada (arroba) example.com, ada ät example.com", "a…a@e…e.com, a…a@e…e.com"),
        ("ada AT example PUNKT com", "a…a@e…e.com"),
        ("ada@(engine)example.com", "a…a@(…e.com"),
        ("https://ada:secret@example.com/", "https://a…t@e…e.com/"),
        ("Lovelace,Ada@example.com", "L…a@e…e.com"),
        ("ada@example.com,bob@example.com", "a…a@e…e.com,b…b@e…e.com"),
        ("Invalid input for Ada Lovelace <ada@example.com>", "Invalid input for … <a…a@e…e.com>"),
        ('from "Lovelace, Ada" <ada@example.com>', "from … <a…a@e…e.com>"),
        ("sent to <ada@example.com>", "sent to <a…a@e…e.com>"),
        ("ada_example.com#EXT# is no address", "…#EXT# is no address"),
        ("ada_example.com%23EXT%23@tenant.example.com", "a…#@t…e.com"),
        ("no address @ all, 10 @ 5", "no address @ all, 10 @ 5"),
        ("HTTP 503 at 10:00; due at 2026, 100 % of limit=40", "HTTP 503 at 10:00; due at 2026, 100 % of limit=40"),
        ("R&amp;D: <b>at</b> noon", "R&amp;D: <b>at</b> noon"),
    ],
)  # fmt: skip
def test_addresses_are_masked(text: str, seen: str) -> None:
    assert masked(text) == seen


@pytest.mark.parametrize("spelt", SPELT)
@pytest.mark.parametrize(
    "around", ["{}", "Invalid input for `{}`", '{{"emails":["{}"]}}', "<p>{}</p>", "x={}&y=1", "({})"]
)
def test_no_spelling_is_left_whatever_stands_around_it(spelt: str, around: str) -> None:
    assert tells(masked(around.format(spelt))) == set()
    assert tells(around.format(spelt)), "the test sees it where it stands"


@given(st.text())
def test_any_text_is_masked_once_and_for_all(text: str) -> None:
    once = masked(text)
    assert masked(once) == once


MALFORMED = "ada lovelace analytical engine"


@pytest.mark.parametrize("name", ["contact", "sample_contact", "email"])
def test_a_contact_is_masked_by_its_field_however_it_is_written(name: str) -> None:
    assert for_viewer({name: MALFORMED}) == {name: HIDDEN}
    assert for_viewer({name: [MALFORMED, "51"]}) == {name: [HIDDEN, "51"]}
    assert for_viewer({name: "ada@example.com"}) == {name: "a…a@e…e.com"}
    for kept in ("51", 51, "erased 7", None):
        assert for_viewer({name: kept}) == {name: kept}


def test_the_contacts_that_an_answer_names_are_masked_in_its_words_too() -> None:
    said = for_viewer(
        {
            "records": [{"contact": MALFORMED, "message": f"no {MALFORMED.upper()}, and no Ada-Lovelace"}],
            "excerpt": "ada_lovelace__analytical/engine; ada.byron is it not",
            "others": [{"contact": "ada.byron@example.com"}],
        }
    )
    assert said["records"] == [{"contact": HIDDEN, "message": f"no {HIDDEN}, and no Ada-Lovelace"}]
    assert said["excerpt"] == f"{HIDDEN}; {HIDDEN} is it not"


def test_of_an_input_only_when_and_where_is_shown() -> None:
    given_ = {
        "email": "ada@example.com",
        "interactionDateTime": 7,
        "properties": {"joinedAt": "2026-01-01T10:00:00Z", "note": MALFORMED},
        "contactProperties": {"firstname": "Ada", "phone": "+44 79460999", "ada@example.com": ""},
    }
    assert for_viewer({"input": given_}) == {
        "input": {
            "email": "a…a@e…e.com",
            "interactionDateTime": 7,
            "properties": {"joinedAt": "2026-01-01T10:00:00Z", "note": HIDDEN},
            "contactProperties": {"firstname": HIDDEN, "phone": HIDDEN, "a…a@e…e.com": ""},
        }
    }
    assert for_viewer({"raw": b"x", "text": "x", "message": {"inputs": []}, "input": "x"}) == {
        "raw": b"",
        "text": HIDDEN,
        "message": HIDDEN,
        "input": HIDDEN,
    }
    changes = [("email", "a", "b"), ("event", "7", "8"), ("properties.seat", "", "12")]
    assert for_viewer({"difference": changes}) == {
        "difference": [("email", HIDDEN, HIDDEN), ("event", "7", "8"), ("properties.seat", "", HIDDEN)]
    }


@pytest.mark.parametrize(
    ("reason", "seen"),
    [
        (Reason("inputs[0].email", f"{MALFORMED} is no e-mail address", f"such as {EXAMPLE}"),
         Reason("inputs[0].email", NOT_SHOWN, f"such as {EXAMPLE}")),
        (Reason("inputs[0].interactionDateTime", "is missing", "a number"),
         Reason("inputs[0].interactionDateTime", "is missing", "a number")),
        (Reason(f"inputs[0].{MALFORMED}", "is no field of an input", "one of email, vid"),
         Reason(f"inputs[0]{HIDDEN}", "is no field of an input", "one of email, vid")),
        (Reason(f"inputs[0].properties.{MALFORMED}", "is a list", f'text: "[{MALFORMED}'),
         Reason(f"inputs[0].properties{HIDDEN}", "is a list", f'text: "{HIDDEN}"')),
        (Reason("inputs[0].properties.leftAt", "is a list", f'text: "[{MALFORMED}]"'),
         Reason("inputs[0].properties.leftAt", "is a list", f'text: "{HIDDEN}"')),
        (Reason("account", "'acme' is unknown", "an account"), Reason("account", "'acme' is unknown", "an account")),
        (Reason("line 3, email", f"{MALFORMED} is no address", ""), Reason("line 3, email", NOT_SHOWN, "")),
    ],
)  # fmt: skip
def test_a_reason_says_where_and_what_would_be_right_and_quotes_nothing(reason: Reason, seen: Reason) -> None:
    assert for_viewer([reason]) == [seen]


def test_what_is_nobodys_stays_as_it_is() -> None:
    facts = {
        "id": uuid4(),
        "at": datetime.now(UTC),
        "outcome": Outcome.REJECTED,
        "state": "register",
        "contact": "register",
        State.CANCEL: 1,
        "share": 0.5,
        "none": None,
        "is": True,
        "few": (1, 2),
    }
    assert for_viewer(facts) == facts | {"contact": HIDDEN}


def test_what_it_does_not_know_is_not_shown_at_all() -> None:
    with pytest.raises(TypeError, match="rows is a generator, which is not known how to mask"):
        for_viewer({"rows": (row for row in "")})


@dataclass(frozen=True)
class Row:
    contact: str
    told: str


def test_rows_of_every_shape_are_masked() -> None:
    row = Row(MALFORMED, "ada@example.com")
    assert for_viewer({"rows": [row]}) == {"rows": [Row(HIDDEN, "a…a@e…e.com")]}
