"""Ids and names as producers and operators choose them: which cannot be used.

One judgement for every way in: ids of events, external accounts, accounts, producers, parts, keys.
"""

import unicodedata
from typing import Final
from urllib.parse import unquote

from models.preflight import unsafe_character
from models.visible import is_hidden, visible

LONGEST_TEXT: Final = 255
"""Characters. HubSpot publishes no bound; an index entry has one."""
_JOINERS: Final = frozenset("\u200c\u200d")
"""Persian, the scripts of India and emoji are spelt with these; printed, they are seen as escapes."""
_NEVER_SEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

Fault = tuple[str, str]
"""What is wrong, and what would be right."""


def id_fault(text: str) -> Fault | None:
    """Say what is wrong with an id; none where it can be used.

    It holds no control character, no line break, no bidirectional mark or other letter that nobody sees: two ids that
    look the same must be the same. What is only unknown to this Python (unassigned, private use) is accepted, since
    another version would judge otherwise.
    """
    if len(text) > LONGEST_TEXT:
        return f"is {len(text):,} characters long", f"text of at most {LONGEST_TEXT} characters"
    if bad := unsafe_character(text) or hidden_character(text):
        return f"holds {bad}", "text without it"
    return None


def hidden_character(text: str) -> str | None:
    """Name the first letter of an id that nobody would see."""
    if text.isascii() and text.isprintable():
        return None
    for letter in text:
        if is_hidden(letter) and letter not in _JOINERS:
            kind = unicodedata.category(letter)
            if kind in _NEVER_SEEN or letter.isprintable():
                name = unicodedata.name(letter, "a control character").lower()
                return f"{name} ({visible(letter)}), which nobody sees"
    return None


def walks(text: str) -> bool:
    """Say whether a part of a path could be taken for a step to another: `.` or `..`, in any spelling.

    We encode it whole, and still a proxy or a server behind may decode twice, take a backslash for a slash, or leave
    out what stands behind a semicolon. No event's id looks like that.
    """
    return any(part.partition(";")[0].strip() in {".", ".."} for part in _plain(text).split("/"))


def is_word(text: str, word: str) -> bool:
    """Say whether a part of a path could be taken for this word of a path, in any spelling."""
    return _plain(text).partition(";")[0].strip().casefold() == word


def _plain(text: str) -> str:
    """Undo every encoding: of percent signs as often as there is one, full-width letters, backslashes."""
    while True:
        plain = unicodedata.normalize("NFKC", unquote(text)).replace("\\", "/")
        if plain == text:
            return plain
        text = plain
