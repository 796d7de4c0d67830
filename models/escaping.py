r"""What others wrote, made visible before it is printed: whatever shows nothing, or steers a terminal, as an escape.

A terminal obeys control characters (it moves, blanks lines, writes the clipboard), bidirectional marks turn text
around, and two ids that differ by a letter nobody sees look like one. So such a letter is shown as Python writes it:
`\x1b`, `\u202e`, `\n`. A backslash stays as it is: what is shown can be copied.
"""

import re
from typing import Final

_FILLERS: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2065\u2800\u3164\ufe00-\ufe0d\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)
"""Letters, marks and signs that show nothing (Unicode's default ignorable ones, and the empty Braille cell).

The two variation selectors of emoji are not among them.
"""
_SEEN: Final = re.compile("[\u3000\U0001f000-\U0001fbff\U00020000-\U0002fffd\U00030000-\U0003fffd]")
"""Visible although Python does not call it printable: the ideographic space of East Asian names, and pictographs and
ideographs that are newer than this Python's tables."""
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def is_hidden(letter: str) -> bool:
    """Say whether a letter shows nothing of its own, or changes how others are shown.

    That is everything of Unicode's categories "other" (controls, formats, surrogates, private use, unassigned), line
    and paragraph separators, spaces that are not the plain one, and fillers.
    """
    if letter.isprintable():
        return _FILLERS.match(letter) is not None
    return _SEEN.match(letter) is None


def visible(text: str, keep: str = "") -> str:
    """Show a text on one line; what is in `keep` stays as it is."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(letter) if letter not in keep and is_hidden(letter) else letter for letter in text)


def visible_json(document: str) -> str:
    """Show a JSON document, which stays the same document: JSON escapes only the first 32 control characters.

    A line break outside the texts is layout; inside them JSON has escaped it already.
    """
    if document.isascii() and "\x7f" not in document:
        return document
    return "".join(_units(letter) if letter != "\n" and is_hidden(letter) else letter for letter in document)


def _escaped(letter: str) -> str:
    code = ord(letter)
    if code <= 0xFF:  # noqa: PLR2004 - Latin-1
        return _NAMED.get(letter, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the basic plane


def _units(letter: str) -> str:
    """Write a letter in JSON: one or two units of UTF-16."""
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
