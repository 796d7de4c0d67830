"""What one input must be, and what is said of it where it is not."""

import json
import re
from collections.abc import Callable
from typing import Any

import email_validator
import orjson
import pytest
from hypothesis import example, given, settings, strategies as st

from models.input_check import Candidate, Reason, check_input, comparable, shown, unsafe_character
from models.words import Identity, State

WHEN = 1_767_225_600_000
SPAN = {"joinedAt": "2026-03-01T10:00:00Z", "leftAt": "2026-03-01T10:45:00Z"}
INSTANT = "an ISO 8601 instant with its offset, such as 2026-03-01T10:00:00Z"
MS = "a whole number of milliseconds since 1970, such as 1767225600000"
ADDRESS = "an address such as ada@example.com"
FIELDS = "one of contactProperties, email, interactionDateTime, properties, vid"


def by_email(**fields: object) -> dict[str, Any]:
    return {"email": "ada@example.com", "interactionDateTime": WHEN, **fields}


def by_vid(vid: object = 51, **fields: object) -> dict[str, Any]:
    return {"vid": vid, "interactionDateTime": WHEN, **fields}


def accepted(raw: object, state: State = State.REGISTER) -> Candidate:
    judged = check_input(raw, state)
    assert isinstance(judged, Candidate), judged
    return judged


def refused(raw: object, state: State = State.REGISTER) -> list[tuple[str, str, str]]:
    judged = check_input(raw, state)
    assert isinstance(judged, tuple), judged
    return [(reason.where, reason.what, reason.right) for reason in judged]


def attended(**properties: object) -> dict[str, Any]:
    return by_email(properties={**SPAN, **properties})


# What is accepted


def test_by_email_it_is_sent_as_it_was_written_and_compared_without_regard_to_case() -> None:
    assert accepted(by_email(email="Ada@Example.com", properties={"a": "b"})) == Candidate(
        Identity.EMAIL,
        "ada@example.com",
        WHEN,
        {
            "email": "Ada@Example.com",
            "interactionDateTime": WHEN,
            "properties": {"a": "b"},
            "contactProperties": {},
        },
    )


def test_by_contact_id_no_contact_properties_are_sent() -> None:
    assert accepted(by_vid(2**63 - 1, contactProperties={})) == Candidate(
        Identity.VID,
        str(2**63 - 1),
        WHEN,
        {"vid": 2**63 - 1, "interactionDateTime": WHEN, "properties": {}},
    )


def test_whole_numbers_may_be_text_and_nulls_are_as_good_as_absent() -> None:
    raw = {
        "vid": "0051",
        "email": None,
        "interactionDateTime": str(WHEN),
        "properties": None,
        "contactProperties": None,
    }
    assert accepted(raw) == accepted(by_vid(51))


@pytest.mark.parametrize(
    "email",
    [
        "a@b.co",
        "o'brien+tag@sub.example.co.uk",
        "josé@example.com",
        "ada@bücher.example",
        "ada@xn--bcher-kva.example",
        f"{'a' * 60}@example.com",
        "a`b@example.com",
    ],
)
def test_an_address_is(email: str) -> None:
    assert accepted(by_email(email=email)).contact == email


@pytest.mark.parametrize(
    ("joined", "left"),
    [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:01Z"),
        ("2026-03-01T10:00Z", "2026-03-01T10:01Z"),
        ("2026-03-01T10:00:00.000Z", "2026-03-01T10:00:01.000Z"),
        ("2026-03-01T10:00:00.123456789Z", "2026-03-01T10:00:02Z"),
        ("2026-03-01T10:00:00+02:00", "2026-03-01T09:00:00Z"),
        ("2026-03-01T10:00:00-0500", "2026-03-02T10:00:00-0500"),
    ],
)
def test_a_span_is(joined: str, left: str) -> None:
    accepted(attended(joinedAt=joined, leftAt=left), State.ATTEND)


@pytest.mark.parametrize("state", [State.REGISTER, State.CANCEL])
def test_only_attend_needs_a_span(state: State) -> None:
    accepted(by_email(properties={"joinedAt": "whenever"}), state)


# What is refused


