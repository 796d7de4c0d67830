"""Ids that nobody could see, or that a path could walk, are not accepted by any way in, and the reason names why."""

import json
import re
import unicodedata
from typing import Any

import pytest

from models.escaping import is_hidden
from models.ids import ID_PATTERN, id_fault, is_word, walks
from models.message import Message, Unreadable, read_fields, read_message
from tests.support.fixtures import Turnout
from tests.support.hostile_text import HIDING, ODD, WALKING
from worker.files.lines import FileError
from worker.files.options import Options

TEXTS = ("object_id", "external_event_id", "external_account_id", "account", "part", "producer")
INPUTS = [{"email": "ada@example.com", "interactionDateTime": 1_767_225_600_000}]


def fields(**more: object) -> dict[str, Any]:
    named = {"object_id": "7"} if "external_event_id" not in more and "external_account_id" not in more else {}
    beside = {"external_event_id": "ev", "external_account_id": "acme"} if not named else {}
    return {"subscriber_state": "register", "inputs": INPUTS, **named, **beside, **more}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("text", HIDING)
def test_what_hides_is_not_accepted_as_an_id(name: str, text: str) -> None:
    message = read_fields(fields(**{name: text}))
    assert isinstance(message, Unreadable)
    (reason,) = [one for one in message.reasons if one.where == name]
    assert reason.what.startswith("holds ")
    assert reason.right == "text without it"
    assert not any(map(is_hidden, str(reason)))
    assert isinstance(read_message(json.dumps(fields(**{name: text})).encode()), Unreadable)


@pytest.mark.parametrize("name", TEXTS[:3])
@pytest.mark.parametrize("text", WALKING)
def test_what_walks_is_not_accepted_as_an_id(name: str, text: str) -> None:
    message = read_fields(fields(**{name: text}))
    assert isinstance(message, Unreadable)
    (reason,) = message.reasons
    if text == text.strip():
        assert (reason.where, reason.what.partition(", ")[2]) == (name, "which in a path means another path")
    else:
        assert (reason.where, reason.right) == (name, "it without the space")


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("text", [" ev", "ev ", " ", "  ev  ", "\u00a0ev", "ev\u3000"])
def test_an_id_neither_begins_nor_ends_with_a_space(name: str, text: str) -> None:
    message = read_fields(fields(**{name: text}))
    assert isinstance(message, Unreadable)
    (reason,) = [one for one in message.reasons if one.where == name]
    assert reason.right == "it without the space"
    assert re.fullmatch(ID_PATTERN, text) is None
    assert re.fullmatch(ID_PATTERN, text.strip() or "e v")


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("text", ODD)
def test_what_can_be_seen_is_accepted_as_it_is(name: str, text: str) -> None:
    message = read_fields(fields(**{name: text}))
    assert isinstance(message, Message)
    assert id_fault(text) is None
    assert not walks(text)


@pytest.mark.parametrize("text", ["attendance", "Attendance", "%61ttendance"])
def test_an_object_id_that_would_make_the_path_of_an_external_event_is_not_accepted(text: str) -> None:
    assert isinstance(read_fields(fields(object_id=text)), Unreadable)
    assert isinstance(read_fields(fields(external_event_id=text)), Message)


def test_a_letter_is_named() -> None:
    assert id_fault("a\u202eb") == ("holds right-to-left override (\\u202e), which nobody sees", "text without it")
    assert id_fault("a\x1bb") == ("holds a control character (\\x1b), which nobody sees", "text without it")
    assert id_fault("x" * 256) == ("is 256 characters long", "text of at most 255 characters")


def test_a_word_of_a_path_is_known_in_any_spelling() -> None:
    for spelt in ("contacts", "Contacts", "%63ontacts", "%2563ontacts", "contacts;x=1", "contacts ", "\uff43ontacts"):
        assert is_word(spelt, "contacts"), spelt
    for other in ("contact", "contacts2", "my-contacts", "con/tacts"):
        assert not is_word(other, "contacts"), other


@pytest.mark.parametrize("option", ["object_id", "event", "external_account", "account"])
@pytest.mark.parametrize("text", HIDING)
def test_nor_beside_a_file(option: str, text: str) -> None:
    with pytest.raises(FileError) as raised:
        Options.read(**{option: text})  # type: ignore[arg-type]
    assert not any(map(is_hidden, str(raised.value)))


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "create", "{}", "--role", "viewer"),
        ("accounts", "add", "{}", "--token-stdin"),
        ("schedules", "set", "{}", "0 3 * * *"),
    ],
)
@pytest.mark.parametrize("text", HIDING[1:])
def test_nor_as_the_name_of_a_key_an_account_or_a_schedule(turnout: Turnout, words: tuple[str, ...], text: str) -> None:
    said = turnout(*(word.replace("{}", text) for word in words), stdin="token", status=2).output
    assert not any(letter != "\n" and is_hidden(letter) for letter in said)


def test_a_key_may_be_named_in_any_language(turnout: Turnout) -> None:
    for name in ("Zoë's shop", "商店", "فروشگاه‌ها"):
        turnout("keys", "create", name, "--role", "viewer")


def test_whatever_this_python_calls_a_control_or_a_format_is_in_no_id_but_the_joiners() -> None:
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    accepted = {code for code in range(0x110000) if id_fault(chr(code)) is None}
    assert {code for code in accepted if unicodedata.category(chr(code)) in kinds} == {0x200C, 0x200D}
    others = [chr(code) for code in range(0x110000) if code not in accepted and not is_hidden(chr(code))]
    assert [letter for letter in others if not letter.isspace()] == []
