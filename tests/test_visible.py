"""What nobody sees is shown as an escape; what can be seen stays as it is."""

import json
import logging
import unicodedata

import pytest
from hypothesis import given, strategies as st

from models.escaping import is_hidden, visible, visible_json
from models.input_check import shown
from tests.support.hostile_text import HIDING, STEERING
from worker.logging_setup import set_up


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain text, 100 %", "plain text, 100 %"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x1b]52;c;Y3VybA==\x07", r"\x1b]52;c;Y3VybA==\x07"),
        ("a\r\n\tb\x00\x08", r"a\r\n\tb\x00\x08"),
        ("\x7f\x80\x85\x9b2J", r"\x7f\x80\x85\x9b2J"),
        ("\xad\u061c\u180e\u200b\u200c\u200d\u200e\u200f", r"\xad\u061c\u180e\u200b\u200c\u200d\u200e\u200f"),
        ("\u2028\u2029\u202a\u202b\u202c\u202d\u202e", r"\u2028\u2029\u202a\u202b\u202c\u202d\u202e"),
        ("\u2060\u2064\u2066\u2067\u2068\u2069\ufeff\ufff9", r"\u2060\u2064\u2066\u2067\u2068\u2069\ufeff\ufff9"),
        ("\U000e0001\U000e0041\U000e007f", r"\U000e0001\U000e0041\U000e007f"),
        ("\u034f\u115f\u1160\u3164\uffa0\u2800", r"\u034f\u115f\u1160\u3164\uffa0\u2800"),
        ("\ufe00\U000e0100", r"\ufe00\U000e0100"),
        ("\ud800\udfff", r"\ud800\udfff"),
        ("\ue000\U000f0000\U0010fffd", r"\ue000\U000f0000\U0010fffd"),
        ("\ufdd0\uffff\U0001ffff", r"\ufdd0\uffff\U0001ffff"),
        ("a\xa0b\u2009c\u202fd", r"a\xa0b\u2009c\u202fd"),
        ("C:\\x1b", "C:\\x1b"),
        ("[bold]x[/bold] :100:", "[bold]x[/bold] :100:"),
        ("Zoë Müller, e\u0301", "Zoë Müller, e\u0301"),
        ("漢字かな 山田\u3000太郎 한국어", "漢字かな 山田\u3000太郎 한국어"),
        ("עברית العربية ไทย हिन्दी", "עברית العربية ไทย हिन्दी"),
        ("👍🏽❤\ufe0f💯🇩🇪", "👍🏽❤\ufe0f💯🇩🇪"),
        ("\U0001fae8\U0001fadf", "\U0001fae8\U0001fadf"),
        ("\U00031350", "\U00031350"),
    ],
)
def test_a_text_is_shown(text: str, printed: str) -> None:
    assert visible(text) == printed
    assert shown(text) == printed


@pytest.mark.parametrize("text", [*HIDING, STEERING])
def test_harm_is_shown_and_nothing_of_it_left(text: str) -> None:
    assert visible(text) != text
    assert not any(map(is_hidden, visible(text)))


@given(st.text())
def test_what_is_shown_holds_nothing_hidden_and_shown_again_stays(text: str) -> None:
    printed = visible(text)
    assert not any(map(is_hidden, printed))
    assert visible(printed) == printed
    assert "".join(letter for letter in text if not is_hidden(letter)) == printed or printed != text


def test_every_letter_that_python_calls_a_control_or_a_format_is_hidden() -> None:
    kinds = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert [
        code for code in range(0x110000) if unicodedata.category(chr(code)) in kinds and not is_hidden(chr(code))
    ] == []


values = st.recursive(
    st.text() | st.sampled_from([STEERING, "\x7f", "\u2028", "\U000e0041"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(values, st.sampled_from([None, 2]))
def test_json_stays_the_same_document(value: object, indent: int | None) -> None:
    document = visible_json(json.dumps(value, ensure_ascii=False, indent=indent))
    assert json.loads(document) == value
    assert not any(letter != "\n" and is_hidden(letter) for letter in document)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_log_holds_nothing_that_steers(
    log_format: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    set_up(log_format)
    log = logging.getLogger("worker.test")
    log.warning("HubSpot says: %s", STEERING)
    log.warning("it says\n2026-01-01T00:00:00Z [error] forged")
    try:
        raise ValueError(f"{STEERING}\n2026-01-01T00:00:00Z [error] forged")  # noqa: TRY301 - what is logged
    except ValueError:
        log.exception("broken")
    lines = capsys.readouterr().err.split("\n")
    assert not any(is_hidden(letter) for line in lines for letter in line)
    assert not any(line.startswith("2026-01-01T00:00:00Z [error] forged") for line in lines)
    assert sum("Traceback" in line for line in lines) == 1