@pytest.mark.parametrize(
    ("raw", "where", "what", "right"),
    [
        (None, "input", "is null", 'an object such as {"email": …, "interactionDateTime": …}'),
        ("ada", "input", "is text", 'an object such as {"email": …, "interactionDateTime": …}'),
        ([], "input", "is a list", 'an object such as {"email": …, "interactionDateTime": …}'),
        ({"interactionDateTime": WHEN}, "input", "names no contact", "an email or a vid"),
        (by_email(vid=51), "input", "names its contact twice, by email and by vid", "one of the two"),
        (by_email(note="x"), "input.note", "is no field of an input", FIELDS),
        (by_email(**{"a\x00": 1}), "input.a\\x00", "is no field of an input", FIELDS),
        (by_email(email=5), "input.email", "is a number", ADDRESS),
        (by_email(email=["ada@example.com"]), "input.email", "is a list", ADDRESS),
        (by_email(email="a\x00@example.com"), "input.email", "holds NUL (\\u0000)", ADDRESS),
        (by_email(email="a\ud800@example.com"), "input.email", "holds half of a surrogate pair (\\ud800)", ADDRESS),
        (by_vid("x"), "input.vid", "x is no contact id", f"a whole number from 1 to {2**63 - 1}"),
        (by_vid(0), "input.vid", "0 is no contact id", f"a whole number from 1 to {2**63 - 1}"),
        (by_vid(-1), "input.vid", "-1 is no contact id", f"a whole number from 1 to {2**63 - 1}"),
        (by_vid(2**63), "input.vid", f"{2**63} is no contact id", f"a whole number from 1 to {2**63 - 1}"),
        (by_vid(5.0), "input.vid", "5.0 is no contact id", f"a whole number from 1 to {2**63 - 1}"),
        (by_vid(vid=True), "input.vid", "True is no contact id", f"a whole number from 1 to {2**63 - 1}"),
        (by_vid("٣"), "input.vid", "٣ is no contact id", f"a whole number from 1 to {2**63 - 1}"),
        (by_vid([1]), "input.vid", "[1] is no contact id", f"a whole number from 1 to {2**63 - 1}"),
        ({"email": "a@b.co"}, "input.interactionDateTime", "is missing", MS),
        (by_email(interactionDateTime="soon"), "input.interactionDateTime", "soon is text", MS),
        (by_email(interactionDateTime=1.5), "input.interactionDateTime", "1.5 is a number", MS),
        (by_email(interactionDateTime=True), "input.interactionDateTime", "True is true or false", MS),
        (
            by_email(interactionDateTime=1_767_225_600),
            "input.interactionDateTime",
            "1767225600 looks like seconds",
            "milliseconds: 1767225600000",
        ),
        (
            by_email(interactionDateTime=WHEN * 1_000),
            "input.interactionDateTime",
            "1767225600000000 is beyond the year 9999",
            f"{MS} (micro- or nanoseconds?)",
        ),
        (by_email(interactionDateTime=0), "input.interactionDateTime", "0 is not after 1970", MS),
        (by_email(interactionDateTime=-5), "input.interactionDateTime", "-5 is not after 1970", MS),
        (by_email(properties=[]), "input.properties", "is a list", "an object of text values"),
        (by_email(properties={"n": 5}), "input.properties.n", "is a number", 'text: "5"'),
        (by_email(properties={"n": None}), "input.properties.n", "is null", "no entry at all"),
        (by_email(properties={"n": {}}), "input.properties.n", "is an object", 'text: "{}"'),
        (by_email(properties={"n": "\x00"}), "input.properties.n", "holds NUL (\\u0000)", "text without it"),
        (by_email(properties={"\x00": "n"}), "input.properties.\\x00", "holds NUL (\\u0000)", "text without it"),
        (by_email(contactProperties="x"), "input.contactProperties", "is text", "an object of text values"),
        (by_email(contactProperties={"n": 1}), "input.contactProperties.n", "is a number", 'text: "1"'),
        (
            by_vid(contactProperties={"n": "x"}),
            "input.contactProperties",
            "HubSpot takes them only with an email",
            "no contactProperties beside a vid",
        ),
    ],
)
def test_it_is_refused_and_says_where_what_and_what_would_be_right(
    raw: object, where: str, what: str, right: str
) -> None:
    assert refused(raw) == [(where, what, right)]


