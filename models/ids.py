"""Ids and names as producers and operators choose them: which cannot be used.

One judgement for every way in: ids of events, external accounts, accounts, producers, parts, keys.
"""

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

from models.escaping import visible
from models.input_check import shown, unsafe_character

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""A name that operators give, to an account or a schedule, and type."""
LONGEST_TEXT: Final = 255
"""Characters. HubSpot publishes no bound; an index entry has one."""
_UNSEEN_BASIC: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0d\ufeff\uffa0"
    r"\ufff0-\ufffb"
)
_UNSEEN: Final = _UNSEEN_BASIC + (
    r"\ud800-\udfff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Letters of no id, by name and not by Unicode's categories, which another Python knows otherwise.

Controls, formats, surrogates, separators of lines, fillers. U+200C and U+200D are not among them: Persian, the scripts
of India and emoji are spelt with these; printed, they are seen as escapes. Nor is what is only unassigned or private.
"""
_SPACES: Final = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
ID_PATTERN: Final = f"^[^{_UNSEEN_BASIC}{_SPACES}]([^{_UNSEEN_BASIC}]*[^{_UNSEEN_BASIC}{_SPACES}])?$"
"""The same for whoever reads our OpenAPI document, as far as readers of patterns agree: the basic plane."""
_ONE_UNSEEN: Final = re.compile(f"[{_UNSEEN}]")

IdFault = tuple[str, str]
"""What is wrong, and what would be right."""


def id_fault(text: str) -> IdFault | None:
    """Say what is wrong with an id; none where it can be used.

    It holds no control character, no line break, no bidirectional mark or other letter that nobody sees, and neither
    begins nor ends with a space: two ids that look the same must be the same.
    """
    if len(text) > LONGEST_TEXT:
        return f"is {len(text):,} characters long", f"text of at most {LONGEST_TEXT} characters"
    if bad := unsafe_character(text) or hidden_character(text):
        return f"holds {bad}", "text without it"
    if text != text.strip():
        return f"'{shown(text)}' {'begins' if text[:1].isspace() else 'ends'} with a space", "it without the space"
    return None


def hidden_character(text: str) -> str | None:
    """Name the first letter of an id that nobody would see."""
    found = _ONE_UNSEEN.search(text)
    if found is None:
        return None
    name = unicodedata.name(found[0], "a control character").lower()
    return f"{name} ({visible(found[0])}), which nobody sees"


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