@pytest.mark.parametrize(
    "email",
    [
        *("", " ", "ada", "ada@", "@example.com", "ada@example", "ada@@example.com", "a b@example.com"),
        *("Ada <ada@example.com>", "a@b.co, c@d.co", " ada@@example.com"),
        *("a..b@example.com", "a@-b.com", "a@b-.com", f"a@{'b' * 64}.com", "a@[127.0.0.1]", "a\x07@b.co"),
    ],
)
def test_no_address_is(email: str) -> None:
    ((where, what, right),) = refused(by_email(email=email))
    assert (where, right) == ("input.email", ADDRESS)
    assert what.startswith(f"{shown(email)} is no e-mail address (")


@pytest.mark.parametrize("email", ["ada@example.com\n", " ada@example.com", "ada@example.com ", "\xa0ada@example.com"])
def test_an_address_beside_a_space_is_told_to_go_without_it(email: str) -> None:
    ((where, what, right),) = refused(by_email(email=email))
    assert (where, right) == ("input.email", "the address without the space")
    assert what.startswith(f"'{shown(email)}' ")


@pytest.mark.parametrize(
    "email", ["bob_example.com#EXT#@contoso.example.com", "bob#ext#@example.com", "bob_x.com%23EXT%23@example.com"]
)
def test_a_guests_sign_in_name_is_no_address(email: str) -> None:
    what = f"{email} is a guest's sign-in name at Microsoft, not an e-mail address"
    assert refused(by_email(email=email)) == [("input.email", what, "the guest's own address")]


@pytest.mark.parametrize(
    ("properties", "where", "what", "right"),
    [
        (
            {"leftAt": SPAN["leftAt"]},
            "input.properties.joinedAt",
            "is missing, and HubSpot stores no attend without it",
            INSTANT,
        ),
        (
            {"joinedAt": SPAN["joinedAt"]},
            "input.properties.leftAt",
            "is missing, and HubSpot stores no attend without it",
            INSTANT,
        ),
        (
            {**SPAN, "leftAt": SPAN["joinedAt"]},
            "input.properties",
            "leftAt 2026-03-01T10:00:00Z is not after joinedAt 2026-03-01T10:00:00Z",
            "a leftAt at least one second after joinedAt",
        ),
        (
            {**SPAN, "joinedAt": "2026-03-01T11:00:00Z"},
            "input.properties",
            "leftAt 2026-03-01T10:45:00Z is not after joinedAt 2026-03-01T11:00:00Z",
            "a leftAt at least one second after joinedAt",
        ),
        (
            {**SPAN, "leftAt": "2026-03-01T10:00:00.999Z"},
            "input.properties",
            "joinedAt and leftAt are less than one second apart, which HubSpot takes and does not store",
            "at least one second between them",
        ),
        ({**SPAN, "joinedAt": 5}, "input.properties.joinedAt", "is a number", 'text: "5"'),
        (
            {**SPAN, "joinedAt": "2026-03-01T10:00:00"},
            "input.properties.joinedAt",
            "2026-03-01T10:00:00 has no offset from UTC",
            INSTANT,
        ),
        *(
            ({**SPAN, "joinedAt": text}, "input.properties.joinedAt", f"{text} is no instant", INSTANT)
            for text in (
                "",
                "soon",
                "1767225600000",
                "2026-13-01T10:00:00Z",
                "2026-W09-7T10:00:00Z",
                "20260301T100000Z",
                "2026-03-01 10:00:00Z",
                "2026-03-01T10:00:00,5Z",
                "2026-03-01T10Z",
                "2026-03-01T10:00:00+00:00:30",
            )
        ),
    ],
)
def test_an_attend_without_a_span_that_hubspot_stores_is_refused(
    properties: dict[str, Any], where: str, what: str, right: str
) -> None:
    assert refused(by_email(properties=properties), State.ATTEND) == [(where, what, right)]


def test_every_reason_is_said_at_once() -> None:
    raw = {"vid": "x", "interactionDateTime": 5, "properties": {"a": 1, "b": 2}, "more": 1}
    assert [where for where, _, _ in refused(raw, State.ATTEND)] == [
        "input.more",
        "input.vid",
        "input.interactionDateTime",
        "input.properties.a",
        "input.properties.b",
        "input.properties.joinedAt",
        "input.properties.leftAt",
    ]


def test_a_reason_reads_as_a_sentence() -> None:
    (reason,) = check_input(by_email(interactionDateTime=1_767_225_600), State.REGISTER, "inputs[3]")  # type: ignore[misc]
    assert str(reason) == (
        "inputs[3].interactionDateTime: 1767225600 looks like seconds; expected milliseconds: 1767225600000"
    )


@pytest.mark.parametrize("depth", [100, 900, 1_020])
@pytest.mark.parametrize("field", ["email", "vid", "interactionDateTime", "properties", "contactProperties", "more"])
def test_nesting_without_end_is_refused_and_no_crash(field: str, depth: int) -> None:
    nest = orjson.loads(b"[" * depth + b"]" * depth)
    fields = {} if field == "vid" else {"email": "ada@example.com"}
    for value in (nest, {"deep": nest}):
        refused({**fields, "interactionDateTime": WHEN, field: value})


def test_what_is_shown_is_short_and_breaks_no_terminal() -> None:
    assert shown("a\x1b[31m\u202eb") == "a\\x1b[31m\\u202eb"
    assert len(shown("x" * 10**6)) <= 80
    assert len(shown(10**4_000)) <= 80
    assert shown({"a": [1, None]}) == "{'a': [1, None]}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", None),
        ("ada \U0001f600", None),
        ("a\x00", "NUL (\\u0000)"),
        ("\udfff\x00", "half of a surrogate pair (\\udfff)"),
    ],
)
def test_an_unsafe_character_is_named(text: str, named: str | None) -> None:
    assert unsafe_character(text) == named


def test_contacts_compare_without_regard_to_case_or_spelling() -> None:
    assert comparable(" Jose\u0301@Example.COM\n") == "jos\u00e9@example.com"


# Properties

ODD = st.sampled_from(["", "\x00", "\ud800", "a@b.co", "ada@example.com", "51", str(WHEN), SPAN["joinedAt"], "leftAt"])
TEXTS = ODD | st.text(st.characters(exclude_categories=[]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from([WHEN, 2**63, 10**400])
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
MAPS = st.dictionaries(TEXTS, TEXTS, max_size=3) | st.just(SPAN) | ANYTHING
INPUTS = ANYTHING | st.fixed_dictionaries(
    {"interactionDateTime": st.just(WHEN) | ANYTHING},
    optional={
        "email": st.from_regex(r"[\w.'`é]{1,8}@[\wé-]{1,8}\.[a-zé]{2,4}", fullmatch=True) | ANYTHING,
        "vid": st.integers(1, 2**63) | ANYTHING,
        "properties": MAPS,
        "contactProperties": MAPS,
    },
)


@settings(deadline=None)
@given(INPUTS, st.sampled_from(State))
@example({"email": "\u2488@\u2488.com", "interactionDateTime": WHEN}, State.REGISTER)
@example(
    by_email(properties={"joinedAt": "0001-01-01T00:00:00+14:00", "leftAt": "9999-12-31T23:59:59-14:00"}), State.ATTEND
)
def test_any_json_is_judged_and_whatever_is_accepted_can_be_stored_and_sent(raw: object, state: State) -> None:
    judged = check_input(raw, state)
    if isinstance(judged, tuple):
        assert judged
        for reason in judged:
            assert isinstance(reason, Reason)
            assert not unsafe_character(str(reason))
            orjson.dumps([reason.where, reason.what, reason.right])
        return
    assert not unsafe_character(judged.contact)
    assert "\\u0000" not in re.sub(r"\\\\", "", orjson.dumps(judged.input).decode())
    assert json.loads(orjson.dumps(judged.input)) == judged.input
    assert judged.contact == comparable(str(judged.input[judged.identity.value]))
    assert comparable(judged.contact) == judged.contact
    assert accepted(judged.input, state) == judged


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=40) | st.emails())
def test_an_address_however_odd_is_taken_as_it_is_or_is_what_is_wrong(email: str) -> None:
    for odd in (email, f"{email}@example.com", f"ada@{email}.com"):
        judged = check_input(by_email(email=odd), State.REGISTER)
        if isinstance(judged, Candidate):
            assert judged.input["email"] == odd.strip()
        else:
            assert {reason.where for reason in judged} == {"input.email"}


# Bounds: whatever comes in, few reasons, and nothing costly before the length is known


MANY = range(200_000)
HOSTILE: dict[str, Callable[[], dict[str, Any]]] = {
    "unknown fields": lambda: by_email(**{f"f{index}": 1 for index in MANY}),
    "unknown fields alone": lambda: {f"f{index}": None for index in MANY},
    "properties": lambda: by_email(properties={str(index): index for index in MANY}),
    "contact properties": lambda: by_email(contactProperties={str(index): None for index in MANY}),
    "both": lambda: by_email(properties={str(index): [] for index in MANY}, contactProperties={"a": 1}),
    "texts with NUL": lambda: by_email(properties={f"\0{index}": "\0" for index in MANY}),
    "half surrogates": lambda: by_email(properties={str(index): "\ud800" for index in MANY}),
    "long names": lambda: by_email(**{"é" * 50_000 + str(index): 1 for index in range(60)}),
    "long texts": lambda: {"email": "x" * 5_000_000, "interactionDateTime": "9" * 5_000_000},
    "a long number": lambda: {"vid": "9" * 5_000_000, "interactionDateTime": 10**4_000},
    "a long nest": lambda: by_email(properties={"a": [[[[[[[[]]]]]]]] * 10_000}),
}


@pytest.mark.parametrize("made", HOSTILE.values(), ids=HOSTILE)
def test_of_an_input_at_most_ten_reasons_are_told_and_how_many_more_there_are(
    made: Callable[[], dict[str, Any]],
) -> None:
    told = check_input(made(), State.ATTEND, "inputs[7]")
    assert isinstance(told, tuple)
    assert 1 <= len(told) <= 11
    assert sum(len(str(one).encode()) for one in told) < 8_000
    assert (len(told) == 11) == (re.fullmatch(r"inputs\[7\]: and [0-9,]+ more", str(told[-1])) is not None)


def test_two_hundred_faults_are_ten_and_190_more() -> None:
    raw = {"email": "ada@example.com", "interactionDateTime": WHEN, **{f"f{index}": 1 for index in range(200)}}
    told = check_input(raw, State.REGISTER, "inputs[0]")
    assert isinstance(told, tuple)
    assert [str(one) for one in told][-1] == "inputs[0]: and 190 more"
    assert told[0].where == "inputs[0].f0"


@pytest.mark.parametrize("number", [1, 9, 10, 11, 12])
def test_so_many_faults_are_told_as_there_are_up_to_ten(number: int) -> None:
    raw = {"email": "ada@example.com", "interactionDateTime": WHEN, **{f"f{index}": 1 for index in range(number)}}
    told = check_input(raw, State.REGISTER)
    assert isinstance(told, tuple)
    assert len(told) == min(number, 11)
    assert (str(told[-1]) == f"input: and {number - 10} more") == (number > 10)


LONG = {
    "characters": "a" * 255 + "@example.com",
    "megabytes": "a" * 5_000_000 + "@example.com",
    "many at signs": "@" * 5_000_000,
    "local part": "a" * 65 + "@example.com",
    "local part of two bytes": "ü" * 60 + "@example.com",
    "domain": "a@" + ".".join(["a" * 60] * 5) + ".com",
    "labels beyond ASCII": "ü@" + "ä." * 100 + "de",
    "as found": "ü" * 60 + "@" + "ä." * 100 + "de",
    "other dots": "u@" + "ä。" * 100 + "de",
    "full-width dots": "u@" + "ä．" * 100 + "de",
    "half-width dots": "u@" + "ä｡" * 100 + "de",
    "decomposed": "u@" + "a\u0308." * 70 + "de",
    "one label": "a@" + "ä" * 251,
}


@pytest.mark.parametrize("email", LONG.values(), ids=LONG)
def test_an_address_that_is_too_long_is_refused_before_it_is_read(email: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(email_validator, "validate_email", lambda given, **_: asked.append(given))
    told = check_input({"email": email, "interactionDateTime": WHEN}, State.REGISTER)
    assert isinstance(told, tuple)
    assert (told[0].where, asked) == ("input.email", [])
    assert "is no e-mail address (" in told[0].what


@pytest.mark.parametrize(
    "email",
    [
        "a" * 64 + "@example.com",
        "a@" + ".".join(["a" * 60] * 4) + ".com",
        "ü" * 32 + "@bücher.example.com",
        "u@" + "ä." * 20 + "de",
    ],
)
def test_an_address_as_long_as_can_be_is_read(email: str) -> None:
    assert isinstance(check_input({"email": email, "interactionDateTime": WHEN}, State.REGISTER), Candidate)
